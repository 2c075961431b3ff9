//! Loops over the exponentials of a softmax.

use super::math::{LOWEST, exp};
use super::{Fresh, LANES, V};

#[inline(always)]
pub(super) fn exp_body<const FMA: bool>(z: &[f32], max: f32, own: usize, out: &mut [Fresh]) -> f32 {
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
pub(super) fn share_body<const FMA: bool>([share, scale]: [f32; 2], out: &mut [f32], sums: &mut [f32]) {
    for (out, sum) in out.iter_mut().zip(sums) {
        let g = *out * share;
        *sum += g;
        *out = g * scale;
    }
}
