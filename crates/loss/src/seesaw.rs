//! Seesaw loss (Wang et al., CVPR 2021, arXiv 2008.10032): mitigation by counts, compensation by mistakes.
//!
//! ```text
//! S_yj = min(1, max(n_j,1) / max(n_y,1))^p  max(1, s_j / max(s_y, eps))^q      s the detached softmax over the K classes
//! classes     -log softmax(z + log S_y)_y       on foreground rows, over columns 0..K
//! objectness  cross-entropy over columns K (object) and K + 1 (background), on all rows
//! L = (1/R) (classes + objectness)
//! ```
//!
//! `n` are the foreground rows so far, those of this batch included: the ledger's instances and the batch's own, so that nothing moves before the
//! step is done. Authors' code: `open-mmlab/mmdetection`, whose configs use a normalised linear classifier. Both parts are divided by all rows, as there.

use burn::tensor::{FloatDType, Tensor, activation};
use serde::{Deserialize, Serialize};

use crate::class_loss::rows_f64;
use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, sigmoid};
use crate::softmaxes::{Group, Softmaxes};
use crate::{
    Card, ClassLoss, ClassTargets, Classifier, Form, GradientLedger, Head, Label, LossStepF64, Result, TrainingFacts,
    pass_row, softmax,
};

/// Options of [`Seesaw`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeesawConfig {
    /// Strength of the mitigation.
    pub p: f64,
    /// Strength of the compensation.
    pub q: f64,
    /// Least score of the own class in the compensation.
    pub eps: f64,
    /// Whether the classifier is normalised, as in the configs of mmdetection.
    pub normalized: bool,
    /// Factor of its cosines.
    pub temperature: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for SeesawConfig {
    fn default() -> Self {
        Self { p: 0.8, q: 2.0, eps: 0.01, normalized: true, temperature: 20.0, loss_weight: 1.0 }
    }
}

impl SeesawConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("p", self.p)?;
        CARD.demand_least("q", self.q)?;
        CARD.demand_probability("eps", self.eps)?;
        CARD.demand_above("temperature", self.temperature)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Seesaw.
#[derive(Clone, Debug)]
pub struct Seesaw {
    config: SeesawConfig,
}

impl Seesaw {
    /// The loss with these options.
    pub fn new(config: SeesawConfig) -> Self {
        Self { config }
    }

    /// Logarithm of the rows of each class so far, those of this batch included; that of none counts as of one.
    fn logs(targets: &ClassTargets, ledger: &GradientLedger) -> Vec<f64> {
        ledger.instances().iter().zip(targets.instances()).map(|(before, now)| (before + now).max(1.0).ln()).collect()
    }

