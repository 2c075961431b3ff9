//! `ledger.csv`: what the gradients taught every class, one row for each snapshot and class.
//!
//! `ratio = positive / negative` is the `g` of EQL v2 (arXiv 2012.08548), `q` and `r` are the weights it gives to positives and negatives; for a
//! loss that does not weigh them both are 1, and the ledger only watches.

use std::path::Path;

use equipoise_data::{CategoryId, ClassIndex, Group};
use serde::{Deserialize, Serialize};

use super::rows::{RowWriter, read_rows};
use crate::error::Result;

/// A class in a snapshot of the gradient ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Optimizer updates made before the snapshot.
    pub step: u64,
    /// Dense index of the class.
    pub class_index: ClassIndex,
    /// Id in the annotation file.
    pub id: CategoryId,
    /// Name in the annotation file.
    pub name: String,
    /// Group by training images.
    pub group: Group,
    /// Training images.
    pub images: u64,
    /// Training instances.
    pub instances: u64,
    /// Sum of absolute gradients of the logit on rows of the class.
    pub positive: f64,
    /// Sum of absolute gradients of the logit on all other rows.
    pub negative: f64,
    /// `positive / negative`.
    pub ratio: f64,
    /// Weight of the positive gradient that follows from the ratio.
    pub q: f64,
    /// Weight of the negative gradient that follows from the ratio.
    pub r: f64,
}

const HEADER: &str = "step,class_index,id,name,group,images,instances,positive,negative,ratio,q,r";

/// Reads `ledger.csv`; a truncated last line becomes a warning.
///
/// # Errors
/// A file or a line that cannot be read.
pub fn read_ledger(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<LedgerRow>> {
    read_rows(path, warnings)
}

/// The steps at which snapshots were taken, ascending.
pub fn ledger_steps(rows: &[LedgerRow]) -> Vec<u64> {
    let mut steps: Vec<u64> = rows.iter().map(|row| row.step).collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// The snapshot of one step, by class.
pub fn snapshot(rows: &[LedgerRow], step: u64) -> Vec<&LedgerRow> {
    let mut rows: Vec<&LedgerRow> = rows.iter().filter(|row| row.step == step).collect();
    rows.sort_by_key(|row| row.class_index);
    rows
}

/// The last snapshot, by class.
pub fn final_ledger(rows: &[LedgerRow]) -> Vec<&LedgerRow> {
    ledger_steps(rows).last().map_or_else(Vec::new, |&step| snapshot(rows, step))
}

/// Appends to `ledger.csv`.
#[derive(Debug)]
pub struct LedgerWriter(RowWriter);

impl LedgerWriter {
    /// Starts the file anew.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        RowWriter::start::<LedgerRow>(path, HEADER, &[]).map(Self)
    }

    /// Goes on after `step`: snapshots of later steps, which the checkpoint does not know, are dropped.
    ///
    /// # Errors
    /// A file that cannot be read or written; a line that cannot be read.
    pub fn resume(path: &Path, step: u64) -> Result<Self> {
        let mut kept = if path.is_file() { read_ledger(path, &mut Vec::new())? } else { Vec::new() };
        kept.retain(|row| row.step <= step);
        RowWriter::start(path, HEADER, &kept).map(Self)
    }

    /// Adds a snapshot: one row for each class.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, rows: &[LedgerRow]) -> Result<()> {
        self.0.add(rows)
    }
}
