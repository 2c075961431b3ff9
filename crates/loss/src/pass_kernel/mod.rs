//! The loops of the fused pass, over one row of `C` columns.
//!
//! Written once over arrays of [`LANES`] values, which the compiler turns into vectors, and compiled three times: for AVX-512, for AVX2
//! with FMA, and for the plain target; the processor decides at run time. `exp` is the best polynomial of degree 5 on
//! `[-ln 2 / 2, ln 2 / 2]`, with a relative error below 3e-7 for arguments from -87 to 0, below which it stays at `exp(-87)`, 1.6e-38, and never makes a NaN of a
//! number.

mod math;

use std::mem::MaybeUninit;
use std::slice::ChunksMut;

use rayon::prelude::*;

use self::math::{LOWEST, exp, fma, log, log1p_quotient};

/// Values that are handled together: one register of AVX-512, two of AVX2.
const LANES: usize = 16;

/// The exponent of infinities and NaNs: all ones.
const EXPONENT: u32 = 0x7f80_0000;

type V = [f32; LANES];

/// A value of the output before it is written.
pub(crate) type Fresh = MaybeUninit<f32>;

/// Defines a function that runs `$body::<true>` with the widest vectors of this processor, or `$body::<false>` without fused
/// multiply-add.
macro_rules! dispatched {
    ($(#[$doc:meta])* $visible:vis $name:ident = $body:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)?) => {
        $(#[$doc])*
        $visible fn $name($($arg: $ty),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $out)? {
                    $body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $out)? {
                    $body::<true>($($arg),*)
                }
                let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                if fma && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                    // SAFETY: the processor was just found to have these features.
                    return unsafe { avx512($($arg),*) };
                }
                if fma {
                    // SAFETY: the processor was just found to have these features.
                    return unsafe { avx2($($arg),*) };
                }
            }
            $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}

dispatched! {
    /// The largest value, minus infinity for none, or `None` when a value is not finite.
    pub(crate) largest = largest_body(row: &[f32]) -> Option<f32>
}

dispatched! {
    /// The largest value, which may be infinite; minus infinity for none.
    pub(crate) highest = highest_body(row: &[f32]) -> f32
}

dispatched! {
    /// Writes `scale (z - origin) + offset` to a row of the same length, and returns the largest; finite logits stay finite.
    pub(crate) change = change_body(z: &[f32], origin: f32, scale: f32, offset: &[f32], to: &mut [f32]) -> f32
}

dispatched! {
    /// Rounds to f32.
    pub(crate) narrow = narrow_body(from: &[f64], to: &mut [f32])
}

dispatched! {
    /// Replaces each number `b` of `to` by `scale log(a / b)`, `a` being that of `from`; all are positive and normal, and so are the quotients.
    /// The logarithm is off by at most 5e-7 of itself and the rounding of the quotient, 6e-8.
    pub(crate) log_of_ratio = log_of_ratio_body(from: &[f32], scale: f32, to: &mut [f32])
}

dispatched! {
    /// [`FreshRow::sigmoid`] of a row of the same length.
    sigmoid_row = sigmoid_body(z: &[f32], weight: &[f32], factor: [f32; 2], gradient: &mut [Fresh], sums: &mut [f32]) -> Option<f64>
}

dispatched! {
    /// [`FreshRow::focal`] of a row of the same length.
    focal_row = focal_body(z: &[f32], weight: &[f32], gamma: &[f32], factor: [f32; 2], gradient: &mut [Fresh], sums: &mut [f32]) -> Option<f64>
}

dispatched! {
    /// [`FreshRow::exp`] of a row of the same length.
    exp_row = exp_body(z: &[f32], max: f32, own: usize, out: &mut [Fresh]) -> f32
}

dispatched! {
    /// Multiplies `out` by `factor[0]`, adds it to `sums`, and multiplies it by `factor[1]`.
    pub(crate) share_row = share_body(factor: [f32; 2], out: &mut [f32], sums: &mut [f32])
}

#[inline(always)]
fn largest_body<const FMA: bool>(row: &[f32]) -> Option<f32> {
    let (highest, exponent) = row.iter().fold((turned(f32::NEG_INFINITY), 0), |(highest, exponent), z| {
        (highest.max(turned(*z)), exponent.max(z.to_bits() & EXPONENT))
    });
    (exponent < EXPONENT).then(|| turned_back(highest))
}

#[inline(always)]
fn highest_body<const FMA: bool>(row: &[f32]) -> f32 {
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
fn change_body<const FMA: bool>(z: &[f32], origin: f32, scale: f32, offset: &[f32], to: &mut [f32]) -> f32 {
    let mut highest = turned(f32::NEG_INFINITY);
    for ((to, z), offset) in to.iter_mut().zip(z).zip(offset) {
        *to = ((z - origin) * scale + offset).clamp(f32::MIN, f32::MAX);
        highest = highest.max(turned(*to));
    }
    turned_back(highest)
}

#[inline(always)]
fn narrow_body<const FMA: bool>(from: &[f64], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, value)| *to = *value as f32);
}

