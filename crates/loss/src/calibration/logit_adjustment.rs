//! Post-hoc logit adjustment (Menon et al., ICLR 2021, arXiv 2007.07314): scores of `softmax(z - tau log pi)`.
//!
//! Unlike NorCal it moves background too: the prior has `K + 1` entries.

use burn::tensor::Tensor;

use super::{demand, rescaled, rescaled_f64};
use crate::Result;

/// Post-hoc logit adjustment.
#[derive(Clone, Debug, PartialEq)]
pub struct PostHocLogitAdjustment {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl PostHocLogitAdjustment {
    /// For this prior of the classes and of background, `[K + 1]`, up to a factor.
    ///
    /// # Errors
    /// When a prior is not above 0, or `tau` is not a finite number.
    pub fn new(prior: &[f64], tau: f64) -> Result<Self> {
        demand(tau.is_finite(), "tau", "a finite number", tau)?;
        let wrong = prior.iter().find(|part| !part.is_finite() || **part <= 0.0);
        demand(wrong.is_none(), "prior", "finite numbers above 0", wrong.copied().unwrap_or_default())?;
        let shift = prior.iter().map(|part| -tau * part.ln()).collect();
        Ok(Self { scale: vec![1.0; prior.len()], shift })
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
