//! Trains detectors: recipe, loop, schedule, checkpoint and prediction. Nothing here prints.

mod average;
mod checkpoint;
mod classifier;
mod decouple;
mod error;
pub mod initial_weights;
mod known_weights;
mod learner;
mod predict;
pub mod pretrain;
mod recipe;
mod row_statistics;
mod schedule;
mod sgd;
mod stream;
mod trainer;
mod window;

pub use checkpoint::{Checkpoint, CheckpointState, DataMark, is_checkpoint};
pub use classifier::{classifier, rescale_classifier};
pub use decouple::{Decouple, DecoupleMethod};
pub use error::{Result, TrainError};
pub use known_weights::{KNOWN_WEIGHTS, KnownWeights};
pub use learner::{Learned, Learner};
pub use predict::Predictor;
pub use recipe::{LedgerCommit, LossRecipe, OptimizerConfig, Recipe, SamplerRecipe, ScheduleConfig, ScheduleKind};
pub use row_statistics::RowStatistics;
pub use trainer::{StepReport, Trainer, ledger_rows, training_facts};
pub use window::Window;
