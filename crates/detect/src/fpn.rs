//! Feature pyramid (FPN, arXiv 1612.03144): every level sees fine detail and wide context.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::backbone::BackboneSpec;
use crate::layers::Conv;
use crate::{DetectError, Init, Result};

/// A feature pyramid over the maps of a backbone.
#[derive(Module, Debug)]
pub struct Fpn {
    lateral: Vec<Conv>,
    output: Vec<Conv>,
    #[module(skip)]
    extra_levels: usize,
}

impl Fpn {
    /// A pyramid of `width` channels over maps of `inputs` channels, with `extra_levels` more on top, each at half the resolution.
    pub fn new(init: &mut Init, inputs: &[usize], width: usize, extra_levels: usize) -> Self {
        // Deviation of Xavier's uniform rule over fan-in and fan-out, as FPN code uses it.
        let std = |fan: usize| (2.0 / fan as f64).sqrt();
        let lateral = inputs
            .iter()
            .map(|&channels| Conv::with_std(init, [channels, width], 1, 1, std(channels + width)).with_bias(init))
            .collect();
        let output = inputs
            .iter()
            .map(|_| Conv::with_std(init, [width, width], 3, 1, std(18 * width)).with_bias(init))
            .collect();
        Self { lateral, output, extra_levels }
    }

    /// # Shapes
    /// maps `[N, C_l, H_l, W_l]`, each of exactly half the size of the one before → levels `[N, width, H_l, W_l]`
    pub fn forward(&self, maps: Vec<Tensor<4>>) -> Vec<Tensor<4>> {
        let mut levels: Vec<Tensor<4>> = self.lateral.iter().zip(maps).map(|(conv, map)| conv.forward(map)).collect();
        for level in (1..levels.len()).rev() {
            levels[level - 1] = levels[level - 1].clone() + upsample_twice(levels[level].clone());
        }
        let mut levels: Vec<Tensor<4>> =
            self.output.iter().zip(levels).map(|(conv, level)| conv.forward(level)).collect();
        for _ in 0..self.extra_levels {
            let top = levels.last().expect("a pyramid has a level").clone();
            let [images, channels, height, width] = top.dims();
            let half = |side: usize| burn::tensor::Slice::new(0, Some(side as isize), 2);
            levels.push(top.slice([
                burn::tensor::Slice::new(0, Some(images as isize), 1),
                burn::tensor::Slice::new(0, Some(channels as isize), 1),
                half(height),
                half(width),
            ]));
        }
        levels
    }
}

/// Nearest neighbour: every cell becomes two by two.
fn upsample_twice(x: Tensor<4>) -> Tensor<4> {
    let [images, channels, height, width] = x.dims();
    x.reshape([images, channels, height, 1, width, 1]).expand([images, channels, height, 2, width, 2]).reshape([
        images,
        channels,
        2 * height,
        2 * width,
    ])
}

/// Pixels per cell of each level: those of the backbone's stages from `first_stage` on, then `extra_levels` of twice the level below.
///
/// # Errors
/// When the backbone does not have that stage.
pub fn level_strides(spec: &BackboneSpec, first_stage: usize, extra_levels: usize) -> Result<Vec<usize>> {
    let mut strides = spec.strides();
    if first_stage >= strides.len() {
        return Err(DetectError::Config {
            field: "first_stage",
            expected: format!("below {}, the stages of {}", strides.len(), spec.name),
            got: first_stage.to_string(),
        });
    }
    strides.drain(..first_stage);
    for _ in 0..extra_levels {
        strides.push(2 * strides[strides.len() - 1]);
    }
    Ok(strides)
}
