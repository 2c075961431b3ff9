//! Second equalization loss for plain classification (`ModelTC/EOD`, `up/tasks/cls/models/losses/cls_loss.py`; arXiv 2210.05566).
//!
//! ```text
//! m_j = log((P_j / (sum_k P_k + eps))^tau + 1e-9)      P of the steps before
//! L   = (1/R) sum_i -log softmax(z_i + m)_{y_i}
//! ```
//!
//! `P` is recorded as in the first version. The authors' option `pos_and_neg` adds a ratio to a sum and is left out.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::softmax::{self, Softmax};
use crate::{Card, ClassLoss, ClassTargets, Computed, Form, GradientLedger, Head, LedgerDelta, Result, TrainingFacts};

/// Options of [`SoftmaxEqlV2`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftmaxEqlV2Config {
    /// Strength of the shift.
    pub tau: f64,
    /// Added to the sum of all gradients.
    pub eps: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for SoftmaxEqlV2Config {
    fn default() -> Self {
        Self { tau: 1.0, eps: 0.0001, loss_weight: 1.0 }
    }
}

impl SoftmaxEqlV2Config {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("tau", self.tau)?;
        CARD.demand_above("eps", self.eps)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Softmax EQL v2.
#[derive(Clone, Debug)]
pub struct SoftmaxEqlV2 {
    config: SoftmaxEqlV2Config,
}

impl SoftmaxEqlV2 {
    /// The loss with these options.
    pub fn new(config: SoftmaxEqlV2Config) -> Self {
        Self { config }
    }

    fn shifted(&self, ledger: &GradientLedger) -> Softmax<'static> {
        let all = ledger.positive().iter().sum::<f64>() + self.config.eps;
        let shift = |sum: &f64| ((sum / all).powf(self.config.tau) + 1e-9).ln();
        Softmax::shifted(Grid::columns(ledger.positive().iter().map(shift).collect()))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "softmax_eqlv2",
    title: "Softmax EQL v2",
    summary: "Cross-entropy for classifiers, shifted by the log of each class's part of the positive gradients so far.",
    paper: "The Equalization Losses: Gradient-Driven Training for Long-tailed Object Recognition, TPAMI 2023, arXiv 2210.05566",
    heads: &[Head::Pictures],
    needs: "nothing",
    formula: "L = (1/R) sum_i -log softmax(z_i + m)_{y_i};  m_j = log((P_j / (sum_k P_k + eps))^tau + 1e-9)",
    scores: "softmax(z)",
    state: "P, the accumulated positive gradients of each class, normaliser inside",
    options: &[
        ("tau", "1.0", "strength of the shift"),
        ("eps", "0.0001", "added to the sum of all gradients"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "for whole pictures of one class each: there is no background column, and background rows teach nothing",
};

impl ClassLoss for SoftmaxEqlV2 {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes]
    }

    fn normalizer(&self, targets: &ClassTargets) -> f64 {
        targets.foreground_rows().max(1) as f64
    }

    fn record(&self, computed: &Computed<'_>) -> LedgerDelta {
        computed.all(1.0 / self.normalizer(computed.batch.targets))
    }

    fn form<'a>(&'a self, _targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        Form::Softmax(self.shifted(ledger))
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        softmax::scores(logits, false)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        softmax::scores_f64(row, false)
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for SoftmaxEqlV2 {
    const CARD: Card = CARD;
    type Config = SoftmaxEqlV2Config;

    fn build(config: SoftmaxEqlV2Config, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}
