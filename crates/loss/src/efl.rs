//! Equalized Focal Loss (Li et al., CVPR 2022, arXiv 2201.02593): EQL v2's idea for dense heads.
//!
//! ```text
//! g_j     = clamp(P_j / (M_j + 1e-10), 0, 1)
//! gamma_j = gamma_base + scale (1 - g_j)
//! L       = sum_ij a_t (gamma_j / gamma_base) (1 - p_t)^gamma_j BCE(z_ij, t_ij) / max(foreground rows, 1)
//! ```
//!
//! With `g = 1` it is the focal loss. `P` and `M` are `|dL/dz|` with the normaliser inside, unlike those of EQL v2: the authors' code (`ModelTC/EOD`) takes
//! them from a backward hook, without which nothing happens; here they come with the gradient.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::focal_terms::FocalTerms;
use crate::registry::Registered;
use crate::{
    Card, ClassLoss, ClassTargets, Computed, Form, GradientLedger, Head, LedgerDelta, Result, TrainingFacts, sigmoid,
};

/// Options of [`Efl`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EflConfig {
    /// Weight of positives; negatives weigh 1 minus it.
    pub alpha: f64,
    /// Focus of a class in balance.
    pub gamma_base: f64,
    /// Focus added at a ratio of 0.
    pub scale: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for EflConfig {
    fn default() -> Self {
        Self { alpha: 0.25, gamma_base: 2.0, scale: 8.0, prior: 0.001, loss_weight: 1.0 }
    }
}

impl EflConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_probability("alpha", self.alpha)?;
        CARD.demand_above("gamma_base", self.gamma_base)?;
        CARD.demand_least("scale", self.scale)?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// EFL.
#[derive(Clone, Debug)]
pub struct Efl {
    config: EflConfig,
}

impl Efl {
    /// The loss with these options.
    pub fn new(config: EflConfig) -> Self {
        Self { config }
    }

    fn focus(&self, ledger: &GradientLedger) -> FocalTerms {
        FocalTerms { alpha: Some(self.config.alpha), ..balanced(ledger, self.config.gamma_base, self.config.scale) }
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "efl",
    title: "EFL",
    summary: "Focal loss whose focus grows for classes that were mostly told no: EQL v2 for dense heads.",
    paper: "Equalized Focal Loss for Dense Long-Tailed Object Detection, CVPR 2022, arXiv 2201.02593",
    heads: &[Head::Dense],
    needs: "nothing",
    formula: "gamma_j = gamma_base + scale (1 - g_j);  L = sum_ij a_t (gamma_j / gamma_base) (1 - p_t)^gamma_j BCE(z_ij, t_ij) / max(foreground rows, 1)",
    scores: "sigmoid(z_j)",
    state: "P and M, the accumulated absolute gradients of each class, normaliser inside; g = P / (M + 1e-10), cut to 0..1, 1 before the first",
    options: &[
        ("alpha", "0.25", "weight of positives; negatives weigh 1 minus it"),
        ("gamma_base", "2.0", "focus of a class in balance"),
        ("scale", "8.0", "focus added at a ratio of 0"),
        ("prior", "0.001", "prior probability behind the initial bias"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "for one-stage heads; the published recipe clips the gradient norm at 35 and warms up for an epoch",
};

impl ClassLoss for Efl {
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

    fn form<'a>(&'a self, _targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        Form::Focal(self.focus(ledger))
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

impl Registered for Efl {
    const CARD: Card = CARD;
    type Config = EflConfig;

    fn build(config: EflConfig, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}

/// Terms with the focus `gamma_j` of every class and the factor `gamma_j / base`.
pub(crate) fn balanced(ledger: &GradientLedger, base: f64, scale: f64) -> FocalTerms {
    let gamma = |ratio: f64| base + scale * (1.0 - ratio.clamp(0.0, 1.0));
    let gamma: Vec<f64> = ledger.ratios().into_iter().map(gamma).collect();
    FocalTerms { factor: gamma.iter().map(|gamma| gamma / base).collect(), ..FocalTerms::plain(None, gamma) }
}
