//! How other programs name the layers of the networks that are here.

use crate::weights::Weights;
use crate::{efficientnet, torchvision, torchvision_retina};

/// The names of one program.
pub struct Naming {
    /// What it is called in reports.
    pub name: &'static str,
    /// Whether weights have these names.
    pub recognises: fn(&Weights) -> bool,
    /// The same weights by the names of a detector here, without layers that none of them has. Unknown names stay as they are.
    pub rename: fn(Weights) -> Weights,
}

/// Every naming that is known.
pub const NAMINGS: &[Naming] = &[
    Naming {
        name: "a residual network of torchvision",
        recognises: torchvision::is_resnet,
        rename: torchvision::rename_resnet,
    },
    Naming {
        name: "Faster or Mask R-CNN of torchvision",
        recognises: torchvision::is_detector,
        rename: torchvision::rename_detector,
    },
    Naming {
        name: "RetinaNet of torchvision",
        recognises: torchvision_retina::is_retina_net,
        rename: torchvision_retina::rename_retina_net,
    },
    Naming { name: "EfficientNet-Lite", recognises: efficientnet::is_lite, rename: efficientnet::rename_lite },
];

/// The naming of weights, if it is a known one and not ours.
pub fn naming_of(weights: &Weights) -> Option<&'static Naming> {
    NAMINGS.iter().find(|naming| (naming.recognises)(weights))
}

/// The weights by the names of a detector here; those of no known naming stay as they are.
pub fn to_ours(weights: Weights) -> Weights {
    match naming_of(&weights) {
        Some(naming) => (naming.rename)(weights),
        None => weights,
    }
}
