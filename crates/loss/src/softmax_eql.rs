//! Equalization loss for plain classification, softmax version (`ModelTC/EOD`, `up/tasks/cls/models/losses/cls_loss.py`; arXiv 2210.05566).
//!
//! ```text
//! m_ij = tau log(max(P_j, floor) / max(P_y, floor))      P of the steps before
//! L    = (1/R) sum_i -log softmax(z_i + m_i)_{y_i}
//! ```
//!
//! `P` is the sum of `|dL/dz|` on positive rows as a backward hook sees it: the normaliser is inside. `R` are the foreground rows; a background row
//! has no column and teaches nothing.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::softmax::{self, Softmax};
use crate::{
    Card, ClassLoss, ClassTargets, Computed, Form, GradientLedger, Head, Label, LedgerDelta, Result, TrainingFacts,
};

/// Options of [`SoftmaxEql`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftmaxEqlConfig {
    /// Strength of the margins.
    pub tau: f64,
    /// Smallest sum that counts.
    pub floor: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for SoftmaxEqlConfig {
    fn default() -> Self {
        Self { tau: 1.0, floor: 0.0001, loss_weight: 1.0 }
    }
}

impl SoftmaxEqlConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("tau", self.tau)?;
        CARD.demand_above("floor", self.floor)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Softmax EQL.
#[derive(Clone, Debug)]
pub struct SoftmaxEql {
    config: SoftmaxEqlConfig,
}

impl SoftmaxEql {
    /// The loss with these options.
    pub fn new(config: SoftmaxEqlConfig) -> Self {
        Self { config }
    }

    fn margins<'a>(&self, targets: &'a ClassTargets, ledger: &GradientLedger) -> Softmax<'a> {
        let tau = self.config.tau;
        let logs: Vec<f64> = ledger.positive().iter().map(|sum| sum.max(self.config.floor).ln()).collect();
        let classes = logs.len();
        let margins = move |row: usize, margins: &mut [f64]| {
            if let Label::Class(own) = targets.labels()[row] {
                margins.iter_mut().zip(&logs).for_each(|(margin, log)| *margin = tau * (log - logs[own]));
            }
        };
        Softmax::shifted(Grid::by_row([targets.rows(), classes], margins))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "softmax_eql",
    title: "Softmax EQL",
    summary: "Cross-entropy for classifiers whose margins between two classes follow from their positive gradients so far.",
    paper: "The Equalization Losses: Gradient-Driven Training for Long-tailed Object Recognition, TPAMI 2023, arXiv 2210.05566",
    heads: &[Head::Pictures],
    needs: "nothing",
    formula: "L = (1/R) sum_i -log softmax(z_i + m_i)_{y_i};  m_ij = tau log(max(P_j, floor) / max(P_y, floor))",
    scores: "softmax(z)",
    state: "P, the accumulated positive gradients of each class, normaliser inside",
    options: &[
        ("tau", "1.0", "strength of the margins"),
        ("floor", "0.0001", "smallest sum that counts"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "for whole pictures of one class each: there is no background column, and background rows teach nothing",
};

impl ClassLoss for SoftmaxEql {
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

    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        Form::Softmax(self.margins(targets, ledger))
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

impl Registered for SoftmaxEql {
    const CARD: Card = CARD;
    type Config = SoftmaxEqlConfig;

    fn build(config: SoftmaxEqlConfig, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}
