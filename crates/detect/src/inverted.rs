//! Inverted residual blocks (MobileNetV2, arXiv 1801.04381) and the networks of EfficientNet-Lite that are made of them.
//!
//! EfficientNet-Lite (TensorFlow's TPU repository, 2020) is EfficientNet (arXiv 1905.11946) without squeeze-and-excitation and with ReLU6 for swish. Its
//! convolutions of stride 2 are padded as TensorFlow does, with the odd row and column below and to the right, and epsilon is 1e-3: pretrained weights
//! lose a part of their worth with anything else, and nothing says so.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::Init;
use crate::layers::{Conv, ConvNorm, Norm, NormKind, relu6};

/// Epsilon of the variance in the networks of EfficientNet.
pub const EPSILON: f64 = 1e-3;

/// Blocks in a row that differ in the first alone, which has the stride and changes the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvertedGroup {
    /// Blocks.
    pub repeats: usize,
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the first block.
    pub stride: usize,
    /// Channels inside of a block over those that go in.
    pub expansion: usize,
    /// Channels that come out.
    pub outputs: usize,
}

const fn group(repeats: usize, kernel: usize, stride: usize, expansion: usize, outputs: usize) -> InvertedGroup {
    InvertedGroup { repeats, kernel, stride, expansion, outputs }
}

/// EfficientNet-Lite0, stage by stage.
pub const LITE0: &[&[InvertedGroup]] = &[
    &[group(1, 3, 1, 1, 16), group(2, 3, 2, 6, 24)],
    &[group(2, 5, 2, 6, 40)],
    &[group(3, 3, 2, 6, 80), group(3, 5, 1, 6, 112)],
    &[group(4, 5, 2, 6, 192), group(1, 3, 1, 6, 320)],
];
/// EfficientNet-Lite1: deeper.
pub const LITE1: &[&[InvertedGroup]] = &[
    &[group(1, 3, 1, 1, 16), group(3, 3, 2, 6, 24)],
    &[group(3, 5, 2, 6, 40)],
    &[group(4, 3, 2, 6, 80), group(4, 5, 1, 6, 112)],
    &[group(5, 5, 2, 6, 192), group(1, 3, 1, 6, 320)],
];
/// EfficientNet-Lite2: as deep, and wider.
pub const LITE2: &[&[InvertedGroup]] = &[
    &[group(1, 3, 1, 1, 16), group(3, 3, 2, 6, 24)],
    &[group(3, 5, 2, 6, 48)],
    &[group(4, 3, 2, 6, 88), group(4, 5, 1, 6, 120)],
    &[group(5, 5, 2, 6, 208), group(1, 3, 1, 6, 352)],
];

/// What the map of each stage is divided by: the power of two nearest to its deviation over photographs, with the published weights of any of the three. A residual
/// network hands out maps of about 1, which every later layer and learning rate expects.
pub const MAP_SCALES: [f32; 4] = [16.0, 8.0, 8.0, 2.0];

/// An inverted residual block: 1×1 to more channels, a kernel for each of them, 1×1 back without an activation.
#[derive(Module, Debug)]
pub struct InvertedBlock {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    #[module(skip)]
    shortcut: bool,
}

impl InvertedBlock {
    /// Block `at` of `group` for maps of `inputs` channels.
    pub(crate) fn new(init: &mut Init, norm: NormKind, inputs: usize, group: InvertedGroup, at: usize) -> Self {
        let stride = if at == 0 { group.stride } else { 1 };
        let width = inputs * group.expansion;
        let norm_of = |init: &Init, channels| Norm::with_epsilon(norm, channels, EPSILON, init);
        let expand = (group.expansion > 1)
            .then(|| ConvNorm { conv: Conv::new(init, [inputs, width], 1, 1), norm: norm_of(init, width) });
        let depthwise =
            ConvNorm { conv: Conv::depthwise(init, width, group.kernel, stride), norm: norm_of(init, width) };
        let project =
            ConvNorm { conv: Conv::new(init, [width, group.outputs], 1, 1), norm: norm_of(init, group.outputs) };
        Self { expand, depthwise, project, shortcut: stride == 1 && inputs == group.outputs }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut y = x.clone();
        if let Some(expand) = &self.expand {
            y = relu6(expand.forward(y));
        }
        y = self.project.forward(relu6(self.depthwise.forward(y)));
        if self.shortcut { y + x } else { y }
    }
}

/// The stem of these networks: a 3×3 convolution of stride 2.
pub(crate) fn stem(init: &mut Init, norm: NormKind, width: usize) -> ConvNorm {
    let conv = Conv::new(init, [3, width], 3, 2).padded_behind(3, 2);
    ConvNorm { conv, norm: Norm::with_epsilon(norm, width, EPSILON, init) }
}
