//! Class-balanced cross-entropy (Cui et al., CVPR 2019, arXiv 1901.05555).
//!
//! `L = sum_i w_{y_i} CE(z_i, y_i) / sum_i w_{y_i}`, with `w_c = (1 - beta) / (1 - beta^n_c)` scaled to the sum `K`, and a weight of choice for background.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::class_balanced::{balanced_weights, row_weights, sum_of_weights};
use crate::registry::Registered;
use crate::softmax::{self, Softmax};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts};

/// Options of [`ClassBalancedSoftmax`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassBalancedSoftmaxConfig {
    /// Beta of the effective number of objects.
    pub beta: f64,
    /// Weight of background rows (ours: the paper has no background).
    pub background_weight: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for ClassBalancedSoftmaxConfig {
    fn default() -> Self {
        Self { beta: 0.9999, background_weight: 1.0, loss_weight: 1.0 }
    }
}

impl ClassBalancedSoftmaxConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand("beta", self.beta, (0.0..1.0).contains(&self.beta), "at least 0 and below 1")?;
        CARD.demand_least("background_weight", self.background_weight)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Class-balanced CE.
#[derive(Clone, Debug)]
pub struct ClassBalancedSoftmax {
    config: ClassBalancedSoftmaxConfig,
    /// Weight of the rows of each class, `[K]`.
    weights: Vec<f64>,
}

impl ClassBalancedSoftmax {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: ClassBalancedSoftmaxConfig, facts: &TrainingFacts) -> Result<Self> {
        let weights = balanced_weights(&facts.instances(CARD.name)?, config.beta);
        Ok(Self { config, weights })
    }

    fn rows(&self, targets: &ClassTargets) -> Softmax<'static> {
        Softmax::weighed(row_weights(&self.weights, self.config.background_weight, targets))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "class_balanced_softmax",
    title: "Class-balanced CE",
    summary: "Cross-entropy in which a row weighs by the effective number of objects of its class.",
    paper: "Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019, arXiv 1901.05555",
    heads: &[Head::Proposals],
    needs: "instance counts of the training set",
    formula: "w_c = (1 - beta) / (1 - beta^n_c), scaled so that they sum to K, and background_weight for background;  L = sum_i w_i CE_i / sum_i w_i",
    scores: "softmax(z) without the background column",
    state: "none",
    options: &[
        ("beta", "0.9999", "beta of the effective number of objects"),
        ("background_weight", "1.0", "weight of background rows (ours: the paper has no background)"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "a row weighs by its own label, so that a rare class is still told no by all other rows; the background weight is a choice",
};

impl ClassLoss for ClassBalancedSoftmax {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 1]
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.weights.len())
    }

    fn normalizer(&self, targets: &ClassTargets) -> f64 {
        sum_of_weights(&self.weights, self.config.background_weight, targets)
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, _ledger: &'a GradientLedger) -> Form<'a> {
        Form::Softmax(self.rows(targets))
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

impl Registered for ClassBalancedSoftmax {
    const CARD: Card = CARD;
    type Config = ClassBalancedSoftmaxConfig;

    fn build(config: ClassBalancedSoftmaxConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
