//! Label files: a line for each object, `class cx cy width height` or `class x1 y1 x2 y2 x3 y3 …`, in parts of the picture's size.
//!
//! Trap: tools that forget to divide write pixels. A value beyond the picture is therefore an error, not a box to be clipped.

use std::{io::ErrorKind, path::Path};

use crate::{
    DataError, Result,
    format::text::{bad_line, quote, read_text},
};

/// Largest label file read, in bytes: some hundred thousand boxes.
const MOST_BYTES: u64 = 16 << 20;

/// How far a value may lie beyond 0 and 1: Ultralytics allows the same.
const TOLERANCE: f64 = 0.01;

/// Fields of a line with a box.
const BOX_FIELDS: usize = 5;

/// Fewest fields of a line with an outline: a class and three points.
const OUTLINE_FIELDS: usize = 7;

/// A line of a label file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Line, from 1.
    pub line: usize,
    /// Its class.
    pub class: usize,
    /// `[x1, y1, x2, y2]`, in parts of the picture's width and height.
    pub corners: [f64; 4],
}

/// The lines of a label file, each read or refused.
pub type Rows = Vec<Result<Row>>;

/// The rows of the label file at `path`, each read or refused; `None` when there is no such file.
///
/// With `key_points`, what follows a box is not read.
pub fn read_labels(path: &Path, num_classes: usize, key_points: bool) -> Result<Option<Rows>> {
    read_rows(path, num_classes, key_points, |(row, _)| row)
}

/// A row and the corners of its outline, `[x0, y0, x1, y1, …]` in parts of the picture's sides; none for a box.
pub type RowWithOutline = (Row, Option<Vec<f64>>);

/// Like [`read_labels`], with the outlines.
pub fn read_outlines(path: &Path, num_classes: usize, key_points: bool) -> Result<Option<Vec<Result<RowWithOutline>>>> {
    let outline = |values: Vec<f64>| (values.len() >= BOX_FIELDS).then_some(values);
    read_rows(path, num_classes, key_points, |(row, values)| (row, outline(values)))
}

fn read_rows<T>(
    path: &Path,
    num_classes: usize,
    key_points: bool,
    take: impl Fn((Row, Vec<f64>)) -> T,
) -> Result<Option<Vec<Result<T>>>> {
    let text = match read_text(path, MOST_BYTES) {
        Err(DataError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    Ok(Some(lines.map(|(i, line)| row(path, i + 1, line, num_classes, key_points).map(&take)).collect()))
}

/// A line, and its numbers after the class.
fn row(path: &Path, line: usize, text: &str, num_classes: usize, key_points: bool) -> Result<(Row, Vec<f64>)> {
    let mut fields: Vec<&str> = text.split_ascii_whitespace().collect();
    if key_points && fields.len() > BOX_FIELDS {
        fields.truncate(BOX_FIELDS);
    }
    if fields.len() != BOX_FIELDS && (fields.len() < OUTLINE_FIELDS || fields.len().is_multiple_of(2)) {
        let expected = "5 (`class cx cy width height`), or a class and two for each of at least 3 points";
        return Err(bad_line(path, line, "the number of fields", &fields.len().to_string(), expected));
    }
    let class = class(fields[0], num_classes).ok_or_else(|| {
        let expected = match num_classes {
            0 => "no line, since `data.yaml` names no class".into(),
            1 => "0, the only class of `data.yaml`".into(),
            n => format!("a whole number from 0 to {}, as `data.yaml` has {n} classes", n - 1),
        };
        bad_line(path, line, "field 1, the class,", &quote(fields[0]), &expected)
    })?;
    let mut values = Vec::with_capacity(fields.len() - 1);
    for (i, field) in fields.iter().enumerate().skip(1) {
        let value = field.parse().ok().filter(|v: &f64| (-TOLERANCE..=1.0 + TOLERANCE).contains(v));
        let expected = "a number from 0 to 1: x divided by the picture's width, y by its height";
        values.push(value.ok_or_else(|| bad_line(path, line, &format!("field {}", i + 1), &quote(field), expected))?);
    }
    let corners = match values[..] {
        [cx, cy, width, height] => corners_of([cx, cy, width, height]),
        _ => extent(&values),
    };
    Ok((Row { line, class, corners }, values))
}

/// A whole number, which some tools write as `3.0`.
fn class(field: &str, num_classes: usize) -> Option<usize> {
    let value: f64 = field.parse().ok()?;
    (value.fract() == 0.0 && value >= 0.0 && value < num_classes as f64).then_some(value as usize)
}

/// `[cx, cy, width, height]` to `[x1, y1, x2, y2]`.
pub fn corners_of([cx, cy, width, height]: [f64; 4]) -> [f64; 4] {
    [cx - width / 2.0, cy - height / 2.0, cx + width / 2.0, cy + height / 2.0]
}

/// Smallest box around the points `[x0, y0, x1, y1, …]`.
pub fn extent(points: &[f64]) -> [f64; 4] {
    let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    points
        .as_chunks::<2>()
        .0
        .iter()
        .fold(start, |[x1, y1, x2, y2], &[x, y]| [x1.min(x), y1.min(y), x2.max(x), y2.max(y)])
}

/// Corners in parts of the picture to corners in pixels.
pub fn to_pixels(corners: [f64; 4], [width, height]: [u32; 2]) -> [f64; 4] {
    let scale = [width, height, width, height].map(f64::from);
    std::array::from_fn(|i| corners[i] * scale[i])
}
