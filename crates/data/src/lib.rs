//! Detection data with a long tail: files, categories, counts, samplers, pictures and the built-in demo set.
//!
//! Letters used in shapes: `N` images, `K` foreground classes, `H, W` height and width (in that order), `G` ground-truth boxes.
//! Boxes are `[x1, y1, x2, y2]` in pixels, `x2` and `y2` exclusive, so width is `x2 - x1`.

mod error;
mod format;
mod model;
mod write;

pub use error::{DataError, Result};
pub use format::{LvisAnnotation, LvisCategory, LvisFile, LvisImage, LvisInfo, write_lvis};
pub use model::{
    Category, CategoryId, ClassIndex, Dataset, Group, GroupThresholds, ImageId, ImageRecord, Object, Warning,
};
pub use write::{write_atomically, write_atomically_with};
