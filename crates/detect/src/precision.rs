//! Mixed precision (Micikevicius et al., arXiv 1710.03740): convolutions and matrix products in half precision, all else in f32, the
//! weights among it. Losses and the gradient ledger never see a half.

use burn::tensor::{Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

use crate::ops::{ConvOptions, conv2d};
use crate::{DetectError, Result};

/// Precision of convolutions and matrix products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// All in f32.
    #[default]
    F32,
    /// IEEE half precision: three decimal digits, gradients below 6e-8 vanish.
    F16,
    /// Brain floating point: two decimal digits, the range of f32.
    Bf16,
}

impl Precision {
    fn half(self) -> Option<FloatDType> {
        match self {
            Self::F32 => None,
            Self::F16 => Some(FloatDType::F16),
            Self::Bf16 => Some(FloatDType::BF16),
        }
    }

    /// Factor of the loss that keeps small gradients from vanishing; the gradients of the weights are divided by it.
    pub fn loss_scale(self) -> f64 {
        if self == Self::F16 { 1024.0 } else { 1.0 }
    }

    /// Refuses a device that cannot compute in it.
    pub(crate) fn check(self, device: &Device) -> Result<()> {
        match self.half() {
            Some(half) if !device.supports_dtype(half) => Err(DetectError::Config {
                field: "precision",
                expected: "one that this device computes in, such as f32".into(),
                got: format!("{half:?}"),
            }),
            _ => Ok(()),
        }
    }

    /// A convolution; the bias is added in f32.
    pub(crate) fn conv2d(
        self,
        x: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: ConvOptions,
    ) -> Tensor<4> {
        let Some(half) = self.half() else { return conv2d(x, weight, bias, options) };
        let y = conv2d(x.cast(half), weight.cast(half), None, options).cast(FloatDType::F32);
        match bias {
            Some(bias) => {
                let [out] = bias.dims();
                y + bias.reshape([1, out, 1, 1])
            }
            None => y,
        }
    }

    /// `[R, in]` and `[in, out]` → `[R, out]`
    pub(crate) fn matmul(self, x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
        match self.half() {
            None => x.matmul(weight),
            Some(half) => x.cast(half).matmul(weight.cast(half)).cast(FloatDType::F32),
        }
    }
}
