//! LVIS JSON: COCO with federated lists and counts (arXiv 1908.03195).
//!
//! Differences from COCO: categories have `frequency`, `image_count`, `instance_count`; images have `neg_category_ids` and
//! `not_exhaustive_category_ids`; pictures are named by `coco_url`.
//!
//! Version 0.5 has the same fields, but pictures are named by `file_name`: that of COCO 2014, while the pictures are those of 2017. Programs
//! for it look for `file_name`, those for version 1 for `coco_url` (detectron2 `load_lvis_json`, mmdetection `LVISV05Dataset` and
//! `LVISV1Dataset`). `lvis` is written with both where the pictures are COCO's, `lvis-v0.5` with `file_name` alone.
//!
//! Trap: the validation set of LVIS v1 mixes pictures of `train2017` and `val2017`, so the last *two* parts of the URL are needed.

use std::path::Path;

use super::{
    Format, Peek, ReadConfig,
    index::index,
    json::JsonFile,
    json_write::{Flavour, write_json},
    locate::NamedBy,
};
use crate::{Dataset, Lost, Result, WriteConfig};

/// Where LVIS names its pictures, best first. Sets that are not made of COCO pictures have `file_name` only.
pub const PICTURE_NAMES: &[NamedBy] = &[NamedBy::UrlTail, NamedBy::File, NamedBy::UrlEnd, NamedBy::File2017];

/// Fields that LVIS adds to COCO.
const FIELDS: &[&str] =
    &["\"frequency\"", "\"image_count\"", "\"neg_category_ids\"", "\"not_exhaustive_category_ids\""];

/// How the pictures of COCO 2014 are called.
const NAMES_OF_2014: &[&str] = &["\"COCO_train2014_", "\"COCO_val2014_", "\"COCO_test2014_"];

/// The LVIS format, of version 1.
pub struct Lvis;

/// The LVIS format, of version 0.5. Both are read alike.
pub struct LvisV05;

impl Format for Lvis {
    fn name(&self) -> &'static str {
        "lvis"
    }

    fn detects(&self, file: &Peek) -> bool {
        file.head.trim_ascii_start().first() == Some(&b'{') && FIELDS.iter().any(|field| file.contains(field))
    }

    fn read(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        index(source, JsonFile::read(source)?, config, PICTURE_NAMES)
    }

    fn write(&self, dataset: &Dataset, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        write_json(dataset, to, Flavour::Lvis, config)
    }
}

impl Format for LvisV05 {
    fn name(&self) -> &'static str {
        "lvis-v0.5"
    }

    fn detects(&self, file: &Peek) -> bool {
        Lvis.detects(file) && NAMES_OF_2014.iter().any(|name| file.contains(name))
    }

    fn read(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        Lvis.read(source, config)
    }

    fn write(&self, dataset: &Dataset, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        write_json(dataset, to, Flavour::LvisV05, config)
    }
}
