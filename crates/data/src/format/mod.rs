//! Data set formats.

mod lvis_file;

pub use lvis_file::{LvisAnnotation, LvisCategory, LvisFile, LvisImage, LvisInfo, write_lvis};
