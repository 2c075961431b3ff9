//! Weights that a training starts from.

use std::path::Path;

use equipoise_detect::FasterRcnn;
use equipoise_detect::weights::{self, Weights};

use crate::{Result, TrainError};

/// Weights of the light backbone, made by `equipoise weights pretrain` on crops of single drawings, as f16.
const LIGHT: &[u8] = include_bytes!("../weights/light.safetensors");

/// Puts the weights called `name` into a detector: "" for none, "light" for those shipped, else a safetensors file.
///
/// Weights of a backbone are enough; what they lack keeps its fresh values.
///
/// # Errors
/// When the file cannot be read or does not fit.
pub fn load(detector: FasterRcnn, name: &str) -> Result<FasterRcnn> {
    if name.is_empty() {
        return Ok(detector);
    }
    Ok(weights::with_weights(detector, read(name)?, |missing| !missing.starts_with("backbone."))?)
}

fn read(name: &str) -> Result<Weights> {
    let path = Path::new(name);
    if name == "light" {
        return Ok(weights::from_safetensors(LIGHT, path)?);
    }
    let bytes = std::fs::read(path).map_err(|error| TrainError::Checkpoint {
        path: path.to_path_buf(),
        reason: format!("{error}; `weights` takes \"light\", a safetensors file, or \"\" for none"),
    })?;
    Ok(weights::from_safetensors(&bytes, path)?)
}
