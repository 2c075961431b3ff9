//! Calibration of scores after training: cheap ways to give rare classes a chance without training anything anew.
//!
//! All but [`tau_norm()`], which changes the classifier's weights, take the logits of a softmax head with background in column `K`.

mod logit_adjustment;
mod logn;
mod norcal;
mod tau_norm;

pub use logit_adjustment::PostHocLogitAdjustment;
pub use logn::{LogN, LogitStatistics};
pub use norcal::NorCal;
pub use tau_norm::{TAUS, tau_norm};

use burn::tensor::{DType, FloatDType, Tensor, TensorData};

use crate::{LossError, Result, softmax};

/// Softmax scores of `scale z + shift`, column by column, without the background column: `[R, K + 1]` → `[R, K]`.
fn rescaled(logits: Tensor<2>, scale: &[f64], shift: &[f64]) -> Tensor<2> {
    let device = logits.device();
    let row = |values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let columns = values.len();
        Tensor::<2>::from_data(TensorData::new(values, [1, columns]), (&device, DType::F32))
    };
    softmax::scores(logits.cast(FloatDType::F32) * row(scale) + row(shift), true)
}

/// [`rescaled`] of one row in float64.
fn rescaled_f64(row: &[f64], scale: &[f64], shift: &[f64]) -> Vec<f64> {
    let logits: Vec<f64> = row.iter().zip(scale).zip(shift).map(|((z, scale), shift)| scale * z + shift).collect();
    softmax::scores_f64(&logits, true)
}

/// An error that names a field unless it is right.
fn demand(right: bool, field: &'static str, expected: &str, got: impl ToString) -> Result<()> {
    if right {
        return Ok(());
    }
    Err(LossError::Calibration { field, expected: expected.into(), got: got.to_string() })
}
