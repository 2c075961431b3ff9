//! Sigmoid cross-entropy with a weight for the positives of each class: the `pos_weight` of mainstream libraries.
//!
//! ```text
//! w_j = ((n - n_j) / n_j)^power, at least 1 and at most max_weight    n_j instances of class j, n their sum; 1 on background
//! L   = (1/R) sum_ij (t_ij w_j + 1 - t_ij) BCE(z_ij, t_ij)
//! ```
//!
//! The usual advice is the ratio of negatives to positives, power 1. Over hundreds of classes that is tens of thousands, so the default is
//! its square root, and there is a largest weight; both are ours.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts};

/// Options of [`WeightedBce`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeightedBceConfig {
    /// Power of the ratio of other objects to objects of the class (ours; 1 is the usual advice).
    pub power: f64,
    /// Largest weight (ours).
    pub max_weight: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// The same for the background column; 0.5 is neutral.
    pub background_prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for WeightedBceConfig {
    fn default() -> Self {
        Self { power: 0.5, max_weight: 100.0, prior: 0.001, background_prior: 0.001, loss_weight: 1.0 }
    }
}

impl WeightedBceConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("power", self.power)?;
        CARD.demand("max_weight", self.max_weight, self.max_weight >= 1.0, "at least 1")?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_probability("background_prior", self.background_prior)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Weighted BCE.
#[derive(Clone, Debug)]
pub struct WeightedBce {
    config: WeightedBceConfig,
    /// Weight of the positives of every column, `[K + 1]`.
    weights: Vec<f64>,
}

impl WeightedBce {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: WeightedBceConfig, facts: &TrainingFacts) -> Result<Self> {
        let counts = facts.instances(CARD.name)?;
        let all: f64 = counts.iter().sum();
        let weight = |count: &f64| ((all - count) / count).powf(config.power).clamp(1.0, config.max_weight);
        let weights = counts.iter().map(weight).chain([1.0]).collect();
        Ok(Self { config, weights })
    }

    fn sides(&self) -> Sigmoids<'static> {
        Sigmoids { positive: Some(self.weights.clone()), ..Sigmoids::weighed(Grid::one(1.0)) }
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "weighted_bce",
    title: "Weighted BCE",
    summary: "Sigmoid cross-entropy whose positives weigh more the rarer their class (pos_weight).",
    paper: "standard (`pos_weight`); inverse frequency as the baseline of Class-Balanced Loss, CVPR 2019, arXiv 1901.05555",
    heads: &[Head::Proposals],
    needs: "instance counts of the training set",
    formula: "w_j = ((n - n_j) / n_j)^power, at least 1 and at most max_weight, n_j the instances of class j, n their sum;  L = (1/R) sum_ij (t_ij w_j + 1 - t_ij) BCE(z_ij, t_ij)",
    scores: "sigmoid(z_j) * (1 - sigmoid(z_K))",
    state: "none",
    options: &[
        ("power", "0.5", "power of the ratio of other objects to those of the class (ours; 1 is the usual advice)"),
        ("max_weight", "100.0", "largest weight (ours)"),
        ("prior", "0.001", "prior probability behind the initial bias"),
        ("background_prior", "0.001", "the same for the background column; 0.5 is neutral"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "weights follow counts, not what the classifier has learnt; with power 1 a class of one object weighs ten thousands: hence max_weight",
};

impl ClassLoss for WeightedBce {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, Some(self.config.background_prior))
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.weights.len() - 1)
    }

    fn form<'a>(&'a self, _targets: &'a ClassTargets, _ledger: &'a GradientLedger) -> Form<'a> {
        Form::Sigmoids(self.sides())
    }

    fn side_weights(&self, _ledger: &GradientLedger, class: usize) -> (f64, f64) {
        (self.weights[class], 1.0)
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        sigmoid::scores(logits, true)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        sigmoid::scores_f64(row, true)
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for WeightedBce {
    const CARD: Card = CARD;
    type Config = WeightedBceConfig;

    fn build(config: WeightedBceConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
