//! Logit-adjusted cross-entropy (Menon et al., ICLR 2021, arXiv 2007.07314).
//!
//! `L = (1/R) sum_i -log softmax(z_i + tau log pi)_{y_i}`, `pi` being the priors of the `K` classes and of background, for which the paper has
//! no place: there are `background_per_foreground` times as many of it as of all classes. At `tau` 1 this is balanced softmax up to a constant.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::softmax::{self, Softmax};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts};

/// Options of [`LogitAdjustment`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogitAdjustmentConfig {
    /// Strength of the shift.
    pub tau: f64,
    /// Background rows for each foreground row (measured for ECM, arXiv 2301.09724).
    pub background_per_foreground: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for LogitAdjustmentConfig {
    fn default() -> Self {
        Self { tau: 1.0, background_per_foreground: 6.3313, loss_weight: 1.0 }
    }
}

impl LogitAdjustmentConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("tau", self.tau)?;
        CARD.demand_above("background_per_foreground", self.background_per_foreground)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Logit adjustment.
#[derive(Clone, Debug)]
pub struct LogitAdjustment {
    config: LogitAdjustmentConfig,
    /// `tau log pi` of every column, `[K + 1]`.
    shift: Vec<f64>,
}

impl LogitAdjustment {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: LogitAdjustmentConfig, facts: &TrainingFacts) -> Result<Self> {
        let mut counts = facts.instances(CARD.name)?;
        let foreground: f64 = counts.iter().sum();
        counts.push(config.background_per_foreground * foreground);
        let all: f64 = counts.iter().sum();
        let shift = counts.into_iter().map(|count| config.tau * (count / all).ln()).collect();
        Ok(Self { config, shift })
    }

    fn shifted(&self) -> Softmax<'static> {
        Softmax::shifted(Grid::columns(self.shift.clone()))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "logit_adjustment",
    title: "Logit adjustment",
    summary: "Cross-entropy of logits shifted by tau times the log prior of each class.",
    paper: "Long-tail learning via logit adjustment, ICLR 2021, arXiv 2007.07314",
    heads: &[Head::Proposals],
    needs: "instance counts of the training set",
    formula: "L = (1/R) sum_i -log softmax(z_i + tau log pi)_{y_i};  pi_j the part of class j among all instances, background being background_per_foreground times the rest",
    scores: "softmax(z) without the background column",
    state: "none",
    options: &[
        ("tau", "1.0", "strength of the shift"),
        (
            "background_per_foreground",
            "6.3313",
            "background rows for each foreground row (measured for ECM, arXiv 2301.09724)",
        ),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "at tau 1 it is balanced softmax; the background prior is a choice",
};

impl ClassLoss for LogitAdjustment {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 1]
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.shift.len() - 1)
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

impl Registered for LogitAdjustment {
    const CARD: Card = CARD;
    type Config = LogitAdjustmentConfig;

    fn build(config: LogitAdjustmentConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
