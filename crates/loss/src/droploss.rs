//! DropLoss (Hsieh et al., AAAI 2021, arXiv 2104.06402): background rows push rare classes down only now and then.
//!
//! ```text
//! w_ij = 0   on foreground rows for a rare class j that is not the row's own (EQL v1)
//! w_ij = 0   on background rows for a rare class j where u_ij > share, u uniform
//! share = part of this batch's foreground rows whose class is rare
//! L = (1/R) sum_ij w_ij BCE(z_ij, t_ij)
//! ```
//!
//! Authors' code: `timy90022/DropLoss`. Without a foreground row its share is 0/0 and every comparison false, so that nothing is dropped;
//! here that is said: the share is then 1.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::eqlv1::{rare, rare_note};
use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Label, Result, TrainingFacts, draws};

/// Options of [`DropLoss`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropLossConfig {
    /// Image frequency below which a class is rare (as in the shipped configs, for LVIS v0.5).
    pub lambda: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for DropLossConfig {
    fn default() -> Self {
        Self { lambda: 0.00177, prior: 0.001, loss_weight: 1.0 }
    }
}

impl DropLossConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("lambda", self.lambda)?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// DropLoss.
#[derive(Clone, Debug)]
pub struct DropLoss {
    config: DropLossConfig,
    /// Whether each class is rare, `[K]`.
    rare: Vec<bool>,
    seed: u64,
}

impl DropLoss {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: DropLossConfig, facts: &TrainingFacts) -> Result<Self> {
        let rare = rare(facts, CARD.name, config.lambda)?;
        Ok(Self { config, rare, seed: facts.seed })
    }

    fn weights<'a>(&'a self, targets: &'a ClassTargets, ledger: &GradientLedger) -> Sigmoids<'a> {
        let keys = draws::row_keys(&mut draws::stream(self.seed, ledger), targets.labels());
        self.weights_by(targets, move |row, class| draws::uniform_at(keys[row], class))
    }

    /// Weights for the draws `uniform(row, class)`.
    pub(crate) fn weights_by<'a>(
        &'a self,
        targets: &'a ClassTargets,
        uniform: impl Fn(usize, usize) -> f64 + Send + Sync + 'a,
    ) -> Sigmoids<'a> {
        let (share, classes) = (self.rare_share(targets), self.rare.len());
        let fill = move |row: usize, weights: &mut [f64]| {
            let rare =
                weights.iter_mut().zip(&self.rare).enumerate().map(|(class, (weight, rare))| (class, weight, *rare));
            match targets.labels()[row] {
                Label::Class(own) => rare.for_each(|(class, to, rare)| *to = f64::from(!rare || class == own)),
                Label::Background => {
                    rare.for_each(|(class, to, rare)| *to = f64::from(!(rare && uniform(row, class) > share)));
                }
                Label::Ignored => {}
            }
        };
        Sigmoids::weighed(Grid::by_row([targets.rows(), classes], fill))
    }

    /// Part of the foreground rows whose class is rare; 1 without any.
    fn rare_share(&self, targets: &ClassTargets) -> f64 {
        let instances = targets.instances();
        let all: f64 = instances.iter().sum();
        let rare: f64 = instances.iter().zip(&self.rare).filter(|(_, rare)| **rare).map(|(count, _)| count).sum();
        if all == 0.0 { 1.0 } else { rare / all }
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "droploss",
    title: "DropLoss",
    summary: "EQL v1 that also drops a random part of what background rows tell rare classes.",
    paper: "DropLoss for Long-Tail Instance Segmentation, AAAI 2021, arXiv 2104.06402",
    heads: &[Head::Proposals],
    needs: "image counts and number of images of the training set",
    formula: "w_ij as EQL v1 on foreground rows;  on background rows w_ij = 0 for a rare class j where u_ij > share;  share = part of the foreground rows of the batch whose class is rare;  L = (1/R) sum_ij w_ij BCE(z_ij, t_ij)",
    scores: "sigmoid(z_j)",
    state: "none; draws follow from (seed, step)",
    options: &[
        ("lambda", "0.00177", "image frequency below which a class is rare (shipped configs: 0.00177, for LVIS v0.5)"),
        ("prior", "0.001", "prior probability behind the initial bias"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "lambda belongs to one data set; a batch without foreground drops nothing",
};

impl ClassLoss for DropLoss {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, None)
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.rare.len())
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        Form::Sigmoids(self.weights(targets, ledger))
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        sigmoid::scores(logits, false)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        sigmoid::scores_f64(row, false)
    }

    fn notes(&self) -> Vec<String> {
        rare_note(&self.rare, self.config.lambda)
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for DropLoss {
    const CARD: Card = CARD;
    type Config = DropLossConfig;

    fn build(config: DropLossConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
