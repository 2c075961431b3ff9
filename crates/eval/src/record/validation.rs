//! `validation.csv`: scores on the validation set while training goes on, one row for each time it was looked at.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Metrics;
use super::rows::{RowWriter, read_rows};
use crate::error::Result;

/// Scores after some steps, fractions; empty where a metric is not defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ValidationRow {
    /// Optimizer updates made so far.
    pub step: u64,
    /// Passes over the training pictures made so far.
    pub epoch: f64,
    /// `AP` of the protocol.
    #[serde(rename = "AP")]
    pub ap: Option<f64>,
    /// `AP50` of the protocol.
    #[serde(rename = "AP50")]
    pub ap50: Option<f64>,
    /// `AP` over rare classes.
    #[serde(rename = "APr")]
    pub ap_rare: Option<f64>,
    /// `AP` over common classes.
    #[serde(rename = "APc")]
    pub ap_common: Option<f64>,
    /// `AP` over frequent classes.
    #[serde(rename = "APf")]
    pub ap_frequent: Option<f64>,
}

impl ValidationRow {
    /// The row of these scores.
    pub fn new(step: u64, epoch: f64, metrics: &Metrics) -> Self {
        let [ap, ap50, ap_rare, ap_common, ap_frequent] =
            ["AP", "AP50", "APr", "APc", "APf"].map(|key| metrics.get(key));
        Self { step, epoch, ap, ap50, ap_rare, ap_common, ap_frequent }
    }
}

const HEADER: &str = "step,epoch,AP,AP50,APr,APc,APf";

/// Reads `validation.csv`; a truncated last line becomes a warning.
///
/// # Errors
/// A file or a line that cannot be read.
pub fn read_validation(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<ValidationRow>> {
    read_rows(path, warnings)
}

/// Appends to `validation.csv`, and knows the best row so far.
#[derive(Debug)]
pub struct ValidationWriter {
    rows: RowWriter,
    best: Option<f64>,
    last_step: Option<u64>,
}

impl ValidationWriter {
    /// Goes on after `step`, 0 for a new run: rows of later steps, which the checkpoint does not know, are dropped.
    ///
    /// # Errors
    /// A file that cannot be read or written; a line that cannot be read.
    pub fn resume(path: &Path, step: u64) -> Result<Self> {
        let mut kept = if path.is_file() { read_validation(path, &mut Vec::new())? } else { Vec::new() };
        kept.retain(|row| row.step <= step && step > 0);
        let best = kept.iter().filter_map(|row| row.ap).reduce(f64::max);
        let last_step = kept.last().map(|row| row.step);
        Ok(Self { rows: RowWriter::start(path, HEADER, &kept)?, best, last_step })
    }

    /// Adds a row, unless the last one is of the same step; true when its AP is above that of all rows before.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, row: &ValidationRow) -> Result<bool> {
        if self.last_step == Some(row.step) {
            return Ok(false);
        }
        self.rows.add(std::slice::from_ref(row))?;
        self.last_step = Some(row.step);
        let better = row.ap.is_some_and(|ap| self.best.is_none_or(|best| ap > best));
        if better {
            self.best = row.ap;
        }
        Ok(better)
    }
}
