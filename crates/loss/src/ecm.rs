//! Effective Class-Margin loss (Cho and Krähenbühl, ECCV 2022, arXiv 2301.09724).
//!
//! ```text
//! n+_j  image counts; background background_per_foreground times their sum;  n-_j = total - n+_j;  a_j = n-_j / n+_j
//! L     = (1/R) sum_ij a_j log((1 + a_j) / a_j) BCE(2 z_ij + (1/4) log(n+_j / n-_j), t_ij)
//! ```
//!
//! The paper writes surrogate scores `w+ e^z / (w+ e^z + w- e^-z)`; this is the same, and cannot overflow. Scores are made of `z`, not of
//! `2 z`. Authors' code: `janghyuncho/ECM-Loss`, with a normalised classifier.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{Card, ClassLoss, ClassTargets, Classifier, Form, GradientLedger, Head, Result, TrainingFacts};

/// Options of [`Ecm`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EcmConfig {
    /// Background count for each foreground count (measured by the authors).
    pub background_per_foreground: f64,
    /// Whether the classifier is normalised.
    pub normalized: bool,
    /// Factor of its cosines.
    pub temperature: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for EcmConfig {
    fn default() -> Self {
        Self { background_per_foreground: 6.3313, normalized: true, temperature: 20.0, loss_weight: 1.0 }
    }
}

impl EcmConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_above("background_per_foreground", self.background_per_foreground)?;
        CARD.demand_above("temperature", self.temperature)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// ECM.
#[derive(Clone, Debug)]
pub struct Ecm {
    config: EcmConfig,
    /// `n- / n+` of every column, `[K + 1]`.
    ratios: Vec<f64>,
}

impl Ecm {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: EcmConfig, facts: &TrainingFacts) -> Result<Self> {
        let mut counts = facts.images(CARD.name)?;
        let foreground: f64 = counts.iter().sum();
        counts.push(config.background_per_foreground * foreground);
        let total: f64 = counts.iter().sum();
        let ratios = counts.into_iter().map(|count| (total - count) / count).collect();
        Ok(Self { config, ratios })
    }

    fn margins(&self) -> Sigmoids<'static> {
        let offset = self.ratios.iter().map(|ratio| -ratio.ln() / 4.0).collect();
        let weight = self.ratios.iter().map(|ratio| ratio * (1.0 / ratio).ln_1p()).collect();
        Sigmoids { scale: 2.0, offset: Grid::columns(offset), ..Sigmoids::weighed(Grid::columns(weight)) }
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "ecm",
    title: "ECM",
    summary: "Sigmoid cross-entropy of surrogate logits whose margins follow from the class counts.",
    paper: "Long-tail Detection with Effective Class-Margins, ECCV 2022, arXiv 2301.09724",
    heads: &[Head::Proposals],
    needs: "image counts of the training set",
    formula: "a_j = n-_j / n+_j, n+ the image counts, n- = total - n+;  L = (1/R) sum_ij a_j log((1 + a_j) / a_j) BCE(2 z_ij - log(a_j) / 4, t_ij)",
    scores: "sigmoid(z_j) * (1 - sigmoid(z_K))",
    state: "none",
    options: &[
        ("background_per_foreground", "6.3313", "background count for each foreground count (measured by the authors)"),
        ("normalized", "true", "normalised classifier"),
        ("temperature", "20.0", "factor of its cosines"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "made for a normalised classifier, repeat-factor sampling, a long warm-up (10,000 steps) and gradient clipping (5); the exponential form of the paper overflows, this one does not",
};

impl ClassLoss for Ecm {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 1]
    }

    fn classifier(&self) -> Classifier {
        let temperature = self.config.temperature;
        if self.config.normalized { Classifier::Normalized { temperature } } else { Classifier::Linear }
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.ratios.len() - 1)
    }

    fn form<'a>(&'a self, _targets: &'a ClassTargets, _ledger: &'a GradientLedger) -> Form<'a> {
        Form::Sigmoids(self.margins())
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

impl Registered for Ecm {
    const CARD: Card = CARD;
    type Config = EcmConfig;

    fn build(config: EcmConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
