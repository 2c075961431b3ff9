//! Equalization Loss v2 (Tan et al., CVPR 2021, arXiv 2012.08548): gradient-guided re-weighting.
//!
//! Every class is a yes-or-no task of its own. The ratio of the positive to the negative gradient that a class has
//! received so far decides how its next gradients are weighed: a class that was mostly told no gets weaker negatives and
//! stronger positives.
//!
//! ```text
//! f(x)  = 1 / (1 + exp(-gamma (x - mu)))       gamma 12, mu 0.8
//! r_j   = f(g_j)                               weight of negatives
//! q_j   = 1 + alpha (1 - r_j)                  weight of positives, alpha 4
//! w_ij  = t_ij q_j + (1 - t_ij) r_j            a constant; 1 on the background column K
//! L     = loss_weight (1/R) sum_ij w_ij BCE(z_ij, t_ij)
//! ```
//!
//! `g` is the ledger's ratio of the *re-weighted* gradients of the steps before, neither divided by `R` nor multiplied by
//! `loss_weight`. The background column (the paper's objectness branch) has weight 1 and no entry in the ledger.
//!
//! Where the authors' code (`tztztztztz/eqlv2`) differs: it moves its state in every forward pass, so that gradient
//! accumulation changes the weights inside a step, and treats the label −1 as background. Here the ledger is committed
//! once for each optimizer step and ignored rows are ignored.
//!
//! Three options are ours and off by default. `federated_ledger` teaches classes that were not judged as the authors' code does,
//! but keeps those unknown negatives out of `P` and `M`. The others are for dense heads: `easy_background`, since ten thousands of
//! easy background rows would flood `M` (of a background row only scores of at least so much are recorded), and `dense`, which
//! divides by foreground rows as other losses of such heads do, and has no background column.

