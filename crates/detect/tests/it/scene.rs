//! A tiny detector and batches that are made up.

use burn::tensor::Device;
use equipoise_data::{Batch, BatchImage, Bitmap, ImageId};
use equipoise_detect::anchors::AnchorConfig;
use equipoise_detect::matching::SubsampleConfig;
use equipoise_detect::roi_head::RoiHeadConfig;
use equipoise_detect::rpn::RpnConfig;
use equipoise_detect::{FasterRcnn, FasterRcnnConfig};
use equipoise_loss::EqlV2;

/// Classes of the tiny detector.
pub const CLASSES: usize = 3;

/// Small in every direction.
pub fn config() -> FasterRcnnConfig {
    FasterRcnnConfig {
        backbone: "light".into(),
        frozen_stages: 0,
        first_stage: 1,
        fpn_width: 8,
        extra_levels: 0,
        rpn: RpnConfig {
            anchors: AnchorConfig { sizes: vec![vec![16.0], vec![32.0]], ratios: vec![1.0], ..AnchorConfig::default() },
            pre_nms_train: 60,
            post_nms_train: 40,
            pre_nms_test: 60,
            post_nms_test: 30,
            ..RpnConfig::default()
        },
        roi: RoiHeadConfig {
            resolution: 3,
            pooled_levels: 2,
            canonical_side: 56.0,
            hidden: 16,
            subsample: SubsampleConfig { per_image: 32, foreground_fraction: 0.25 },
            ..RoiHeadConfig::default()
        },
        ..FasterRcnnConfig::default()
    }
}

/// The tiny detector.
pub fn detector(config: &FasterRcnnConfig, seed: u64, device: &Device) -> FasterRcnn {
    FasterRcnn::new(config, CLASSES, &EqlV2::default(), seed, device).unwrap()
}

/// Truth of a picture: boxes with their classes, and crowds.
#[derive(Default)]
pub struct Truth {
    pub boxes: Vec<[f32; 4]>,
    pub classes: Vec<usize>,
    pub masks: Vec<Option<Bitmap>>,
    pub crowds: Vec<[f32; 4]>,
    pub exhaustive: Option<Vec<usize>>,
}

impl Truth {
    /// `count` boxes of sides 8 to 24, spread over a picture of 64×64.
    pub fn spread(count: usize) -> Self {
        let bbox = |at: usize| {
            let (x, y, side) = ((at * 7 % 40) as f32, (at * 13 % 40) as f32, (8 + at * 5 % 17) as f32);
            [x, y, x + side, y + side]
        };
        Self {
            boxes: (0..count).map(bbox).collect(),
            classes: (0..count).map(|at| at % CLASSES).collect(),
            ..Self::default()
        }
    }
}

/// A batch of pictures of 64×64, of which each takes `size` (height, width).
pub fn batch(size: [usize; 2], truths: Vec<Truth>) -> Batch {
    let count = truths.len();
    let pixels = (0..count * 3 * 64 * 64).map(|at| (at as f32 * 0.37).sin()).collect();
    let image = |(index, truth): (usize, Truth)| BatchImage {
        index,
        id: ImageId(index as u64 + 1),
        size,
        original: size,
        scale: [1.0; 2],
        offset: [0.0; 2],
        flipped: false,
        boxes: truth.boxes,
        classes: truth.classes,
        masks: truth.masks,
        crowds: truth.crowds,
        exhaustive: truth.exhaustive,
    };
    Batch { pixels, shape: [count, 3, 64, 64], images: truths.into_iter().enumerate().map(image).collect() }
}
