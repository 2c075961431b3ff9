//! Weights of rows by the counts of their class, for losses that have them.

use crate::grid::Grid;
use crate::{ClassTargets, Label};

/// `w_c = (1 - beta) / (1 - beta^n_c)`, scaled to the sum `K` (effective number of samples, arXiv 1901.05555, equation 10).
pub(crate) fn balanced_weights(counts: &[f64], beta: f64) -> Vec<f64> {
    // 1 - beta^n does not cancel this way; at beta 0 the logarithm is minus infinity and the effective number 1.
    scaled(counts.iter().map(|count| (1.0 - beta) / -(count * beta.ln()).exp_m1()))
}

/// Weights scaled so that they sum to their number.
pub(crate) fn scaled(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let weights: Vec<f64> = weights.collect();
    let factor = weights.len() as f64 / weights.iter().sum::<f64>();
    weights.into_iter().map(|weight| weight * factor).collect()
}

fn weight_of(weights: &[f64], background: f64, label: Label) -> f64 {
    match label {
        Label::Class(class) => weights[class],
        Label::Background => background,
        Label::Ignored => 0.0,
    }
}

/// Weight of every row by its label.
pub(crate) fn row_weights(weights: &[f64], background: f64, targets: &ClassTargets) -> Grid {
    Grid::rows(targets.labels().iter().map(|label| weight_of(weights, background, *label)).collect())
}

/// The targets with these weights on top of their own.
pub(crate) fn weighed(weights: &[f64], background: f64, targets: &ClassTargets) -> ClassTargets {
    targets.weighed(|row| weight_of(weights, background, targets.labels()[row]))
}

/// Sum of the weights of all rows, 1 where it is 0; the rows' own weights are no part of it.
pub(crate) fn sum_of_weights(weights: &[f64], background: f64, targets: &ClassTargets) -> f64 {
    let sum: f64 = targets.labels().iter().map(|label| weight_of(weights, background, *label)).sum();
    if sum > 0.0 { sum } else { 1.0 }
}
