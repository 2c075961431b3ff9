//! COCO JSON: `images`, `annotations`, `categories`.
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
    locate, lvis, roboflow,
    write::{counts_from_elsewhere, federated_images, losses},
};
use crate::{DataError, Dataset, Lost, Result, WriteConfig};

/// The COCO format.
pub struct Coco;

impl Format for Coco {
    fn name(&self) -> &'static str {
        "coco"
    }

    fn detects(&self, file: &Peek) -> bool {
        is_json_name(&file.path) || file.head.trim_ascii_start().first() == Some(&b'{')
    }

    fn files_in(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let split = folder.join(roboflow::FILE);
        if split.is_file() {
            return Ok(vec![split]);
        }
        if roboflow::is_export(folder) {
            return Ok(Vec::new());
        }
        let found = json_files(folder)?;
        if found.is_empty() { json_files(&folder.join("annotations")) } else { Ok(found) }
    }

    fn read(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        let file = JsonFile::read(source)?;
        let order = if file.has_lvis_fields() { lvis::PICTURE_NAMES } else { locate::FILE_NAME_FIRST };
        index(source, file, config, order)
    }

    fn write(&self, dataset: &Dataset, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        let mut lost = write_json(dataset, to, Flavour::Coco, config)?;
        lost.extend(losses([federated_images(dataset), counts_from_elsewhere(dataset)]));
        Ok(lost)
    }
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
