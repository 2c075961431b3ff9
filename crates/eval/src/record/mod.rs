//! The record of a run: the schema of every file that a run directory holds, so that a run explains itself without the program.
//!
//! | file | holds | same bits from the same seed |
//! |---|---|---|
//! | `recipe.toml` | the whole recipe, defaults filled in | yes |
//! | `run.json` | [`RunMeta`] | yes |
//! | `history.csv` | one [`HistoryRow`] for each logged step | all but `images_per_second` |
//! | `ledger.csv` | one [`LedgerRow`] for each snapshot and class | yes |
//! | `detections.json` | COCO results of the validation set | yes |
//! | `metrics.json`, `classes.csv` | [`Metrics`], one [`ClassRow`] for each class | yes |
//! | `scores.json` | the same numbers as `metrics.json`, one [`LabelledScore`](crate::protocol::LabelledScore) each: protocol, shape, cap, groups | yes |
//! | `tail.csv`, `diagnosis.json` | [`Diagnosis`](crate::diagnosis::Diagnosis): where the tail is lost, one row for each class and the rest | yes |
//! | `timing.json` | wall times and memory | no |
//! | `report.html`, `figures/` | the report | yes |
//! | `validation.csv` | one [`ValidationRow`] for each validation during the run, where the recipe asks for them | yes |
//! | `results.csv` | one [`ResultRow`] for each epoch and validation, made of the tables above | yes |
//! | `tensorboard/` | what TensorBoard reads, see [`TensorBoard`] | no |
//! | `checkpoints/last`, `checkpoints/best` | the training state | yes |

mod classes;
mod diagnosis;
mod events;
mod history;
mod ledger;
mod meta;
mod metrics;
mod results;
mod rows;
mod tensorboard;
mod validation;

use std::path::{Path, PathBuf};

pub use classes::{ClassRow, class_rows, read_classes, write_classes, write_evaluation};
pub use diagnosis::{read_diagnosis, read_scores, read_tail, write_diagnosis, write_scores};
pub use events::{EventFile, MOST_IMAGE_BYTES};
pub use history::{HistoryRow, HistoryWriter, read_history};
pub use ledger::{LedgerRow, LedgerWriter, final_ledger, ledger_steps, read_ledger, snapshot};
pub use meta::{DataPaths, RunMeta, Timing};
pub use metrics::Metrics;
pub use results::{ResultRow, read_results, result_rows, write_results};
pub use tensorboard::TensorBoard;
pub use validation::{ValidationRow, ValidationWriter, read_validation};

use crate::detection::{Detection, parse_detections};
use crate::diagnosis::Diagnosis;
use crate::error::{EvalError, Result};

/// The paths of a run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// Names the files under `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes the folder with its `figures` and `checkpoints`.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self> {
        let dir = Self::new(root);
        for folder in [dir.root.clone(), dir.figures(), dir.root.join("checkpoints")] {
            std::fs::create_dir_all(&folder).map_err(EvalError::io("create", &folder))?;
        }
        Ok(dir)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `recipe.toml`
    pub fn recipe(&self) -> PathBuf {
        self.root.join("recipe.toml")
    }

    /// `run.json`
    pub fn meta(&self) -> PathBuf {
        self.root.join("run.json")
    }

    /// `timing.json`
    pub fn timing(&self) -> PathBuf {
        self.root.join("timing.json")
    }

    /// `history.csv`
    pub fn history(&self) -> PathBuf {
        self.root.join("history.csv")
    }

    /// `ledger.csv`
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.csv")
    }

    /// `detections.json`
    pub fn detections(&self) -> PathBuf {
        self.root.join("detections.json")
    }

    /// `metrics.json`
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.json")
    }

    /// `classes.csv`
    pub fn classes(&self) -> PathBuf {
        self.root.join("classes.csv")
    }

    /// `scores.json`
    pub fn scores(&self) -> PathBuf {
        self.root.join("scores.json")
    }

    /// `tail.csv`
    pub fn tail(&self) -> PathBuf {
        self.root.join("tail.csv")
    }

    /// `diagnosis.json`
    pub fn diagnosis(&self) -> PathBuf {
        self.root.join("diagnosis.json")
    }

    /// `report.html`
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// `figures/`
    pub fn figures(&self) -> PathBuf {
        self.root.join("figures")
    }

    /// `validation.csv`
    pub fn validation(&self) -> PathBuf {
        self.root.join("validation.csv")
    }

    /// `results.csv`
    pub fn results(&self) -> PathBuf {
        self.root.join("results.csv")
    }

    /// `tensorboard/`
    pub fn tensorboard(&self) -> PathBuf {
        self.root.join("tensorboard")
    }

    /// `checkpoints/best`
    pub fn best_checkpoint(&self) -> PathBuf {
        self.root.join("checkpoints").join("best")
    }

    /// `checkpoints/last`
    pub fn last_checkpoint(&self) -> PathBuf {
        self.root.join("checkpoints").join("last")
    }
}

