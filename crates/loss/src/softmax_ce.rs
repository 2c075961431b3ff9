//! Softmax cross-entropy over `K + 1` columns: the usual loss of two-stage detectors.
//!
//! `L = (1/R) sum_i -log softmax(z_i)_{y_i}`, background being column `K`. All terms of a row but the one in its label's
//! column are 0; its gradient `softmax - onehot` reaches every column. A class that was not judged in a row leaves its softmax.

use burn::tensor::{FloatDType, Tensor, activation};
use serde::{Deserialize, Serialize};

use crate::class_loss::rows_f64;
use crate::{Card, ClassLoss, ClassTargets, GradientLedger, LossStepF64, Pass, Result, sigmoid};

/// Added to the logit of a class that was not judged: its probability is 0 in f32, and nothing overflows.
const EXCLUDED: f32 = -1e9;

/// Options of [`SoftmaxCe`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftmaxCeConfig {
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for SoftmaxCeConfig {
    fn default() -> Self {
        Self { loss_weight: 1.0 }
    }
}

impl SoftmaxCeConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand("loss_weight", self.loss_weight, self.loss_weight >= 0.0, "at least 0")
    }
}

/// Softmax cross-entropy.
#[derive(Clone, Debug, Default)]
pub struct SoftmaxCe {
    config: SoftmaxCeConfig,
}

impl SoftmaxCe {
    /// The loss with these options.
    pub fn new(config: SoftmaxCeConfig) -> Self {
        Self { config }
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "softmax_ce",
    title: "Softmax CE",
    summary: "Cross-entropy over all classes and background: the usual loss of two-stage detectors.",
    paper: "standard; as in Faster R-CNN, NeurIPS 2015, arXiv 1506.01497",
    formula: "L = (1/R) sum_i -log softmax(z_i)_{y_i}",
    scores: "softmax(z) without the background column",
    state: "none",
    options: &[("loss_weight", "1.0", "factor of the loss")],
    traps: "classes compete for one unit of probability: frequent ones and background win",
};

impl ClassLoss for SoftmaxCe {
    fn card(&self) -> Card {
        CARD
    }

    fn channels(&self, num_classes: usize) -> usize {
        num_classes + 1
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 1]
    }

    fn terms(&self, logits: Tensor<2>, targets: &ClassTargets, _ledger: &GradientLedger) -> Tensor<2> {
        let device = logits.device();
        let channels = logits.dims()[1];
        let logits = match targets.judged_mask(channels, &device) {
            Some(judged) => logits + judged.neg().add_scalar(1.0).mul_scalar(EXCLUDED),
            None => logits,
        };
        let one_hot = targets.one_hot(channels, &device);
        sigmoid::weigh(activation::log_softmax(logits, 1).neg() * one_hot, targets, &device)
    }

    fn pass(&self, _num_classes: usize, _ledger: &GradientLedger) -> Option<Pass> {
        Some(Pass::Softmax)
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        let [rows, channels] = logits.dims();
        activation::softmax(logits.cast(FloatDType::F32), 1).slice([0..rows, 0..channels - 1])
    }

    fn step_f64(&self, logits: &[f64], targets: &ClassTargets, _ledger: &GradientLedger) -> LossStepF64 {
        rows_f64(self, logits, targets, |row, logits, gradient| {
            let judged = |column: usize| targets.is_judged(row, column);
            let log_probabilities = log_softmax_f64(logits, judged);
            let own = targets.column(row);
            let weight = targets.row_weight(row);
            let mut value = 0.0;
            for (column, gradient) in gradient.iter_mut().enumerate() {
                if judged(column) {
                    let positive = own == Some(column);
                    *gradient = weight * (log_probabilities[column].exp() - f64::from(positive));
                    if positive {
                        value -= weight * log_probabilities[column];
                    }
                }
            }
            value
        })
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        let mut scores: Vec<f64> = log_softmax_f64(row, |_| true).into_iter().map(f64::exp).collect();
        scores.pop();
        scores
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

/// Log-softmax over the columns that count; the others get minus infinity.
fn log_softmax_f64(row: &[f64], counts: impl Fn(usize) -> bool) -> Vec<f64> {
    let used = || row.iter().enumerate().filter(|(column, _)| counts(*column)).map(|(_, z)| *z);
    let max = used().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = used().map(|z| (z - max).exp()).sum::<f64>().ln();
    let log = |(column, z): (usize, &f64)| if counts(column) { z - max - log_sum } else { f64::NEG_INFINITY };
    row.iter().enumerate().map(log).collect()
}
