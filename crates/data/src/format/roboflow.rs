//! An export of Roboflow: a folder for each split, with its pictures and COCO JSON in `_annotations.coco.json`.
//!
//! The folder is one data set with splits; a file in it that is named by itself is read as COCO. The same site's exports for YOLO are YOLO.
//!
//! Trap: RF-DETR takes the classes of which the `supercategory` is not "none", and fails where there is no such field; the site puts a class
//! with that word, and no objects, before all others. It is written with another word and without that class.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Format, Peek, ReadConfig,
    coco::Coco,
    folder::{file_names, new_folder, place, written},
    json_write::{Flavour, write_named},
    write::{Losses, counts_from_elsewhere, federated_images, losses},
};
use crate::{DataError, Dataset, Lost, Result, WriteConfig};

/// Name of the annotation file in each split's folder.
pub const FILE: &str = "_annotations.coco.json";

/// Splits, and what their folders are called, the first when they are written.
const SPLITS: &[(&str, &[&str])] = &[("train", &["train"]), ("val", &["valid", "val"]), ("test", &["test"])];

/// The format of Roboflow's exports for COCO.
pub struct Roboflow;

impl Format for Roboflow {
    fn name(&self) -> &'static str {
        "roboflow"
    }

    fn detects(&self, file: &Peek) -> bool {
        is_export(&file.path)
    }

    fn files_in(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        Ok(is_export(folder).then(|| folder.to_path_buf()).into_iter().collect())
    }

    fn read(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        fs::metadata(source).map_err(|e| DataError::Io { action: "read", path: source.to_path_buf(), source: e })?;
        self.read_split(source, config, "train")
    }

    fn read_split(&self, source: &Path, config: &ReadConfig<'_>, split: &str) -> Result<Dataset> {
        if let Some(file) = split_file(source, split) {
            return Coco.read(&file, config);
        }
        let found = SPLITS.iter().filter(|(name, _)| split_file(source, name).is_some());
        let known = found.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Err(DataError::NoSplit { path: source.to_path_buf(), split: split.into(), known })
    }

    fn read_validation(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        self.read_split(source, config, "val")
    }

    fn write(&self, dataset: &Dataset, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        self.write_splits(&[("train", dataset)], to, config)
    }

    fn write_splits(&self, splits: &[(&str, &Dataset)], to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        new_folder(to, |folder| {
            let mut lost = Losses::default();
            for (split, dataset) in splits {
                lost.extend(&write_split(&folder.join(folder_of(split)), dataset, config)?);
                lost.extend(&losses([federated_images(dataset), counts_from_elsewhere(dataset)]));
            }
            Ok(lost.into())
        })
    }
}

fn write_split(folder: &Path, dataset: &Dataset, config: &WriteConfig) -> Result<Vec<Lost>> {
    fs::create_dir_all(folder).map_err(|e| written(folder, e))?;
    let names = file_names(&dataset.images, &|_| true)?;
    for (image, name) in dataset.images.iter().zip(&names) {
        place(&image.path, &folder.join(name), config.copy_pictures)?;
    }
    write_named(dataset, &names, &folder.join(FILE), Flavour::Roboflow, config)
}

/// What the folder of a split is called when it is written.
fn folder_of(split: &str) -> &str {
    SPLITS.iter().find(|(name, _)| *name == split).map_or(split, |(_, folders)| folders[0])
}

/// Whether `folder` is an export with a training set.
pub fn is_export(folder: &Path) -> bool {
    split_file(folder, "train").is_some()
}

/// The annotation file of a split.
fn split_file(folder: &Path, split: &str) -> Option<PathBuf> {
    let names = SPLITS.iter().find(|(name, folders)| *name == split || folders.contains(&split))?.1;
    names.iter().map(|name| folder.join(name).join(FILE)).find(|file| file.is_file())
}