    /// Logarithm of the mitigation factor of every class in every row, `[R, K]`.
    fn mitigation<'a>(&self, targets: &'a ClassTargets, ledger: &GradientLedger) -> Grid<'a> {
        let (p, logs) = (self.config.p, Self::logs(targets, ledger));
        let shape = [targets.rows(), logs.len()];
        let fill = move |row: usize, factors: &mut [f64]| {
            if let Label::Class(own) = targets.labels()[row] {
                factors.iter_mut().zip(&logs).for_each(|(factor, log)| *factor = p * (log - logs[own]).min(0.0));
            }
        };
        Grid::by_row(shape, fill)
    }

    /// Adds `log S_y` to the logits of a row of class `own`; `logs` are those of [`Seesaw::logs`].
    fn shift(&self, logs: &[f32], own: usize, logits: &mut [f32]) {
        // A score is `exp(z - log_sum)`: above that of the own class, or above `eps`, where `z` is above `least`.
        let least = f64::from(logits[own]).max(pass_row::log_sum(logits, own) + self.config.eps.ln());
        let (least, p, q) = (least as f32, self.config.p as f32, self.config.q as f32);
        let (log_of_own, of_own) = (logs[own], logits[own]);
        for (z, log) in logits.iter_mut().zip(logs) {
            *z += p * (log - log_of_own).min(0.0) + q * (*z - least).max(0.0);
        }
        logits[own] = of_own;
    }

    fn terms_of(&self, logits: Tensor<2>, targets: &ClassTargets, ledger: &GradientLedger) -> Tensor<2> {
        let device = logits.device();
        let ([rows, channels], classes) = (logits.dims(), targets.num_classes());
        let class_logits = softmax::judged_only(logits.clone().slice([0..rows, 0..classes]), targets, &device);
        let class_logits = softmax::from_largest(class_logits);
        let others = targets.one_hot(classes, &device).neg().add_scalar(1.0);
        let scores = activation::softmax(class_logits.clone().detach(), 1);
        let own = (scores.clone() * others.clone().neg().add_scalar(1.0)).sum_dim(1).clamp_min(self.config.eps);
        let compensation = (scores / own).clamp_min(1.0).log().mul_scalar(self.config.q);
        let shift = (self.mitigation(targets, ledger).tensor(&device) + compensation) * others;
        let one_hot = targets.one_hot(classes, &device);
        let of_classes = activation::log_softmax(class_logits + shift, 1).neg() * one_hot;
        let object = |row: usize| matches!(targets.labels()[row], Label::Class(_));
        let sides = Grid::by_row([rows, 2], |row, sides| sides[usize::from(!object(row))] = 1.0).tensor(&device);
        let of_objects = activation::log_softmax(logits.slice([0..rows, classes..channels]), 1).neg() * sides;
        sigmoid::weigh(Tensor::cat(vec![of_classes, of_objects], 1), targets, &device)
    }

    fn step_of(&self, logits: &[f64], targets: &ClassTargets, ledger: &GradientLedger) -> LossStepF64 {
        let (classes, mitigation) = (targets.num_classes(), self.mitigation(targets, ledger));
        rows_f64(self, logits, targets, |row, logits, gradient| {
            let mut shifted = logits[..classes].to_vec();
            let own = match targets.labels()[row] {
                Label::Class(own) => Some(own),
                _ => None,
            };
            if let Some(own) = own {
                let mitigation = mitigation.row(row);
                let logs = softmax::log_softmax_f64(&shifted, |class| targets.is_judged(row, class));
                let least = logs[own].max(self.config.eps.ln());
                for (class, z) in shifted.iter_mut().enumerate().filter(|(class, _)| *class != own) {
                    *z += mitigation[class] + self.config.q * (logs[class] - least).max(0.0);
                }
            }
            let value = softmax::row_f64(&shifted, row, targets, 1.0, &mut gradient[..classes]);
            let (margin, weight) = (logits[classes] - logits[classes + 1], targets.row_weight(row));
            let slope = weight * sigmoid::bce_gradient_f64(margin, own.is_some());
            (gradient[classes], gradient[classes + 1]) = (slope, -slope);
            value + weight * sigmoid::bce_f64(margin, own.is_some())
        })
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "seesaw",
    title: "Seesaw",
    summary: "Softmax over classes whose rare ones are pushed less by frequent ones, and an objectness of its own.",
    paper: "Seesaw Loss for Long-Tailed Instance Segmentation, CVPR 2021, arXiv 2008.10032",
    heads: &[Head::Proposals],
    needs: "nothing",
    formula: "S_yj = min(1, max(n_j, 1) / max(n_y, 1))^p max(1, s_j / max(s_y, eps))^q;  classes: -log softmax(z + log S_y)_y on foreground rows;  objectness: cross-entropy of columns K (object) and K + 1 (background) on all rows;  L = (1/R) (classes + objectness)",
    scores: "softmax(classes) * softmax(object, background)_object",
    state: "n, the foreground rows of each class so far, this batch included",
    options: &[
        ("p", "0.8", "strength of the mitigation"),
        ("q", "2.0", "strength of the compensation"),
        ("eps", "0.01", "least score of the own class in the compensation"),
        ("normalized", "true", "normalised classifier, as in the configs of mmdetection"),
        ("temperature", "20.0", "factor of its cosines"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "n counts sampled proposals of one worker, not objects of the data set; its normalised classifier wants its own learning rate",
};

impl ClassLoss for Seesaw {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        vec![0.0; num_classes + 2]
    }

    fn classifier(&self) -> Classifier {
        let temperature = self.config.temperature;
        if self.config.normalized { Classifier::Normalized { temperature } } else { Classifier::Linear }
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        let classes = targets.num_classes();
        let logs: Vec<f32> = Self::logs(targets, ledger).into_iter().map(|log| log as f32).collect();
        let own = |row: usize| match targets.labels()[row] {
            Label::Class(own) => Some((own, 1.0)),
            _ => None,
        };
        let of_classes = Group {
            columns: (0..classes).collect(),
            wanted: Box::new(own),
            shift: Some(Box::new(move |own, logits| self.shift(&logs, own, logits))),
        };
        let of_objects = Group {
            columns: vec![classes, classes + 1],
            wanted: Box::new(move |row| Some((usize::from(own(row).is_none()), 1.0))),
            shift: None,
        };
        Form::Softmaxes(Softmaxes {
            groups: vec![of_classes, of_objects],
            terms: Box::new(move |logits| self.terms_of(logits, targets, ledger)),
            step_f64: Box::new(move |logits| self.step_of(logits, targets, ledger)),
        })
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        let [rows, channels] = logits.dims();
        let logits = logits.cast(FloatDType::F32);
        let column = |at: usize| logits.clone().slice([0..rows, at..at + 1]);
        let object = activation::sigmoid(column(channels - 2) - column(channels - 1));
        activation::softmax(logits.slice([0..rows, 0..channels - 2]), 1) * object
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        let (classes, objectness) = row.split_at(row.len() - 2);
        let object = sigmoid(objectness[0] - objectness[1]);
        softmax::scores_f64(classes, false).into_iter().map(|score| score * object).collect()
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for Seesaw {
    const CARD: Card = CARD;
    type Config = SeesawConfig;

    fn build(config: SeesawConfig, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}