/// Everything that a report needs to know about a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunRecord {
    /// The run directory.
    pub dir: PathBuf,
    /// Name, loss, seed and size of the run.
    pub meta: RunMeta,
    /// The recipe as TOML, where it was kept.
    pub recipe: String,
    /// Logged steps, in order.
    pub history: Vec<HistoryRow>,
    /// Snapshots of the gradient ledger: by step, then by class.
    pub ledger: Vec<LedgerRow>,
    /// Scores during the run, in order.
    pub validation: Vec<ValidationRow>,
    /// The scores, where the run was scored.
    pub metrics: Option<Metrics>,
    /// The scores of every class, where the run was scored.
    pub classes: Vec<ClassRow>,
    /// Where the tail is lost, where the run was diagnosed.
    pub diagnosis: Option<Diagnosis>,
    /// Detections on the validation set, where they were kept. Their ids are not checked here.
    pub detections: Vec<Detection>,
    /// Wall times, where they were kept.
    pub timing: Option<Timing>,
    /// What was odd in the files: "the last line of `history.csv` is cut off".
    pub warnings: Vec<String>,
}

impl RunRecord {
    /// Reads a run directory. Only `run.json` must be there: a run that was stopped early is shown as far as it came.
    ///
    /// # Errors
    /// A folder without `run.json`, or a file that is there and broken beyond a truncated last line.
    pub fn read(root: &Path) -> Result<Self> {
        let dir = RunDir::new(root);
        let mut run = Self::read_progress(root)?;
        run.classes = if_there(&dir.classes(), |path| read_classes(path, &mut run.warnings))?.unwrap_or_default();
        run.diagnosis = read_diagnosis(&dir, &mut run.warnings)?;
        run.detections = if_there(&dir.detections(), parse_detections)?.unwrap_or_default();
        Ok(run)
    }

    /// Reads a run directory without its classes and detections: what says how far a run is and how it goes, cheap enough to be read again and again.
    ///
    /// # Errors
    /// As [`RunRecord::read`].
    pub fn read_progress(root: &Path) -> Result<Self> {
        let dir = RunDir::new(root);
        if !dir.meta().is_file() {
            let reason = "it has no `run.json`; `equipoise train --out DIR` makes one".to_string();
            return Err(EvalError::NotARun { path: root.into(), reason });
        }
        let mut warnings = Vec::new();
        Ok(Self {
            dir: root.into(),
            meta: RunMeta::read(&dir.meta())?,
            recipe: if_there(&dir.recipe(), |path| std::fs::read_to_string(path).map_err(EvalError::io("read", path)))?
                .unwrap_or_default(),
            history: if_there(&dir.history(), |path| read_history(path, &mut warnings))?.unwrap_or_default(),
            ledger: if_there(&dir.ledger(), |path| read_ledger(path, &mut warnings))?.unwrap_or_default(),
            validation: if_there(&dir.validation(), |path| read_validation(path, &mut warnings))?.unwrap_or_default(),
            metrics: if_there(&dir.metrics(), Metrics::read)?,
            timing: if_there(&dir.timing(), Timing::read)?,
            warnings,
            ..Self::default()
        })
    }

    /// The metric called `key`, if the run was scored and the metric is defined.
    pub fn metric(&self, key: &str) -> Option<f64> {
        self.metrics.as_ref()?.get(key)
    }
}

fn if_there<T>(path: &Path, read: impl FnOnce(&Path) -> Result<T>) -> Result<Option<T>> {
    if path.is_file() { read(path).map(Some) } else { Ok(None) }
}

/// Writes a file whole or not at all, making its folder.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(EvalError::io("create", parent))?;
    }
    Ok(equipoise_data::write_atomically(path, bytes)?)
}