use burn::tensor::{DType, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use std::borrow::Cow;

use crate::class_loss::rows_f64;
use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{
    Card, ClassLoss, ClassTargets, Computed, Form, GradientLedger, Head, Label, LedgerDelta, LossStepF64, Result,
    TrainingFacts,
};

/// Options of [`EqlV2`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EqlV2Config {
    /// Steepness of the mapping `f` (paper: 12).
    pub gamma: f64,
    /// Ratio at which a negative weighs one half (paper: 0.8).
    pub mu: f64,
    /// Strength of the positive side (paper: 4).
    pub alpha: f64,
    /// Prior probability behind the initial bias of the classes (authors' code: 0.001).
    pub prior: f64,
    /// Prior probability behind the initial bias of the background column (authors' code: 0.001; 0.5 is neutral).
    ///
    /// Most proposals are background, so that at 0.001 this one column makes 5.18 of the first 8.11 of loss on LVIS.
    pub background_prior: f64,
    /// Whether the head has a background column `K`, the paper's objectness branch.
    pub background: bool,
    /// Whether scores are multiplied by `1 - s_K` (authors' `test_with_obj`: true).
    pub score_with_background: bool,
    /// Whether gradients are weighed (true), or only recorded.
    pub active: bool,
    /// What is left of `P` and `M` when a step's sums are added; 1 forgets nothing, as published.
    pub discount: f64,
    /// Whether classes that were not judged are taught all the same, and only kept out of the ledger (ours).
    pub federated_ledger: bool,
    /// Score below which a background row is not recorded, for dense heads; 0 records all, as published (ours).
    pub easy_background: f64,
    /// Whether the loss is divided by foreground rows and has no background column, for dense heads (ours).
    pub dense: bool,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for EqlV2Config {
    fn default() -> Self {
        Self {
            gamma: 12.0,
            mu: 0.8,
            alpha: 4.0,
            prior: 0.001,
            background_prior: 0.001,
            background: true,
            score_with_background: true,
            active: true,
            discount: 1.0,
            federated_ledger: false,
            easy_background: 0.0,
            dense: false,
            loss_weight: 1.0,
        }
    }
}

impl EqlV2Config {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_above("gamma", self.gamma)?;
        CARD.demand("mu", self.mu, true, "a number")?;
        CARD.demand_least("alpha", self.alpha)?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_probability("background_prior", self.background_prior)?;
        CARD.demand("discount", self.discount, self.discount > 0.0 && self.discount <= 1.0, "above 0 and at most 1")?;
        let easy = self.easy_background;
        CARD.demand("easy_background", easy, (0.0..1.0).contains(&easy), "at least 0 and below 1")?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// Equalization Loss v2.
#[derive(Clone, Debug, Default)]
pub struct EqlV2 {
    config: EqlV2Config,
}

impl EqlV2 {
    /// The loss with these options.
    pub fn new(config: EqlV2Config) -> Self {
        Self { config }
    }

    fn background(&self) -> bool {
        self.config.background && !self.config.dense
    }

    /// Weights `(q, r)` of the positive and the negative side of a class whose gradient ratio is `ratio`.
    pub fn weights(&self, ratio: f64) -> (f64, f64) {
        let r = sigmoid::sigmoid(self.config.gamma * (ratio - self.config.mu));
        (1.0 + self.config.alpha * (1.0 - r), r)
    }

    /// `(q, r)` of every column, `[C]`; that of background is always `(1, 1)`.
    fn column_weights(&self, ledger: &GradientLedger) -> Vec<(f64, f64)> {
        let mut weights: Vec<_> = (0..ledger.num_classes()).map(|class| self.side_weights(ledger, class)).collect();
        if self.background() {
            weights.push((1.0, 1.0));
        }
        weights
    }

    /// The targets as they teach: those that `federated_ledger` only keeps out of the ledger are judged.
    fn taught<'a>(&self, targets: &'a ClassTargets) -> Cow<'a, ClassTargets> {
        if self.config.federated_ledger && targets.has_unjudged() {
            return Cow::Owned(targets.all_judged());
        }
        Cow::Borrowed(targets)
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "eqlv2",
    title: "EQL v2",
    summary: "Re-weighs positive and negative gradients of each class by the ratio it has received so far.",
    paper: "Equalization Loss v2: A New Gradient Balance Approach for Long-tailed Object Detection, CVPR 2021, arXiv 2012.08548",
    heads: &[Head::Proposals, Head::Dense],
    needs: "nothing",
    formula: "w_ij = t_ij q_j + (1 - t_ij) r_j;  r_j = 1 / (1 + exp(-gamma (g_j - mu)));  q_j = 1 + alpha (1 - r_j);  L = (1/R) sum_ij w_ij BCE(z_ij, t_ij)",
    scores: "sigmoid(z_j) * (1 - sigmoid(z_K)); sigmoid(z_j) without a background column",
    state: "P and M, the accumulated re-weighted gradients of each class; g = P / (M + 1e-10), 100 before the first; they move once for each step, or in each forward pass as in the authors' code with `ledger = 'forward'` in the recipe",
    options: &[
        ("gamma", "12.0", "steepness of f"),
        ("mu", "0.8", "ratio at which a negative weighs one half"),
        ("alpha", "4.0", "strength of the positive side"),
        ("prior", "0.001", "prior probability behind the initial bias of the classes"),
        ("background_prior", "0.001", "the same for the background column; 0.5 is neutral"),
        ("background", "true", "add a background column K, the paper's objectness branch"),
        ("score_with_background", "true", "multiply scores by 1 - s_K"),
        ("active", "true", "weigh the gradients; false only records them"),
        (
            "discount",
            "1.0",
            "what is left of P and M at each step; 0.965 remembers 29 steps (a branch of the authors' code has it)",
        ),
        ("federated_ledger", "false", "teach unjudged classes as published, but keep them out of P and M (ours)"),
        ("easy_background", "0.0", "background rows that score below it stay out of M, for dense heads (ours)"),
        ("dense", "false", "divide by foreground rows and have no background column, for dense heads (ours)"),
        ("loss_weight", "1.0", "factor of the loss; the ledger does not see it"),
    ],
    traps: "made for proposals of two-stage heads: on dense one-stage heads easy background floods the sums (use efl, or dense with easy_background); needs the prior bias and its own scores; with a discount a rare class forgets everything between two of its objects",
};

/// Why a dense head is refused, with the numbers of `tztztztztz/eqlv2`, issue 1.
const UNFIT: &str = "on a one-stage head easy background floods its sums, every class looks neglected and 57.8 mAP became 9.2 \
    (github.com/tztztztztz/eqlv2, issue 1); use its author's answer, loss.name=efl, or keep easy background out of the sums with \
    loss.dense=true and loss.easy_background=0.05";

impl ClassLoss for EqlV2 {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        let background = self.background().then_some(self.config.background_prior);
        sigmoid::bias(num_classes, self.config.prior, background)
    }

    fn discount(&self) -> f64 {
        self.config.discount
    }

    fn notes(&self) -> Vec<String> {
        let discount = self.config.discount;
        if discount == 1.0 {
            return Vec::new();
        }
        let (memory, half) = (1.0 / (1.0 - discount), 0.5f64.ln() / discount.ln());
        vec![format!(
            "a discount of {discount} remembers {memory:.1} steps (half of it {half:.1} steps): a class that is rarer than that \
             forgets everything between two of its objects"
        )]
    }

    fn terms(&self, logits: Tensor<2>, targets: &ClassTargets, ledger: &GradientLedger) -> Tensor<2> {
        let device = logits.device();
        let channels = logits.dims()[1];
        let (q, r): (Vec<f32>, Vec<f32>) =
            self.column_weights(ledger).into_iter().map(|(q, r)| (q as f32, r as f32)).unzip();
        let row = |values| Tensor::<2>::from_data(TensorData::new(values, [1, channels]), (&device, DType::F32));
        let (q, r) = (row(q), row(r));
        let one_hot = targets.one_hot(channels, &device);
        // r + t (q - r) = t q + (1 - t) r for targets of 0 and 1.
        let weights = one_hot.clone() * (q - r.clone()) + r;
        sigmoid::weigh(sigmoid::bce(logits, one_hot) * weights, &self.taught(targets), &device)
    }

    fn form<'a>(&'a self, _targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        let (positive, negative) = self.column_weights(ledger).into_iter().unzip();
        Form::Sigmoids(Sigmoids { positive: Some(positive), ..Sigmoids::weighed(Grid::columns(negative)) })
    }

    fn pass<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Option<Form<'a>> {
        let plain = !self.config.federated_ledger && self.config.easy_background == 0.0;
        plain.then(|| self.form(targets, ledger))
    }

    fn record(&self, computed: &Computed<'_>) -> LedgerDelta {
        let (targets, easy) = (computed.batch.targets, self.config.easy_background);
        if easy == 0.0 && !self.config.federated_ledger {
            return computed.all(1.0);
        }
        let hard = |row: usize, class: usize| {
            targets.labels()[row] != Label::Background || sigmoid::sigmoid(computed.batch.logit(row, class)) >= easy
        };
        computed.sums(1.0, |row, class| targets.is_judged(row, class) && (easy == 0.0 || hard(row, class)))
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        if self.config.score_with_background || !self.background() {
            return sigmoid::scores(logits, self.background());
        }
        let [rows, channels] = logits.dims();
        sigmoid::scores(logits.slice([0..rows, 0..channels - 1]), false)
    }

    fn step_f64(&self, logits: &[f64], targets: &ClassTargets, ledger: &GradientLedger) -> LossStepF64 {
        let (weights, taught) = (self.column_weights(ledger), self.taught(targets));
        rows_f64(self, logits, targets, |row, logits, gradient| {
            let own = targets.column(row);
            let mut value = 0.0;
            for (column, (z, gradient)) in logits.iter().zip(gradient).enumerate() {
                if !taught.is_judged(row, column) {
                    continue;
                }
                let positive = own == Some(column);
                let (q, r) = weights[column];
                let weight = targets.row_weight(row) * if positive { q } else { r };
                value += weight * sigmoid::bce_f64(*z, positive);
                *gradient = weight * sigmoid::bce_gradient_f64(*z, positive);
            }
            value
        })
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        if self.config.score_with_background || !self.background() {
            sigmoid::scores_f64(row, self.background())
        } else {
            sigmoid::scores_f64(&row[..row.len() - 1], false)
        }
    }

    fn side_weights(&self, ledger: &GradientLedger, class: usize) -> (f64, f64) {
        if self.config.active { self.weights(ledger.ratio(class)) } else { (1.0, 1.0) }
    }

    fn normalizer(&self, targets: &ClassTargets) -> f64 {
        let rows = if self.config.dense { targets.foreground_rows() } else { targets.counted_rows() };
        rows.max(1) as f64
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for EqlV2 {
    const CARD: Card = CARD;
    type Config = EqlV2Config;

    fn build(config: EqlV2Config, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }

    fn unfit(config: &EqlV2Config, head: Head) -> Option<&'static str> {
        let fits = config.dense && (config.easy_background > 0.0 || !config.active);
        (head == Head::Dense && !fits).then_some(UNFIT)
    }
}
