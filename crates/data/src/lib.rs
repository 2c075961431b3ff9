//! Detection data with a long tail: files, categories, counts, samplers, pictures and the built-in demo set.
//!
//! Letters used in shapes: `N` images, `K` foreground classes, `H, W` height and width (in that order), `G` ground-truth boxes.
//! Boxes are `[x1, y1, x2, y2]` in pixels, `x2` and `y2` exclusive, so width is `x2 - x1`.
//!
//! | step | item |
//! |---|---|
//! | read COCO, LVIS, YOLO or Open Images, checked and dense | [`Dataset::read`], [`Dataset::read_split`], [`Dataset::read_with`], [`Format`] |
//! | give every box the classes above its own | [`Hierarchy`] |
//! | take groups and counts from the training set | [`Dataset::adopt_counts_from`], [`Counts`] |
//! | count and measure the tail | [`Stats::of`] |
//! | find what is wrong or odd, and repair a copy | [`examine`], [`Finding`], [`repair`] |
//! | order the images of an epoch | [`Sampler`], [`sampler()`], [`effective_counts`] |
//! | decode, resize, change colours | [`picture`] |
//! | batches from worker threads, augmented | [`Loader`], [`load_batch`], [`Batch`] |
//! | masks, for those who need more than boxes | [`read_masks`], [`Masks`] |
//! | write a data set in another format, and hear what is lost | [`write()`], [`Lost`], [`write_splits`] |
//! | write LVIS JSON; write any file whole or not at all | [`write_lvis`], [`write_atomically`] |
//! | tell whether a checkpoint fits | [`ClassList`] |
//! | a long-tailed set from nothing; a benchmark from packages | [`demo`], [`emojivis`] |
//!
//! **Errors and warnings.** What makes a data set wrong is a [`DataError`] that names file, id and way out: JSON that is damaged, lists
//! that are missing, ids that repeat or lead nowhere, numbers that are not finite, pictures that do not decode or are not the annotated
//! ones. What is merely untidy is survived and counted in [`Dataset::warnings`]: boxes without area or outside their picture, objects
//! given twice, categories without any object. No file and no option makes this crate panic.
//!
//! **Groups.** Rare, common and frequent are told apart by *training* images. `frequency` and `image_count` of the file win; without
//! them the file is counted. A validation set must therefore adopt the counts of its training set.
//!
//! **Reproducible.** Orders and augmentation are functions of (seed, epoch, position). They do not depend on the number of workers, and
//! a run that resumes in the middle of an epoch sees the pictures that it would have seen.
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
//! let sampler = sampler("repeat-factor", &SamplerConfig { repeat_threshold: 0.1, ..Default::default() })?;
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

mod augment;
mod class_list;
mod counts;
pub mod demo;
mod doctor;
pub mod emojivis;
mod error;
mod format;
mod loader;
mod mask;
mod model;
pub mod picture;
mod random;
mod sampler;
mod scene;
mod stats;
mod threads;
mod write;

pub use augment::{CopyPasteConfig, CropConfig, MosaicConfig, ShortSideConfig};
pub use class_list::ClassList;
pub use counts::{Counts, effective_counts};
pub use doctor::{Finding, Repair, Severity, examine, repair};
pub use error::{DataError, Result};
pub use format::{
    FORMATS, Format, Hierarchy, Lost, LvisAnnotation, LvisCategory, LvisFile, LvisImage, LvisInfo, Peek, ReadConfig,
    Segmentation, WriteConfig, format_name, write, write_lvis, write_splits, write_with,
};
pub use loader::{Batch, BatchImage, EpochKey, IMAGENET_MEAN, IMAGENET_STD, Loader, LoaderConfig, load_batch};
pub use mask::{Bitmap, Masks, read_masks};
pub use model::{
    Category, CategoryId, ClassIndex, Dataset, Group, GroupThresholds, ImageId, ImageRecord, Object, Warning,
};
pub use picture::{JitterConfig, Picture, ResizeRule};
pub use sampler::{
    ClassAware, InstanceAwareRepeatFactor, RepeatFactor, Rounding, SAMPLERS, Sampler, SamplerConfig, SamplerEntry,
    SquareRoot, Uniform, category_factors, class_chances, image_factors, mean_frequencies, sampler,
};
pub use scene::lvis_counts;
pub use stats::{BoxStats, ClassStats, GroupStats, Quantiles, Stats, expected_ratio, gini, imbalance_factor};
pub(crate) use write::{temporary_name, write_whole};
pub use write::{write_atomically, write_atomically_with};
