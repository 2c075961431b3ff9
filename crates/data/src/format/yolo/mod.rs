//! YOLO: `data.yaml`, folders of pictures and a text file of labels for each (Ultralytics, Roboflow).
//!
//! The format holds no sizes, so the header of every picture is read; no ids, so classes count from 0 as in the labels and images from
//! 1 in the order of their paths; and no crowds, federated lists or mask areas. A line has a box, or an outline whose extent is the box.
//!
//! Trap: a picture without a label file is a picture without objects. With labels in the wrong folder *all* are, so they are counted
//! among the warnings.

mod config;
mod labels;
mod outline;
mod pictures;
mod write;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub(crate) use self::outline::yolo_outlines;
use self::{
    config::DataYaml,
    labels::{Rows, read_labels, to_pixels},
    pictures::{label_file, pictures_of},
    write::write_yolo,
};
use super::{
    Format, Peek, ReadConfig,
    assemble::assemble,
    boxes::{box_area, clip},
    tally::{Oddity, Tally},
};
use crate::{CategoryId, Dataset, ImageId, ImageRecord, Lost, Object, Result, WriteConfig, picture};

/// Names of the file that describes a data set, as exporters write it.
const FILE_NAMES: &[&str] = &["data.yaml", "data.yml"];

/// The split of [`Dataset::read`].
const TRAINING: &str = "train";

/// The YOLO format.
pub struct Yolo;

impl Format for Yolo {
    fn name(&self) -> &'static str {
        "yolo"
    }

    fn detects(&self, file: &Peek) -> bool {
        file.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"))
    }

    fn files_in(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        Ok(FILE_NAMES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect())
    }

    fn read(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        self.read_split(source, config, TRAINING)
    }

    fn read_validation(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        self.read_split(source, config, "val")
    }

    fn read_split(&self, source: &Path, config: &ReadConfig<'_>, split: &str) -> Result<Dataset> {
        let yaml = DataYaml::read(source)?;
        let paths = pictures_of(&yaml, split, config.images)?;
        // Collected before the first error is looked for: which one is reported must not depend on the threads.
        let found: Vec<Result<_>> = paths.par_iter().map(|path| read_picture(path, &yaml)).collect();
        let mut tally = Tally::new(config.lenient);
        let mut records = Vec::with_capacity(paths.len());
        for (i, (path, found)) in paths.into_iter().zip(found).enumerate() {
            let (size, rows) = match found {
                Ok(found) => found,
                Err(error) => {
                    tally.refuse(Oddity::NoSize, error)?;
                    continue;
                }
            };
            records.push(record(ImageId(i as u64 + 1), path, size, rows, &mut tally)?);
        }
        let names = yaml.names.into_iter().enumerate().map(|(k, name)| (CategoryId(k as u64), name));
        Ok(assemble(source, names, records, false, tally))
    }

    fn write(&self, dataset: &Dataset, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        write_yolo(&[(TRAINING, dataset)], to, config)
    }

    fn write_splits(&self, splits: &[(&str, &Dataset)], to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        write_yolo(splits, to, config)
    }
}

fn read_picture(path: &Path, yaml: &DataYaml) -> Result<([u32; 2], Option<Rows>)> {
    Ok((picture::dimensions(path)?, read_labels(&label_file(path), yaml.names.len(), yaml.key_points)?))
}

fn record(id: ImageId, path: PathBuf, size: [u32; 2], rows: Option<Rows>, tally: &mut Tally) -> Result<ImageRecord> {
    if rows.is_none() {
        tally.add(Oddity::NoLabels, || format!("`{}`", path.display()));
    }
    let mut objects = Vec::new();
    for row in rows.into_iter().flatten() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                tally.refuse(Oddity::BadRow, error)?;
                continue;
            }
        };
        let example = || format!("`{}`, line {}", label_file(&path).display(), row.line);
        if let Some(bbox) = clip(to_pixels(row.corners, size), size, tally, &example) {
            objects.push(Object { class: row.class, bbox, area: box_area(bbox), crowd: false });
        }
    }
    let [width, height] = size;
    Ok(ImageRecord { id, path, width, height, objects, negative: Vec::new(), not_exhaustive: Vec::new() })
}
