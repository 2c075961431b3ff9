//! Small text files, read whole but never without a limit: a file can claim any length.

use std::{fs::File, io::Read, path::Path};

use crate::{DataError, Result};

/// Most characters of a file that an error repeats.
const QUOTED: usize = 40;

/// The text of the file at `path`, without a byte order mark, when it has at most `most` bytes.
///
/// # Errors
/// [`DataError::Io`] when it cannot be read, [`DataError::BadLine`] when it is longer or not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let io = |source| DataError::Io { action: "read", path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(io)?;
    let line_at = |end: usize| 1 + bytes[..end].iter().filter(|&&b| b == b'\n').count();
    if bytes.len() as u64 > most {
        let (got, expected) = (format!("longer than {most} bytes"), "a smaller one; it is not what its name says");
        return Err(bad_line(path, line_at(bytes.len()), "the file", &got, expected));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()),
        Err(error) => {
            let line = line_at(error.valid_up_to());
            Err(bad_line(path, line, "the text", "not UTF-8", "UTF-8: save the file in this encoding"))
        }
    }
}

/// A [`DataError::BadLine`].
pub fn bad_line(path: &Path, line: usize, field: &str, got: &str, expected: &str) -> DataError {
    DataError::BadLine {
        path: path.to_path_buf(),
        line,
        field: field.into(),
        got: got.into(),
        expected: expected.into(),
    }
}

/// `text` in quotes, its beginning only when it is long, nothing in it that a terminal would obey.
pub fn quote(text: &str) -> String {
    let start: String = text.chars().take(QUOTED).collect();
    let rest = if start.len() < text.len() { "…" } else { "" };
    format!("`{}{rest}`", start.escape_debug())
}
