//! Sigmoid binary cross-entropy: one yes-or-no question for each class.
//!
//! `L = (1/R) sum_ij BCE(z_ij, t_ij)`, summed over columns, with a background column `K` by default (EQL v2 with all
//! weights at 1), or without (EQL v1, CenterNet2). The bias starts at the prior 0.001 on all columns: with bias 0 the
//! first loss at 1,203 classes is 834.5 instead of 8.1 and drowns the first steps.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts};

/// Options of [`SigmoidBce`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SigmoidBceConfig {
    /// Prior probability behind the initial bias of the classes.
    pub prior: f64,
    /// Prior probability behind the initial bias of the background column; 0.5 is neutral.
    pub background_prior: f64,
    /// Whether the head has a background column.
    pub background: bool,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for SigmoidBceConfig {
    fn default() -> Self {
        Self { prior: 0.001, background_prior: 0.001, background: true, loss_weight: 1.0 }
    }
}

impl SigmoidBceConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        for (name, prior) in [("prior", self.prior), ("background_prior", self.background_prior)] {
            CARD.demand_probability(name, prior)?;
        }
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Sigmoid binary cross-entropy.
#[derive(Clone, Debug, Default)]
pub struct SigmoidBce {
    config: SigmoidBceConfig,
}

impl SigmoidBce {
    /// The loss with these options.
    pub fn new(config: SigmoidBceConfig) -> Self {
        Self { config }
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "sigmoid_bce",
    title: "Sigmoid BCE",
    summary: "Plain sigmoid cross-entropy: the baseline that EQL v2 re-weights.",
    paper: "standard; as the baseline of Equalization Loss v2, CVPR 2021, arXiv 2012.08548",
    heads: &[Head::Proposals],
    needs: "nothing",
    formula: "L = (1/R) sum_ij BCE(z_ij, t_ij)",
    scores: "sigmoid(z_j) * (1 - sigmoid(z_K)); sigmoid(z_j) without a background column",
    state: "none",
    options: &[
        ("prior", "0.001", "prior probability behind the initial bias of the classes"),
        ("background_prior", "0.001", "the same for the background column; 0.5 is neutral"),
        ("background", "true", "add a background column K"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "every proposal of every other class is a negative: a rare class is told no thousands of times for each yes",
};

impl ClassLoss for SigmoidBce {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        let background = self.config.background.then_some(self.config.background_prior);
        sigmoid::bias(num_classes, self.config.prior, background)
    }

    fn form<'a>(&'a self, _targets: &'a ClassTargets, _ledger: &'a GradientLedger) -> Form<'a> {
        Form::Sigmoids(Sigmoids::weighed(Grid::one(1.0)))
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        sigmoid::scores(logits, self.config.background)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        sigmoid::scores_f64(row, self.config.background)
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for SigmoidBce {
    const CARD: Card = CARD;
    type Config = SigmoidBceConfig;

    fn build(config: SigmoidBceConfig, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}
