//! Class-balanced sigmoid cross-entropy (Cui et al., CVPR 2019, arXiv 1901.05555).
//!
//! `L = (1/R) sum_i w_{y_i} sum_j BCE(z_ij, t_ij)`, with `w_c = (1 - beta) / (1 - beta^n_c)` scaled to the sum `K`. The head has `K` columns and none for
//! background, whose rows have a weight of choice. The sigmoid branch of the usual port (`vandit15/Class-balanced-loss-pytorch`) cannot run.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::class_balanced::{balanced_weights, row_weights};
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts};

/// Options of [`ClassBalancedSigmoid`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassBalancedSigmoidConfig {
    /// Beta of the effective number of objects.
    pub beta: f64,
    /// Weight of background rows (ours: the paper has no background).
    pub background_weight: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for ClassBalancedSigmoidConfig {
    fn default() -> Self {
        Self { beta: 0.9999, background_weight: 1.0, prior: 0.001, loss_weight: 1.0 }
    }
}

impl ClassBalancedSigmoidConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand("beta", self.beta, (0.0..1.0).contains(&self.beta), "at least 0 and below 1")?;
        CARD.demand_least("background_weight", self.background_weight)?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Class-balanced BCE.
#[derive(Clone, Debug)]
pub struct ClassBalancedSigmoid {
    config: ClassBalancedSigmoidConfig,
    /// Weight of the rows of each class, `[K]`.
    weights: Vec<f64>,
}

impl ClassBalancedSigmoid {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: ClassBalancedSigmoidConfig, facts: &TrainingFacts) -> Result<Self> {
        let weights = balanced_weights(&facts.instances(CARD.name)?, config.beta);
        Ok(Self { config, weights })
    }

    fn rows(&self, targets: &ClassTargets) -> Sigmoids<'static> {
        Sigmoids::weighed(row_weights(&self.weights, self.config.background_weight, targets))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "class_balanced_sigmoid",
    title: "Class-balanced BCE",
    summary: "Sigmoid cross-entropy in which a row weighs by the effective number of objects of its class.",
    paper: "Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019, arXiv 1901.05555",
    heads: &[Head::Proposals],
    needs: "instance counts of the training set",
    formula: "w_c = (1 - beta) / (1 - beta^n_c), scaled so that they sum to K, and background_weight for background;  L = (1/R) sum_i w_i sum_j BCE(z_ij, t_ij)",
    scores: "sigmoid(z_j)",
    state: "none",
    options: &[
        ("beta", "0.9999", "beta of the effective number of objects"),
        ("background_weight", "1.0", "weight of background rows (ours: the paper has no background)"),
        ("prior", "0.001", "prior probability behind the initial bias"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "a row weighs by its own label, so that a rare class is still told no by all other rows; the background weight is a choice",
};

impl ClassLoss for ClassBalancedSigmoid {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, None)
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.weights.len())
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, _ledger: &'a GradientLedger) -> Form<'a> {
        Form::Sigmoids(self.rows(targets))
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        sigmoid::scores(logits, false)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        sigmoid::scores_f64(row, false)
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for ClassBalancedSigmoid {
    const CARD: Card = CARD;
    type Config = ClassBalancedSigmoidConfig;

    fn build(config: ClassBalancedSigmoidConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
