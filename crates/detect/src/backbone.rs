//! Backbones: ResNet-18/34/50/101 in torchvision's layout (arXiv 1512.03385), a light one for small pictures, and EfficientNet-Lite.
//!
//! All are one structure: a stem, then stages of residual blocks, each stage after the first at half the resolution.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::Tensor;

use crate::inverted::{self, InvertedBlock, InvertedGroup};
use crate::layers::{ConvNorm, NormKind, relu, relu6};
use crate::{DetectError, Init, Result};

/// What sets one backbone apart from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackboneSpec {
    /// Name in recipes.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Channels after the stem.
    pub stem_width: usize,
    /// Its blocks.
    pub layout: Layout,
}

/// The blocks of a backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Residual blocks.
    Residual {
        /// Whether the stem is a 7×7 convolution of stride 2 and a pooling of stride 2 (stride 4), or a 3×3 convolution of stride 2.
        large_stem: bool,
        /// Blocks of each stage.
        blocks: &'static [usize],
        /// Inner channels of the blocks of each stage.
        widths: &'static [usize],
        /// Output channels over inner channels: 4 with bottleneck blocks, else 1.
        expansion: usize,
    },
    /// Inverted residual blocks of each stage, group by group, on a stem of stride 2.
    Inverted(&'static [&'static [InvertedGroup]]),
}

const fn residual(large_stem: bool, blocks: &'static [usize], widths: &'static [usize], expansion: usize) -> Layout {
    Layout::Residual { large_stem, blocks, widths, expansion }
}

/// Every backbone.
pub const BACKBONES: &[BackboneSpec] = &[
    BackboneSpec {
        name: "light",
        summary: "0.9 M parameters, strides 4 to 16: for training on a CPU with pictures of 128 to 256 pixels",
        stem_width: 32,
        layout: residual(false, &[2, 1, 1], &[64, 128, 192], 1),
    },
    BackboneSpec {
        name: "resnet18",
        summary: "ResNet-18 in torchvision's layout, 11.2 M parameters, strides 4 to 32",
        stem_width: 64,
        layout: residual(true, &[2, 2, 2, 2], &[64, 128, 256, 512], 1),
    },
    BackboneSpec {
        name: "resnet34",
        summary: "ResNet-34 in torchvision's layout, 21.3 M parameters, strides 4 to 32",
        stem_width: 64,
        layout: residual(true, &[3, 4, 6, 3], &[64, 128, 256, 512], 1),
    },
    BackboneSpec {
        name: "resnet50",
        summary: "ResNet-50 in torchvision's layout, 23.5 M parameters, strides 4 to 32",
        stem_width: 64,
        layout: residual(true, &[3, 4, 6, 3], &[64, 128, 256, 512], 4),
    },
    BackboneSpec {
        name: "efficientnet_lite0",
        summary: "EfficientNet-Lite0 without its classifier, 3.0 M parameters, strides 4 to 32: pretrained, on a CPU",
        stem_width: 32,
        layout: Layout::Inverted(inverted::LITE0),
    },
    BackboneSpec {
        name: "efficientnet_lite1",
        summary: "EfficientNet-Lite1 without its classifier, 3.7 M parameters, strides 4 to 32",
        stem_width: 32,
        layout: Layout::Inverted(inverted::LITE1),
    },
    BackboneSpec {
        name: "efficientnet_lite2",
        summary: "EfficientNet-Lite2 without its classifier, 4.4 M parameters, strides 4 to 32",
        stem_width: 32,
        layout: Layout::Inverted(inverted::LITE2),
    },
    BackboneSpec {
        name: "resnet101",
        summary: "ResNet-101 in torchvision's layout, 42.5 M parameters, strides 4 to 32",
        stem_width: 64,
        layout: residual(true, &[3, 4, 23, 3], &[64, 128, 256, 512], 4),
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
        (0..self.channels().len()).map(|stage| 4 << stage).collect()
    }

    /// Channels of each stage's map.
    pub fn channels(&self) -> Vec<usize> {
        match self.layout {
            Layout::Residual { widths, expansion, .. } => widths.iter().map(|width| width * expansion).collect(),
            Layout::Inverted(stages) => stages.iter().filter_map(|groups| Some(groups.last()?.outputs)).collect(),
        }
    }

    /// What the map of each stage is divided by before it is handed out.
    pub fn map_scales(&self) -> Vec<f32> {
        match self.layout {
            Layout::Residual { blocks, .. } => vec![1.0; blocks.len()],
            Layout::Inverted(_) => inverted::MAP_SCALES.to_vec(),
        }
    }

    fn stem(&self, init: &mut Init, norm: NormKind) -> (ConvNorm, Option<MaxPool2d>) {
        match self.layout {
            Layout::Residual { large_stem: false, .. } => (ConvNorm::new(init, norm, [3, self.stem_width], 3, 2), None),
            Layout::Residual { .. } => {
                let pool = MaxPool2dConfig::new([3, 3]).with_strides([2, 2]);
                let pool = pool.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init();
                (ConvNorm::new(init, norm, [3, self.stem_width], 7, 2), Some(pool))
            }
            Layout::Inverted(_) => (inverted::stem(init, norm, self.stem_width), None),
        }
    }

    /// The blocks of stage `stage` for maps of `inputs` channels.
    fn stage(&self, init: &mut Init, norm: NormKind, stage: usize, mut inputs: usize) -> Vec<Block> {
        let mut built = Vec::new();
        match self.layout {
            Layout::Residual { large_stem, blocks, widths, expansion } => {
                // A small stem has stride 2 only: the first stage brings it to 4.
                let first = if stage == 0 && large_stem { 1 } else { 2 };
                let width = widths[stage];
                for block in 0..blocks[stage] {
                    let stride = if block == 0 { first } else { 1 };
                    built.push(Block::Residual(ResidualBlock::new(init, norm, inputs, width, expansion, stride)));
                    inputs = width * expansion;
                }
            }
            Layout::Inverted(stages) => {
                let blocks = stages[stage].iter().flat_map(|group| (0..group.repeats).map(move |at| (*group, at)));
                for (group, at) in blocks {
                    built.push(Block::Inverted(InvertedBlock::new(init, norm, inputs, group, at)));
                    inputs = group.outputs;
                }
            }
        }
        built
    }
}

