//! Balanced softmax (Ren et al., NeurIPS 2020, arXiv 2007.10740): counts are added in training and left out at inference.
//!
//! `L = (1/R) sum_i -log softmax(z_i + log n)_{y_i}`, `n_j` being the instances of class `j` in the training set, and `n_K`, for background,
//! `background_per_foreground` times their sum: the paper is about classification and has no background.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::softmax::{self, Softmax};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts};

/// Options of [`BalancedSoftmax`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BalancedSoftmaxConfig {
    /// Background rows for each foreground row (measured for ECM, arXiv 2301.09724).
    pub background_per_foreground: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for BalancedSoftmaxConfig {
    fn default() -> Self {
        Self { background_per_foreground: 6.3313, loss_weight: 1.0 }
    }
}

impl BalancedSoftmaxConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_above("background_per_foreground", self.background_per_foreground)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Balanced softmax.
#[derive(Clone, Debug)]
pub struct BalancedSoftmax {
    config: BalancedSoftmaxConfig,
    /// Logarithm of the count of every column, `[K + 1]`.
    log_counts: Vec<f64>,
}

impl BalancedSoftmax {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: BalancedSoftmaxConfig, facts: &TrainingFacts) -> Result<Self> {
        let mut counts = facts.instances(CARD.name)?;
        let foreground: f64 = counts.iter().sum();
        counts.push(config.background_per_foreground * foreground);
        Ok(Self { config, log_counts: counts.into_iter().map(f64::ln).collect() })
    }

    fn shifted(&self) -> Softmax<'static> {
        Softmax::shifted(Grid::columns(self.log_counts.clone()))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "balanced_softmax",
    title: "Balanced softmax",
    summary: "Cross-entropy of logits shifted by the log of the class counts, so that the plain softmax at inference is balanced.",
    paper: "Balanced Meta-Softmax for Long-Tailed Visual Recognition, NeurIPS 2020, arXiv 2007.10740",
    heads: &[Head::Proposals],
    needs: "instance counts of the training set",
    formula: "L = (1/R) sum_i -log softmax(z_i + log n)_{y_i};  n_j the instances of class j, n_K = background_per_foreground times their sum",
    scores: "softmax(z) without the background column",
    state: "none",
    options: &[
        (
            "background_per_foreground",
            "6.3313",
            "background rows for each foreground row (measured for ECM, arXiv 2301.09724)",
        ),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "the background count is a choice; sampling of proposals shifts what the head sees, so that n is not exactly its prior",
};

impl ClassLoss for BalancedSoftmax {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 1]
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.log_counts.len() - 1)
    }

    fn form<'a>(&'a self, _targets: &'a ClassTargets, _ledger: &'a GradientLedger) -> Form<'a> {
        Form::Softmax(self.shifted())
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        softmax::scores(logits, true)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        softmax::scores_f64(row, true)
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for BalancedSoftmax {
    const CARD: Card = CARD;
    type Config = BalancedSoftmaxConfig;

    fn build(config: BalancedSoftmaxConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
