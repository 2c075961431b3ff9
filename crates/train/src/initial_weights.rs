//! Weights that a training starts from.

use std::path::Path;

use equipoise_detect::weights::{self, Weights};
use equipoise_detect::{FasterRcnn, torchvision};
use equipoise_loss::ClassLoss;

use crate::checkpoint::{self, Checkpoint};
use crate::{Decouple, Result, TrainError};

/// Weights of the light backbone, made by `equipoise weights pretrain` on crops of single drawings, as f16.
const LIGHT: &[u8] = include_bytes!("../weights/light.safetensors");

/// Layers whose size depends on the class list.
const CLASS_LAYERS: [&str; 3] = ["roi_head.classifier.", "roi_head.deltas.", "mask_head.predictor."];

/// Layers that a detector without masks leaves in the file.
const MASK_LAYERS: &str = "mask_head.";

/// Puts the weights called `name` into a detector: "" for none, "light" for those shipped, else a safetensors file or a run.
///
/// A file may hold a backbone or a detector, by our names or by torchvision's, or be a checkpoint, whose averaged weights are taken where
/// there are any. What it lacks outside the backbone keeps its fresh values, and so do the layers of a checkpoint whose size
/// depends on the number of classes, when that number is another.
///
/// # Errors
/// When the file cannot be read or does not fit.
pub fn load(detector: FasterRcnn, name: &str) -> Result<FasterRcnn> {
    if name.is_empty() {
        return Ok(detector);
    }
    let mut new = read(name)?;
    let old = weights::weights_of(&detector);
    let resized = |name: &str, shape: &[usize]| {
        CLASS_LAYERS.iter().any(|layer| name.starts_with(layer)) && old.get(name).is_some_and(|old| old.shape != shape)
    };
    let masks = old.keys().any(|name| name.starts_with(MASK_LAYERS));
    new.retain(|name, weight| !resized(name, &weight.shape) && (masks || !name.starts_with(MASK_LAYERS)));
    weights::with_weights(detector, new, |missing| !missing.starts_with("backbone."))
        .map_err(|error| TrainError::InitialWeights { name: name.to_string(), reason: error.to_string() })
}

/// Puts the weights of the run `name` into a detector for the second stage of a decoupled training.
///
/// # Errors
/// When the run cannot be read, or has other classes, another detector, or a classifier that the method cannot work with.
pub fn load_first_stage(
    detector: FasterRcnn,
    name: &str,
    decouple: Decouple,
    loss: &dyn ClassLoss,
    num_classes: usize,
) -> Result<FasterRcnn> {
    let mut new = read(name)?;
    new.retain(|name, _| !decouple.method.forgets(name));
    decouple.apply(&mut new, loss, num_classes)?;
    // What the first stage does not have is what the second brings: a classifier or scales.
    weights::with_weights(detector, new, |missing| decouple.method.brings(missing))
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
    Ok(torchvision::rename(weights::from_safetensors(&bytes, path)?))
}
