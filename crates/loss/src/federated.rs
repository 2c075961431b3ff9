//! Federated loss (Zhou et al., arXiv 2103.07461): only some classes answer for a batch.
//!
//! ```text
//! S = the classes of the batch, and others drawn without replacement with chance ~ images^power, until S has num_classes
//! L = (1/R) sum_i sum_{j in S} BCE(z_ij, t_ij)
//! ```
//!
//! The head has `K` columns and none for background. Code of CenterNet2 and Detic: there the background label takes one of the 50
//! places whenever the batch has a background row; here all are classes.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Result, TrainingFacts, draws};

/// Options of [`Federated`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FederatedConfig {
    /// Classes that answer for a batch.
    pub num_classes: usize,
    /// Power of the image count in the chance of a class to be drawn.
    pub power: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for FederatedConfig {
    fn default() -> Self {
        Self { num_classes: 50, power: 0.5, prior: 0.01, loss_weight: 1.0 }
    }
}

impl FederatedConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand("num_classes", self.num_classes as f64, self.num_classes > 0, "at least 1")?;
        CARD.demand_least("power", self.power)?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Federated loss.
#[derive(Clone, Debug)]
pub struct Federated {
    config: FederatedConfig,
    /// Weight of each class in the draw, `[K]`.
    chances: Vec<f64>,
    seed: u64,
}

impl Federated {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: FederatedConfig, facts: &TrainingFacts) -> Result<Self> {
        let chances = facts.images(CARD.name)?.into_iter().map(|count| count.powf(config.power)).collect();
        Ok(Self { config, chances, seed: facts.seed })
    }

    /// The classes that answer for the batch, ascending.
    fn subset(&self, targets: &ClassTargets, ledger: &GradientLedger) -> Vec<usize> {
        let present = targets.instances();
        let (mut subset, absent): (Vec<usize>, Vec<usize>) =
            (0..self.chances.len()).partition(|class| present[*class] > 0.0);
        let more = self.config.num_classes.saturating_sub(subset.len());
        let mut stream = draws::stream(self.seed, ledger);
        subset.extend(draws::weighted(&mut stream, absent, more, |class| self.chances[class]));
        subset
    }

    fn weights(&self, targets: &ClassTargets, ledger: &GradientLedger) -> Sigmoids<'static> {
        Self::weights_of(&self.subset(targets, ledger), targets.num_classes())
    }

    /// 1 for the classes of the subset, 0 for others.
    pub(crate) fn weights_of(subset: &[usize], num_classes: usize) -> Sigmoids<'static> {
        let mut weights = vec![0.0; num_classes];
        subset.iter().for_each(|class| weights[*class] = 1.0);
        Sigmoids::weighed(Grid::columns(weights))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "federated",
    title: "Federated loss",
    summary: "Sigmoid cross-entropy over a random subset of classes: those of the batch, and some more.",
    paper: "Probabilistic two-stage detection (CenterNet2), 2021, arXiv 2103.07461",
    heads: &[Head::Proposals],
    needs: "image counts of the training set",
    formula: "S = classes of the batch, and others drawn with chance ~ images^power until S has num_classes;  L = (1/R) sum_i sum_{j in S} BCE(z_ij, t_ij)",
    scores: "sigmoid(z_j)",
    state: "none; draws follow from (seed, step)",
    options: &[
        ("num_classes", "50", "classes that answer for a batch"),
        ("power", "0.5", "power of the image count in the chance of a class to be drawn"),
        ("prior", "0.01", "prior probability behind the initial bias"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "with fewer classes than num_classes it is plain BCE; a batch with more classes keeps all of them",
};

impl ClassLoss for Federated {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, None)
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.chances.len())
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

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for Federated {
    const CARD: Card = CARD;
    type Config = FederatedConfig;

    fn build(config: FederatedConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
