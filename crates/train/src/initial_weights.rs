//! Weights that a training starts from.

use std::path::Path;

use equipoise_detect::weights::{self, Weights};
use equipoise_detect::{Detector, Fit, WeightFile, naming};
use equipoise_loss::ClassLoss;

use crate::checkpoint::{self, Checkpoint};
use crate::{Decouple, KnownWeights, Result, TrainError};

/// Weights of the light backbone, made by `equipoise weights pretrain` on crops of single drawings, as f16.
const LIGHT: &[u8] = include_bytes!("../weights/light.safetensors");

/// Layers that a detector without masks leaves in the file.
const MASK_LAYERS: &str = "mask_head.";

/// Puts the weights called `name` into a detector, and says what of them was left out: "" for none, "light" for those shipped,
/// else a file that [`read`] reads.
///
/// What a file lacks outside the backbone keeps its fresh values, and so do the layers of a detector whose size
/// depends on the number of classes, when that number is another.
///
/// # Errors
/// When the file cannot be read or does not fit.
pub(crate) fn load(detector: Detector, name: &str) -> Result<(Detector, Vec<String>)> {
    if name.is_empty() {
        return Ok((detector, Vec::new()));
    }
    let mut new = read(name)?;
    let masks = weights::weights_of(&detector).keys().any(|name| name.starts_with(MASK_LAYERS));
    new.retain(|name, _| masks || !name.starts_with(MASK_LAYERS));
    let fit = Fit::of(&new, &weights::weights_of(&detector));
    let card = detector.card();
    let resized: Vec<_> = fit.misshapen.iter().filter(|tensor| card.depends_on_classes(&tensor.name)).collect();
    let notes = resized.iter().map(|tensor| {
        format!(
            "`{}` starts fresh: {:?} in `{name}`, {:?} for these classes",
            tensor.name, tensor.file, tensor.detector
        )
    });
    let notes = notes.collect();
    new.retain(|name, _| !resized.iter().any(|tensor| tensor.name == *name));
    weights::with_weights(detector, new, |missing| !missing.starts_with("backbone."))
        .map(|detector| (detector, notes))
        .map_err(|error| TrainError::InitialWeights { name: name.to_string(), reason: error.to_string() })
}

/// Puts the weights of the run `name` into a detector for the second stage of a decoupled training.
///
/// # Errors
/// When the run cannot be read, or has other classes, another detector, or a classifier that the method cannot work with.
pub fn load_first_stage(
    detector: Detector,
    name: &str,
    decouple: Decouple,
    loss: &dyn ClassLoss,
    num_classes: usize,
) -> Result<Detector> {
    let mut new = read(name)?;
    new.retain(|name, _| !decouple.method.forgets(name));
    decouple.apply(&mut new, loss, num_classes)?;
    // What the first stage does not have is what the second brings: a classifier or scales.
    weights::with_weights(detector, new, |missing| decouple.method.brings(missing))
        .map_err(|error| TrainError::InitialWeights { name: name.to_string(), reason: error.to_string() })
}

/// The weights of a file by our names: safetensors or PyTorch, a backbone or a whole detector, by our names or those of another program
/// that is known; or a checkpoint or a run directory, whose averaged weights are taken where there are any.
///
/// # Errors
/// When the file cannot be read.
pub fn read(name: &str) -> Result<Weights> {
    let path = Path::new(name);
    if name == "light" {
        return Ok(weights::from_safetensors(LIGHT, path)?);
    }
    if path.is_dir() {
        return Ok(Checkpoint::read(path)?.scored_weights());
    }
    if !path.exists() {
        return Err(TrainError::Checkpoint { path: path.to_path_buf(), reason: missing(path) });
    }
    let file = WeightFile::open(path)?;
    if checkpoint::is_checkpoint(&file.metadata) {
        return Ok(Checkpoint::read(path)?.scored_weights());
    }
    Ok(naming::to_ours(file.read()?))
}

/// What to do about a file that is not there.
fn missing(path: &Path) -> String {
    match KnownWeights::wanted(path) {
        Some(known) => {
            format!(
                "no such file; these weights are free ({}), get them by\n  {}",
                known.licence,
                known.commands().join("\n  ")
            )
        }
        None => {
            "no such file; `weights` takes \"light\", a safetensors or PyTorch file, a run directory, or \"\" for none"
                .into()
        }
    }
}
