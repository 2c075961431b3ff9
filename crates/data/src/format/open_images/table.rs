//! A CSV table with columns found by name, read row by row.

use std::{
    fs::File,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use csv::{Reader, ReaderBuilder, StringRecord};

use crate::{
    DataError, Result,
    format::text::{bad_line, quote},
};

/// Which of the tables one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Boxes.
    Boxes,
    /// Image-level labels.
    Labels,
    /// Names of the classes.
    Classes,
}

/// The kind of the table that begins with `head`.
pub fn kind_of(head: &[u8]) -> Option<Kind> {
    let line = std::str::from_utf8(head.split(|&b| b == b'\n').next()?).ok()?;
    let columns: Vec<_> = line.trim_start_matches('\u{feff}').trim_end().split(',').collect();
    let has = |name| columns.contains(&name);
    if has("ImageID") && has("LabelName") {
        return if has("XMin") { Some(Kind::Boxes) } else { has("Confidence").then_some(Kind::Labels) };
    }
    let is_label = |text: &str| text.starts_with("/m/") || text.starts_with("/g/");
    let classes =
        columns.len() >= 2 && (columns[0] == "LabelName" && columns[1] == "DisplayName" || is_label(columns[0]));
    classes.then_some(Kind::Classes)
}

/// An open table.
pub struct Table {
    path: PathBuf,
    columns: Vec<String>,
    reader: Reader<File>,
}

/// A row of a table.
pub struct Row {
    /// Path and columns of the table.
    table: Arc<(PathBuf, Vec<String>)>,
    /// Line, from 1.
    pub line: u64,
    fields: StringRecord,
}

impl Table {
    /// Opens a table whose first line names the columns.
    pub fn open(path: &Path) -> Result<Self> {
        let mut table = Self::without_header(path)?;
        let mut header = StringRecord::new();
        table.reader.read_record(&mut header).map_err(|e| csv_error(path, e))?;
        table.columns = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
        Ok(table)
    }

    /// Opens class descriptions, with or without a header.
    pub fn open_classes(path: &Path) -> Result<Self> {
        let mut table = Self::open(path)?;
        if table.columns.first().is_none_or(|name| name != "LabelName") {
            table = Self::without_header(path)?;
        }
        table.columns = ["LabelName", "DisplayName"].map(String::from).into();
        Ok(table)
    }

    fn without_header(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| DataError::Io { action: "read", path: path.into(), source })?;
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
        Ok(Self { path: path.into(), columns: Vec::new(), reader })
    }

    /// Place of a column.
    pub fn column(&self, name: &str) -> Result<usize> {
        let place = self.columns.iter().position(|column| column == name);
        place
            .ok_or_else(|| bad_line(&self.path, 1, "the header", &format!("without `{name}`"), "a column of this name"))
    }

    /// The rows after the header.
    pub fn rows(self) -> impl Iterator<Item = Result<Row>> {
        let Self { path, columns, reader } = self;
        let table = Arc::new((path, columns));
        reader.into_records().map(move |record| {
            let fields = record.map_err(|e| csv_error(&table.0, e))?;
            let line = fields.position().map_or(0, csv::Position::line);
            Ok(Row { table: table.clone(), line, fields })
        })
    }
}

impl Row {
    /// The text in a column.
    pub fn text(&self, column: usize) -> Result<&str> {
        match self.fields.get(column) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.bad(column, "a value")),
        }
    }

    /// The number in a column, when it lies in `range`.
    pub fn number(&self, column: usize, range: RangeInclusive<f64>) -> Result<f64> {
        let value = self.text(column)?.trim().parse().ok().filter(|value| range.contains(value));
        value.ok_or_else(|| self.bad(column, &format!("a number from {} to {}", range.start(), range.end())))
    }

    /// The error that a column holds something else than expected.
    pub fn bad(&self, column: usize, expected: &str) -> DataError {
        let (path, columns) = &*self.table;
        let field = format!("`{}`", columns.get(column).map_or("?", String::as_str));
        let got = self.fields.get(column).map_or("missing".into(), quote);
        bad_line(path, self.line as usize, &field, &got, expected)
    }
}

fn csv_error(path: &Path, error: csv::Error) -> DataError {
    let line = error.position().map_or(1, |position| position.line() as usize);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => DataError::Io { action: "read", path: path.into(), source },
        csv::ErrorKind::Utf8 { .. } => {
            bad_line(path, line, "the text", "not UTF-8", "UTF-8: save the file in this encoding")
        }
        other => bad_line(path, line, "the row", &format!("damaged ({other:?})"), "comma-separated values"),
    }
}
