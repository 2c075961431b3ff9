//! A checkpoint: one safetensors file with weights, optimizer, average and ledger, written whole or not at all.
//!
//! The header carries everything else as JSON: recipe, step, class list and ledger (its f64 sums survive exactly). A
//! detector can be rebuilt from the file alone, and scores only with the loss that it was trained with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use equipoise_data::{ClassList, Dataset, write_atomically};
use equipoise_detect::Detector;
use equipoise_detect::weights::{self, Weight, Weights};
use equipoise_loss::{ClassLoss, GradientLedger, TrainingFacts};
use serde::{Deserialize, Serialize};

use crate::sgd::FlatTensors;
use crate::{Recipe, Result, TrainError, Window};

/// What the header holds beside the tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointState {
    /// Version of this layout.
    pub format: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// The recipe, defaults filled in.
    pub recipe: Recipe,
    /// The classes, in the order of the logits.
    pub classes: ClassList,
    /// What the loss was told about the training.
    #[serde(default)]
    pub facts: TrainingFacts,
    /// The gradient ledger, with the memory of the loss.
    pub ledger: GradientLedger,
    /// Sums of the steps since the last row of the history.
    pub window: Window,
    /// The training pictures.
    pub data: DataMark,
}

/// What a data set is told by: enough to refuse another one, whose order of pictures would be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataMark {
    /// Its pictures.
    pub images: usize,
    /// Its objects, crowds included.
    pub objects: usize,
}

impl DataMark {
    /// The mark of a data set.
    pub fn of(dataset: &Dataset) -> Self {
        let objects = dataset.images.iter().map(|image| image.objects.len()).sum();
        Self { images: dataset.images.len(), objects }
    }
}

/// The only layout so far.
const FORMAT: u32 = 1;
const HEADER: &str = "equipoise";
const FILE: &str = "checkpoint.safetensors";

/// Whether the bytes are a safetensors file that claims to be a checkpoint.
pub(crate) fn is_checkpoint(bytes: &[u8]) -> bool {
    let header = safetensors::SafeTensors::read_metadata(bytes).ok();
    header.is_some_and(|(_, header)| header.metadata().as_ref().is_some_and(|entries| entries.contains_key(HEADER)))
}

/// A checkpoint in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Recipe, step, classes, ledger.
    pub state: CheckpointState,
    /// The detector's weights.
    pub model: Weights,
    /// The optimizer's velocity.
    pub velocity: Weights,
    /// The moving average of the weights, empty when it is off.
    pub average: Weights,
}

impl Checkpoint {
    /// The file in a checkpoint folder.
    pub fn file(dir: &Path) -> PathBuf {
        dir.join(FILE)
    }

