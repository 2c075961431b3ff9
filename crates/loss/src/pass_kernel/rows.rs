//! Loops that search a row, change it or make numbers of another kind of it.

use super::math::log;

/// The exponent of infinities and NaNs: all ones.
const EXPONENT: u32 = 0x7f80_0000;

#[inline(always)]
pub(super) fn largest_body<const FMA: bool>(row: &[f32]) -> Option<f32> {
    let (highest, exponent) = row.iter().fold((turned(f32::NEG_INFINITY), 0), |(highest, exponent), z| {
        (highest.max(turned(*z)), exponent.max(z.to_bits() & EXPONENT))
    });
    (exponent < EXPONENT).then(|| turned_back(highest))
}

#[inline(always)]
pub(super) fn highest_body<const FMA: bool>(row: &[f32]) -> f32 {
    turned_back(row.iter().fold(turned(f32::NEG_INFINITY), |highest, z| highest.max(turned(*z))))
}

/// Bits of a float with those of negative numbers turned round, which are ordered as integers. The order of evaluation of integers is
/// free, so that a search becomes vectors.
#[inline(always)]
fn turned(z: f32) -> i32 {
    let bits = z.to_bits() as i32;
    bits ^ ((bits >> 31) & i32::MAX)
}

#[inline(always)]
fn turned_back(bits: i32) -> f32 {
    f32::from_bits((bits ^ ((bits >> 31) & i32::MAX)) as u32)
}

#[inline(always)]
pub(super) fn change_body<const FMA: bool>(z: &[f32], origin: f32, scale: f32, offset: &[f32], to: &mut [f32]) -> f32 {
    let mut highest = turned(f32::NEG_INFINITY);
    for ((to, z), offset) in to.iter_mut().zip(z).zip(offset) {
        *to = ((z - origin) * scale + offset).clamp(f32::MIN, f32::MAX);
        highest = highest.max(turned(*to));
    }
    turned_back(highest)
}

#[inline(always)]
pub(super) fn narrow_body<const FMA: bool>(from: &[f64], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, value)| *to = *value as f32);
}

#[inline(always)]
pub(super) fn shares_body<const FMA: bool>(from: &[f64], scale: f64, floor: f64, to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, value)| *to = (value * scale).max(floor) as f32);
}

#[inline(always)]
pub(super) fn log_of_ratio_body<const FMA: bool>(from: &[f32], scale: f32, to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = scale * log::<FMA>(from / *to));
}
