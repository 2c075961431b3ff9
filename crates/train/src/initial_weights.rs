//! Weights that a training starts from.

use std::path::Path;

use equipoise_detect::weights::{self, Weights};
use equipoise_detect::{Detector, torchvision, torchvision_retina};

use crate::checkpoint::{self, Checkpoint};
use crate::{Result, TrainError};

/// Weights of the light backbone, made by `equipoise weights pretrain` on crops of single drawings, as f16.
const LIGHT: &[u8] = include_bytes!("../weights/light.safetensors");

/// Puts the weights called `name` into a detector: "" for none, "light" for those shipped, else a safetensors file or a run.
///
/// A file may hold a backbone, by our names or by torchvision's, or be a checkpoint, whose averaged weights are taken where
/// there are any. What it lacks outside the backbone keeps its fresh values, and so do the layers of a checkpoint whose size
/// depends on the number of classes, when that number is another.
///
/// # Errors
/// When the file cannot be read or does not fit.
pub fn load(detector: Detector, name: &str) -> Result<Detector> {
    if name.is_empty() {
        return Ok(detector);
    }
    let mut new = read(name)?;
    let old = weights::weights_of(&detector);
    let class_layers = detector.card().class_layers;
    let resized = |name: &str, shape: &[usize]| {
        class_layers.iter().any(|layer| name.starts_with(layer)) && old.get(name).is_some_and(|old| old.shape != shape)
    };
    new.retain(|name, weight| !resized(name, &weight.shape));
    weights::with_weights(detector, new, |missing| !missing.starts_with("backbone."))
        .map_err(|error| TrainError::InitialWeights { name: name.to_string(), reason: error.to_string() })
}

fn read(name: &str) -> Result<Weights> {
    let path = Path::new(name);
    if name == "light" {
        return Ok(weights::from_safetensors(LIGHT, path)?);
    }
    if path.is_dir() {
        return Ok(Checkpoint::read(path)?.scored_weights());
    }
    let bytes = std::fs::read(path).map_err(|error| TrainError::Checkpoint {
        path: path.to_path_buf(),
        reason: format!("{error}; `weights` takes \"light\", a safetensors file, a run directory, or \"\" for none"),
    })?;
    if checkpoint::is_checkpoint(&bytes) {
        return Ok(Checkpoint::read(path)?.scored_weights());
    }
    let weights = weights::from_safetensors(&bytes, path)?;
    if torchvision_retina::is_retina_net(&weights) {
        return Ok(torchvision_retina::rename_retina_net(weights));
    }
    Ok(if torchvision::is_resnet(&weights) { torchvision::rename_resnet(weights) } else { weights })
}
