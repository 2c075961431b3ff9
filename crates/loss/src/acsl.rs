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

use crate::class_loss::rows_f64;
use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{Card, ClassLoss, ClassTargets, GradientLedger, Head, Label, LossStepF64, Result, TrainingFacts, draws};

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

    /// Weights that do not depend on the logits.
    fn weights(&self, targets: &ClassTargets, drawn: &[Vec<usize>; 3]) -> Sigmoids {
        let classes = self.group.len();
        let mut learns = vec![[false; 3]; targets.rows()];
        for (group, rows) in drawn.iter().enumerate() {
            rows.iter().for_each(|row| learns[*row][group] = true);
        }
        let weight = |row: usize, column: usize| match targets.labels()[row] {
            Label::Class(class) => f64::from(class == column),
            Label::Background => f64::from(column == classes || learns[row][self.group[column]]),
            Label::Ignored => 0.0,
        };
        Sigmoids::weighed(Grid::elements([targets.rows(), classes + 1], weight))
    }

    fn threshold(&self) -> f64 {
        crate::prior_bias(self.config.threshold)
    }

    pub(crate) fn terms_by(&self, logits: Tensor<2>, targets: &ClassTargets, drawn: &[Vec<usize>; 3]) -> Tensor<2> {
        let device = logits.device();
        let foreground = targets.labels().iter().map(|label| f64::from(matches!(label, Label::Class(_)))).collect();
        let confused = logits.clone().detach().greater_equal_elem(self.threshold()).float();
        let confused = confused * Grid::rows(foreground).tensor(&device);
        let weights = self.weights(targets, drawn).weight.tensor(&device).max_pair(confused);
        let one_hot = targets.one_hot(logits.dims()[1], &device);
        sigmoid::weigh(sigmoid::bce(logits, one_hot) * weights, targets, &device)
    }

    pub(crate) fn step_by(&self, logits: &[f64], targets: &ClassTargets, drawn: &[Vec<usize>; 3]) -> LossStepF64 {
        let (weights, threshold) = (self.weights(targets, drawn).weight, self.threshold());
        rows_f64(self, logits, targets, |row, logits, gradient| {
            let own = targets.column(row);
            let foreground = matches!(targets.labels()[row], Label::Class(_));
            let mut value = 0.0;
            for (column, (z, gradient)) in logits.iter().zip(gradient).enumerate() {
                let counts = weights.at(row, column) > 0.0 || (foreground && *z >= threshold);
                if counts && targets.is_judged(row, column) {
                    let positive = own == Some(column);
                    value += targets.row_weight(row) * sigmoid::bce_f64(*z, positive);
                    *gradient = targets.row_weight(row) * sigmoid::bce_gradient_f64(*z, positive);
                }
            }
            value
        })
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

    fn channels(&self, num_classes: usize) -> usize {
        num_classes + 1
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, Some(self.config.background_prior))
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.group.len())
    }

    fn terms(&self, logits: Tensor<2>, targets: &ClassTargets, ledger: &GradientLedger) -> Tensor<2> {
        self.terms_by(logits, targets, &self.drawn(targets, ledger))
    }

    fn step_f64(&self, logits: &[f64], targets: &ClassTargets, ledger: &GradientLedger) -> LossStepF64 {
        self.step_by(logits, targets, &self.drawn(targets, ledger))
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