#[inline(always)]
fn log_of_ratio_body<const FMA: bool>(from: &[f32], scale: f32, to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = scale * log::<FMA>(from / *to));
}

#[inline(always)]
fn sigmoid_body<const FMA: bool>(
    z: &[f32],
    weight: &[f32],
    factor: [f32; 2],
    gradient: &mut [Fresh],
    sums: &mut [f32],
) -> Option<f64> {
    // Without a focus nothing reads it.
    sides::<FMA, false>(z, [weight, weight], factor, gradient, sums)
}

#[inline(always)]
fn focal_body<const FMA: bool>(
    z: &[f32],
    weight: &[f32],
    gamma: &[f32],
    factor: [f32; 2],
    gradient: &mut [Fresh],
    sums: &mut [f32],
) -> Option<f64> {
    sides::<FMA, true>(z, [weight, gamma], factor, gradient, sums)
}

/// A row of negative sides, with or without a focus.
#[inline(always)]
fn sides<const FMA: bool, const FOCAL: bool>(
    z: &[f32],
    [weight, gamma]: [&[f32]; 2],
    [row_weight, scale]: [f32; 2],
    gradient: &mut [Fresh],
    sums: &mut [f32],
) -> Option<f64> {
    let factor = [row_weight, row_weight * scale];
    let (z, z_rest) = z.as_chunks::<LANES>();
    let (weight, weight_rest) = weight.as_chunks::<LANES>();
    let (gamma, gamma_rest) = gamma.as_chunks::<LANES>();
    let (gradient, gradient_rest) = gradient.as_chunks_mut::<LANES>();
    let (sums, sums_rest) = sums.as_chunks_mut::<LANES>();
    let (mut value, mut highest) = ([0.0; LANES], [0_u32; LANES]);
    for ((((z, weight), gamma), gradient), sums) in z.iter().zip(weight).zip(gamma).zip(gradient).zip(sums) {
        side_lanes::<FMA, FOCAL>(z, [weight, gamma], factor, gradient, sums, &mut value, &mut highest);
    }
    if !z_rest.is_empty() {
        // Lanes beyond the row have weight 0.
        let (z, weight, gamma) = (padded(z_rest), padded(weight_rest), padded(gamma_rest));
        let (mut gradient, mut sums) = ([Fresh::new(0.0); LANES], padded(sums_rest));
        side_lanes::<FMA, FOCAL>(&z, [&weight, &gamma], factor, &mut gradient, &mut sums, &mut value, &mut highest);
        gradient_rest.copy_from_slice(&gradient[..gradient_rest.len()]);
        sums_rest.copy_from_slice(&sums[..sums_rest.len()]);
    }
    let finite = highest.iter().all(|bits| *bits < f32::NEG_INFINITY.to_bits());
    finite.then(|| value.iter().map(|lane| f64::from(*lane)).sum::<f64>() * f64::from(row_weight))
}

