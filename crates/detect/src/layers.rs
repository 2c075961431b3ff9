//! Convolution, normalisation and linear layers with seeded weights, on the detector's own convolution.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig};
use burn::tensor::{Tensor, activation};

use crate::ops::ConvOptions;
use crate::{Init, Precision};

/// Which normalisation follows a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Batch normalisation by fixed statistics, folded into the convolution: the usual choice for pretrained backbones.
    #[default]
    Frozen,
    /// Batch normalisation by the statistics of the batch; needs batches of a dozen pictures or more.
    Batch,
    /// Group normalisation of up to 32 groups (arXiv 1803.08494): independent of the batch size.
    Group,
}

/// A convolution.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[out, in / groups, kh, kw]`
    pub weight: Param<Tensor<4>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    options: ConvOptions,
    #[module(skip)]
    precision: Precision,
}

impl Conv {
    /// A square kernel with "same" padding, weights by He's rule over the fan-out (arXiv 1502.01852).
    pub fn new(init: &mut Init, channels: [usize; 2], kernel: usize, stride: usize) -> Self {
        let std = (2.0 / (channels[1] * kernel * kernel) as f64).sqrt();
        Self::with_std(init, channels, kernel, stride, std)
    }

    /// The same with normal weights of deviation `std`.
    pub fn with_std(init: &mut Init, channels: [usize; 2], kernel: usize, stride: usize, std: f64) -> Self {
        let weight = init.normal([channels[1], channels[0], kernel, kernel], std);
        Self { weight, bias: None, options: ConvOptions::new(stride, kernel / 2), precision: init.precision() }
    }

    /// A kernel for each channel with TensorFlow's "same" padding, weights by He's rule over the fan-out: at stride 2 and an even
    /// size, the odd row and column of zeros is below and to the right.
    pub fn depthwise(init: &mut Init, channels: usize, kernel: usize, stride: usize) -> Self {
        let std = (2.0 / (kernel * kernel) as f64).sqrt();
        let weight = init.normal([channels, 1, kernel, kernel], std);
        let options = ConvOptions { groups: channels, ..ConvOptions::new(stride, 0) };
        Self { weight, bias: None, options, precision: init.precision() }.padded_behind(kernel, stride)
    }

    /// The same convolution with TensorFlow's "same" padding, for sizes that the stride divides.
    pub fn padded_behind(mut self, kernel: usize, stride: usize) -> Self {
        let total = kernel - stride.min(kernel);
        self.options.padding = [total / 2; 2];
        self.options.end_padding = [total % 2; 2];
        self
    }

    /// Adds a bias of zeros.
    pub fn with_bias(mut self, init: &mut Init) -> Self {
        let [out, ..] = self.weight.dims();
        self.bias = Some(init.constant([out], 0.0));
        self
    }

    /// `[N, in, H, W]` → `[N, out, H', W']`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.precision.conv2d(x, self.weight.val(), self.bias.as_ref().map(|bias| bias.val()), self.options)
    }
}

/// A normalisation layer.
#[derive(Module, Debug)]
pub enum Norm {
    /// Statistics of the batch.
    Batch(BatchNorm),
    /// Fixed statistics; neither they nor the affine parameters train.
    Frozen(BatchNorm),
    /// Statistics of groups of channels of one picture.
    Group(GroupNorm),
}

impl Norm {
    /// Epsilon of the variance, as in torchvision.
    pub const EPSILON: f64 = 1e-5;

    /// Another epsilon for batch statistics, frozen or not; statistics of groups keep theirs.
    pub fn set_epsilon(&mut self, epsilon: f64) {
        if let Norm::Batch(norm) | Norm::Frozen(norm) = self {
            norm.epsilon = epsilon;
        }
    }
}

/// Groups of a group normalisation: the most up to 32 that divide the channels.
pub(crate) fn group_count(channels: usize) -> usize {
    (1..=32.min(channels)).rev().find(|groups| channels.is_multiple_of(*groups)).unwrap_or(1)
}

