//! Calibration of scores after training: cheap ways to give rare classes a chance without training anything anew.
//!
//! Each of them is a [`Calibration`]: every logit times a scale plus a shift, of which the loss then makes scores as ever. They were
//! published for a softmax with background in column `K`; on sigmoids they are the same shifts of the logits. [`Calibrated`] is a loss whose
//! scores are calibrated, so that whatever predicts with a loss predicts with a calibrated one.

mod calibrated;
mod logit_adjustment;
mod logn;
mod norcal;
mod tau_norm;

pub use calibrated::Calibrated;
pub use logit_adjustment::logit_adjustment;
pub use logn::{LogitStatistics, logn};
pub use norcal::norcal;
pub use tau_norm::{TAUS, tau_norm};

use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::{ClassLoss, LossError, Result};

/// A scale and a shift for every logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Name of the method: norcal, logn, logit-adjustment or tau-norm.
    pub method: String,
    /// `gamma` or `tau`; nothing for a method without a parameter.
    pub parameter: Option<f64>,
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Calibration {
    fn new(method: &str, parameter: Option<f64>, scale: Vec<f64>, shift: Vec<f64>) -> Self {
        Self { method: method.into(), parameter, scale, shift }
    }

    /// Factor of every logit, `[C]`.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// What is added to every logit, `[C]`.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// Refuses a head with other logits, and numbers that a damaged file may hold.
    ///
    /// # Errors
    /// When it was made for another number of channels, or holds a number that is not finite.
    pub fn check(&self, channels: usize) -> Result<()> {
        let made = self.scale.len();
        demand(made == channels && self.shift.len() == channels, "calibration", &format!("{channels} channels"), made)?;
        let finite = self.scale.iter().chain(&self.shift).all(|value| value.is_finite());
        demand(finite, "calibration", "finite numbers", "others")
    }

    /// Calibrated class scores: those that `loss` makes of `scale z + shift`.
    ///
    /// # Shapes
    /// `logits` `[R, C]` → `[R, K]`
    pub fn scores(&self, loss: &dyn ClassLoss, logits: Tensor<2>) -> Tensor<2> {
        let device = logits.device();
        let row = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            let columns = values.len();
            Tensor::<2>::from_data(TensorData::new(values, [1, columns]), (&device, DType::F32))
        };
        loss.scores(logits.cast(FloatDType::F32) * row(&self.scale) + row(&self.shift))
    }

    /// Calibrated logits of one row in float64, `[C]` → `[C]`.
    pub fn logits_f64(&self, row: &[f64]) -> Vec<f64> {
        row.iter().zip(&self.scale).zip(&self.shift).map(|((z, scale), shift)| scale * z + shift).collect()
    }

    /// Calibrated class scores of one row in float64, `[C]` → `[K]`.
    pub fn scores_f64(&self, loss: &dyn ClassLoss, row: &[f64]) -> Vec<f64> {
        loss.scores_f64(&self.logits_f64(row))
    }
}

/// An error that names a field unless it is right.
fn demand(right: bool, field: &'static str, expected: &str, got: impl ToString) -> Result<()> {
    if right {
        return Ok(());
    }
    Err(LossError::Calibration { field, expected: expected.into(), got: got.to_string() })
}
