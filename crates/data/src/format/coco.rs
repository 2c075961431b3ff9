//! COCO JSON: `images`, `annotations`, `categories`.
//!
//! An export of Roboflow is a folder with a file in each of `train`, `valid` and `test`, and is read as one data set with splits.
//!
//! Pictures are named by `file_name`. A file whose LVIS fields stand too far from both ends for [`Format::detects`] arrives here too,
//! so the content decides once more how pictures are named.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Format, Peek, ReadConfig,
    index::index,
    json::JsonFile,
    json_write::{Flavour, write_json},
    locate, lvis,
    write::{counts_from_elsewhere, federated_images, losses},
};
use crate::{DataError, Dataset, Lost, Result, WriteConfig};

/// Name of the annotation file in exports of Roboflow, one in each split's folder.
const ROBOFLOW: &str = "_annotations.coco.json";

/// Splits, and what their folders are called in exports of Roboflow.
const SPLITS: &[(&str, &[&str])] = &[("train", &["train"]), ("val", &["valid", "val"]), ("test", &["test"])];

/// The COCO format.
pub struct Coco;

impl Format for Coco {
    fn name(&self) -> &'static str {
        "coco"
    }

    fn detects(&self, file: &Peek) -> bool {
        split_file(&file.path, "train").is_some()
            || is_json_name(&file.path)
            || file.head.trim_ascii_start().first() == Some(&b'{')
    }

    fn files_in(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        if folder.join(ROBOFLOW).is_file() {
            return Ok(vec![folder.join(ROBOFLOW)]);
        }
        if split_file(folder, "train").is_some() {
            return Ok(vec![folder.to_path_buf()]);
        }
        let found = json_files(folder)?;
        if found.is_empty() { json_files(&folder.join("annotations")) } else { Ok(found) }
    }

    fn read(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        if source.is_dir() {
            return self.read_split(source, config, "train");
        }
        let file = JsonFile::read(source)?;
        let order = if file.has_lvis_fields() { lvis::PICTURE_NAMES } else { locate::FILE_NAME_FIRST };
        index(source, file, config, order)
    }

    fn read_split(&self, source: &Path, config: &ReadConfig<'_>, split: &str) -> Result<Dataset> {
        if let Some(file) = split_file(source, split) {
            return self.read(&file, config);
        }
        let found: Vec<_> = SPLITS.iter().filter(|(name, _)| split_file(source, name).is_some()).collect();
        let known = match &found[..] {
            [] => "none, since a file in coco format is one; name the file of the split".into(),
            found => found.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        };
        Err(DataError::NoSplit { path: source.to_path_buf(), split: split.into(), known })
    }

    fn read_validation(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        if source.is_dir() { self.read_split(source, config, "val") } else { self.read(source, config) }
    }

    fn write(&self, dataset: &Dataset, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        let mut lost = write_json(dataset, to, Flavour::Coco, config)?;
        lost.extend(losses([federated_images(dataset), counts_from_elsewhere(dataset)]));
        Ok(lost)
    }
}

/// The annotation file of a split in the folder of an export of Roboflow.
fn split_file(folder: &Path, split: &str) -> Option<PathBuf> {
    let names = SPLITS.iter().find(|(name, folders)| *name == split || folders.contains(&split))?.1;
    names.iter().map(|name| folder.join(name).join(ROBOFLOW)).find(|file| file.is_file())
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let io = |source| DataError::Io { action: "read", path: folder.to_path_buf(), source };
    let entries = fs::read_dir(folder).map_err(io)?.collect::<std::io::Result<Vec<_>>>().map_err(io)?;
    let mut files: Vec<_> = entries.into_iter().map(|e| e.path()).filter(|p| is_json_name(p) && p.is_file()).collect();
    files.sort();
    Ok(files)
}

/// Whether the name ends in `.json` or `.json.gz`.
fn is_json_name(path: &Path) -> bool {
    let ends_in = |path: &Path, ending| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
    ends_in(path, "json") || ends_in(path, "gz") && ends_in(path.file_stem().unwrap_or_default().as_ref(), "json")
}
