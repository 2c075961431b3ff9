//! Pieces of losses on a softmax.
//!
//! A class that was not judged in a row leaves its softmax: it takes no probability and gets no gradient.

use burn::tensor::{Device, FloatDType, Tensor, activation};

use crate::class_loss::rows_f64;
use crate::grid::{Grid, of_column};
use crate::{ClassLoss, ClassTargets, LossStepF64, sigmoid};

/// Added to the logit of a class that was not judged: its probability is 0 in f32, and nothing overflows.
const EXCLUDED: f32 = -1e9;

/// Cross-entropy of `scale z + offset`, each row times `weight`: `L_i = -w_i log softmax(s z_i + o_i)_{y_i}`.
///
/// A row whose label has no column teaches nothing.
pub struct Softmax<'a> {
    /// Factor of all logits.
    pub scale: f64,
    /// Added to the logits.
    pub offset: Grid<'a>,
    /// Weight of each row.
    pub weight: Grid<'a>,
}

impl<'a> Softmax<'a> {
    /// With an offset alone.
    pub fn shifted(offset: Grid<'a>) -> Self {
        Self { scale: 1.0, offset, weight: Grid::one(1.0) }
    }

    /// With row weights alone.
    pub fn weighed(weight: Grid<'a>) -> Self {
        Self { scale: 1.0, offset: Grid::one(0.0), weight }
    }

    /// `[R, C]` → `[R, C]`
    pub fn terms(&self, mut logits: Tensor<2>, targets: &ClassTargets) -> Tensor<2> {
        let device = logits.device();
        let shifted = !self.offset.is(0.0);
        if shifted || self.scale != 1.0 {
            logits = from_largest(judged_only(logits, targets, &device)).mul_scalar(self.scale as f32);
        }
        if shifted {
            logits = logits + self.offset.tensor(&device);
        }
        let terms = cross_entropy(logits, targets, &device);
        if self.weight.is(1.0) { terms } else { terms * self.weight.tensor(&device) }
    }

    /// Value, gradient and sums in float64.
    pub(crate) fn step_f64<L: ClassLoss + ?Sized>(
        &self,
        loss: &L,
        logits: &[f64],
        targets: &ClassTargets,
    ) -> LossStepF64 {
        rows_f64(loss, logits, targets, |row, logits, gradient| {
            let offset = self.offset.row(row);
            let shift = |(column, z): (usize, &f64)| self.scale * z + of_column(&offset, column);
            let shifted: Vec<f64> = logits.iter().enumerate().map(shift).collect();
            let value = row_f64(&shifted, row, targets, self.weight.at(row, 0), gradient);
            gradient.iter_mut().for_each(|gradient| *gradient *= self.scale);
            value
        })
    }
}

/// `-log softmax(z_i)_{y_i}` in the column of the label, weighed by row.
pub(crate) fn cross_entropy(logits: Tensor<2>, targets: &ClassTargets, device: &Device) -> Tensor<2> {
    let channels = logits.dims()[1];
    let one_hot = targets.one_hot(channels, device);
    sigmoid::weigh(activation::log_softmax(judged_only(logits, targets, device), 1).neg() * one_hot, targets, device)
}

/// Logits minus the largest of their row, a constant that changes no probability: what is scaled or shifted then keeps its digits
/// where they count.
pub(crate) fn from_largest(logits: Tensor<2>) -> Tensor<2> {
    let largest = logits.clone().detach().max_dim(1);
    logits - largest
}

/// Logits in which what was not judged has no probability.
pub(crate) fn judged_only(logits: Tensor<2>, targets: &ClassTargets, device: &Device) -> Tensor<2> {
    match targets.judged_mask(logits.dims()[1], device) {
        Some(judged) => logits + judged.neg().add_scalar(1.0).mul_scalar(EXCLUDED),
        None => logits,
    }
}

/// Cross-entropy of one row in float64, times `weight` and the row's own; writes the gradient.
pub(crate) fn row_f64(logits: &[f64], row: usize, targets: &ClassTargets, weight: f64, gradient: &mut [f64]) -> f64 {
    let judged = |column: usize| targets.is_judged(row, column);
    let Some(own) = targets.column(row).filter(|own| *own < logits.len()) else { return 0.0 };
    let weight = weight * targets.row_weight(row);
    let logs = log_softmax_f64(logits, judged);
    for (column, gradient) in gradient.iter_mut().enumerate().filter(|(column, _)| judged(*column)) {
        *gradient = weight * (logs[column].exp() - f64::from(column == own));
    }
    -weight * logs[own]
}

/// Log-softmax over the columns that count; the others get minus infinity.
pub(crate) fn log_softmax_f64(row: &[f64], counts: impl Fn(usize) -> bool) -> Vec<f64> {
    let used = || row.iter().enumerate().filter(|(column, _)| counts(*column)).map(|(_, z)| *z);
    let max = used().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = used().map(|z| (z - max).exp()).sum::<f64>().ln();
    let log = |(column, z): (usize, &f64)| if counts(column) { z - max - log_sum } else { f64::NEG_INFINITY };
    row.iter().enumerate().map(log).collect()
}

/// Softmax scores; with a background column `K` it is dropped.
///
/// # Shapes
/// `[R, C]` → `[R, K]`
pub(crate) fn scores(logits: Tensor<2>, background: bool) -> Tensor<2> {
    let [rows, channels] = logits.dims();
    let scores = activation::softmax(logits.cast(FloatDType::F32), 1);
    if background { scores.slice([0..rows, 0..channels - 1]) } else { scores }
}

/// [`scores`] of one row in float64.
pub(crate) fn scores_f64(row: &[f64], background: bool) -> Vec<f64> {
    let mut scores: Vec<f64> = log_softmax_f64(row, |_| true).into_iter().map(f64::exp).collect();
    if background {
        scores.pop();
    }
    scores
}
