//! Detection data with a long tail: files, categories, counts, samplers, pictures and the built-in demo set.
//!
//! Letters used in shapes: `N` images, `K` foreground classes, `H, W` height and width (in that order), `G` ground-truth boxes.
//! Boxes are `[x1, y1, x2, y2]` in pixels, `x2` and `y2` exclusive, so width is `x2 - x1`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use equipoise_data::{Dataset, EpochKey, Loader, LoaderConfig, SamplerConfig, effective_counts, sampler};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("train.json");
//! # image::RgbImage::new(40, 20).save(folder.path().join("a.png"))?;
//! # std::fs::write(&path, r#"{"categories": [{"id": 3, "name": "yak"}], "images": [{"id": 1, "file_name": "a.png"}],
//! #     "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 5, 20, 10]}]}"#)?;
//! // COCO or LVIS, decided by the content; what was odd in the file is counted, what is wrong is an error.
//! let dataset = Arc::new(Dataset::read(&path, None)?);
//! for warning in &dataset.warnings {
//!     println!("{} {}, {}; for example {}", warning.count, warning.what, warning.action, warning.example);
//! }
//!
//! // The order of an epoch follows from seed and epoch alone.
//! let sampler = sampler("repeat-factor", &SamplerConfig { repeat_threshold: 0.1 })?;
//! let order = sampler.epoch(&dataset, 7, 0);
//! println!("{:?}", effective_counts(&dataset, &order));
//!
//! // Batches arrive in order, loaded ahead by worker threads.
//! let plan = order.chunks(4).map(<[usize]>::to_vec).collect();
//! let config = LoaderConfig { image_size: 64, flip: 0.5, ..Default::default() };
//! for batch in Loader::start(dataset, plan, config, EpochKey { seed: 7, epoch: 0 }, 0)? {
//!     let batch = batch?;
//!     assert_eq!(batch.shape, [1, 3, 32, 64]);
//!     assert_eq!(batch.images[0].boxes.len(), 1);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod class_list;
mod counts;
pub mod demo;
mod error;
mod format;
mod loader;
mod model;
pub mod picture;
mod random;
mod sampler;
mod write;

pub use class_list::ClassList;
pub use counts::{Counts, effective_counts};
pub use error::{DataError, Result};
pub use format::{FORMATS, Format, LvisAnnotation, LvisCategory, LvisFile, LvisImage, LvisInfo, Peek, write_lvis};
pub use loader::{Batch, BatchImage, EpochKey, IMAGENET_MEAN, IMAGENET_STD, Loader, LoaderConfig, load_batch};
pub use model::{
    Category, CategoryId, ClassIndex, Dataset, Group, GroupThresholds, ImageId, ImageRecord, Object, Warning,
};
pub use picture::{JitterConfig, Picture};
pub use sampler::{
    RepeatFactor, SAMPLERS, Sampler, SamplerConfig, SamplerEntry, Uniform, category_factors, image_factors, sampler,
};
pub use write::{write_atomically, write_atomically_with};
