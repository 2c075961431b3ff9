//! Tables that grow while a run goes on: CSV that survives a crash, a resume and a truncated last line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::write_file;
use crate::error::{EvalError, Result};

/// Reads a table. The writer ends every line, so a last line without its newline is what a crash leaves: it is dropped with a warning even where it
/// could be read, since a number cut short is still a number.
///
/// # Errors
/// A file or a whole line that cannot be read.
pub(super) fn read_rows<T: DeserializeOwned>(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<T>> {
    let bytes = std::fs::read(path).map_err(EvalError::io("read", path))?;
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        warnings.push(format!("the last line of `{}` is cut off and was left out", file_name(path)));
    }
    let mut reader = csv::ReaderBuilder::new().from_reader(&bytes[..whole]);
    let rows = reader.deserialize().enumerate().map(|(at, row)| {
        row.map_err(|error: csv::Error| EvalError::Row {
            path: path.into(),
            line: error.position().map_or(at as u64 + 2, csv::Position::line),
            reason: reason(&error),
        })
    });
    rows.collect()
}

/// The table as bytes, header first.
pub(super) fn table_bytes<T: Serialize>(path: &Path, rows: &[T]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (at, row) in rows.iter().enumerate() {
        writer.serialize(row).map_err(|error| EvalError::Row {
            path: path.into(),
            line: at as u64 + 2,
            reason: reason(&error),
        })?;
    }
    writer.into_inner().map_err(|error| EvalError::Io {
        action: "write",
        path: path.into(),
        source: error.into_error(),
    })
}

/// Adds rows to a table; every call reaches the file before it returns.
#[derive(Debug)]
pub(super) struct RowWriter {
    path: PathBuf,
    file: File,
}

impl RowWriter {
    /// Starts the table with `kept` rows, in place of what was there.
    pub(super) fn start<T: Serialize>(path: &Path, header: &str, kept: &[T]) -> Result<Self> {
        let bytes = if kept.is_empty() { format!("{header}\n").into_bytes() } else { table_bytes(path, kept)? };
        write_file(path, &bytes)?;
        let file = OpenOptions::new().append(true).open(path).map_err(EvalError::io("write", path))?;
        Ok(Self { path: path.into(), file })
    }

    /// Adds rows in one write, so that a crash cuts at most one line.
    pub(super) fn add<T: Serialize>(&mut self, rows: &[T]) -> Result<()> {
        let bytes = table_bytes(&self.path, rows)?;
        let body = bytes.iter().position(|&b| b == b'\n').map_or(&[][..], |at| &bytes[at + 1..]);
        self.file.write_all(body).and_then(|()| self.file.flush()).map_err(EvalError::io("write", &self.path))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The parser's reason without the position, which the error carries itself.
fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("expected {expected_len} fields, got {len}")
        }
        _ => error.to_string(),
    }
}
