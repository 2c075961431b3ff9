//! Equalized Quality Focal Loss (arXiv 2210.05566; `ModelTC/EOD`): EFL on quality focal loss (arXiv 2006.04388).
//!
//! ```text
//! gamma_j  = gamma_base + scale (1 - g_j)
//! positive   BCE(z, u) |u - p|^gamma_j      u the quality of the row, such as its IoU
//! negative   BCE(z, 0) p^gamma_j
//! L        = sum_ij (gamma_j / gamma_base) term_ij / max(foreground rows, 1)
//! ```
//!
//! The gradient flows through the modulating factor too. Qualities come with the targets.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::efl::balanced;
use crate::focal_terms::FocalTerms;
use crate::grid::Grid;
use crate::registry::Registered;
use crate::{
    Card, ClassLoss, ClassTargets, Computed, Form, GradientLedger, Head, LedgerDelta, Result, TrainingFacts, sigmoid,
};

/// Options of [`Eqfl`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EqflConfig {
    /// Focus of a class in balance.
    pub gamma_base: f64,
    /// Focus added at a ratio of 0.
    pub scale: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for EqflConfig {
    fn default() -> Self {
        Self { gamma_base: 2.0, scale: 8.0, prior: 0.001, loss_weight: 1.0 }
    }
}

impl EqflConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_above("gamma_base", self.gamma_base)?;
        CARD.demand_least("scale", self.scale)?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// EQFL.
#[derive(Clone, Debug)]
pub struct Eqfl {
    config: EqflConfig,
}

impl Eqfl {
    /// The loss with these options.
    pub fn new(config: EqflConfig) -> Self {
        Self { config }
    }

    fn focus(&self, targets: &ClassTargets, ledger: &GradientLedger) -> FocalTerms {
        let quality = Grid::rows((0..targets.rows()).map(|row| targets.quality(row)).collect());
        FocalTerms { quality, ..balanced(ledger, self.config.gamma_base, self.config.scale) }
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "eqfl",
    title: "EQFL",
    summary: "Quality focal loss whose focus grows for classes that were mostly told no.",
    paper: "The Equalization Losses: Gradient-Driven Training for Long-tailed Object Recognition, TPAMI 2023, arXiv 2210.05566",
    heads: &[Head::Dense],
    needs: "nothing",
    formula: "gamma_j = gamma_base + scale (1 - g_j);  positive: BCE(z, u) |u - p|^gamma_j, u the quality of the row;  negative: BCE(z, 0) p^gamma_j;  L = sum_ij (gamma_j / gamma_base) term_ij / max(foreground rows, 1)",
    scores: "sigmoid(z_j)",
    state: "P and M, the accumulated absolute gradients of each class, normaliser inside; g = P / (M + 1e-10), cut to 0..1, 1 before the first",
    options: &[
        ("gamma_base", "2.0", "focus of a class in balance"),
        ("scale", "8.0", "focus added at a ratio of 0"),
        ("prior", "0.001", "prior probability behind the initial bias"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "for one-stage heads; without qualities every foreground row counts as a perfect fit",
};

impl ClassLoss for Eqfl {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, None)
    }

    fn normalizer(&self, targets: &ClassTargets) -> f64 {
        targets.foreground_rows().max(1) as f64
    }

    fn record(&self, computed: &Computed<'_>) -> LedgerDelta {
        computed.all(1.0 / self.normalizer(computed.batch.targets))
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        Form::Focal(self.focus(targets, ledger))
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

impl Registered for Eqfl {
    const CARD: Card = CARD;
    type Config = EqflConfig;

    fn build(config: EqflConfig, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}