/// A block of a backbone.
// All blocks of a backbone are of one kind.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Block {
    /// With its widest maps outside.
    Residual(ResidualBlock),
    /// With its widest maps inside.
    Inverted(InvertedBlock),
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Block::Residual(block) => block.forward(x),
            Block::Inverted(block) => block.forward(x),
        }
    }
}

/// A residual block: two 3×3 convolutions, or a 3×3 between two 1×1 when it has a third (bottleneck).
#[derive(Module, Debug)]
pub struct ResidualBlock {
    conv1: ConvNorm,
    conv2: ConvNorm,
    conv3: Option<ConvNorm>,
    downsample: Option<ConvNorm>,
}

impl Block {
    /// The convolutions of a residual block.
    fn convs(&mut self) -> Vec<&mut ConvNorm> {
        match self {
            Self::Residual(block) => block.convs().collect(),
            Self::Inverted(_) => Vec::new(),
        }
    }
}

impl ResidualBlock {
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

/// A backbone.
#[derive(Module, Debug)]
pub struct Backbone {
    stem: ConvNorm,
    pool: Option<MaxPool2d>,
    stages: Vec<Vec<Block>>,
    #[module(skip)]
    frozen_stages: usize,
    /// Whether the stem ends in a ReLU6.
    #[module(skip)]
    capped: bool,
    #[module(skip)]
    map_scales: Vec<f32>,
}

impl Backbone {
    /// A backbone with fresh weights. The stem and the first `frozen_stages - 1` stages stay as they are, batch statistics
    /// included; 0 trains all.
    pub fn new(spec: &BackboneSpec, norm: NormKind, frozen_stages: usize, init: &mut Init) -> Self {
        // Batch statistics that follow the data would change what is called frozen.
        let norm_of = |part: usize| match norm {
            NormKind::Batch if part < frozen_stages => NormKind::Frozen,
            norm => norm,
        };
        let (stem, pool) = spec.stem(init, norm_of(0));
        let channels = spec.channels();
        let inputs = std::iter::once(spec.stem_width).chain(channels.iter().copied());
        let stages = (0..channels.len()).zip(inputs);
        let mut stages: Vec<Vec<Block>> =
            stages.map(|(stage, inputs)| spec.stage(init, norm_of(stage + 1), stage, inputs)).collect();
        // Or else every forward pass would leave the maps of the frozen part to a backward pass that never reaches them.
        let stem = if frozen_stages > 0 { stem.no_grad() } else { stem };
        for stage in stages.iter_mut().take(frozen_stages.saturating_sub(1)) {
            *stage = std::mem::take(stage).no_grad();
        }
        let capped = matches!(spec.layout, Layout::Inverted(_));
        Self { stem, pool, stages, frozen_stages, capped, map_scales: spec.map_scales() }
    }

    /// The same with another epsilon under the roots of batch statistics, in residual backbones; those of inverted blocks have one of their own.
    pub fn with_norm_epsilon(mut self, epsilon: f64) -> Self {
        if self.capped {
            return self;
        }
        let blocks = self.stages.iter_mut().flatten().flat_map(Block::convs);
        blocks.chain([&mut self.stem]).for_each(|conv| conv.norm.set_epsilon(epsilon));
        self
    }

    /// The map of every stage.
    ///
    /// # Shapes
    /// `[N, 3, H, W]` → `[N, C_s, H / 4 / 2^s, W / 4 / 2^s]` for stage `s`
    pub fn forward(&self, pictures: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = self.stem.forward(pictures);
        x = if self.capped { relu6(x) } else { relu(x) };
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
            let scale = self.map_scales[stage];
            maps.push(if scale == 1.0 { x.clone() } else { x.clone().div_scalar(scale) });
        }
        maps
    }
}
