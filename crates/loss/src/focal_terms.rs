//! Losses that fade where a sigmoid is right already (focal loss, arXiv 1708.02002; with qualities, arXiv 2006.04388).

use burn::tensor::{Tensor, activation};

use crate::class_loss::rows_f64;
use crate::grid::Grid;
use crate::sigmoid::{self, sigmoid};
use crate::{ClassLoss, ClassTargets, LossStepF64};

/// `w_i a_t f_j |u - p|^gamma_j BCE(z_ij, u)`, with one focus `gamma_j` and factor `f_j` for each column.
///
/// `u` is the quality of the row in its own column and 0 elsewhere: with a quality of 1 the modulating factor is `(1 - p_t)^gamma_j`.
/// The gradient flows through that factor too.
pub struct FocalTerms {
    /// Weight of positives, 1 minus it that of negatives; `None`: both 1.
    pub(crate) alpha: Option<f64>,
    /// Focus of each column.
    pub(crate) gamma: Vec<f64>,
    /// Factor of each column.
    pub(crate) factor: Vec<f64>,
    /// Weight of each row.
    pub(crate) weight: Grid<'static>,
    /// What each row learns in its own column.
    pub(crate) quality: Grid<'static>,
}

impl FocalTerms {
    /// With a factor of 1 for each column.
    pub(crate) fn plain(alpha: Option<f64>, gamma: Vec<f64>) -> Self {
        let factor = vec![1.0; gamma.len()];
        Self { alpha, gamma, factor, weight: Grid::one(1.0), quality: Grid::one(1.0) }
    }

    /// Weight of a side of a column.
    pub(crate) fn side(&self, column: usize, positive: bool) -> f64 {
        let alpha = self.alpha.map_or(1.0, |alpha| if positive { alpha } else { 1.0 - alpha });
        alpha * self.factor[column]
    }

    /// Writes the weight of the negative side of every column.
    pub(crate) fn negatives(&self, to: &mut [f32]) {
        to.iter_mut().enumerate().for_each(|(column, to)| *to = self.side(column, false) as f32);
    }

    /// `[R, C]` → `[R, C]`
    ///
    /// With `m` the logit signed by its target: `(1 - p_t)^gamma = exp(gamma log sigmoid(-m))`, whose gradient is finite for any `m`.
    pub(crate) fn terms(&self, logits: Tensor<2>, targets: &ClassTargets) -> Tensor<2> {
        let device = logits.device();
        let columns = logits.dims()[1];
        let one_hot = targets.one_hot(columns, &device);
        let other = one_hot.clone().neg().add_scalar(1.0);
        let gamma = Grid::columns(self.gamma.clone()).tensor(&device);
        let signed = logits.clone() * one_hot.clone().mul_scalar(2.0).sub_scalar(1.0);
        let focus = (sigmoid::log_sigmoid(signed.clone().neg()) * gamma.clone()).exp();
        let mut terms = sigmoid::log_sigmoid(signed).neg() * focus;
        if !self.quality.is(1.0) {
            terms = other.clone() * terms + one_hot.clone() * self.positive(logits, gamma);
        }
        let [positive, negative] = [true, false]
            .map(|side| Grid::columns((0..columns).map(|column| self.side(column, side)).collect()).tensor(&device));
        terms = terms * (one_hot * positive + other * negative);
        if !self.weight.is(1.0) {
            terms = terms * self.weight.tensor(&device);
        }
        sigmoid::weigh(terms, targets, &device)
    }

    /// Terms of a quality, in every column.
    fn positive(&self, logits: Tensor<2>, gamma: Tensor<2>) -> Tensor<2> {
        let quality = self.quality.tensor(&logits.device());
        let (log_p, log_not) = (sigmoid::log_sigmoid(logits.clone()), sigmoid::log_sigmoid(logits.clone().neg()));
        // BCE(z, u) = -u log p - (1 - u) log(1 - p); the distance is kept off 0, where its logarithm has no gradient.
        let bce = (log_p * quality.clone() + log_not * quality.clone().neg().add_scalar(1.0)).neg();
        let distance = (quality - activation::sigmoid(logits)).abs().clamp_min(1e-12);
        bce * (distance.log() * gamma).exp()
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
            let mut value = 0.0;
            for (column, (z, gradient)) in logits.iter().zip(gradient).enumerate() {
                if targets.is_judged(row, column) {
                    let positive = own == Some(column);
                    let weight = targets.row_weight(row) * self.weight.at(row, 0) * self.side(column, positive);
                    let wanted = if positive { self.quality.at(row, 0) } else { 0.0 };
                    let (term, slope) = term_f64(*z, wanted, self.gamma[column]);
                    value += weight * term;
                    *gradient = weight * slope;
                }
            }
            value
        })
    }
}

/// `BCE(z, u) |u - p|^gamma` and its derivative by `z`.
pub(crate) fn term_f64(z: f64, wanted: f64, gamma: f64) -> (f64, f64) {
    let (p, other) = (sigmoid(z), sigmoid(-z));
    // `p - u` as a small number itself where `u` is 1 or 0.
    let error = if wanted == 1.0 { -other } else { p - wanted };
    let bce = wanted * sigmoid::bce_f64(z, true) + (1.0 - wanted) * sigmoid::bce_f64(z, false);
    let focus = error.abs().powf(gamma);
    // `p (1 - p) / error`, in which nothing is divided where `u` is 1 or 0: either may be 0 in float64.
    let steepness = match wanted {
        1.0 => -p,
        0.0 => other,
        _ if error == 0.0 => 0.0,
        _ => p * other / error,
    };
    (bce * focus, focus * (error + gamma * bce * steepness))
}
