//! Label-distribution-aware margins with deferred re-weighting (Cao et al., NeurIPS 2019, arXiv 1906.07413).
//!
//! ```text
//! m_j = n_j^(-1/4), scaled so that the largest is max_margin; 0 for background
//! L   = (1/R) sum_i w_i (-log softmax(s (z_i - m_{y_i} onehot(y_i)))_{y_i})
//! ```
//!
//! `z` are cosines, hence the normalised classifier. DRW: from `reweight_after` of the run on, `w_i` is the class-balanced weight of the label
//! (arXiv 1901.05555), 1 for background; the published classification recipe switches at 0.8. The sum stays divided by `R`, where the authors'
//! code (`kaidic/LDAM-DRW`) divides by the sum of the weights. Background has no place in the paper; its margin of 0 is ours.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::class_balanced::{balanced_weights, row_weights};
use crate::grid::Grid;
use crate::registry::Registered;
use crate::softmax::{self, Softmax};
use crate::{Card, ClassLoss, ClassTargets, Classifier, Form, GradientLedger, Head, LossError, Result, TrainingFacts};

/// Options of [`Ldam`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LdamConfig {
    /// Margin of the rarest class.
    pub max_margin: f64,
    /// Factor of the cosines.
    pub scale: f64,
    /// Part of the run after which class-balanced weights are on; 1 is never (DRW: 0.8).
    pub reweight_after: f64,
    /// Beta of those weights.
    pub beta: f64,
    /// Whether the classifier is normalised, so that logits are cosines.
    pub normalized: bool,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for LdamConfig {
    fn default() -> Self {
        Self { max_margin: 0.5, scale: 30.0, reweight_after: 1.0, beta: 0.9999, normalized: true, loss_weight: 1.0 }
    }
}

impl LdamConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("max_margin", self.max_margin)?;
        CARD.demand_above("scale", self.scale)?;
        CARD.demand("reweight_after", self.reweight_after, (0.0..=1.0).contains(&self.reweight_after), "0 to 1")?;
        CARD.demand("beta", self.beta, (0.0..1.0).contains(&self.beta), "at least 0 and below 1")?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// LDAM.
#[derive(Clone, Debug)]
pub struct Ldam {
    config: LdamConfig,
    /// Margin of each class, `[K]`.
    margins: Vec<f64>,
    /// Class-balanced weight of each class, `[K]`.
    weights: Vec<f64>,
    /// Step from which the weights are on.
    switch: Option<u64>,
}

impl Ldam {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: LdamConfig, facts: &TrainingFacts) -> Result<Self> {
        let counts = facts.instances(CARD.name)?;
        if config.reweight_after < 1.0 && facts.steps == 0 {
            return Err(LossError::Facts { loss: CARD.name, missing: "the number of steps" });
        }
        let margins: Vec<f64> = counts.iter().map(|count| count.powf(-0.25)).collect();
        let largest = margins.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let margins = margins.into_iter().map(|margin| margin * config.max_margin / largest).collect();
        let weights = balanced_weights(&counts, config.beta);
        let switch = (config.reweight_after < 1.0).then(|| (config.reweight_after * facts.steps as f64).round() as u64);
        Ok(Self { config, margins, weights, switch })
    }

    fn margins<'a>(&'a self, targets: &'a ClassTargets, ledger: &GradientLedger) -> Softmax<'a> {
        let (classes, scale) = (self.margins.len(), self.config.scale);
        let offset = move |row: usize, offsets: &mut [f64]| {
            if let Some(own) = targets.column(row).filter(|own| *own < classes) {
                offsets[own] = -scale * self.margins[own];
            }
        };
        let late = self.switch.is_some_and(|switch| ledger.steps() >= switch);
        let weight = if late { row_weights(&self.weights, 1.0, targets) } else { Grid::one(1.0) };
        Softmax { scale, offset: Grid::by_row([targets.rows(), classes + 1], offset), weight }
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "ldam",
    title: "LDAM",
    summary: "Cross-entropy of scaled cosines with larger margins for rarer classes, and class-balanced weights late in the run (DRW).",
    paper: "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019, arXiv 1906.07413",
    heads: &[Head::Proposals],
    needs: "instance counts of the training set; with DRW also the number of steps",
    formula: "m_j = n_j^(-1/4), scaled so that the largest is max_margin, and 0 for background;  L = (1/R) sum_i w_i (-log softmax(s (z_i - m_{y_i} onehot))_{y_i});  w_i = 1, or class-balanced weights after reweight_after of the run",
    scores: "softmax(s z) without the background column",
    state: "none",
    options: &[
        ("max_margin", "0.5", "margin of the rarest class"),
        ("scale", "30.0", "factor of the cosines"),
        ("reweight_after", "1.0", "part of the run after which class-balanced weights are on; 1 is never (DRW: 0.8)"),
        ("beta", "0.9999", "beta of those weights"),
        ("normalized", "true", "normalised classifier, so that logits are cosines"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "made for classification with cosine logits; the gradient is s times that of plain cross-entropy, so lower the learning rate or clip",
};

impl ClassLoss for Ldam {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 1]
    }

    fn classifier(&self) -> Classifier {
        if self.config.normalized { Classifier::Normalized { temperature: 1.0 } } else { Classifier::Linear }
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.margins.len())
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        Form::Softmax(self.margins(targets, ledger))
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        softmax::scores(logits.cast(burn::tensor::FloatDType::F32).mul_scalar(self.config.scale as f32), true)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        softmax::scores_f64(&row.iter().map(|z| self.config.scale * z).collect::<Vec<_>>(), true)
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for Ldam {
    const CARD: Card = CARD;
    type Config = LdamConfig;

    fn build(config: LdamConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
