//! Data set formats: which one a file is in, and reading it into a [`Dataset`].
//!
//! A format is one file with an implementation of [`Format`] and one line in [`FORMATS`].

mod coco;
mod index;
mod json;
mod locate;
mod lvis;
mod lvis_file;
mod tally;

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

pub use lvis_file::{LvisAnnotation, LvisCategory, LvisFile, LvisImage, LvisInfo, write_lvis};
pub(crate) use tally::{UNSEEN_CATEGORIES, advice, is_counted_elsewhere};

use crate::{DataError, Dataset, Result};

/// A way in which data sets are stored.
pub trait Format: Sync {
    /// Name of the format, in lower case.
    fn name(&self) -> &'static str;

    /// Whether `file` is in this format, judged by its name, its beginning and its end.
    fn detects(&self, file: &Peek) -> bool;

    /// Reads the data set in `source`; its pictures are under `images`, or beside the file when that is not given.
    ///
    /// # Errors
    /// A [`DataError`] that names the file and the field when the data set cannot be used.
    fn read(&self, source: &Path, images: Option<&Path>) -> Result<Dataset>;
}

/// The formats, in the order in which they are tried.
pub const FORMATS: &[&dyn Format] = &[&lvis::Lvis, &coco::Coco];

/// Bytes looked at from each end of a file.
const PEEK_BYTES: u64 = 64 * 1024;

/// Enough of a file to tell its format.
#[derive(Clone, Debug)]
pub struct Peek {
    /// The file or folder.
    pub path: PathBuf,
    /// Its first bytes; empty for a folder.
    pub head: Vec<u8>,
    /// Its last bytes; empty for a folder. Categories often stand at the end of a JSON file of a gigabyte.
    pub tail: Vec<u8>,
}

impl Peek {
    /// Looks at both ends of the file at `path`.
    ///
    /// # Errors
    /// [`DataError::Io`] when there is no such file or it cannot be read.
    pub fn at(path: &Path) -> Result<Self> {
        let io = |source| DataError::Io { action: "read", path: path.to_path_buf(), source };
        let mut peek = Self { path: path.to_path_buf(), head: Vec::new(), tail: Vec::new() };
        if fs::metadata(path).map_err(io)?.is_dir() {
            return Ok(peek);
        }
        let mut file = File::open(path).map_err(io)?;
        file.by_ref().take(PEEK_BYTES).read_to_end(&mut peek.head).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(PEEK_BYTES))).map_err(io)?;
        file.take(PEEK_BYTES).read_to_end(&mut peek.tail).map_err(io)?;
        Ok(peek)
    }

    /// Whether `word` occurs in what was looked at.
    pub fn contains(&self, word: &str) -> bool {
        let found = |bytes: &[u8]| bytes.windows(word.len()).any(|w| w == word.as_bytes());
        found(&self.head) || found(&self.tail)
    }
}

impl Dataset {
    /// Reads a data set in any of the [`FORMATS`].
    ///
    /// `path` is a file or a folder that holds one. Without `images`, pictures are looked for in the folder of the file, in its
    /// subfolders, and in the folder above with its subfolders: the first of these where the first picture exists is used for all.
    ///
    /// # Errors
    /// A [`DataError`] that names the file and the field when the data set cannot be used. What can be survived is counted in
    /// [`Dataset::warnings`].
    pub fn read(path: &Path, images: Option<&Path>) -> Result<Self> {
        let peek = Peek::at(&coco::json_in(path)?.unwrap_or_else(|| path.to_path_buf()))?;
        match FORMATS.iter().find(|f| f.detects(&peek)) {
            Some(format) => format.read(&peek.path, images),
            None => Err(DataError::UnknownFormat {
                path: path.to_path_buf(),
                known: FORMATS.iter().map(|f| f.name()).collect::<Vec<_>>().join(", "),
            }),
        }
    }
}
