//! LVIS JSON: COCO with federated lists and counts (arXiv 1908.03195).
//!
//! Differences from COCO: categories have `frequency`, `image_count`, `instance_count`; images have `neg_category_ids` and
//! `not_exhaustive_category_ids`; pictures are named by `coco_url`.
//!
//! Version 0.5 has the same fields, but its `file_name` is that of COCO 2014 while its pictures are those of 2017.
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

/// The LVIS format.
pub struct Lvis;

impl Format for Lvis {
    fn name(&self) -> &'static str {
        "lvis"
    }

    fn detects(&self, file: &Peek) -> bool {
        let fields = ["\"frequency\"", "\"image_count\"", "\"neg_category_ids\"", "\"not_exhaustive_category_ids\""];
        file.head.trim_ascii_start().first() == Some(&b'{') && fields.iter().any(|field| file.contains(field))
    }

    fn read(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        index(source, JsonFile::read(source)?, config, PICTURE_NAMES)
    }

    fn write(&self, dataset: &Dataset, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        write_json(dataset, to, Flavour::Lvis, config)
    }
}
