//! `results.csv`: the table that people plot, one row for each epoch and each validation, out of `history.csv`, `validation.csv` and `metrics.json`.
//!
//! The names are those that trainers share: `train/…_loss`, `metrics/…`, `lr`. Losses are means since the row before, scores are fractions and empty where there
//! was no validation.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::rows::{read_rows, table_bytes};
use super::{HistoryRow, RunDir, RunRecord, ValidationRow, write_file};
use crate::error::Result;

/// The state of a run at the end of an epoch or at a validation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultRow {
    /// Optimizer updates made so far.
    pub step: u64,
    /// Passes over the training pictures made so far.
    pub epoch: f64,
    /// The sum that was minimised.
    #[serde(rename = "train/loss")]
    pub loss: Option<f64>,
    /// Classification term of the box head.
    #[serde(rename = "train/cls_loss")]
    pub classification: Option<f64>,
    /// Box regression term of the box head.
    #[serde(rename = "train/box_loss")]
    pub box_regression: Option<f64>,
    /// Objectness term of the region proposal network.
    #[serde(rename = "train/rpn_cls_loss")]
    pub rpn_objectness: Option<f64>,
    /// Box regression term of the region proposal network.
    #[serde(rename = "train/rpn_box_loss")]
    pub rpn_box: Option<f64>,
    /// Mask term.
    #[serde(rename = "train/mask_loss", default)]
    pub mask: Option<f64>,
    /// `AP` of the protocol.
    #[serde(rename = "metrics/AP")]
    pub ap: Option<f64>,
    /// `AP50` of the protocol.
    #[serde(rename = "metrics/AP50")]
    pub ap50: Option<f64>,
    /// `AP` over rare classes.
    #[serde(rename = "metrics/APr")]
    pub ap_rare: Option<f64>,
    /// `AP` over common classes.
    #[serde(rename = "metrics/APc")]
    pub ap_common: Option<f64>,
    /// `AP` over frequent classes.
    #[serde(rename = "metrics/APf")]
    pub ap_frequent: Option<f64>,
    /// Learning rate of the last logged step.
    pub lr: Option<f64>,
}

/// The rows of a run: where an epoch ended, where it was validated, and where it is now.
pub fn result_rows(run: &RunRecord) -> Vec<ResultRow> {
    let ends = run.history.windows(2).filter(|pair| pair[1].epoch.floor() > pair[0].epoch.floor());
    let mut marks: Vec<(u64, f64)> = ends.map(|pair| (pair[1].step, pair[1].epoch)).collect();
    marks.extend(run.validation.iter().map(|row| (row.step, row.epoch)));
    marks.extend(run.history.last().map(|row| (row.step, row.epoch)));
    marks.sort_by_key(|(step, _)| *step);
    marks.dedup_by_key(|(step, _)| *step);
    let last = marks.last().map(|(step, _)| *step);
    let mut from = 0;
    let mut rows = Vec::with_capacity(marks.len());
    for (step, epoch) in marks {
        let since: Vec<&HistoryRow> = run.history.iter().filter(|row| row.step > from && row.step <= step).collect();
        let seen = run.validation.iter().find(|row| row.step == step).copied();
        let finished = run.metrics.as_ref().filter(|_| last == Some(step));
        let scores = seen.or_else(|| finished.map(|metrics| ValidationRow::new(step, epoch, metrics)));
        rows.push(row(step, epoch, &since, scores.unwrap_or_default()));
        from = step;
    }
    rows
}

fn row(step: u64, epoch: f64, since: &[&HistoryRow], scores: ValidationRow) -> ResultRow {
    let mean = |of: fn(&HistoryRow) -> f64| {
        (!since.is_empty()).then(|| since.iter().map(|row| of(row)).sum::<f64>() / since.len() as f64)
    };
    ResultRow {
        step,
        epoch,
        loss: mean(|row| row.loss),
        classification: mean(|row| row.classification),
        box_regression: mean(|row| row.box_regression),
        rpn_objectness: mean(|row| row.rpn_objectness),
        rpn_box: mean(|row| row.rpn_box),
        mask: mean(|row| row.mask),
        ap: scores.ap,
        ap50: scores.ap50,
        ap_rare: scores.ap_rare,
        ap_common: scores.ap_common,
        ap_frequent: scores.ap_frequent,
        lr: since.last().map(|row| row.lr),
    }
}

/// Writes `results.csv` of a run, whole or not at all.
///
/// # Errors
/// A file that cannot be written.
pub fn write_results(dir: &RunDir, run: &RunRecord) -> Result<()> {
    let path = dir.results();
    write_file(&path, &table_bytes(&path, &result_rows(run))?)
}

/// Reads `results.csv`; a truncated last line becomes a warning.
///
/// # Errors
/// A file or a line that cannot be read.
pub fn read_results(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<ResultRow>> {
    read_rows(path, warnings)
}
