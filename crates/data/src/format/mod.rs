//! Data set formats: which one a file is in, reading it into a [`Dataset`], and writing it.
//!
//! A format is one file with an implementation of [`Format`] and one line in [`FORMATS`].

mod assemble;
mod boxes;
mod coco;
mod folder;
mod index;
mod input;
mod json;
mod json_split;
mod json_write;
mod locate;
mod lvis;
mod lvis_file;
mod open_images;
mod roboflow;
mod tally;
mod text;
mod write;
mod yaml;
mod yolo;

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

pub use lvis_file::{LvisAnnotation, LvisCategory, LvisFile, LvisImage, LvisInfo, Segmentation, write_lvis};
pub use open_images::Hierarchy;
pub use write::{Lost, WriteConfig, write, write_splits, write_with};

pub(crate) use boxes::box_area;
pub(crate) use input::open;
pub(crate) use json::json_error;
pub(crate) use tally::{
    REPEATED_OBJECTS, UNSEEN_CATEGORIES, advice, is_counted_elsewhere, is_refused, repaired_by_reading,
};
pub(crate) use write::Losses;
pub(crate) use yolo::yolo_outlines;

use crate::{DataError, Dataset, Result};

/// How a data set is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadConfig<'a> {
    /// Folder of the pictures; it is looked for otherwise.
    pub images: Option<&'a Path>,
    /// Drops what would be refused (ids that lead nowhere, lines that cannot be read) and counts it among the warnings. For looking at a
    /// file, not for training on it. A file that is damaged as a whole is refused all the same.
    pub lenient: bool,
}

/// A way in which data sets are stored.
pub trait Format: Sync {
    /// Name of the format, in lower case.
    fn name(&self) -> &'static str;

    /// Whether `file` is in this format, judged by its name, its beginning and its end.
    fn detects(&self, file: &Peek) -> bool;

    /// Reads the data set in `source`.
    ///
    /// # Errors
    /// A [`DataError`] that names the file and the field when the data set cannot be used.
    fn read(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset>;

    /// Files in `folder` that could be a data set of this format; more than one is not decided between.
    ///
    /// # Errors
    /// [`DataError::Io`] when the folder cannot be read.
    fn files_in(&self, _folder: &Path) -> Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    /// Reads the part `split` ("train", "val", "test") of the data set in `source`, where one file names several.
    ///
    /// # Errors
    /// As [`Format::read`], and [`DataError::NoSplit`] when there is no such part, as in all formats with a file for each.
    fn read_split(&self, source: &Path, _config: &ReadConfig<'_>, split: &str) -> Result<Dataset> {
        let known = format!("none, since a file in {} format is one; name the file of the split", self.name());
        Err(DataError::NoSplit { path: source.to_path_buf(), split: split.into(), known })
    }

    /// Reads what a training is scored on: the split "val" where one file names several, else all of `source`.
    ///
    /// # Errors
    /// As [`Format::read_split`].
    fn read_validation(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        self.read(source, config)
    }

    /// Writes `dataset` to `to` and says what the format cannot hold; called by [`write`], which keeps it off the data set's own file.
    ///
    /// # Errors
    /// [`DataError::ReadOnlyFormat`] when the format is not written, else as [`write`].
    fn write(&self, _dataset: &Dataset, _to: &Path, _config: &WriteConfig) -> Result<Vec<Lost>> {
        Err(DataError::ReadOnlyFormat { format: self.name() })
    }

    /// Writes the splits of one data set to the new folder `to`; called by [`write_splits`], which checks their names and classes.
    ///
    /// # Errors
    /// [`DataError::OneSplit`] in formats with a file for each split, else as [`write`].
    fn write_splits(&self, _splits: &[(&str, &Dataset)], _to: &Path, _config: &WriteConfig) -> Result<Vec<Lost>> {
        Err(DataError::OneSplit { format: self.name() })
    }
}

/// The formats, in the order in which they are tried. COCO is last, since it takes every JSON file.
pub const FORMATS: &[&dyn Format] = &[
    &yolo::Yolo,
    &open_images::OpenImages,
    &roboflow::Roboflow,
    // Before the other version, which takes every file with fields of LVIS.
    &lvis::LvisV05,
    &lvis::Lvis,
    &coco::Coco,
];

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
        // A compressed file shows its beginning only.
        input::open(path).map_err(io)?.take(PEEK_BYTES).read_to_end(&mut peek.head).map_err(io)?;
        let mut file = File::open(path).map_err(io)?;
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
    /// Reads a data set in any of the [`FORMATS`]; of one with several splits, the training set.
    ///
    /// `path` is a file or a folder that holds one. Without `images`, the pictures of a JSON file are looked for in the folder of the
    /// file, in its subfolders, and in the folder above with its subfolders: the first of these where the first picture exists is
    /// used for all. `data.yaml` says where its pictures are; `images` is then used instead.
    ///
    /// # Errors
    /// A [`DataError`] that names the file and the field when the data set cannot be used. What can be survived is counted in
    /// [`Dataset::warnings`].
    pub fn read(path: &Path, images: Option<&Path>) -> Result<Self> {
        Self::read_with(path, &ReadConfig { images, lenient: false })
    }

