//! Names and layouts of torchvision's Faster R-CNN and Mask R-CNN with a feature pyramid.
//!
//! ```text
//! backbone.body.*                                 backbone.*, as of a residual network
//! backbone.fpn.inner_blocks.0.0.weight            fpn.lateral.0.weight
//! backbone.fpn.layer_blocks.0.0.weight            fpn.output.0.weight
//! rpn.head.conv.0.0.weight                        rpn.conv.weight
//! rpn.head.{cls_logits, bbox_pred}.weight         rpn.{objectness, deltas}.weight
//! roi_heads.box_head.{fc6, fc7}.weight            roi_head.{hidden1, hidden2}.weight, transposed
//! roi_heads.box_predictor.cls_score.*             roi_head.classifier.*, transposed, background last
//! roi_heads.box_predictor.bbox_pred.*             roi_head.deltas.*, transposed, without background
//! roi_heads.mask_head.0.0.weight                  mask_head.convs.0.weight
//! roi_heads.mask_predictor.conv5_mask.*           mask_head.deconv.*
//! roi_heads.mask_predictor.mask_fcn_logits.*      mask_head.predictor.*, without background
//! ```
//!
//! Files from before torchvision 0.13 have `inner_blocks.0.weight`, `rpn.head.conv.weight` and `mask_head.mask_fcn1.weight`. Background
//! is class 0 there and class `K` here. The numbers agree in the recipe `torchvision`; `parity/torchvision_detectors.py` checks it.

use super::ours;
use crate::weights::{Weight, Weights};

/// Whether the names are those of a two-stage detector of torchvision with a feature pyramid.
pub fn is_detector(weights: &Weights) -> bool {
    let has = |name| weights.contains_key(name);
    has("backbone.body.conv1.weight") && has("roi_heads.box_predictor.cls_score.weight")
}

/// The same weights by the names and in the layouts of a detector here, for a loss with a softmax. Names that are none of
/// torchvision's stay as they are.
pub fn rename_detector(weights: Weights) -> Weights {
    let renamed = |(name, weight): (String, Weight)| match place(&name) {
        Some((name, layout)) => (name, layout.apply(weight)),
        None => (name, weight),
    };
    weights.into_iter().map(renamed).collect()
}

/// Where a tensor goes, and in which layout.
fn place(name: &str) -> Option<(String, Layout)> {
    let parts: Vec<&str> = name.split('.').collect();
    let (place, layout, value) = match parts.as_slice() {
        ["backbone", "body", ..] => return Some((ours(name.strip_prefix("backbone.body.")?)?, Layout::Same)),
        ["backbone", "fpn", "inner_blocks", level, rest @ ..] => (format!("fpn.lateral.{level}"), Layout::Same, rest),
        ["backbone", "fpn", "layer_blocks", level, rest @ ..] => (format!("fpn.output.{level}"), Layout::Same, rest),
        ["rpn", "head", "conv", rest @ ..] => ("rpn.conv".into(), Layout::Same, rest),
        ["rpn", "head", "cls_logits", rest @ ..] => ("rpn.objectness".into(), Layout::Same, rest),
        ["rpn", "head", "bbox_pred", rest @ ..] => ("rpn.deltas".into(), Layout::Same, rest),
        ["roi_heads", "box_head", "fc6", rest @ ..] => ("roi_head.hidden1".into(), Layout::Linear, rest),
        ["roi_heads", "box_head", "fc7", rest @ ..] => ("roi_head.hidden2".into(), Layout::Linear, rest),
        ["roi_heads", "box_predictor", "cls_score", rest @ ..] => {
            ("roi_head.classifier".into(), Layout::BackgroundLast, rest)
        }
        ["roi_heads", "box_predictor", "bbox_pred", rest @ ..] => {
            ("roi_head.deltas".into(), Layout::WithoutBackground, rest)
        }
        ["roi_heads", "mask_head", layer, rest @ ..] => {
            (format!("mask_head.convs.{}", mask_conv(layer)?), Layout::Same, rest)
        }
        ["roi_heads", "mask_predictor", "conv5_mask", rest @ ..] => ("mask_head.deconv".into(), Layout::Same, rest),
        ["roi_heads", "mask_predictor", "mask_fcn_logits", rest @ ..] => {
            ("mask_head.predictor".into(), Layout::FirstRowDropped, rest)
        }
        _ => return None,
    };
    // A convolution of newer files lies in a block, as its part 0.
    match value {
        [value @ ("weight" | "bias")]
        | ["0", value @ ("weight" | "bias")]
        | ["0", "0", value @ ("weight" | "bias")] => Some((format!("{place}.{value}"), layout)),
        _ => None,
    }
}

/// Number of a convolution of the mask head: `0`, or in older files `mask_fcn1`.
fn mask_conv(layer: &str) -> Option<usize> {
    match layer.strip_prefix("mask_fcn") {
        Some(number) => number.parse::<usize>().ok()?.checked_sub(1),
        None => layer.parse().ok(),
    }
}

/// How a tensor is laid out anew.
#[derive(Clone, Copy)]
enum Layout {
    /// Not at all.
    Same,
    /// `[out, in]` becomes `[in, out]`.
    Linear,
    /// The first row, background, becomes the last; then as `Linear`.
    BackgroundLast,
    /// The first four rows, the deltas of background, go; then as `Linear`.
    WithoutBackground,
    /// The first row, the mask of background, goes.
    FirstRowDropped,
}

impl Layout {
    fn apply(self, weight: Weight) -> Weight {
        let Some(&rows) = weight.shape.first().filter(|rows| **rows > 0) else { return weight };
        let width = weight.values.len() / rows;
        let Weight { mut shape, mut values } = weight;
        match self {
            Layout::Same | Layout::Linear => {}
            Layout::BackgroundLast => values.rotate_left(width),
            Layout::WithoutBackground | Layout::FirstRowDropped => {
                let dropped = if matches!(self, Layout::FirstRowDropped) { 1 } else { 4.min(rows) };
                values.drain(..dropped * width);
                shape[0] = rows - dropped;
            }
        }
        let turned = !matches!(self, Layout::Same | Layout::FirstRowDropped);
        match shape[..] {
            [out, inputs] if turned => Weight { shape: vec![inputs, out], values: transposed(&values, inputs) },
            _ => Weight { shape, values },
        }
    }
}

fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns).copied()).collect()
}
