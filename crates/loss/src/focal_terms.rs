//! Pieces of losses that fade where a sigmoid is right already (focal loss, arXiv 1708.02002).

use burn::tensor::{DType, Device, Tensor, TensorData, activation};

use crate::class_loss::rows_f64;
use crate::grid::Grid;
use crate::{ClassLoss, ClassTargets, LossStepF64, sigmoid};

/// `w_i a_t f_j (1 - p_t)^gamma_j BCE`, with one focus `gamma_j` and factor `f_j` for each column.
pub(crate) struct FocalTerms {
    /// Weight of positives, 1 minus it that of negatives; `None`: both 1.
    pub alpha: Option<f64>,
    /// Focus of each column.
    pub gamma: Vec<f64>,
    /// Factor of each column.
    pub factor: Vec<f64>,
    /// Weight of each row.
    pub weight: Grid,
}

impl FocalTerms {
    /// Weight of a side of a column.
    fn side(&self, column: usize, positive: bool) -> f64 {
        let alpha = self.alpha.map_or(1.0, |alpha| if positive { alpha } else { 1.0 - alpha });
        alpha * self.factor[column]
    }

    /// `[R, C]` → `[R, C]`
    ///
    /// With `m` the logit signed by its target: `(1 - p_t)^gamma = exp(gamma log sigmoid(-m))`, whose gradient is finite for any `m`.
    pub fn terms(&self, logits: Tensor<2>, targets: &ClassTargets) -> Tensor<2> {
        let device = logits.device();
        let columns = logits.dims()[1];
        let one_hot = targets.one_hot(columns, &device);
        let signed = logits * one_hot.clone().mul_scalar(2.0).sub_scalar(1.0);
        let focus = (activation::log_sigmoid(signed.clone().neg()) * row(&self.gamma, &device)).exp();
        let [positive, negative] = [true, false]
            .map(|side| row(&(0..columns).map(|column| self.side(column, side)).collect::<Vec<_>>(), &device));
        let side = one_hot.clone() * positive + one_hot.neg().add_scalar(1.0) * negative;
        let terms = activation::log_sigmoid(signed).neg() * focus * side;
        let terms = if self.weight.is(1.0) { terms } else { terms * self.weight.tensor(&device) };
        sigmoid::weigh(terms, targets, &device)
    }

    /// Value, gradient and sums in float64.
    pub fn step_f64<L: ClassLoss + ?Sized>(&self, loss: &L, logits: &[f64], targets: &ClassTargets) -> LossStepF64 {
        rows_f64(loss, logits, targets, |row, logits, gradient| {
            let own = targets.column(row);
            let mut value = 0.0;
            for (column, (z, gradient)) in logits.iter().zip(gradient).enumerate() {
                if targets.is_judged(row, column) {
                    let positive = own == Some(column);
                    let weight = targets.row_weight(row) * self.weight.at(row, 0) * self.side(column, positive);
                    let (sign, gamma) = (if positive { 1.0 } else { -1.0 }, self.gamma[column]);
                    let (bce, wrong) = (sigmoid::bce_f64(*z, positive), sigmoid::sigmoid(-sign * z));
                    let focus = wrong.powf(gamma);
                    value += weight * focus * bce;
                    *gradient = -sign * weight * focus * (gamma * (1.0 - wrong) * bce + wrong);
                }
            }
            value
        })
    }
}

/// A number for each column as a row that repeats.
pub(crate) fn row(values: &[f64], device: &Device) -> Tensor<2> {
    let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
    let columns = values.len();
    Tensor::from_data(TensorData::new(values, [1, columns]), (device, DType::F32))
}
