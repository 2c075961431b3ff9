//! Names of torchvision's residual networks, as in its weight files and in those of others that keep to them.
//!
//! ```text
//! conv1.weight                      backbone.stem.conv.weight
//! bn1.{weight, bias, running_*}     backbone.stem.norm.{gamma, beta, running_*}
//! layer2.0.conv1.weight             backbone.stages.1.0.conv1.conv.weight
//! layer2.0.bn1.*                    backbone.stages.1.0.conv1.norm.*
//! layer2.0.downsample.0.weight      backbone.stages.1.0.downsample.conv.weight
//! layer2.0.downsample.1.*           backbone.stages.1.0.downsample.norm.*
//! fc.*                              nothing: the classifier of another task
//! ```

mod detector;

pub use detector::{is_detector, rename_detector};

use crate::weights::Weights;

/// Whether the names are those of a residual network of torchvision.
pub fn is_resnet(weights: &Weights) -> bool {
    weights.contains_key("conv1.weight") && weights.contains_key("layer1.0.conv1.weight")
}

/// The same weights by the names of a detector here. Names that are none of torchvision's stay as they are.
pub fn rename_resnet(weights: Weights) -> Weights {
    let renamed = weights.into_iter().filter(|(name, _)| !name.starts_with("fc."));
    renamed.map(|(name, weight)| (ours(&name).unwrap_or(name), weight)).collect()
}

fn ours(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let (place, layer) = match parts.as_slice() {
        [layer, value] => ("stem".to_string(), format!("{}.{value}", layer.strip_suffix('1')?)),
        [stage, block, rest @ ..] => {
            let stage: usize = stage.strip_prefix("layer")?.parse().ok()?;
            let (part, layer) = match rest {
                ["downsample", "0", value] => ("downsample".to_string(), format!("conv.{value}")),
                ["downsample", "1", value] => ("downsample".to_string(), format!("bn.{value}")),
                [layer, value] => {
                    let (kind, number) = layer.split_at_checked(layer.len().saturating_sub(1))?;
                    (format!("conv{number}"), format!("{kind}.{value}"))
                }
                _ => return None,
            };
            (format!("stages.{}.{block}.{part}", stage.checked_sub(1)?), layer)
        }
        _ => return None,
    };
    let layer = match layer.split_once('.')? {
        ("conv", "weight") => "conv.weight",
        ("bn", "weight") => "norm.gamma",
        ("bn", "bias") => "norm.beta",
        ("bn", "running_mean") => "norm.running_mean",
        ("bn", "running_var") => "norm.running_var",
        _ => return None,
    };
    Some(format!("backbone.{place}.{layer}"))
}
