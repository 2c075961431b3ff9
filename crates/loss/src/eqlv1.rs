//! Equalization Loss, the first version (Tan et al., CVPR 2020, arXiv 2003.05176): rare classes are spared.
//!
//! ```text
//! w_ij = 1 - E(i) T(f_j) (1 - t_ij)       E = 1 on foreground rows, T = 1 where f_j < lambda
//! L    = (1/R) sum_ij w_ij BCE(z_ij, t_ij)
//! ```
//!
//! `f_j` is the part of the training images that show class `j`. The head has `K` columns and none for background. Authors' code:
//! `tztztztztz/eqlv2`, `mmdet/models/losses/eql.py`, which carries the counts of LVIS; here they are those of the training set.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Label, Result, TrainingFacts};

/// Options of [`EqlV1`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EqlV1Config {
    /// Image frequency below which a class is rare (LVIS v1: 0.0011, v0.5: 0.00177).
    pub lambda: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for EqlV1Config {
    fn default() -> Self {
        Self { lambda: 0.0011, prior: 0.001, loss_weight: 1.0 }
    }
}

impl EqlV1Config {
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

/// EQL v1.
#[derive(Clone, Debug)]
pub struct EqlV1 {
    config: EqlV1Config,
    /// Whether each class is rare, `[K]`.
    rare: Vec<bool>,
}

impl EqlV1 {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: EqlV1Config, facts: &TrainingFacts) -> Result<Self> {
        let rare = rare(facts, CARD.name, config.lambda)?;
        Ok(Self { config, rare })
    }

    /// Weight of every element.
    fn weights<'a>(&'a self, targets: &'a ClassTargets) -> Sigmoids<'a> {
        let fill = |row: usize, weights: &mut [f64]| match targets.labels()[row] {
            Label::Class(own) => {
                weights.iter_mut().zip(&self.rare).for_each(|(weight, rare)| *weight = f64::from(!rare));
                weights[own] = 1.0;
            }
            _ => weights.fill(1.0),
        };
        Sigmoids::weighed(Grid::by_row([targets.rows(), self.rare.len()], fill))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "eql",
    title: "EQL v1",
    summary: "Sigmoid cross-entropy in which foreground rows of other classes do not push rare classes down.",
    paper: "Equalization Loss for Long-Tailed Object Recognition, CVPR 2020, arXiv 2003.05176",
    heads: &[Head::Proposals],
    needs: "image counts and number of images of the training set",
    formula: "w_ij = 1 - E(i) T(f_j) (1 - t_ij);  E = 1 on foreground rows, T = 1 where the image frequency f_j < lambda;  L = (1/R) sum_ij w_ij BCE(z_ij, t_ij)",
    scores: "sigmoid(z_j)",
    state: "none",
    options: &[
        ("lambda", "0.0011", "image frequency below which a class is rare (LVIS v1: 0.0011, v0.5: 0.00177)"),
        ("prior", "0.001", "prior probability behind the initial bias"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "lambda belongs to one data set: on a small one every class may be above it, and then this is plain BCE; without a background column all proposals that show nothing are told so by every class",
};

impl ClassLoss for EqlV1 {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, None)
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.rare.len())
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, _ledger: &'a GradientLedger) -> Form<'a> {
        Form::Sigmoids(self.weights(targets))
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

impl Registered for EqlV1 {
    const CARD: Card = CARD;
    type Config = EqlV1Config;

    fn build(config: EqlV1Config, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}

/// Which classes are shown by a smaller part of the training images than `lambda`.
pub(crate) fn rare(facts: &TrainingFacts, loss: &'static str, lambda: f64) -> Result<Vec<bool>> {
    Ok(facts.image_frequencies(loss)?.into_iter().map(|frequency| frequency < lambda).collect())
}

/// Says so when no class is rare: the loss is then plain cross-entropy.
pub(crate) fn rare_note(rare: &[bool], lambda: f64) -> Vec<String> {
    if rare.contains(&true) {
        return Vec::new();
    }
    vec![format!(
        "every class is in {lambda} or more of the training images, so that none is rare and nothing is re-weighed; set \
         loss.lambda to a frequency that some classes are below"
    )]
}
