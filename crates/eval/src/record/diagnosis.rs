//! `scores.json`, `tail.csv` and `diagnosis.json`: every number with how it was made, and where the tail is lost.

use std::path::Path;

use super::meta::{read_json, write_json};
use super::rows::{read_rows, table_bytes};
use super::{RunDir, write_file};
use crate::diagnosis::{Diagnosis, TailRow};
use crate::error::Result;
use crate::protocol::LabelledScore;

/// Reads `scores.json`.
///
/// # Errors
/// A file that cannot be read or is no list of scores.
pub fn read_scores(path: &Path) -> Result<Vec<LabelledScore>> {
    read_json(path, "a list of labelled scores")
}

/// Writes `scores.json`.
///
/// # Errors
/// A file that cannot be written.
pub fn write_scores(path: &Path, scores: &[LabelledScore]) -> Result<()> {
    write_json(path, &scores)
}

/// Reads `tail.csv`; a truncated last line becomes a warning.
///
/// # Errors
/// A file or a line that cannot be read.
pub fn read_tail(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<TailRow>> {
    read_rows(path, warnings)
}

/// Reads `diagnosis.json` and `tail.csv` of a run; `None` where it was not diagnosed.
///
/// # Errors
/// A file that is there and broken.
pub fn read_diagnosis(dir: &RunDir, warnings: &mut Vec<String>) -> Result<Option<Diagnosis>> {
    if !dir.diagnosis().is_file() {
        return Ok(None);
    }
    let mut diagnosis: Diagnosis = read_json(&dir.diagnosis(), "a diagnosis")?;
    if dir.tail().is_file() {
        diagnosis.classes = read_tail(&dir.tail(), warnings)?;
    }
    Ok(Some(diagnosis))
}

/// Writes `tail.csv` and `diagnosis.json` of a run.
///
/// # Errors
/// A file that cannot be written.
pub fn write_diagnosis(dir: &RunDir, diagnosis: &Diagnosis) -> Result<()> {
    write_file(&dir.tail(), &table_bytes(&dir.tail(), &diagnosis.classes)?)?;
    write_json(&dir.diagnosis(), diagnosis)
}
