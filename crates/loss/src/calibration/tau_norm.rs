//! tau-normalisation of a classifier (Kang et al., ICLR 2020, arXiv 1910.09217): `w_c / ||w_c||^tau`, the bias dropped.
//!
//! Frequent classes grow long weights; at `tau` 1 all have one length. Made for classification: the row of a background column
//! has a length of its own, so that in detection it should be left out, and the result checked on the training set.

use super::demand;
use crate::Result;

/// The values of `tau` that the authors choose from, on a held-out part: 21 from 0 to 2.
pub const TAUS: [f64; 21] = {
    let mut taus = [0.0; 21];
    let mut at = 0;
    while at < 21 {
        taus[at] = at as f64 / 10.0;
        at += 1;
    }
    taus
};

/// Weights of a linear classifier, `[K, D]` row by row, with rows of length `||w||^(1 - tau)`; a row of zeros stays one.
///
/// # Errors
/// When `dimensions` does not divide the number of weights, or `tau` is not finite.
pub fn tau_norm(weights: &[f64], dimensions: usize, tau: f64) -> Result<Vec<f64>> {
    demand(tau.is_finite(), "tau", "a finite number", tau)?;
    let fits = dimensions > 0 && weights.len().is_multiple_of(dimensions);
    demand(fits, "weights", &format!("rows of {dimensions}"), format!("{} weights", weights.len()))?;
    Ok(weights
        .chunks_exact(dimensions)
        .flat_map(|row| {
            let length = row.iter().map(|w| w * w).sum::<f64>().sqrt();
            let divisor = if length > 0.0 { length.powf(tau) } else { 1.0 };
            row.iter().map(move |w| w / divisor)
        })
        .collect())
}
