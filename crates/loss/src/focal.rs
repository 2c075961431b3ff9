//! Focal loss (Lin et al., ICCV 2017, arXiv 1708.02002) for dense heads.
//!
//! `L = sum_ij a_t (1 - p_t)^gamma BCE(z_ij, t_ij) / max(foreground rows, 1)`, `p_t` being the probability of the target. The head has `K` columns and none
//! for background.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::focal_terms::FocalTerms;
use crate::registry::Registered;
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts, sigmoid};

/// Options of [`Focal`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FocalConfig {
    /// Weight of positives; negatives weigh 1 minus it.
    pub alpha: f64,
    /// Focus: 0 is plain cross-entropy.
    pub gamma: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for FocalConfig {
    fn default() -> Self {
        Self { alpha: 0.25, gamma: 2.0, prior: 0.01, loss_weight: 1.0 }
    }
}

impl FocalConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_probability("alpha", self.alpha)?;
        CARD.demand_least("gamma", self.gamma)?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Focal loss.
#[derive(Clone, Debug)]
pub struct Focal {
    config: FocalConfig,
}

impl Focal {
    /// The loss with these options.
    pub fn new(config: FocalConfig) -> Self {
        Self { config }
    }

    fn focus(&self, targets: &ClassTargets) -> FocalTerms {
        let classes = targets.num_classes();
        FocalTerms::plain(Some(self.config.alpha), vec![self.config.gamma; classes])
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "focal",
    title: "Focal loss",
    summary: "Sigmoid cross-entropy that fades where it is right already: the usual loss of one-stage detectors.",
    paper: "Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002",
    heads: &[Head::Dense, Head::Proposals],
    needs: "nothing",
    formula: "L = sum_ij a_t (1 - p_t)^gamma BCE(z_ij, t_ij) / max(foreground rows, 1);  a_t = alpha for positives, 1 - alpha for negatives",
    scores: "sigmoid(z_j)",
    state: "none",
    options: &[
        ("alpha", "0.25", "weight of positives; negatives weigh 1 minus it"),
        ("gamma", "2.0", "focus: 0 is plain cross-entropy"),
        ("prior", "0.01", "prior probability behind the initial bias"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "made for dense heads: on the proposals of Faster R-CNN it halves the AP on LVIS v0.5 (11.12 against 20.98, FishYuLi/BalancedGroupSoftmax)",
};

impl ClassLoss for Focal {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, None)
    }

    fn normalizer(&self, targets: &ClassTargets) -> f64 {
        targets.foreground_rows().max(1) as f64
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, _ledger: &'a GradientLedger) -> Form<'a> {
        Form::Focal(self.focus(targets))
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

impl Registered for Focal {
    const CARD: Card = CARD;
    type Config = FocalConfig;

    fn build(config: FocalConfig, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}
