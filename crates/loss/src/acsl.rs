//! Adaptive Class Suppression Loss (Wang et al., CVPR 2021, arXiv 2104.00885): who is not confused is not suppressed.
//!
//! ```text
//! foreground row   w_ij = 1 for the own class and for every column with sigmoid(z_ij) >= threshold, else 0
//! background row   w_iK = 1; rare classes on a random 1 % of the rows, common ones on 10 %, frequent ones on all
//! L = (1/R) sum_ij w_ij BCE(z_ij, t_ij)
//! ```
//!
//! Weights are constants: no gradient flows through the threshold. Authors' code: `CASIA-IVA-Lab/ACSL`, where background is column 0. A
//! part of `n` rows that is no whole number is rounded up or down at random, so that small batches see rare classes too.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Label, Result, TrainingFacts, draws};

/// Options of [`Acsl`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcslConfig {
    /// Score from which another class is suppressed.
    pub threshold: f64,
    /// Part of the background rows that rare classes learn from.
    pub rare: f64,
    /// Part of the background rows that common classes learn from.
    pub common: f64,
    /// Part of the background rows that frequent classes learn from.
    pub frequent: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// The same for the background column; 0.5 is neutral.
    pub background_prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for AcslConfig {
    fn default() -> Self {
        Self {
            threshold: 0.7,
            rare: 0.01,
            common: 0.1,
            frequent: 1.0,
            prior: 0.01,
            background_prior: 0.01,
            loss_weight: 1.0,
        }
    }
}

impl AcslConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand("threshold", self.threshold, (0.0..=1.0).contains(&self.threshold), "0 to 1")?;
        CARD.demand("rare", self.rare, (0.0..=1.0).contains(&self.rare), "0 to 1")?;
        CARD.demand("common", self.common, (0.0..=1.0).contains(&self.common), "0 to 1")?;
        CARD.demand("frequent", self.frequent, (0.0..=1.0).contains(&self.frequent), "0 to 1")?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_probability("background_prior", self.background_prior)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// ACSL.
#[derive(Clone, Debug)]
pub struct Acsl {
    config: AcslConfig,
    /// 0 rare, 1 common, 2 frequent, `[K]`.
    group: Vec<usize>,
    seed: u64,
}

impl Acsl {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: AcslConfig, facts: &TrainingFacts) -> Result<Self> {
        let group = |count: f64| {
            if count <= 10.0 {
                0
            } else if count <= 100.0 {
                1
            } else {
                2
            }
        };
        let group = facts.images(CARD.name)?.into_iter().map(group).collect();
        Ok(Self { config, group, seed: facts.seed })
    }

    /// Background rows that each group learns from.
    fn drawn(&self, targets: &ClassTargets, ledger: &GradientLedger) -> [Vec<usize>; 3] {
        let labels = targets.labels().iter().enumerate();
        let rows: Vec<usize> = labels.filter(|(_, label)| **label == Label::Background).map(|(row, _)| row).collect();
        let mut stream = draws::stream(self.seed, ledger);
        [self.config.rare, self.config.common, self.config.frequent].map(|part| {
            let count = (part * rows.len() as f64 + draws::uniform(&mut stream)).floor() as usize;
            // By position, so that ignored rows between them change nothing.
            let places = draws::some(&mut stream, (0..rows.len()).collect(), count);
            places.into_iter().map(|place| rows[place]).collect()
        })
    }

    fn weights<'a>(&'a self, targets: &'a ClassTargets, ledger: &GradientLedger) -> Sigmoids<'a> {
        self.weights_by(targets, &self.drawn(targets, ledger))
    }

    /// Weights for the background rows that each group learns from.
    pub(crate) fn weights_by<'a>(&'a self, targets: &'a ClassTargets, drawn: &[Vec<usize>; 3]) -> Sigmoids<'a> {
        let classes = self.group.len();
        let mut learns = vec![[false; 3]; targets.rows()];
        for (group, rows) in drawn.iter().enumerate() {
            rows.iter().for_each(|row| learns[*row][group] = true);
        }
        let fill = move |row: usize, weights: &mut [f64]| match targets.labels()[row] {
            Label::Class(class) => weights[class] = 1.0,
            Label::Background => {
                let learns = learns[row];
                weights.iter_mut().zip(&self.group).for_each(|(to, group)| *to = f64::from(learns[*group]));
                weights[classes] = 1.0;
            }
            Label::Ignored => {}
        };
        let confused = Some(crate::prior_bias(self.config.threshold));
        Sigmoids { confused, ..Sigmoids::weighed(Grid::by_row([targets.rows(), classes + 1], fill)) }
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "acsl",
    title: "ACSL",
    summary: "Suppresses another class only where the row is confident of it, and tells rare classes little about background.",
    paper: "Adaptive Class Suppression Loss for Long-Tail Object Detection, CVPR 2021, arXiv 2104.00885",
    heads: &[Head::Proposals],
    needs: "image counts of the training set",
    formula: "foreground rows: w_ij = 1 for the own class and where sigmoid(z_ij) >= threshold, else 0;  background rows: w_ij = 1 on the background column and, for classes, on a random part of the rows: rare, common, frequent;  L = (1/R) sum_ij w_ij BCE(z_ij, t_ij)",
    scores: "sigmoid(z_j), the background column dropped",
    state: "none; draws follow from (seed, step)",
    options: &[
        ("threshold", "0.7", "score from which another class is suppressed"),
        ("rare", "0.01", "part of the background rows that rare classes learn from"),
        ("common", "0.1", "the same for common classes"),
        ("frequent", "1.0", "the same for frequent classes"),
        ("prior", "0.01", "prior probability behind the initial bias"),
        ("background_prior", "0.01", "the same for the background column; 0.5 is neutral"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "published as a second stage that trains the classifier alone; groups are those of LVIS (up to 10 and 100 training images), so that a small data set has no frequent class",
};

impl ClassLoss for Acsl {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, Some(self.config.background_prior))
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.group.len())
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        Form::Sigmoids(self.weights(targets, ledger))
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        let [rows, channels] = logits.dims();
        sigmoid::scores(logits.slice([0..rows, 0..channels - 1]), false)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        sigmoid::scores_f64(&row[..row.len() - 1], false)
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for Acsl {
    const CARD: Card = CARD;
    type Config = AcslConfig;

    fn build(config: AcslConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
