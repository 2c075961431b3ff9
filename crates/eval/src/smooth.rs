//! The smoothing of Figure 1 of EQL v2 (arXiv 2012.08548): a Gaussian filter over categories sorted by training instances. It is not a fit.
//!
//! Kernel `exp(-k² / 2σ²)`, `k = -radius ..= radius`, normalised, `radius = floor(4 σ + 1/2)`; the ends are mirrored (`d c b a | a b c d | d c b a`).
//! The paper's σ is 5 categories of 1,203. On fewer categories the same σ would wash the tail away, so it scales with their number.

/// Classes of LVIS v1, for which the paper's figure uses σ = 5.
const LVIS_CLASSES: f64 = 1203.0;
const LVIS_SIGMA: f64 = 5.0;
/// Below one category there is nothing to smooth.
const LEAST_SIGMA: f64 = 1.0;
const TRUNCATE: f64 = 4.0;

/// σ for `classes` categories: 5 · classes / 1203, at least 1, and exactly 5 for the 1,203 of LVIS.
pub fn sigma_for(classes: usize) -> f64 {
    (LVIS_SIGMA * classes as f64 / LVIS_CLASSES).max(LEAST_SIGMA)
}

/// The values smoothed by a Gaussian of `sigma` positions with mirrored ends. A σ that is not positive changes nothing.
pub fn gaussian(values: &[f64], sigma: f64) -> Vec<f64> {
    if values.is_empty() || sigma.is_nan() || sigma <= 0.0 {
        return values.to_vec();
    }
    let radius = (TRUNCATE * sigma + 0.5) as i64;
    let kernel: Vec<f64> = (-radius..=radius).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let total: f64 = kernel.iter().sum();
    (0..values.len() as i64)
        .map(|at| {
            let weighted = |(k, weight): (usize, &f64)| weight * values[mirrored(at + k as i64 - radius, values.len())];
            kernel.iter().enumerate().map(weighted).sum::<f64>() / total
        })
        .collect()
}

/// Position of `at` in a row of `len` values that goes on mirrored, edge value repeated, however far out.
fn mirrored(at: i64, len: usize) -> usize {
    let period = 2 * len as i64;
    let at = at.rem_euclid(period);
    (if at < len as i64 { at } else { period - 1 - at }) as usize
}
