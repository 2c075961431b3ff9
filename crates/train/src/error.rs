//! What can go wrong in a training or a prediction.

use std::path::PathBuf;

/// The result of a part of a training.
pub type Result<T> = std::result::Result<T, TrainError>;

/// An error that names the key, file or term, and the way out.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A recipe is not TOML, or has a key or value that is not known.
    #[error("recipe {origin}: {reason}")]
    Recipe {
        /// File, or "--set", or "built in".
        origin: String,
        /// What is wrong, with the nearest known key.
        reason: String,
    },
    /// A term of the loss is not finite.
    #[error(
        "step {step}: `{term}` is {value}. Checkpoints on disk are intact; train anew in another directory with a lower `optimizer.lr`, a longer `schedule.warmup_steps` or `optimizer.clip_norm`"
    )]
    NotFinite {
        /// The step, counted from 1.
        step: u64,
        /// Name of the term.
        term: String,
        /// Its value.
        value: f64,
    },
    /// A checkpoint could not be read.
    #[error("checkpoint `{}`: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Initial weights do not fit the detector.
    #[error(
        "weights `{name}` do not fit the detector: {reason}. They belong to another `detector.backbone` or another model; name others, or `weights=\"\"` with `detector.frozen_stages=0` for none"
    )]
    InitialWeights {
        /// What the recipe names.
        name: String,
        /// What does not fit.
        reason: String,
    },
    /// A run directory already holds a run.
    #[error("`{}` already holds a run; use --resume to go on with it, or another --out", path.display())]
    RunExists {
        /// The run directory.
        path: PathBuf,
    },
    /// The data set is too small for a single step.
    #[error("`{}` has {images} images with which no step of batches of {batch} can be made; lower `batch` or `accumulate`, or raise `epochs`", path.display())]
    TooFewImages {
        /// The data set.
        path: PathBuf,
        /// Its images.
        images: usize,
        /// Images of a step.
        batch: usize,
    },
    /// From the data.
    #[error(transparent)]
    Data(#[from] equipoise_data::DataError),
    /// From the detector.
    #[error(transparent)]
    Detect(#[from] equipoise_detect::DetectError),
    /// From the loss.
    #[error(transparent)]
    Loss(#[from] equipoise_loss::LossError),
    /// From the record or the scores.
    #[error(transparent)]
    Eval(#[from] equipoise_eval::EvalError),
}
