//! tau-normalisation of a classifier (Kang et al., ICLR 2020, arXiv 1910.09217): `w_c / ||w_c||^tau`, the bias dropped.
//!
//! Frequent classes grow long weights; at `tau` 1 all have one length. Made for classification: the row of a background column
//! has a length of its own, so that in detection it should be left out, and the result checked on the training set.

use super::{Calibration, demand};
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

/// tau-normalisation of a linear classifier of weights `[D, C]` and bias `[C]`, told as scales and shifts of its logits: a row of zeros stays one, and
/// what comes after the `num_classes` classes (background) stays as it is.
///
/// # Errors
/// When the sizes do not fit, or `tau` is not finite.
pub fn tau_norm(weights: &[f64], bias: &[f64], num_classes: usize, tau: f64) -> Result<Calibration> {
    demand(tau.is_finite(), "tau", "a finite number", tau)?;
    let channels = bias.len();
    let fits = channels >= num_classes && channels > 0 && weights.len().is_multiple_of(channels);
    demand(fits, "weights", &format!("rows of {channels}"), format!("{} weights", weights.len()))?;
    let mut squares = vec![0.0_f64; channels];
    for row in weights.chunks_exact(channels) {
        squares.iter_mut().zip(row).for_each(|(sum, w)| *sum += w * w);
    }
    let factor = |square: &f64| if *square > 0.0 { square.sqrt().powf(-tau) } else { 1.0 };
    let mut scale: Vec<f64> = squares[..num_classes].iter().map(factor).collect();
    let mut shift: Vec<f64> = scale.iter().zip(bias).map(|(scale, bias)| -scale * bias).collect();
    scale.resize(channels, 1.0);
    shift.resize(channels, 0.0);
    Ok(Calibration::new("tau-norm", Some(tau), scale, shift))
}
