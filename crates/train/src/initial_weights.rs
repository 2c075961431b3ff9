//! Weights that a training starts from.

use std::path::Path;

use equipoise_data::ClassList;
use equipoise_detect::weights::{self, Weights};
use equipoise_detect::{Detector, DetectorConfig, Fit, WeightFile, naming};
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
/// What a file lacks outside the backbone keeps its fresh values, and so do the layers that depend on the classes when the file is of
/// others: when it says so, or when the shapes do.
///
/// # Errors
/// When the file cannot be read or does not fit.
pub(crate) fn load(
    detector: Detector,
    config: &DetectorConfig,
    name: &str,
    classes: &ClassList,
) -> Result<(Detector, Vec<String>)> {
    if name.is_empty() {
        return Ok((detector, Vec::new()));
    }
    let (mut new, of) = read_with_classes(name)?;
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
    let mut notes: Vec<String> = notes.collect();
    // A classifier of as many other classes would fit, and know nothing of these.
    if of.is_some_and(|of| of.names != classes.names) {
        let others = |name: &String| config.class_layers().iter().any(|layer| name.starts_with(layer));
        let fit = new.keys().filter(|name| others(name) && !resized.iter().any(|tensor| tensor.name == **name));
        notes.extend(fit.map(|tensor| format!("`{tensor}` starts fresh: that of `{name}` is of other classes")));
        new.retain(|name, _| !others(name));
    }
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
    classes: &ClassList,
) -> Result<Detector> {
    let (mut new, of) = read_with_classes(name)?;
    if let Some(difference) = of.and_then(|of| of.difference(classes)) {
        let reason = format!("a first and a second stage must have the same classes, but {difference}");
        return Err(TrainError::InitialWeights { name: name.to_string(), reason });
    }
    new.retain(|name, _| !decouple.method.forgets(name));
    decouple.apply(&mut new, loss, classes.ids.len())?;
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
    Ok(read_with_classes(name)?.0)
}

/// The same with the classes that they were trained for, where the file tells.
fn read_with_classes(name: &str) -> Result<(Weights, Option<ClassList>)> {
    let path = Path::new(name);
    if name == "light" {
        return Ok((weights::from_safetensors(LIGHT, path)?, None));
    }
    let of_checkpoint = || {
        let checkpoint = Checkpoint::read(path)?;
        let classes = checkpoint.state.classes.clone();
        Ok((checkpoint.scored_weights(), Some(classes)))
    };
    if path.is_dir() {
        return of_checkpoint();
    }
    if !path.exists() {
        return Err(TrainError::Checkpoint { path: path.to_path_buf(), reason: missing(path) });
    }
    let file = WeightFile::open(path)?;
    if checkpoint::is_checkpoint(&file.metadata) {
        return of_checkpoint();
    }
    // As `weights export` writes them.
    let classes = file.metadata.get("classes").and_then(|classes| serde_json::from_str(classes).ok());
    Ok((naming::to_ours(file.read()?), classes))
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
