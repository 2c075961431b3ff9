//! The seam between a detector and whatever trains or runs it.

use burn::tensor::Tensor;
use equipoise_data::BatchImage;
use equipoise_loss::ClassTargets;
use serde::{Deserialize, Serialize};

use crate::BoxMask;

/// What a detector hands out in training.
pub struct TrainOutput {
    /// Class logits, `[R, C]`.
    pub logits: Tensor<2>,
    /// What the logits should have said.
    pub targets: ClassTargets,
    /// The other losses by name, each one scalar that is already normalised.
    pub losses: Vec<(&'static str, Tensor<1>)>,
}

/// Ground truth of a picture, pixels of the batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroundTruth {
    /// Boxes, `[G]`.
    pub boxes: Vec<[f32; 4]>,
    /// Classes, `[G]`.
    pub classes: Vec<usize>,
    /// Crowd regions: neither object nor background.
    pub crowds: Vec<[f32; 4]>,
    /// Classes of which every object of the picture is known; `None`: of all.
    pub exhaustive: Option<Vec<usize>>,
}

impl From<&BatchImage> for GroundTruth {
    fn from(image: &BatchImage) -> Self {
        Self {
            boxes: image.boxes.clone(),
            classes: image.classes.clone(),
            crowds: image.crowds.clone(),
            exhaustive: image.exhaustive.clone(),
        }
    }
}

/// A detected object.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// `[x1, y1, x2, y2]`, pixels of the batch.
    pub bbox: [f32; 4],
    /// Its class.
    pub class: usize,
    /// Probability after the loss's link.
    pub score: f32,
    /// Its mask, where the detector makes masks.
    pub mask: Option<BoxMask>,
}

/// Which detections are kept; the defaults are those of LVIS, where rare classes score low and pictures hold many objects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectConfig {
    /// Detections must score above this.
    pub score_threshold: f32,
    /// IoU above which the weaker of two detections of a class goes.
    pub nms_iou: f32,
    /// Detections kept for each picture.
    pub max_detections: usize,
    /// Boxes with a side below this many pixels of the batch are dropped (torchvision: 0.01).
    pub min_side: f32,
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self { score_threshold: 1e-4, nms_iou: 0.5, max_detections: 300, min_side: 0.0 }
    }
}
