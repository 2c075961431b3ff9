//! Equilibrium loss of LOCE (Feng et al., ICCV 2021, arXiv 2108.07507): margins by mean score.
//!
//! ```text
//! L   = (1/R) sum_i -log softmax(z_i + log s)_{y_i}
//! s_j <- d^k s_j + (1 - d^k) mean_i softmax(z_i)_j     over the k rows of class j; start 0.01; s_K fixed
//! ```
//!
//! Margins are those of the steps before. The authors' code (`fcjian/LOCE`) loses `s` on a resume; here it is in the ledger and saved. Its feature
//! memory (4.8 GB for LVIS) is no part of this loss.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::softmax::{self, Softmax};
use crate::{
    Batch, Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, MemoryRule, MemorySpec, Result, TrainingFacts,
};

/// Mean score before the first row of a class (authors' code).
const START_SCORE: f64 = 0.01;
/// Below it a margin would grow without bounds: a class whose rows all score 0 in f32.
const LEAST_SCORE: f64 = 1e-12;

/// Options of [`Loce`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoceConfig {
    /// Decay of the mean score for one row.
    pub decay: f64,
    /// Mean score that background counts as.
    pub background_score: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for LoceConfig {
    fn default() -> Self {
        Self { decay: 0.9, background_score: 0.01, loss_weight: 1.0 }
    }
}

impl LoceConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand("decay", self.decay, self.decay > 0.0 && self.decay < 1.0, "above 0 and below 1")?;
        CARD.demand_probability("background_score", self.background_score)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// LOCE (EBL).
#[derive(Clone, Debug)]
pub struct Loce {
    config: LoceConfig,
}

impl Loce {
    /// The loss with these options.
    pub fn new(config: LoceConfig) -> Self {
        Self { config }
    }

    fn margins(&self, ledger: &GradientLedger) -> Softmax<'static> {
        let scores = ledger.remembered().iter().copied().chain([self.config.background_score]);
        Softmax::shifted(Grid::columns(scores.map(|score| score.max(LEAST_SCORE).ln()).collect()))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "loce",
    title: "LOCE (EBL)",
    summary: "Cross-entropy with margins from how well each class scores so far: a class that scores low is helped.",
    paper: "Exploring Classification Equilibrium in Long-Tailed Object Detection, ICCV 2021, arXiv 2108.07507",
    heads: &[Head::Proposals],
    needs: "nothing",
    formula: "L = (1/R) sum_i -log softmax(z_i + log s)_{y_i};  s_j <- d^k s_j + (1 - d^k) mean own score of the k rows of class j, start 0.01;  s_K = background_score",
    scores: "softmax(z) without the background column",
    state: "s, the moving mean score of each class",
    options: &[
        ("decay", "0.9", "decay of the mean score for one row"),
        ("background_score", "0.01", "mean score that background counts as"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "the equilibrium loss alone: the memory-augmented feature sampling of the paper is no part of it; published as 6 epochs after 24 of plain training",
};

impl ClassLoss for Loce {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 1]
    }

    fn memory(&self) -> Option<MemorySpec> {
        let rule = MemoryRule::Mean { decay: self.config.decay };
        Some(MemorySpec { loss: CARD.name, matrix: false, start: START_SCORE, rule })
    }

    fn remembered(&self, batch: &Batch<'_>, row: usize, own: usize) -> Vec<f64> {
        vec![batch.own_score(row, own)]
    }

    fn form<'a>(&'a self, _targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        Form::Softmax(self.margins(ledger))
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

impl Registered for Loce {
    const CARD: Card = CARD;
    type Config = LoceConfig;

    fn build(config: LoceConfig, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}
