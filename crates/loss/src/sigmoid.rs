//! Stable pieces of losses on sigmoids.

use burn::tensor::{Device, FloatDType, Tensor, activation};

use crate::class_loss::rows_f64;
use crate::grid::{Grid, of_column};
use crate::{ClassLoss, ClassTargets, Label, LossStepF64};

/// Binary cross-entropy of `scale z + offset`, each element times `weight`: `w_ij BCE(s z_ij + o_ij, t_ij)`.
pub struct Sigmoids<'a> {
    /// Factor of all logits.
    pub scale: f64,
    /// Added to the logits.
    pub offset: Grid<'a>,
    /// Weight of each element, a constant.
    pub weight: Grid<'a>,
    /// Weight of each column where it is the row's own, when that is another.
    pub positive: Option<Vec<f64>>,
    /// Logit from which a column of a foreground row weighs at least 1; no gradient flows through the comparison.
    pub confused: Option<f64>,
}

impl<'a> Sigmoids<'a> {
    /// With weights alone.
    pub fn weighed(weight: Grid<'a>) -> Self {
        Self { scale: 1.0, offset: Grid::one(0.0), weight, positive: None, confused: None }
    }

    /// `[R, C]` → `[R, C]`
    pub fn terms(&self, mut logits: Tensor<2>, targets: &ClassTargets) -> Tensor<2> {
        let device = logits.device();
        let one_hot = targets.one_hot(logits.dims()[1], &device);
        if self.scale != 1.0 {
            logits = logits.mul_scalar(self.scale as f32);
        }
        if !self.offset.is(0.0) {
            logits = logits + self.offset.tensor(&device);
        }
        let terms = match self.weights(&logits, &one_hot, targets) {
            Some(weights) => bce(logits, one_hot) * weights,
            None => bce(logits, one_hot),
        };
        weigh(terms, targets, &device)
    }

    /// Weight of every element, `[R, C]` or what repeats to it; `None` when all are 1.
    fn weights(&self, logits: &Tensor<2>, one_hot: &Tensor<2>, targets: &ClassTargets) -> Option<Tensor<2>> {
        let device = logits.device();
        if self.weight.is(1.0) && self.positive.is_none() {
            return None;
        }
        let mut weights = self.weight.tensor(&device);
        if let Some(least) = self.confused {
            let foreground = targets.labels().iter().map(|label| f64::from(matches!(label, Label::Class(_)))).collect();
            let confused = logits.clone().detach().greater_equal_elem(least).float();
            weights = weights.max_pair(confused * Grid::rows(foreground).tensor(&device));
        }
        if let Some(positive) = &self.positive {
            let positive = Grid::columns(positive.clone()).tensor(&device);
            weights = one_hot.clone() * positive + one_hot.clone().neg().add_scalar(1.0) * weights;
        }
        Some(weights)
    }

    /// Value, gradient and sums in float64.
    pub(crate) fn step_f64<L: ClassLoss + ?Sized>(
        &self,
        loss: &L,
        logits: &[f64],
        targets: &ClassTargets,
    ) -> LossStepF64 {
        rows_f64(loss, logits, targets, |row, logits, gradient| {
            let own = targets.column(row);
            let (offset, weight) = (self.offset.row(row), self.weight.row(row));
            let confused = self.confused.filter(|_| matches!(targets.labels()[row], Label::Class(_)));
            let mut value = 0.0;
            for (column, (z, gradient)) in logits.iter().zip(gradient).enumerate() {
                if targets.is_judged(row, column) {
                    let positive = own == Some(column);
                    let weight = match &self.positive {
                        Some(weights) if positive => weights[column],
                        _ if confused.is_some_and(|least| *z >= least) => of_column(&weight, column).max(1.0),
                        _ => of_column(&weight, column),
                    };
                    let (z, weight) = (self.scale * z + of_column(&offset, column), targets.row_weight(row) * weight);
                    value += weight * bce_f64(z, positive);
                    *gradient = weight * self.scale * bce_gradient_f64(z, positive);
                }
            }
            value
        })
    }
}

/// `1 / (1 + exp(-x))` without overflow for any `x`.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Bias at which a sigmoid says `prior`, a probability strictly between 0 and 1: `-log((1 - prior) / prior)` (focal loss, arXiv 1708.02002, section 4.1).
pub fn prior_bias(prior: f64) -> f64 {
    -((1.0 - prior) / prior).ln()
}

/// Initial bias of `K` classes and, where there is one, of the background column after them.
pub(crate) fn bias(num_classes: usize, prior: f64, background: Option<f64>) -> Vec<f32> {
    let mut bias = vec![prior_bias(prior) as f32; num_classes];
    bias.extend(background.map(|prior| prior_bias(prior) as f32));
    bias
}

/// Binary cross-entropy of a logit `z` with target `t` (0 or 1) in logits form.
pub(crate) fn bce_f64(z: f64, positive: bool) -> f64 {
    let margin = if positive { z } else { -z };
    (-margin).max(0.0) + (-margin.abs()).exp().ln_1p()
}

/// Derivative of [`bce_f64`] by the logit: `sigmoid(z) - t`, as one sigmoid, so that nothing cancels.
pub(crate) fn bce_gradient_f64(z: f64, positive: bool) -> f64 {
    if positive { -sigmoid(-z) } else { sigmoid(z) }
}

/// `log sigmoid(z)` per element.
///
/// The slope is given, as one sigmoid, and not left to automatic differentiation: that of Burn's `log_sigmoid` takes `p` from the difference of two
/// numbers near 1, 6e-5 off at a prior of 0.001 and 0 below 6e-8.
pub(crate) fn log_sigmoid(z: Tensor<2>) -> Tensor<2> {
    let fixed = z.clone().detach();
    let value = fixed.clone().clamp_max(0.0) - fixed.clone().abs().neg().exp().log1p();
    value + activation::sigmoid(fixed.clone().neg()) * (z - fixed)
}

/// Binary cross-entropy per element, `[R, C]` → `[R, C]`, `targets` being 0 or 1.
pub(crate) fn bce(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
    let sign = targets.mul_scalar(2.0).sub_scalar(1.0);
    log_sigmoid(logits * sign).neg()
}

/// Multiplies terms by row weights and by "was judged", where there are any.
pub(crate) fn weigh(terms: Tensor<2>, targets: &ClassTargets, device: &Device) -> Tensor<2> {
    let channels = terms.dims()[1];
    match targets.element_weights(channels, device) {
        Some(weights) => terms * weights,
        None => terms,
    }
}

/// Sigmoid scores: with a background column `K`, categories are multiplied by `1 - s_K` and the column is dropped.
///
/// # Shapes
/// `[R, C]` → `[R, K]`
pub(crate) fn scores(logits: Tensor<2>, background: bool) -> Tensor<2> {
    let logits = logits.cast(FloatDType::F32);
    let probabilities = activation::sigmoid(logits.clone());
    if !background {
        return probabilities;
    }
    let [rows, channels] = probabilities.dims();
    let classes = channels - 1;
    // 1 - sigmoid(z) = sigmoid(-z), which does not cancel.
    let object = activation::sigmoid(logits.slice([0..rows, classes..channels]).neg());
    probabilities.slice([0..rows, 0..classes]) * object
}

/// [`scores`] of one row in float64.
pub(crate) fn scores_f64(row: &[f64], background: bool) -> Vec<f64> {
    match row.split_last() {
        Some((last, classes)) if background => classes.iter().map(|z| sigmoid(*z) * sigmoid(-last)).collect(),
        _ => row.iter().map(|z| sigmoid(*z)).collect(),
    }
}