    /// Like [`Dataset::read`], with options.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    pub fn read_with(path: &Path, config: &ReadConfig<'_>) -> Result<Self> {
        let (format, file) = format_of(path)?;
        format.read(&file, config)
    }

    /// Reads one split ("train", "val", "test") of a data set whose file names several, as `data.yaml` does.
    ///
    /// # Errors
    /// As [`Dataset::read`], and [`DataError::NoSplit`] when there is no such split.
    pub fn read_split(path: &Path, images: Option<&Path>, split: &str) -> Result<Self> {
        let (format, file) = format_of(path)?;
        format.read_split(&file, &ReadConfig { images, lenient: false }, split)
    }

    /// Reads a validation set: the split "val" of a data set whose file names several, else all of the file.
    ///
    /// # Errors
    /// As [`Dataset::read_split`].
    pub fn read_validation(path: &Path, images: Option<&Path>) -> Result<Self> {
        Self::read_validation_with(path, &ReadConfig { images, lenient: false })
    }

    /// Like [`Dataset::read_validation`], with options.
    ///
    /// # Errors
    /// As [`Dataset::read_split`].
    pub fn read_validation_with(path: &Path, config: &ReadConfig<'_>) -> Result<Self> {
        let (format, file) = format_of(path)?;
        format.read_validation(&file, config)
    }
}

/// Name of the format of the data set at `path`, a file or a folder that holds one.
///
/// # Errors
/// [`DataError::UnknownFormat`], [`DataError::AmbiguousFolder`], [`DataError::Io`].
pub fn format_name(path: &Path) -> Result<&'static str> {
    Ok(format_of(path)?.0.name())
}

/// The format of the data set at `path`, and its file when `path` is a folder.
fn format_of(path: &Path) -> Result<(&'static dyn Format, PathBuf)> {
    let mut file = path.to_path_buf();
    if path.is_dir() {
        let found = FORMATS.iter().map(|f| f.files_in(path)).collect::<Result<Vec<_>>>()?.concat();
        match found.as_slice() {
            [] => {}
            [one] => file.clone_from(one),
            many => {
                let names: Vec<_> = many.iter().map(|p| format!("`{}`", p.display())).collect();
                return Err(DataError::AmbiguousFolder { path: path.to_path_buf(), found: names.join(", ") });
            }
        }
    }
    let peek = Peek::at(&file)?;
    match FORMATS.iter().find(|f| f.detects(&peek)) {
        Some(&format) => Ok((format, file)),
        None => Err(DataError::UnknownFormat {
            path: path.to_path_buf(),
            known: FORMATS.iter().map(|f| f.name()).collect::<Vec<_>>().join(", "),
        }),
    }
}
