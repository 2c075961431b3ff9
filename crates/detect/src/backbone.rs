//! Residual backbones: ResNet-18/34/50/101 in torchvision's layout (arXiv 1512.03385), and a light one for small pictures.
//!
//! All are one structure: a stem, then stages of residual blocks, each stage after the first at half the resolution.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::Tensor;

use crate::layers::{ConvNorm, NormKind, relu};
use crate::{DetectError, Init, Result};

/// What sets one residual network apart from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackboneSpec {
    /// Name in recipes.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Whether the stem is a 7×7 convolution of stride 2 and a pooling of stride 2 (stride 4), or a 3×3 convolution of stride 2.
    pub large_stem: bool,
    /// Channels after the stem.
    pub stem_width: usize,
    /// Blocks of each stage.
    pub blocks: &'static [usize],
    /// Inner channels of the blocks of each stage.
    pub widths: &'static [usize],
    /// Output channels over inner channels: 4 with bottleneck blocks, else 1.
    pub expansion: usize,
}

/// Every backbone.
pub const BACKBONES: &[BackboneSpec] = &[
    BackboneSpec {
        name: "light",
        summary: "0.9 M parameters, strides 4 to 16: for training on a CPU with pictures of 128 to 256 pixels",
        large_stem: false,
        stem_width: 32,
        blocks: &[2, 1, 1],
        widths: &[64, 128, 192],
        expansion: 1,
    },
    BackboneSpec {
        name: "resnet18",
        summary: "ResNet-18 in torchvision's layout, 11.2 M parameters, strides 4 to 32",
        large_stem: true,
        stem_width: 64,
        blocks: &[2, 2, 2, 2],
        widths: &[64, 128, 256, 512],
        expansion: 1,
    },
    BackboneSpec {
        name: "resnet34",
        summary: "ResNet-34 in torchvision's layout, 21.3 M parameters, strides 4 to 32",
        large_stem: true,
        stem_width: 64,
        blocks: &[3, 4, 6, 3],
        widths: &[64, 128, 256, 512],
        expansion: 1,
    },
    BackboneSpec {
        name: "resnet50",
        summary: "ResNet-50 in torchvision's layout, 23.5 M parameters, strides 4 to 32",
        large_stem: true,
        stem_width: 64,
        blocks: &[3, 4, 6, 3],
        widths: &[64, 128, 256, 512],
        expansion: 4,
    },
    BackboneSpec {
        name: "resnet101",
        summary: "ResNet-101 in torchvision's layout, 42.5 M parameters, strides 4 to 32",
        large_stem: true,
        stem_width: 64,
        blocks: &[3, 4, 23, 3],
        widths: &[64, 128, 256, 512],
        expansion: 4,
    },
];

impl BackboneSpec {
    /// The backbone of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(name: &str) -> Result<&'static BackboneSpec> {
        BACKBONES.iter().find(|spec| spec.name == name).ok_or_else(|| DetectError::Unknown {
            kind: "backbone",
            name: name.to_string(),
            known: BACKBONES.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", "),
        })
    }

    /// Pixels per cell of each stage's map.
    pub fn strides(&self) -> Vec<usize> {
        (0..self.blocks.len()).map(|stage| 4 << stage).collect()
    }

    /// Channels of each stage's map.
    pub fn channels(&self) -> Vec<usize> {
        self.widths.iter().map(|width| width * self.expansion).collect()
    }
}

/// A residual block: two 3×3 convolutions, or a 3×3 between two 1×1 when it has a third (bottleneck).
#[derive(Module, Debug)]
pub struct Block {
    conv1: ConvNorm,
    conv2: ConvNorm,
    conv3: Option<ConvNorm>,
    downsample: Option<ConvNorm>,
}

