//! NorCal (Pan et al., NeurIPS 2021, arXiv 2107.02170): scores divided by a power of the class counts, background left alone.
//!
//! `p_j = (e^z_j / n_j^gamma) / (sum_k e^z_k / n_k^gamma + e^z_K)`, `n` being the training images of each class. As a softmax of
//! `z_j - gamma log n_j` it cannot overflow, which the authors' code (`tydpan/NorCal`) can. Its default of `gamma` is 0, which does
//! nothing: choose it on the training set; 0.6 is common.

use burn::tensor::Tensor;

use super::{demand, rescaled, rescaled_f64};
use crate::Result;

/// Normalised calibration.
#[derive(Clone, Debug, PartialEq)]
pub struct NorCal {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl NorCal {
    /// For classes of these image counts, `[K]`; a class without images counts as one.
    ///
    /// # Errors
    /// When `gamma` is not a finite number of at least 0.
    pub fn new(image_counts: &[u64], gamma: f64) -> Result<Self> {
        demand(gamma.is_finite() && gamma >= 0.0, "gamma", "a finite number of at least 0", gamma)?;
        let shift = image_counts.iter().map(|count| -gamma * ((*count).max(1) as f64).ln()).chain([0.0]).collect();
        Ok(Self { scale: vec![1.0; image_counts.len() + 1], shift })
    }

    /// Class scores.
    ///
    /// # Shapes
    /// `logits` `[R, K + 1]` → `[R, K]`
    pub fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        rescaled(logits, &self.scale, &self.shift)
    }

    /// Scores of one row in float64, `[K + 1]` → `[K]`.
    pub fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        rescaled_f64(row, &self.scale, &self.shift)
    }
}