/// With `e = exp(-|z|)`: `p = 1 / (1 + e)` or `e / (1 + e)`, and `log(1 + exp(z)) = max(z, 0) + log1p(e)`.
///
/// A focus adds `p^gamma = exp(gamma log p)`, `log p` being `-max(-z, 0) - log1p(e)`: `log(p)` of a `p` that was rounded would lose the
/// digits of one near 1. `highest` keeps the largest bits of `-|z|`, `value` the terms without the row's weight.
#[inline(always)]
fn side_lanes<const FMA: bool, const FOCAL: bool>(
    z: &V,
    [weight, gamma]: [&V; 2],
    [row_weight, scale]: [f32; 2],
    gradient: &mut [Fresh; LANES],
    sums: &mut V,
    value: &mut V,
    highest: &mut [u32; LANES],
) {
    for i in 0..LANES {
        let x = -z[i].abs();
        highest[i] = highest[i].max(x.to_bits());
        let e = exp::<FMA>(x);
        // The sign bit alone: either side is the same at 0.
        let negative = z[i].to_bits() >> 31 == 1;
        let (own, other) = if negative { (e, 1.0) } else { (1.0, e) };
        let p = own / (1.0 + e);
        let log = log1p_quotient::<FMA>(e);
        let (bce, mut slope) = (fma::<FMA>(log, e, z[i].max(0.0)), p);
        let mut weight = weight[i];
        if FOCAL {
            // Beyond the range of `exp`, `1 - p` is 0: times a `z` of 1e38, the least `e` is no longer small.
            let other = if z[i] >= -LOWEST { 0.0 } else { other / (1.0 + e) };
            weight *= exp::<FMA>(gamma[i] * fma::<FMA>(log, -e, z[i].min(0.0)));
            slope = fma::<FMA>(gamma[i] * other, bce, p);
        }
        value[i] = fma::<FMA>(weight, bce, value[i]);
        let g = weight * slope;
        sums[i] = fma::<FMA>(g, row_weight, sums[i]);
        gradient[i] = Fresh::new(g * scale);
    }
}

#[inline(always)]
fn exp_body<const FMA: bool>(z: &[f32], max: f32, own: usize, out: &mut [Fresh]) -> f32 {
    let (z, z_rest) = z.as_chunks::<LANES>();
    let (out, out_rest) = out.as_chunks_mut::<LANES>();
    let mut sum = [0.0; LANES];
    // What should count as nothing is made minus infinity. The chunk with `own` is alone, so that the loops over the others keep their sums
    // in registers.
    let at = (own / LANES).min(z.len());
    let (z, z_from) = z.split_at(at);
    let (out, out_from) = out.split_at_mut(at);
    z.iter().zip(out).for_each(|(z, out)| *out = exp_lanes::<FMA>(z, max, &mut sum).map(Fresh::new));
    if let ([z, z_after @ ..], [out, out_after @ ..]) = (z_from, out_from) {
        let mut z = *z;
        z[own % LANES] = f32::NEG_INFINITY;
        *out = exp_lanes::<FMA>(&z, max, &mut sum).map(Fresh::new);
        z_after.iter().zip(out_after).for_each(|(z, out)| *out = exp_lanes::<FMA>(z, max, &mut sum).map(Fresh::new));
    }
    if !z_rest.is_empty() {
        let mut padding = [f32::NEG_INFINITY; LANES];
        padding[..z_rest.len()].copy_from_slice(z_rest);
        if z_from.is_empty() {
            padding[own % LANES] = f32::NEG_INFINITY;
        }
        let values = exp_lanes::<FMA>(&padding, max, &mut sum);
        out_rest.iter_mut().zip(values).for_each(|(out, value)| *out = Fresh::new(value));
    }
    sum.iter().sum()
}

#[inline(always)]
fn exp_lanes<const FMA: bool>(z: &V, max: f32, sum: &mut V) -> V {
    let mut out = [0.0; LANES];
    for i in 0..LANES {
        let x = z[i] - max;
        out[i] = if x < LOWEST { 0.0 } else { exp::<FMA>(x) };
        sum[i] += out[i];
    }
    out
}

#[inline(always)]
fn share_body<const FMA: bool>([share, scale]: [f32; 2], out: &mut [f32], sums: &mut [f32]) {
    for (out, sum) in out.iter_mut().zip(sums) {
        let g = *out * share;
        *sum += g;
        *out = g * scale;
    }
}

/// Sum of `exp(z - max)` of all columns but one.
pub(crate) fn sum_of_others(z: &[f32], max: f32, own: usize) -> f32 {
    exp_row(z, max, own, &mut vec![Fresh::new(0.0); z.len()])
}

