//! `run.json` and `timing.json`: who a run is, and how long it took. They are two files because the first is the same from the same seed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::write_file;
use crate::error::{EvalError, Result};

/// Who a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunMeta {
    /// Short name, as in a folder: "eqlv2".
    pub name: String,
    /// Title for tables and figures: "EQL v2".
    pub title: String,
    /// Registered name of the classification loss: "eqlv2".
    pub loss: String,
    /// Registered name of the sampler: "uniform".
    pub sampler: String,
    /// Seed of the run.
    pub seed: u64,
    /// Optimizer updates that the recipe asks for.
    pub steps: u64,
    /// Base learning rate.
    pub lr: f64,
    /// Pictures in a step.
    pub batch: u64,
    /// Parameters that were trained.
    pub parameters: u64,
    /// Name of the protocol that gave the metrics: "lvis".
    pub protocol: String,
    /// Version of the program that trained it; empty where that is not known.
    pub version: String,
    /// Where its data are.
    pub data: DataPaths,
}

/// Where the data of a run are, as paths from the run directory, so that a folder that holds both can be moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataPaths {
    /// Training annotations; empty when they are not known.
    pub train: PathBuf,
    /// Folder of the training pictures, where one was named.
    pub train_images: Option<PathBuf>,
    /// Validation annotations, where there are any.
    pub val: Option<PathBuf>,
    /// Folder of the validation pictures, where one was named.
    pub val_images: Option<PathBuf>,
}

impl RunMeta {
    /// Reads `run.json`.
    ///
    /// # Errors
    /// A file that cannot be read or is no run.
    pub fn read(path: &Path) -> Result<Self> {
        read_json(path, "the description of a run")
    }

    /// Writes `run.json`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_json(path, self)
    }
}

/// How long a run took and what it needed. Never the same twice, so nothing that must be compared bit for bit may hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timing {
    /// Wall time of training in seconds.
    pub train_seconds: f64,
    /// Wall time of prediction on the validation set in seconds.
    pub predict_seconds: f64,
    /// Wall time of scoring in seconds.
    pub score_seconds: f64,
    /// Pictures of all training steps.
    pub train_images: u64,
    /// Mean training speed in pictures per second.
    pub images_per_second: f64,
    /// Largest resident memory of the process in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

impl Timing {
    /// Reads `timing.json`.
    ///
    /// # Errors
    /// A file that cannot be read or holds no times.
    pub fn read(path: &Path) -> Result<Self> {
        read_json(path, "a timing file")
    }

    /// Writes `timing.json`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_json(path, self)
    }
}

pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path, expected: &'static str) -> Result<T> {
    let bytes = std::fs::read(path).map_err(EvalError::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| EvalError::Json {
        path: path.into(),
        expected,
        reason: error.to_string(),
    })
}

pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| EvalError::Json {
        path: path.into(),
        expected: "something JSON can hold",
        reason: error.to_string(),
    })?;
    bytes.push(b'\n');
    write_file(path, &bytes)
}