impl Block {
    fn new(init: &mut Init, norm: NormKind, inputs: usize, width: usize, expansion: usize, stride: usize) -> Self {
        let outputs = width * expansion;
        let bottleneck = expansion > 1;
        // The stride sits in the 3×3 convolution, as in torchvision; the paper has it in the first 1×1.
        let (conv1, conv2) = if bottleneck {
            (ConvNorm::new(init, norm, [inputs, width], 1, 1), ConvNorm::new(init, norm, [width, width], 3, stride))
        } else {
            (ConvNorm::new(init, norm, [inputs, width], 3, stride), ConvNorm::new(init, norm, [width, width], 3, 1))
        };
        let conv3 = bottleneck.then(|| ConvNorm::new(init, norm, [width, outputs], 1, 1));
        let downsample =
            (stride != 1 || inputs != outputs).then(|| ConvNorm::new(init, norm, [inputs, outputs], 1, stride));
        Self { conv1, conv2, conv3, downsample }
    }

    fn convs(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        [&mut self.conv1, &mut self.conv2].into_iter().chain(&mut self.conv3).chain(&mut self.downsample)
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.forward(x.clone()),
            None => x.clone(),
        };
        let mut y = self.conv2.forward(relu(self.conv1.forward(x)));
        if let Some(conv3) = &self.conv3 {
            y = conv3.forward(relu(y));
        }
        relu(y + shortcut)
    }
}

/// A residual backbone.
#[derive(Module, Debug)]
pub struct Backbone {
    stem: ConvNorm,
    pool: Option<MaxPool2d>,
    stages: Vec<Vec<Block>>,
    #[module(skip)]
    frozen_stages: usize,
}

impl Backbone {
    /// A backbone with fresh weights. The stem and the first `frozen_stages - 1` stages stay as they are, batch statistics
    /// included; 0 trains all.
    pub fn new(spec: &BackboneSpec, norm: NormKind, frozen_stages: usize, init: &mut Init) -> Self {
        let kernel = if spec.large_stem { 7 } else { 3 };
        // Batch statistics that follow the data would change what is called frozen.
        let norm_of = |part: usize| match norm {
            NormKind::Batch if part < frozen_stages => NormKind::Frozen,
            norm => norm,
        };
        let stem = ConvNorm::new(init, norm_of(0), [3, spec.stem_width], kernel, 2);
        let pool = spec.large_stem.then(|| {
            MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init()
        });
        let mut inputs = spec.stem_width;
        let mut stages = Vec::new();
        for (stage, (&blocks, &width)) in spec.blocks.iter().zip(spec.widths).enumerate() {
            // A small stem has stride 2 only: the first stage brings it to 4.
            let first = if stage == 0 && spec.large_stem { 1 } else { 2 };
            let mut built = Vec::new();
            for block in 0..blocks {
                let stride = if block == 0 { first } else { 1 };
                built.push(Block::new(init, norm_of(stage + 1), inputs, width, spec.expansion, stride));
                inputs = width * spec.expansion;
            }
            stages.push(built);
        }
        Self { stem, pool, stages, frozen_stages }
    }

    /// The same with another epsilon under the roots of batch statistics.
    pub fn with_norm_epsilon(mut self, epsilon: f64) -> Self {
        let blocks = self.stages.iter_mut().flatten().flat_map(Block::convs);
        blocks.chain([&mut self.stem]).for_each(|conv| conv.norm.set_epsilon(epsilon));
        self
    }

    /// The map of every stage.
    ///
    /// # Shapes
    /// `[N, 3, H, W]` → `[N, C_s, H / 4 / 2^s, W / 4 / 2^s]` for stage `s`
    pub fn forward(&self, pictures: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = relu(self.stem.forward(pictures));
        if let Some(pool) = &self.pool {
            x = pool.forward(x);
        }
        if self.frozen_stages > 0 {
            x = x.detach();
        }
        let mut maps = Vec::new();
        for (stage, blocks) in self.stages.iter().enumerate() {
            for block in blocks {
                x = block.forward(x);
            }
            // Before the map is handed out: a pyramid level on it must not train the stage either.
            if stage + 1 < self.frozen_stages {
                x = x.detach();
            }
            maps.push(x.clone());
        }
        maps
    }
}
