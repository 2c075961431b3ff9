//! A run for TensorBoard: `tensorboard --logdir RUNS` shows its scalars, the spread of its gradient ratios and its figures.
//!
//! | tag | from |
//! |---|---|
//! | `train/loss`, `train/cls_loss`, `train/box_loss`, `train/rpn_cls_loss`, `train/rpn_box_loss`, `train/mask_loss`, `train/grad_norm`, `train/lr`, `train/epoch`, `train/images_per_second` | `history.csv` |
//! | `metrics/AP`, `AP50`, `APr`, `APc`, `APf` | `validation.csv`, and the other scores of `metrics.json` at the last step |
//! | `gradient_ratio/rare`, `common`, `frequent`: medians over classes; the same as distributions | `ledger.csv` |
//! | `figures/NAME` | the report |

use equipoise_data::Group;

use super::events::EventFile;
use super::{HistoryRow, LedgerRow, RunDir, RunRecord, ValidationRow, ledger_steps, snapshot};
use crate::error::Result;
use crate::figure::ink::group_name;
use crate::figure::{Figure, median};

/// Writes what a run's tables gained since the last time.
#[derive(Debug)]
pub struct TensorBoard {
    file: EventFile,
    /// The last steps written, of history, validation and ledger; steps count from 1.
    written: [u64; 3],
}

impl TensorBoard {
    /// A new event file in the run's `tensorboard/`, for a training that goes on after `step`, 0 for a new one.
    ///
    /// # Errors
    /// A folder or file that cannot be made or written.
    pub fn create(dir: &RunDir, step: u64) -> Result<Self> {
        let mut file = EventFile::create(&dir.tensorboard())?;
        file.start_at(step + 1)?;
        Ok(Self { file, written: [step; 3] })
    }

    /// Adds the rows of steps that are not written yet.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn follow(&mut self, run: &RunRecord) -> Result<()> {
        let [history, validation, ledger] = self.written;
        for row in run.history.iter().filter(|row| row.step > history) {
            self.file.scalars(row.step, &losses(row))?;
            self.written[0] = row.step;
        }
        for row in run.validation.iter().filter(|row| row.step > validation) {
            self.file.scalars(row.step, &scores(row))?;
            self.written[1] = row.step;
        }
        for step in ledger_steps(&run.ledger).into_iter().filter(|step| *step > ledger) {
            self.ratios(step, &snapshot(&run.ledger, step))?;
            self.written[2] = step;
        }
        Ok(())
    }

    /// Adds the final scores at the last step of the run.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn metrics(&mut self, run: &RunRecord) -> Result<()> {
        let step = run.history.last().map_or(run.meta.steps, |row| row.step);
        let values = run.metrics.iter().flat_map(super::Metrics::iter);
        let tagged: Vec<(String, f64)> =
            values.filter_map(|(key, value)| Some((format!("metrics/{key}"), value?))).collect();
        // The five that a validation of this step has written already would stand twice.
        let validated = run.validation.iter().any(|row| row.step == step);
        let fresh = tagged.iter().filter(|(tag, _)| !validated || !SCORES.contains(&tag.as_str()));
        self.file.scalars(step, &fresh.map(|(tag, value)| (tag.as_str(), *value)).collect::<Vec<_>>())
    }

    /// Adds a figure of a step as a picture.
    ///
    /// # Errors
    /// A drawing that cannot be rasterised; a file that cannot be written.
    pub fn figure(&mut self, figure: &Figure, step: u64) -> Result<()> {
        self.file.image(&format!("figures/{}", figure.name), step, &figure.png()?)
    }

    fn ratios(&mut self, step: u64, rows: &[&LedgerRow]) -> Result<()> {
        for group in [Group::Rare, Group::Common, Group::Frequent] {
            let ratios: Vec<f64> = rows.iter().filter(|row| row.group == group).map(|row| row.ratio).collect();
            let tag = format!("gradient_ratio/{}", group_name(group));
            if let Some(median) = median(ratios.iter().copied()) {
                self.file.scalar(&tag, step, median)?;
            }
            self.file.histogram(&tag, step, &ratios)?;
        }
        Ok(())
    }
}

fn losses(row: &HistoryRow) -> [(&'static str, f64); 10] {
    [
        ("train/loss", row.loss),
        ("train/cls_loss", row.classification),
        ("train/box_loss", row.box_regression),
        ("train/rpn_cls_loss", row.rpn_objectness),
        ("train/rpn_box_loss", row.rpn_box),
        ("train/mask_loss", row.mask),
        ("train/grad_norm", row.grad_norm),
        ("train/lr", row.lr),
        ("train/epoch", row.epoch),
        ("train/images_per_second", row.images_per_second),
    ]
}

const SCORES: [&str; 5] = ["metrics/AP", "metrics/AP50", "metrics/APr", "metrics/APc", "metrics/APf"];

fn scores(row: &ValidationRow) -> Vec<(&'static str, f64)> {
    let values = [row.ap, row.ap50, row.ap_rare, row.ap_common, row.ap_frequent];
    SCORES.into_iter().zip(values).filter_map(|(tag, value)| Some((tag, value?))).collect()
}
