//! Cross-entropy with a weight for each class: the `class_weight` of mainstream libraries.
//!
//! `L = sum_i w_{y_i} CE(z_i, y_i) / sum_i w_{y_i}`, with `w_c = n_c^-power` scaled to the sum `K`, and a weight of choice for background. At power 1 these are
//! "balanced" weights; the default of one half is the usual milder choice for long tails.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::class_balanced::{row_weights, scaled, sum_of_weights};
use crate::registry::Registered;
use crate::softmax::{self, Softmax};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts};

/// Options of [`WeightedCe`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeightedCeConfig {
    /// Power of the inverse frequency: 0 weighs all alike, 1 is "balanced".
    pub power: f64,
    /// Weight of background rows (ours: the paper has no background).
    pub background_weight: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for WeightedCeConfig {
    fn default() -> Self {
        Self { power: 0.5, background_weight: 1.0, loss_weight: 1.0 }
    }
}

impl WeightedCeConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("power", self.power)?;
        CARD.demand_least("background_weight", self.background_weight)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Weighted CE.
#[derive(Clone, Debug)]
pub struct WeightedCe {
    config: WeightedCeConfig,
    /// Weight of the rows of each class, `[K]`.
    weights: Vec<f64>,
}

impl WeightedCe {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: WeightedCeConfig, facts: &TrainingFacts) -> Result<Self> {
        let weights = scaled(facts.instances(CARD.name)?.iter().map(|count| count.powf(-config.power)));
        Ok(Self { config, weights })
    }

    fn rows(&self, targets: &ClassTargets) -> Softmax<'static> {
        Softmax::weighed(row_weights(&self.weights, self.config.background_weight, targets))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "weighted_ce",
    title: "Weighted CE",
    summary: "Cross-entropy in which a row weighs by the inverse frequency of its class (class_weight).",
    paper: "standard (`class_weight`); inverse frequency as the baseline of Class-Balanced Loss, CVPR 2019, arXiv 1901.05555",
    heads: &[Head::Proposals],
    needs: "instance counts of the training set",
    formula: "w_c ~ n_c^-power, scaled so that they sum to K, and background_weight for background;  L = sum_i w_i CE_i / sum_i w_i",
    scores: "softmax(z) without the background column",
    state: "none",
    options: &[
        ("power", "0.5", "power of the inverse frequency: 0 weighs all alike, 1 is balanced"),
        ("background_weight", "1.0", "weight of background rows (ours: the paper has no background)"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "with power 1 a batch with one row of a rare class consists of nothing else; a rare class is still told no by all other rows",
};

impl ClassLoss for WeightedCe {
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

impl Registered for WeightedCe {
    const CARD: Card = CARD;
    type Config = WeightedCeConfig;

    fn build(config: WeightedCeConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