impl Norm {
    /// A fresh layer over `channels`.
    pub fn new(kind: NormKind, channels: usize, init: &Init) -> Self {
        Self::with_epsilon(kind, channels, Norm::EPSILON, init)
    }

    /// The same with this number added to the variance.
    pub fn with_epsilon(kind: NormKind, channels: usize, epsilon: f64, init: &Init) -> Self {
        let batch = || BatchNormConfig::new(channels).with_epsilon(epsilon).init(init.device());
        match kind {
            NormKind::Batch => Norm::Batch(batch()),
            NormKind::Frozen => Norm::Frozen(batch()),
            NormKind::Group => {
                let groups = group_count(channels);
                Norm::Group(GroupNormConfig::new(groups, channels).with_epsilon(epsilon).init(init.device()))
            }
        }
    }
}

/// A convolution followed by its normalisation.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// The convolution, without bias.
    pub conv: Conv,
    /// The normalisation.
    pub norm: Norm,
}

impl ConvNorm {
    /// A square kernel with "same" padding.
    pub fn new(init: &mut Init, kind: NormKind, channels: [usize; 2], kernel: usize, stride: usize) -> Self {
        Self { conv: Conv::new(init, channels, kernel, stride), norm: Norm::new(kind, channels[1], init) }
    }

    /// `[N, in, H, W]` → `[N, out, H', W']`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            Norm::Batch(norm) => norm.forward(self.conv.forward(x)),
            Norm::Group(norm) => norm.forward(self.conv.forward(x)),
            Norm::Frozen(norm) => self.forward_folded(x, norm),
        }
    }

    /// `norm(conv(x))` as one convolution: the scale goes into the weight, the shift becomes the bias.
    fn forward_folded(&self, x: Tensor<4>, norm: &BatchNorm) -> Tensor<4> {
        let weight = self.conv.weight.val();
        let device = weight.device();
        let fixed = |value: Tensor<1>| value.detach().to_device(&device);
        let scale = fixed(norm.gamma.val()) / fixed(norm.running_var.value()).add_scalar(norm.epsilon).sqrt();
        let shift = fixed(norm.beta.val()) - fixed(norm.running_mean.value()) * scale.clone();
        let [out, ..] = weight.dims();
        let weight = weight * scale.reshape([out, 1, 1, 1]);
        self.conv.precision.conv2d(x, weight, Some(shift), self.conv.options)
    }
}

/// A fully connected layer.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    precision: Precision,
}

impl Linear {
    /// Normal weights of deviation `std`, and this bias.
    pub fn new(init: &mut Init, inputs: usize, std: f64, bias: Vec<f32>) -> Self {
        let precision = init.precision();
        Self { weight: init.normal([inputs, bias.len()], std), bias: init.values(bias), precision }
    }

    /// Weights by He's rule over the fan-in, bias 0.
    pub fn he(init: &mut Init, inputs: usize, outputs: usize) -> Self {
        Self::new(init, inputs, (2.0 / inputs as f64).sqrt(), vec![0.0; outputs])
    }

    /// `[R, in]` → `[R, out]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.precision.matmul(x, self.weight.val()) + self.bias.val().unsqueeze()
    }
}

/// Added to squares before a root: the gradient of a length of 0 stays finite.
pub(crate) const LENGTH_EPSILON: f64 = 1e-12;

impl Linear {
    /// `temperature cos(w_j, x) + b_j` in the place of `w_j x + b_j`: `[R, in]` → `[R, out]`.
    pub fn forward_normalized(&self, x: Tensor<2>, temperature: f64) -> Tensor<2> {
        let unit = |x: Tensor<2>, dim| {
            let length = x.clone().square().sum_dim(dim).add_scalar(LENGTH_EPSILON).sqrt();
            x / length
        };
        let cosines = unit(x, 1).matmul(unit(self.weight.val(), 0));
        cosines.mul_scalar(temperature) + self.bias.val().unsqueeze()
    }
}

/// `min(max(x, 0), 6)`: activations that fit eight bits.
pub fn relu6<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clamp(0.0, 6.0)
}

/// `max(x, 0)`
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::relu(x)
}
