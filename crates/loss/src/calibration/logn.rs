//! LogN (Zhao et al., arXiv 2203.17020): logits normalised by their own statistics over the training data.
//!
//! A pass over the training set collects mean and variance of every logit; at test `z' = (z - (mean - b)) / std`, `b` being the
//! smallest mean of the classes, and 0 on background, whose mean is taken as 0 and deviation as 1. The authors' code
//! (`MCG-NJU/LogN`) uses the moving statistics of a BatchNorm layer with momentum 1e-4; here they are exact.

use super::{Calibration, demand};
use crate::Result;

/// Smallest variance (authors' code).
const LEAST_VARIANCE: f64 = 1e-11;

/// Mean and variance of every logit so far, by Welford's updates.
#[derive(Clone, Debug, PartialEq)]
pub struct LogitStatistics {
    rows: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl LogitStatistics {
    /// Of no row yet, over `channels` columns.
    pub fn new(channels: usize) -> Self {
        Self { rows: 0.0, mean: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// Adds the logits of a row, `[C]`.
    ///
    /// # Errors
    /// When it has another number of columns or a logit that is not finite; nothing is added then.
    pub fn add(&mut self, row: &[f64]) -> Result<()> {
        demand(row.len() == self.mean.len(), "logits", &format!("{} columns", self.mean.len()), row.len())?;
        let wrong = row.iter().find(|z| !z.is_finite());
        demand(wrong.is_none(), "logits", "finite numbers", wrong.copied().unwrap_or_default())?;
        self.rows += 1.0;
        for ((mean, squares), z) in self.mean.iter_mut().zip(&mut self.squares).zip(row) {
            let before = z - *mean;
            *mean += before / self.rows;
            *squares += before * (z - *mean);
        }
        Ok(())
    }

    /// Mean of every column, `[C]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Variance of every column, `[C]`; 0 before the first row.
    pub fn variance(&self) -> Vec<f64> {
        self.squares.iter().map(|squares| squares / self.rows.max(1.0)).collect()
    }
}

/// Logit normalisation by mean and variance of the logits, `[C]` each; what comes after the `num_classes` classes (background) stays as it is.
///
/// # Errors
/// When the lists differ in length or are shorter than the classes, or hold a number that is not finite, or a variance below 0.
pub fn logn(mean: &[f64], variance: &[f64], num_classes: usize) -> Result<Calibration> {
    demand(num_classes > 0 && mean.len() >= num_classes, "mean", "a value for every class", mean.len())?;
    demand(mean.len() == variance.len(), "variance", &format!("{} values", mean.len()), variance.len())?;
    demand(mean.iter().all(|mean| mean.is_finite()), "mean", "finite numbers", format!("{mean:?}"))?;
    let right = variance.iter().all(|variance| variance.is_finite() && *variance >= 0.0);
    demand(right, "variance", "finite numbers of at least 0", format!("{variance:?}"))?;
    let least = mean[..num_classes].iter().copied().fold(f64::INFINITY, f64::min);
    let scale = |variance: &f64| 1.0 / variance.max(LEAST_VARIANCE).sqrt();
    let mut scale: Vec<f64> = variance[..num_classes].iter().map(scale).collect();
    let mut shift: Vec<f64> = mean.iter().zip(&scale).map(|(mean, scale)| (least - mean) * scale).collect();
    scale.resize(mean.len(), 1.0);
    shift.resize(mean.len(), 0.0);
    Ok(Calibration::new("logn", None, scale, shift))
}
