//! Balanced group softmax (Li et al., CVPR 2020, arXiv 2006.10408): classes compete within groups of similar counts.
//!
//! ```text
//! groups       instances < bin_1, < bin_2, < bin_3, the rest; and background alone; each has an entry "others" beside its members
//! a group      rows of its members weigh 1, and so do int(beta * rows) random other rows; without a member in the batch it weighs 0
//! L            sum over groups of (sum of weighted cross-entropies) / max(sum of weights, 1); the background group takes all rows
//! score of j   softmax(its group)_j * softmax(background group)_others
//! ```
//!
//! Columns here: classes `0..K`, background `K`, then "others" of the four groups and of the background group. The authors' code
//! (`FishYuLi/BalancedGroupSoftmax`; `tztztztztz/eqlv2`, `group_softmax.py`) orders them group by group, and draws unseeded.

use std::sync::Arc;

use burn::tensor::{DType, FloatDType, Int, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

use crate::class_loss::rows_f64;
use crate::registry::Registered;
use crate::softmaxes::{Group, Softmaxes};
use crate::{
    Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Label, LossStepF64, Result, TrainingFacts, draws,
    sigmoid, softmax,
};

/// Four groups of classes and that of background.
const GROUPS: usize = 5;
/// The last group.
const BACKGROUND: usize = GROUPS - 1;

/// Options of [`Bags`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BagsConfig {
    /// Other rows for each row of a group's members.
    pub beta: f64,
    /// Instances from which a class is in the second group.
    pub bin_1: f64,
    /// The same for the third.
    pub bin_2: f64,
    /// The same for the fourth.
    pub bin_3: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for BagsConfig {
    fn default() -> Self {
        Self { beta: 8.0, bin_1: 10.0, bin_2: 100.0, bin_3: 1000.0, loss_weight: 1.0 }
    }
}

impl BagsConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("beta", self.beta)?;
        CARD.demand_above("bin_1", self.bin_1)?;
        CARD.demand("bin_2", self.bin_2, self.bin_2 > self.bin_1, "above bin_1")?;
        CARD.demand("bin_3", self.bin_3, self.bin_3 > self.bin_2, "above bin_2")?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// BAGS.
#[derive(Clone, Debug)]
pub struct Bags {
    config: BagsConfig,
    /// Group of each class, `[K]`.
    group: Vec<usize>,
    seed: u64,
}

impl Bags {
    /// The loss with these options for a training set with these counts.
    ///
    /// # Errors
    /// When the counts are not known.
    pub fn new(config: BagsConfig, facts: &TrainingFacts) -> Result<Self> {
        let bins = [config.bin_1, config.bin_2, config.bin_3];
        let group =
            facts.instances(CARD.name)?.iter().map(|count| bins.iter().filter(|bin| count >= bin).count()).collect();
        Ok(Self { config, group, seed: facts.seed })
    }

    /// Columns of every group: its members, then its "others"; the last is that of background.
    fn columns(&self) -> [Vec<usize>; GROUPS] {
        let classes = self.group.len();
        std::array::from_fn(|group| {
            let members = (0..classes).filter(|class| self.group[*class] == group);
            let background = (group == BACKGROUND).then_some(classes);
            members.chain(background).chain([classes + 1 + group]).collect()
        })
    }

    /// Group that the label of a row belongs to.
    fn group_of(&self, label: Label) -> Option<usize> {
        match label {
            Label::Class(class) => Some(self.group[class]),
            Label::Background => Some(BACKGROUND),
            Label::Ignored => None,
        }
    }

    /// Weight of every row in every group, divided by the group's normaliser.
    fn weights(&self, targets: &ClassTargets, ledger: &GradientLedger) -> [Vec<f64>; GROUPS] {
        let groups: Vec<Option<usize>> = targets.labels().iter().map(|label| self.group_of(*label)).collect();
        let mut stream = draws::stream(self.seed, ledger);
        std::array::from_fn(|group| {
            let (members, others): (Vec<usize>, Vec<usize>) =
                (0..groups.len()).filter(|row| groups[*row].is_some()).partition(|row| groups[*row] == Some(group));
            let mut weights = vec![0.0; groups.len()];
            let drawn =
                if group == BACKGROUND { others.len() } else { (self.config.beta * members.len() as f64) as usize };
            // By position, so that ignored rows between them change nothing.
            let places = draws::some(&mut stream, (0..others.len()).collect(), drawn);
            let others = places.into_iter().map(|place| others[place]);
            members.iter().copied().chain(others).for_each(|row| weights[row] = 1.0);
            Self::normalized(weights)
        })
    }

    pub(crate) fn normalized(weights: Vec<f64>) -> Vec<f64> {
        let sum = weights.iter().sum::<f64>().max(1.0);
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    /// Applies `link` to the logits of each group; the parts, and the order that brings their columns back.
    fn by_group(&self, logits: Tensor<2>, link: impl Fn(Tensor<2>) -> Tensor<2>) -> (Tensor<1, Int>, Vec<Tensor<2>>) {
        let device = logits.device();
        let columns = self.columns();
        let index = |columns: &[usize]| {
            let columns: Vec<i64> = columns.iter().map(|column| *column as i64).collect();
            let count = columns.len();
            Tensor::<1, Int>::from_data(TensorData::new(columns, [count]), &device)
        };
        let parts = columns.iter().map(|columns| link(logits.clone().select(1, index(columns)))).collect();
        let together = columns.concat();
        let mut order = vec![0; together.len()];
        together.iter().enumerate().for_each(|(place, column)| order[*column] = place);
        (index(&order), parts)
    }

    pub(crate) fn terms_by(
        &self,
        logits: Tensor<2>,
        targets: &ClassTargets,
        weights: &[Vec<f64>; GROUPS],
    ) -> Tensor<2> {
        let device = logits.device();
        let shape = logits.dims();
        let logits = softmax::judged_only(logits, targets, &device);
        let (order, parts) = self.by_group(logits, |group| activation::log_softmax(group, 1).neg());
        let mut wanted = vec![0.0; shape[0] * shape[1]];
        for (group, weights) in weights.iter().enumerate() {
            for (row, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
                wanted[row * shape[1] + self.wanted(targets, row, group)] = *weight as f32;
            }
        }
        let wanted = Tensor::<2>::from_data(TensorData::new(wanted, shape), (&device, DType::F32));
        sigmoid::weigh(Tensor::cat(parts, 1).select(1, order) * wanted, targets, &device)
    }

    /// Column that a row should choose in a group.
    fn wanted(&self, targets: &ClassTargets, row: usize, group: usize) -> usize {
        let classes = self.group.len();
        match targets.column(row) {
            Some(own) if self.group_of(targets.labels()[row]) == Some(group) => own,
            _ => classes + 1 + group,
        }
    }

    pub(crate) fn step_by(&self, logits: &[f64], targets: &ClassTargets, weights: &[Vec<f64>; GROUPS]) -> LossStepF64 {
        let groups = self.columns();
        rows_f64(self, logits, targets, |row, logits, gradient| {
            let mut value = 0.0;
            for (group, columns) in groups.iter().enumerate() {
                let weight = targets.row_weight(row) * weights[group][row];
                let wanted = self.wanted(targets, row, group);
                let z: Vec<f64> = columns.iter().map(|column| logits[*column]).collect();
                let logs = softmax::log_softmax_f64(&z, |at| targets.is_judged(row, columns[at]));
                for (column, log) in columns.iter().zip(logs) {
                    let own = *column == wanted;
                    gradient[*column] = weight * (log.exp() - f64::from(own));
                    if own && weight > 0.0 {
                        value -= weight * log;
                    }
                }
            }
            value
        })
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "bags",
    title: "BAGS",
    summary: "One softmax for each group of classes of similar counts, so that frequent classes do not compete with rare ones.",
    paper: "Overcoming Classifier Imbalance for Long-Tail Object Detection with Balanced Group Softmax, CVPR 2020, arXiv 2006.10408",
    heads: &[Head::Proposals],
    needs: "instance counts of the training set",
    formula: "groups by instances: < bin_1, < bin_2, < bin_3, the rest, and background, each with an entry for others;  a group: its rows of the batch, and int(beta * rows) random others;  L = sum over groups of the mean cross-entropy of its rows, over at least one row",
    scores: "softmax(group)_j * softmax(background group)_others",
    state: "none; draws follow from (seed, step)",
    options: &[
        ("beta", "8.0", "other rows for each row of a member"),
        ("bin_1", "10.0", "instances from which a class is in the second group"),
        ("bin_2", "100.0", "the same for the third group"),
        ("bin_3", "1000.0", "the same for the fourth group"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "published as a second stage: 12 epochs of the classifier alone after the baseline, everything else frozen; its channels are K + 6, so that its weights fit no other loss; the ledger holds gradients with the normaliser of their group inside",
};

impl ClassLoss for Bags {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 1 + GROUPS]
    }

    fn counted_classes(&self) -> Option<usize> {
        Some(self.group.len())
    }

    fn normalizer(&self, _targets: &ClassTargets) -> f64 {
        1.0
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        let weights = Arc::new(self.weights(targets, ledger));
        let group = |(group, columns): (usize, Vec<usize>)| {
            let mut place = vec![0; self.group.len() + 1 + GROUPS];
            columns.iter().enumerate().for_each(|(at, column)| place[*column] = at);
            let weights = weights.clone();
            let wanted = move |row: usize| {
                let weight = weights[group][row];
                (weight > 0.0).then(|| (place[self.wanted(targets, row, group)], weight))
            };
            Group { columns, wanted: Box::new(wanted), shift: None }
        };
        let groups = self.columns().into_iter().enumerate().map(group).collect();
        let of_terms = weights.clone();
        Form::Softmaxes(Softmaxes {
            groups,
            terms: Box::new(move |logits| self.terms_by(logits, targets, &of_terms)),
            step_f64: Box::new(move |logits| self.step_by(logits, targets, &weights)),
        })
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        let logits = logits.cast(FloatDType::F32);
        let (order, parts) = self.by_group(logits, |group| activation::softmax(group, 1));
        let scores = Tensor::cat(parts, 1).select(1, order);
        let ([rows, channels], classes) = (scores.dims(), self.group.len());
        scores.clone().slice([0..rows, 0..classes]) * scores.slice([0..rows, channels - 1..channels])
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        let mut scores = vec![0.0; row.len()];
        for columns in self.columns() {
            let logits: Vec<f64> = columns.iter().map(|column| row[*column]).collect();
            let logs = softmax::log_softmax_f64(&logits, |_| true);
            columns.iter().zip(logs).for_each(|(column, log)| scores[*column] = log.exp());
        }
        scores[..self.group.len()].iter().map(|score| score * scores[row.len() - 1]).collect()
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for Bags {
    const CARD: Card = CARD;
    type Config = BagsConfig;

    fn build(config: BagsConfig, facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Self::new(config, facts)
    }
}
