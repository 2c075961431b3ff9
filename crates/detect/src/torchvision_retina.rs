//! Names of torchvision's RetinaNet with a feature pyramid, such as `retinanet_resnet50_fpn`.
//!
//! ```text
//! backbone.body.*                                  backbone.*, as of a residual network
//! backbone.fpn.inner_blocks.0.0.weight             fpn.lateral.0.weight
//! backbone.fpn.layer_blocks.0.0.weight             fpn.output.0.weight
//! backbone.fpn.extra_blocks.p6.weight              top.0.weight
//! head.classification_head.conv.0.0.weight         head.class_convs.0.weight
//! head.classification_head.cls_logits.weight       head.classifier.weight
//! head.regression_head.conv.0.0.weight             head.box_convs.0.weight
//! head.regression_head.bbox_reg.weight             head.deltas.weight
//! ```
//!
//! Files from before torchvision 0.13 have `inner_blocks.0.weight`, and `conv.0`, `conv.2`, … for the convolutions of the head with the
//! rectifiers between. Class 0, which torchvision's files keep free, stays: their class list has as many entries as the logits.

use crate::torchvision::rename_resnet;
use crate::weights::{Weight, Weights};

/// Whether the names are those of a RetinaNet of torchvision.
pub fn is_retina_net(weights: &Weights) -> bool {
    let has = |name| weights.contains_key(name);
    has("backbone.body.conv1.weight") && has("head.classification_head.cls_logits.weight")
}

/// The same weights by the names of a detector here. Names that are none of torchvision's stay as they are.
pub fn rename_retina_net(weights: Weights) -> Weights {
    let (body, rest): (Weights, Weights) =
        weights.into_iter().partition(|(name, _)| name.starts_with("backbone.body."));
    let bare = |(name, weight): (String, Weight)| (name.trim_start_matches("backbone.body.").to_string(), weight);
    let body = rename_resnet(body.into_iter().map(bare).collect());
    // Convolutions of older files are apart by two, since the rectifiers count.
    let older = rest.contains_key("head.classification_head.conv.0.weight");
    let rest = rest.into_iter().map(|(name, weight)| (ours(&name, older).unwrap_or(name), weight));
    body.into_iter().chain(rest).collect()
}

fn ours(name: &str, older: bool) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let conv = |at: &str| Some(at.parse::<usize>().ok()? / if older { 2 } else { 1 });
    let (place, value) = match parts.as_slice() {
        ["backbone", "fpn", "inner_blocks", level, value @ ..] => (format!("fpn.lateral.{level}"), value),
        ["backbone", "fpn", "layer_blocks", level, value @ ..] => (format!("fpn.output.{level}"), value),
        ["backbone", "fpn", "extra_blocks", level, value @ ..] => {
            (format!("top.{}", level.strip_prefix('p')?.parse::<usize>().ok()?.checked_sub(6)?), value)
        }
        ["head", "classification_head", "conv", at, value @ ..] => (format!("head.class_convs.{}", conv(at)?), value),
        ["head", "classification_head", "cls_logits", value @ ..] => ("head.classifier".into(), value),
        ["head", "regression_head", "conv", at, value @ ..] => (format!("head.box_convs.{}", conv(at)?), value),
        ["head", "regression_head", "bbox_reg", value @ ..] => ("head.deltas".into(), value),
        _ => return None,
    };
    match value {
        ["weight" | "bias"] => Some(format!("{place}.{}", value[0])),
        ["0", value @ ("weight" | "bias")] => Some(format!("{place}.{value}")),
        _ => None,
    }
}