/// A row of the output that nothing has been written to. What is dropped as it is becomes zeros.
pub(crate) struct FreshRow<'a>(Option<&'a mut [Fresh]>);

impl<'a> FreshRow<'a> {
    /// A row in a room of its own.
    pub(crate) fn over(room: &'a mut [Fresh]) -> Self {
        Self(Some(room))
    }

    /// Negative sides of sigmoid cross-entropy, with `p = sigmoid(z)` and `g = weight p`: writes `scale g`, adds `g` to
    /// `sums`, and returns the sum of `weight log(1 + exp(z))`, or `None` when a value is not finite. The check is part of the loop,
    /// so that the row is fetched from memory while the one before is computed.
    ///
    /// # Panics
    /// When lengths differ.
    pub(crate) fn sigmoid(
        self,
        z: &[f32],
        weight: &[f32],
        factor: [f32; 2],
        sums: &mut [f32],
    ) -> (Option<f64>, &'a mut [f32]) {
        assert!(weight.len() == z.len() && sums.len() == z.len(), "a weight and a sum for each column");
        self.written(z.len(), |row| sigmoid_row(z, weight, factor, row, sums))
    }

    /// The same with a focus: terms are `weight p^gamma log(1 + exp(z))`, `g = weight p^gamma (gamma (1 - p) log(1 + exp(z)) + p)`.
    ///
    /// # Panics
    /// When lengths differ.
    pub(crate) fn focal(
        self,
        z: &[f32],
        [weight, gamma]: [&[f32]; 2],
        factor: [f32; 2],
        sums: &mut [f32],
    ) -> (Option<f64>, &'a mut [f32]) {
        assert!(weight.len() == z.len() && sums.len() == z.len(), "a weight and a sum for each column");
        assert_eq!(gamma.len(), z.len(), "a focus for each column");
        self.written(z.len(), |row| focal_row(z, weight, gamma, factor, row, sums))
    }

    /// Writes zeros.
    pub(crate) fn zeros(self) -> &'a mut [f32] {
        let length = self.0.as_ref().map_or(0, |row| row.len());
        self.written(length, |row| row.fill(Fresh::new(0.0))).1
    }

    /// Writes `exp(z - max)`, 0 at `own` and where it is below `exp(-87)`, and returns the sum.
    ///
    /// # Panics
    /// When lengths differ.
    pub(crate) fn exp(self, z: &[f32], max: f32, own: usize) -> (f32, &'a mut [f32]) {
        self.written(z.len(), |row| exp_row(z, max, own, row))
    }

    /// The row after `write`, which must be a loop that writes every value of a row of `length`.
    fn written<T>(mut self, length: usize, write: impl FnOnce(&mut [Fresh]) -> T) -> (T, &'a mut [f32]) {
        let row = self.0.take().expect("a row is taken once");
        assert_eq!(row.len(), length, "a value for each column");
        let result = write(row);
        // SAFETY: `sides` and `exp_body` write every value of a row that is as long as their other slices, which was just asserted,
        // `zeros` fills it, and `MaybeUninit<f32>` has the layout of `f32`.
        (result, unsafe { &mut *(std::ptr::from_mut(row) as *mut [f32]) })
    }
}

impl Drop for FreshRow<'_> {
    fn drop(&mut self) {
        if let Some(row) = self.0.take() {
            row.fill(Fresh::new(0.0));
        }
    }
}

/// The rows of a piece, handed out one by one.
pub(crate) struct FreshRows<'a>(ChunksMut<'a, Fresh>);

impl<'a> Iterator for FreshRows<'a> {
    type Item = FreshRow<'a>;

    fn next(&mut self) -> Option<FreshRow<'a>> {
        self.0.next().map(|row| FreshRow(Some(row)))
    }
}

