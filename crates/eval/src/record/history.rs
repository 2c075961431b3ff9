//! `history.csv`: what training said about itself, one row for each logged step.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::rows::{RowWriter, read_rows};
use crate::error::Result;

/// One logged step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Optimizer updates made so far.
    pub step: u64,
    /// Passes over the training pictures made so far.
    pub epoch: f64,
    /// Learning rate of this step.
    pub lr: f64,
    /// The sum that was minimised.
    pub loss: f64,
    /// Classification term of the box head.
    pub classification: f64,
    /// Box regression term of the box head. The column is `box`.
    #[serde(rename = "box")]
    pub box_regression: f64,
    /// Objectness term of the region proposal network.
    pub rpn_objectness: f64,
    /// Box regression term of the region proposal network.
    pub rpn_box: f64,
    /// Mask term, 0 without a mask head. Files of earlier versions have no such column.
    #[serde(default)]
    pub mask: f64,
    /// Norm of the gradient over all parameters, before clipping.
    pub grad_norm: f64,
    /// Speed since the row before. The only column that differs between two equal runs.
    pub images_per_second: f64,
}

const HEADER: &str = "step,epoch,lr,loss,classification,box,rpn_objectness,rpn_box,mask,grad_norm,images_per_second";

/// Reads `history.csv`; a truncated last line becomes a warning.
///
/// # Errors
/// A file or a line that cannot be read.
pub fn read_history(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<HistoryRow>> {
    read_rows(path, warnings)
}

/// Appends to `history.csv`.
#[derive(Debug)]
pub struct HistoryWriter(RowWriter);

impl HistoryWriter {
    /// Starts the file anew.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        RowWriter::start::<HistoryRow>(path, HEADER, &[]).map(Self)
    }

    /// Goes on after `step`: rows of later steps, which the checkpoint does not know, are dropped.
    ///
    /// # Errors
    /// A file that cannot be read or written; a line that cannot be read.
    pub fn resume(path: &Path, step: u64) -> Result<Self> {
        let mut kept = if path.is_file() { read_history(path, &mut Vec::new())? } else { Vec::new() };
        kept.retain(|row| row.step <= step);
        RowWriter::start(path, HEADER, &kept).map(Self)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, row: &HistoryRow) -> Result<()> {
        self.0.add(std::slice::from_ref(row))
    }
}
