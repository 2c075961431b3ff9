//! Loops over the negative sides of sigmoid cross-entropy, with or without a focus.

use super::math::{LOWEST, exp, fma, log1p_quotient};
use super::{Fresh, LANES, V};

/// Columns whose exponentials are made before anything else is made of them. A processor works on few enough operations at a time that it waits for a
/// chain from logit to gradient, and does not for two of half the length; a block stays in the first cache.
const BLOCK: usize = 256;

#[inline(always)]
pub(super) fn sigmoid_body<const FMA: bool>(
    z: &[f32],
    weight: &[f32],
    scale: f32,
    gradient: &mut [Fresh],
    sums: &mut [f32],
) -> Option<f64> {
    // Without a focus nothing reads it.
    sides::<FMA, false>(z, [weight, weight], scale, gradient, sums)
}

#[inline(always)]
pub(super) fn focal_body<const FMA: bool>(
    z: &[f32],
    weight: &[f32],
    gamma: &[f32],
    scale: f32,
    gradient: &mut [Fresh],
    sums: &mut [f32],
) -> Option<f64> {
    sides::<FMA, true>(z, [weight, gamma], scale, gradient, sums)
}

/// A row of negative sides, with or without a focus.
#[inline(always)]
fn sides<const FMA: bool, const FOCAL: bool>(
    z: &[f32],
    [weight, gamma]: [&[f32]; 2],
    scale: f32,
    gradient: &mut [Fresh],
    sums: &mut [f32],
) -> Option<f64> {
    let (mut value, mut highest) = ([0.0; LANES], [0_u32; LANES]);
    let mut room = [[0.0; LANES]; BLOCK / LANES];
    let inputs = z.chunks(BLOCK).zip(weight.chunks(BLOCK)).zip(gamma.chunks(BLOCK));
    let outputs = gradient.chunks_mut(BLOCK).zip(sums.chunks_mut(BLOCK));
    for (((z, weight), gamma), (gradient, sums)) in inputs.zip(outputs) {
        let (z, z_rest) = z.as_chunks::<LANES>();
        let (weight, weight_rest) = weight.as_chunks::<LANES>();
        let (gamma, gamma_rest) = gamma.as_chunks::<LANES>();
        let (gradient, gradient_rest) = gradient.as_chunks_mut::<LANES>();
        let (sums, sums_rest) = sums.as_chunks_mut::<LANES>();
        z.iter().zip(&mut room).for_each(|(z, e)| *e = exp_lanes::<FMA>(z, &mut highest));
        for (((((z, e), weight), gamma), gradient), sums) in
            z.iter().zip(&room).zip(weight).zip(gamma).zip(gradient).zip(sums)
        {
            side_lanes::<FMA, FOCAL>(z, e, [weight, gamma], scale, gradient, sums, &mut value);
        }
        if !z_rest.is_empty() {
            // Lanes beyond the row have weight 0.
            let (z, weight, gamma) = (padded(z_rest), padded(weight_rest), padded(gamma_rest));
            let (mut gradient, mut sums) = ([Fresh::new(0.0); LANES], padded(sums_rest));
            let e = exp_lanes::<FMA>(&z, &mut highest);
            side_lanes::<FMA, FOCAL>(&z, &e, [&weight, &gamma], scale, &mut gradient, &mut sums, &mut value);
            gradient_rest.copy_from_slice(&gradient[..gradient_rest.len()]);
            sums_rest.copy_from_slice(&sums[..sums_rest.len()]);
        }
    }
    let finite = highest.iter().all(|bits| *bits < f32::NEG_INFINITY.to_bits());
    finite.then(|| value.iter().map(|lane| f64::from(*lane)).sum())
}

/// `exp(-|z|)`; `highest` keeps the largest bits of `-|z|`.
#[inline(always)]
fn exp_lanes<const FMA: bool>(z: &V, highest: &mut [u32; LANES]) -> V {
    let mut e = [0.0; LANES];
    for i in 0..LANES {
        let x = -z[i].abs();
        highest[i] = highest[i].max(x.to_bits());
        e[i] = exp::<FMA>(x);
    }
    e
}

/// With `e = exp(-|z|)`: `p = 1 / (1 + e)` or `e / (1 + e)`, and `log(1 + exp(z)) = max(z, 0) + log1p(e)`.
///
/// A focus adds `p^gamma = exp(gamma log p)`, `log p` being `-max(-z, 0) - log1p(e)`: `log(p)` of a `p` that was rounded would lose the
/// digits of one near 1.
#[inline(always)]
fn side_lanes<const FMA: bool, const FOCAL: bool>(
    z: &V,
    e: &V,
    [weight, gamma]: [&V; 2],
    scale: f32,
    gradient: &mut [Fresh; LANES],
    sums: &mut V,
    value: &mut V,
) {
    for i in 0..LANES {
        let e = e[i];
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
        sums[i] += g;
        gradient[i] = Fresh::new(g * scale);
    }
}

#[inline(always)]
fn padded(rest: &[f32]) -> V {
    let mut lanes = [0.0; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

#[cfg(test)]
mod tests {
    use super::super::FreshRow;
    use super::super::math::tests::sampled;
    use super::*;

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
                    let (value, gradient) = row.written(chunk.len(), |row| body(chunk, &weight, 2.0, row, &mut sums));
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
                let write = |row: &mut [Fresh]| body(&[z], &[1.0], &[gamma], 2.0, row, &mut sums);
                let (value, gradient) = row.written(1, write);
                close(value.unwrap(), term);
                close(f64::from(gradient[0]) / 2.0, slope);
                assert_eq!(gradient[0], 2.0 * sums[0]);
            }
        }
    }
}