    /// Writes the checkpoint into folder `dir`; an older one stays until the new one is whole.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let parts = [("model", &self.model), ("velocity", &self.velocity), ("average", &self.average)];
        let all: Weights = parts
            .into_iter()
            .flat_map(|(part, weights)| {
                weights.iter().map(move |(name, weight)| (format!("{part}/{name}"), weight.clone()))
            })
            .collect();
        let state = serde_json::to_string(&self.state).expect("the state is plain data with finite sums");
        let bytes = weights::to_safetensors(&all, false, BTreeMap::from([(HEADER.to_string(), state)]));
        std::fs::create_dir_all(dir).map_err(|source| equipoise_data::DataError::Io {
            action: "create",
            path: dir.to_path_buf(),
            source,
        })?;
        Ok(write_atomically(&Self::file(dir), &bytes)?)
    }

    /// Reads a checkpoint: a file, a checkpoint folder, or a run directory (its last checkpoint).
    ///
    /// # Errors
    /// When there is none, or it is damaged or of another program.
    pub fn read(path: &Path) -> Result<Self> {
        let candidates = [path.to_path_buf(), path.join(FILE), path.join("checkpoints").join("last").join(FILE)];
        let file =
            candidates.into_iter().find(|candidate| candidate.is_file()).ok_or_else(|| TrainError::Checkpoint {
                path: path.to_path_buf(),
                reason: "no checkpoint here; give a run directory, a folder of `checkpoints/` or a .safetensors file"
                    .into(),
            })?;
        let wrong = |reason: String| TrainError::Checkpoint { path: file.clone(), reason };
        let bytes = std::fs::read(&file).map_err(|error| wrong(error.to_string()))?;
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|error| wrong(error.to_string()))?;
        let state = header.metadata().as_ref().and_then(|metadata| metadata.get(HEADER)).ok_or_else(|| {
            wrong("a safetensors file, but no checkpoint of equipoise: its header has no `equipoise` entry".into())
        })?;
        let state: CheckpointState =
            serde_json::from_str(state).map_err(|error| wrong(format!("its header is damaged: {error}")))?;
        if state.format != FORMAT {
            return Err(wrong(format!("layout {} is newer than this program, which reads {FORMAT}", state.format)));
        }
        let mut parts: BTreeMap<String, Weights> = BTreeMap::new();
        for (name, weight) in weights::from_safetensors(&bytes, &file)? {
            let (part, name) = name.split_once('/').ok_or_else(|| wrong(format!("unknown tensor `{name}`")))?;
            parts.entry(part.to_string()).or_default().insert(name.to_string(), weight);
        }
        let mut take = |part: &str| parts.remove(part).unwrap_or_default();
        let checkpoint = Self { model: take("model"), velocity: take("velocity"), average: take("average"), state };
        checkpoint.check().map_err(wrong)?;
        Ok(checkpoint)
    }

    /// Whether the parts belong together; a file that passed through other hands may hold anything.
    fn check(&self) -> std::result::Result<(), String> {
        self.state.recipe.check()?;
        let (sums, classes) = (self.state.ledger.num_classes(), self.state.classes.ids.len());
        if sums != classes {
            return Err(format!("its ledger has {sums} classes, its class list {classes}"));
        }
        let loss = self.state.recipe.loss.build(&self.state.facts).map_err(|error| error.to_string())?;
        self.state.ledger.serves(&*loss).map_err(|error| error.to_string())?;
        for (part, tensors) in [("velocity", &self.velocity), ("average", &self.average)] {
            let fits = |(name, weight): &(&String, &Weight)| {
                self.model.get(*name).is_some_and(|model| model.values.len() == weight.values.len())
            };
            if let Some((name, _)) = tensors.iter().find(|entry| !fits(entry)) {
                return Err(format!("`{part}/{name}` does not fit `model/{name}`"));
            }
        }
        Ok(())
    }

    /// Refuses a data set with other classes.
    ///
    /// # Errors
    /// Names both class lists.
    pub fn check_classes(&self, path: &Path, classes: &ClassList) -> Result<()> {
        let reason = match self.state.classes.difference(classes) {
            None => return Ok(()),
            Some(difference) => format!(
                "it was trained on other classes than the data has (first: the checkpoint): {difference}; use the data set it belongs to, or train anew"
            ),
        };
        Err(TrainError::Checkpoint { path: path.to_path_buf(), reason })
    }

    /// Refuses to go on with other pictures than those that it was trained on.
    ///
    /// # Errors
    /// Names both numbers.
    pub fn check_data(&self, path: &Path, dataset: &Dataset) -> Result<()> {
        let (mine, other) = (self.state.data, DataMark::of(dataset));
        if mine == other {
            return Ok(());
        }
        let reason = format!(
            "it was trained on {} pictures with {} objects, but `{}` has {} with {}; resume with the data it belongs to, or start another run from its weights with weights=\"{}\"",
            mine.images,
            mine.objects,
            dataset.source.display(),
            other.images,
            other.objects,
            path.display()
        );
        Err(TrainError::Checkpoint { path: path.to_path_buf(), reason })
    }

    /// The detector for inference, with the averaged weights where there are any, and its loss.
    ///
    /// # Errors
    /// When recipe and weights do not fit.
    pub fn detector(&self, device: &Device) -> Result<(Detector, Box<dyn ClassLoss>)> {
        let loss = self.state.recipe.loss.build(&self.state.facts)?;
        let device = device.clone().inner();
        let recipe = &self.state.recipe;
        let fresh = Detector::new(&recipe.detector, self.state.classes.ids.len(), &*loss, recipe.seed, &device)?;
        Ok((weights::with_weights(fresh, self.clone().scored_weights(), |_| false)?, loss))
    }

    /// The weights that are scored: the average where there is one, else the model.
    pub fn scored_weights(self) -> Weights {
        if self.average.is_empty() { self.model } else { self.average }
    }
}

/// Flat device tensors as host weights.
pub(crate) fn to_host(tensors: &FlatTensors) -> Weights {
    let host =
        |tensor: &Tensor<1>| Weight { shape: tensor.dims().to_vec(), values: equipoise_detect::weights::host(tensor) };
    tensors.iter().map(|(name, tensor)| (name.clone(), host(tensor))).collect()
}

/// Host weights as flat device tensors.
pub(crate) fn to_device(weights: Weights, device: &Device) -> FlatTensors {
    let flat = |weight: Weight| {
        let count = weight.values.len();
        Tensor::from_data(TensorData::new(weight.values, [count]), device)
    };
    weights.into_iter().map(|(name, weight)| (name, flat(weight))).collect()
}