/// `len` values in pieces of `rows` rows of `width`, each written by `work(index, rows)` on some thread; the results come in order, and
/// rows that `work` does not write are zeros.
///
/// # Panics
/// When `rows` or `width` is 0.
pub(crate) fn in_pieces<T: Send>(
    len: usize,
    [rows, width]: [usize; 2],
    work: impl Fn(usize, &mut FreshRows<'_>) -> T + Sync,
) -> (Vec<f32>, Vec<T>) {
    let mut values: Vec<f32> = Vec::with_capacity(len);
    let results = values.spare_capacity_mut()[..len]
        .par_chunks_mut(rows * width)
        .enumerate()
        .map(|(index, piece)| {
            let mut rows = FreshRows(piece.chunks_mut(width));
            let result = work(index, &mut rows);
            rows.for_each(drop);
            result
        })
        .collect();
    // SAFETY: the pieces together are the first `len` values; each of their rows was written by `written` or, when it was dropped, by
    // `drop`.
    unsafe { values.set_len(len) };
    (values, results)
}

#[inline(always)]
fn padded(rest: &[f32]) -> V {
    let mut lanes = [0.0; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

#[cfg(test)]
mod tests {
    use super::math::tests::sampled;
    use super::*;

    #[test]
    fn logs_of_ratios_are_those_of_plain_loops() {
        let mut to: Vec<f32> = (0..3 * LANES + 2).map(|at| 1e-3 * (1 + at) as f32).collect();
        let (from, expected): (Vec<f32>, Vec<f32>) = to.iter().map(|b| (0.5, 0.85 * (0.5 / b).ln())).unzip();
        log_of_ratio(&from, 0.85, &mut to);
        assert!(to.iter().zip(expected).all(|(got, exact)| (got - exact).abs() <= 1e-6 * exact.abs().max(0.1)));
    }

    /// `p` and `log(1 + exp(z))` over all magnitudes, against float64.
    #[test]
    fn sigmoids_and_logs_are_close_over_the_float_range() {
        let values = sampled(f32::MIN).flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)]);
        let all: Vec<f32> = values.step_by(11).collect();
        for chunk in all.chunks(LANES + 3) {
            for fused in [true, false] {
                for (at, z) in chunk.iter().enumerate() {
                    // One value at a time, at every place of a row.
                    let mut weight = vec![0.0; chunk.len()];
                    weight[at] = 1.0;
                    let (mut gradient, mut sums) = (vec![Fresh::new(1.0); chunk.len()], vec![0.0; chunk.len()]);
                    let row = FreshRow(Some(&mut gradient));
                    let body = if fused { sigmoid_body::<true> } else { sigmoid_body::<false> };
                    let factor = [1.0, 2.0];
                    let (value, gradient) =
                        row.written(chunk.len(), |row| body(chunk, &weight, factor, row, &mut sums));
                    let value = value.unwrap();
                    let expected = crate::sigmoid::bce_f64(f64::from(*z), false);
                    // Below exp(-87) both are 0 to f32.
                    assert!((value - expected).abs() <= 5e-7 * expected + 2e-38, "log(1 + exp({z})) is {value}");
                    let p = crate::sigmoid::sigmoid(f64::from(*z));
                    assert!((f64::from(sums[at]) - p).abs() <= 5e-7 * p + 2e-38, "sigmoid({z}) is {}", sums[at]);
                    assert_eq!(gradient[at], 2.0 * sums[at]);
                    assert!(gradient.iter().enumerate().all(|(other, g)| other == at || *g == 0.0));
                }
            }
        }
    }

    /// Terms and slopes with a focus over all magnitudes, against float64.
    #[test]
    fn focal_sides_are_close_over_the_float_range() {
        let values = sampled(f32::MIN).flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)]);
        for (z, gamma) in values.step_by(101).zip([0.0_f32, 0.5, 2.0, 10.0].into_iter().cycle()) {
            let (term, slope) = crate::focal_terms::term_f64(f64::from(z), 0.0, f64::from(gamma));
            // The exponent `gamma log p` is rounded.
            let exponent = f64::from(gamma) * crate::sigmoid::bce_f64(f64::from(z), true);
            let close = |got: f64, expected: f64| {
                let off = (got - expected).abs();
                assert!(
                    off <= (2e-6 + 3e-7 * exponent) * expected + 2e-36,
                    "z {z}, gamma {gamma}: {got} for {expected}"
                );
            };
            for body in [focal_body::<true>, focal_body::<false>] {
                let (mut gradient, mut sums) = ([Fresh::new(1.0)], [0.0]);
                let row = FreshRow::over(&mut gradient);
                let write = |row: &mut [Fresh]| body(&[z], &[1.0], &[gamma], [1.0, 2.0], row, &mut sums);
                let (value, gradient) = row.written(1, write);
                close(value.unwrap(), term);
                close(f64::from(gradient[0]) / 2.0, slope);
                assert_eq!(gradient[0], 2.0 * sums[0]);
            }
        }
    }

    #[test]
    fn rows_are_searched_changed_and_narrowed_as_plain_loops_do() {
        for length in 0..3 * LANES + 2 {
            let z: Vec<f32> = (0..length).map(|i| (i as f32 * 1.7).sin() * 5.0 - 4.0).collect();
            let offset: Vec<f32> = z.iter().map(|z| z * z).collect();
            let plain: Vec<f32> = z.iter().zip(&offset).map(|(z, offset)| (z - 0.5) * 30.0 + offset).collect();
            let mut changed = vec![0.0; length];
            let most = change(&z, 0.5, 30.0, &offset, &mut changed);
            assert_eq!((most, changed), (plain.iter().copied().fold(f32::NEG_INFINITY, f32::max), plain.clone()));
            let wide: Vec<f64> = plain.iter().map(|z| f64::from(*z) / 3.0).collect();
            let mut narrowed = vec![0.0; length];
            narrow(&wide, &mut narrowed);
            assert_eq!(narrowed, wide.iter().map(|z| *z as f32).collect::<Vec<_>>());
            for at in 0..length {
                let mut row = z.clone();
                row[at] = f32::NEG_INFINITY;
                assert_eq!(highest(&row), row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
                row[at] = f32::INFINITY;
                assert_eq!(highest(&row), f32::INFINITY);
            }
        }
        let mut far = [0.0; 2];
        change(&[f32::MAX, f32::MIN], f32::MIN, 30.0, &[1.0; 2], &mut far);
        assert_eq!(far, [f32::MAX, 1.0]);
    }

    #[test]
    fn what_is_not_written_is_zero() {
        let z = [1.0, -2.0, 0.5];
        let (values, results) = in_pieces(4 * 3, [2, 3], |piece, rows| {
            // The first row of each piece is dropped; the last of the second is never asked for.
            drop(rows.next());
            (piece == 0).then(|| rows.next().unwrap().exp(&z, 1.0, 0).0)
        });
        let expected = [-3.0_f32, -0.5].map(f32::exp);
        assert_eq!(values[..4], [0.0; 4]);
        assert!(values[4..6].iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-6), "{values:?}");
        assert_eq!(values[6..], [0.0; 6]);
        assert!((results[0].unwrap() - expected[0] - expected[1]).abs() < 1e-6);
    }

    #[test]
    fn rows_of_every_length_are_whole() {
        for length in 0..3 * LANES + 2 {
            let z: Vec<f32> = (0..length).map(|i| (i as f32 * 1.7).sin() * 5.0).collect();
            let highest = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(largest(&z), Some(highest));
            for at in 0..length {
                let mut out = vec![Fresh::new(1.0); length];
                let (sum, out) = FreshRow(Some(&mut out)).exp(&z, highest, at);
                let expected = z.iter().map(|z| f64::from(z - highest).exp());
                let others: f64 = expected.clone().enumerate().filter(|(i, _)| *i != at).map(|(_, e)| e).sum();
                assert!((f64::from(sum) - others).abs() <= 1e-6 * others + 1e-36, "{length}: {sum} and {others}");
                for (i, (out, expected)) in out.iter().zip(expected).enumerate() {
                    let expected = if i == at { 0.0 } else { expected };
                    assert!((f64::from(*out) - expected).abs() <= 5e-7 * expected, "{i} of {length}: {out}");
                }
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut broken = z.clone();
                    broken[at] = bad;
                    assert_eq!(largest(&broken), None, "{bad} at {at} of {length}");
                    let (ones, mut sums) = (vec![1.0; length], vec![0.0; length]);
                    let mut gradient = vec![Fresh::new(1.0); length];
                    let (value, _) = FreshRow(Some(&mut gradient)).sigmoid(&broken, &ones, [1.0; 2], &mut sums);
                    assert_eq!(value, None, "{bad} at {at} of {length}");
                }
            }
        }
    }
}
