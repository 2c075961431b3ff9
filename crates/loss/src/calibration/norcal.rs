//! NorCal (Pan et al., NeurIPS 2021, arXiv 2107.02170): scores divided by a power of the class counts, background left alone.
//!
//! `p_j = (e^z_j / n_j^gamma) / (sum_k e^z_k / n_k^gamma + e^z_K)`, `n` being the training images of each class. As a softmax of
//! `z_j - gamma log n_j` it cannot overflow, which the authors' code (`tydpan/NorCal`) can. Its default of `gamma` is 0, which does
//! nothing: choose it on the training set; 0.6 is common.

use super::{Calibration, demand};
use crate::Result;

/// Normalised calibration of `channels` logits, the first of which are classes of these image counts, `[K]`; a class without images counts as one.
///
/// # Errors
/// When `gamma` is not a finite number of at least 0, or there are fewer channels than classes.
pub fn norcal(image_counts: &[u64], channels: usize, gamma: f64) -> Result<Calibration> {
    demand(gamma.is_finite() && gamma >= 0.0, "gamma", "a finite number of at least 0", gamma)?;
    demand(image_counts.len() <= channels, "channels", &format!("at least {}", image_counts.len()), channels)?;
    let mut shift: Vec<f64> = image_counts.iter().map(|count| -gamma * ((*count).max(1) as f64).ln()).collect();
    shift.resize(channels, 0.0);
    Ok(Calibration::new("norcal", Some(gamma), vec![1.0; channels], shift))
}
