//! Softmax cross-entropy over `K + 1` columns: the usual loss of two-stage detectors.
//!
//! `L = (1/R) sum_i -log softmax(z_i)_{y_i}`, background being column `K`. All terms of a row but the one in its label's
//! column are 0; its gradient `softmax - onehot` reaches every column. A class that was not judged in a row leaves its softmax.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::softmax::{self, Softmax};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts};

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
        CARD.demand_least("loss_weight", self.loss_weight)
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
    heads: &[Head::Proposals],
    needs: "nothing",
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

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 1]
    }

    fn form<'a>(&'a self, _targets: &'a ClassTargets, _ledger: &'a GradientLedger) -> Form<'a> {
        Form::Softmax(Softmax::weighed(Grid::one(1.0)))
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

impl Registered for SoftmaxCe {
    const CARD: Card = CARD;
    type Config = SoftmaxCeConfig;

    fn build(config: SoftmaxCeConfig, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}
