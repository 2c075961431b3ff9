//! What a data set consists of, and how long its tail is.
//!
//! | number | formula | source |
//! |---|---|---|
//! | imbalance factor | largest / smallest number of images of a class | Cui et al. 2019, arXiv 1901.05555 |
//! | Gini coefficient | [`gini`] of images or objects per class | Yang et al. 2022, arXiv 2205.13775 |
//! | expected ratio | `n_j / (n - n_j)`, [`expected_ratio`] | EQL v2, arXiv 2012.08548 |
//! | small, medium, large | area below 32², below 96², above | COCO, `pycocotools` `Params.areaRng` |
//!
//! Everything is counted over the data set at hand, crowd regions left out. Only the groups come from [`Category`](crate::Category), that
//! is from the file or from the training set: a validation set keeps the groups of its training set.
//!
//! Trap. A factor divides by the smallest class, so one label more or less changes it twofold; the Gini coefficient sees all classes.

mod boxes;
mod tail;

pub use boxes::{BoxStats, Quantiles};
pub use tail::{expected_ratio, gini, imbalance_factor};

use crate::{CategoryId, Counts, Dataset, Group};

/// Numbers about a data set.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Stats {
    /// Images.
    pub images: usize,
    /// Images without any object but crowd regions.
    pub images_without_objects: usize,
    /// Objects, crowd regions left out.
    pub objects: u64,
    /// Crowd regions.
    pub crowds: u64,
    /// Categories listed.
    pub categories: usize,
    /// Categories without an object.
    pub categories_without_object: usize,
    /// Rare, common and frequent, in this order; groups without a category have zeros.
    pub groups: Vec<GroupStats>,
    /// Largest by smallest number of images among classes with at least one; `None` without any.
    pub imbalance_factor: Option<f64>,
    /// Gini coefficient of images per class; `None` when all are 0.
    pub gini_images: Option<f64>,
    /// Gini coefficient of objects per class; `None` when all are 0.
    pub gini_instances: Option<f64>,
    /// Sizes of boxes.
    pub boxes: BoxStats,
    /// One row for each class, `[K]`.
    pub classes: Vec<ClassStats>,
}

/// Numbers about a group of classes.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct GroupStats {
    /// The group.
    pub group: Group,
    /// Its classes.
    pub categories: usize,
    /// Sum of the images of its classes: an image with two of them counts twice.
    pub class_images: u64,
    /// Objects of its classes.
    pub instances: u64,
    /// Median of the expected ratio over its classes with an object; `None` without any.
    pub median_ratio: Option<f64>,
}

/// Numbers about a class.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ClassStats {
    /// Id in the file.
    pub id: CategoryId,
    /// Name in the file.
    pub name: String,
    /// Its group.
    pub group: Group,
    /// Images that contain it.
    pub images: u64,
    /// Its objects.
    pub instances: u64,
    /// [`expected_ratio`] of positives to negatives without background proposals.
    pub ratio: Option<f64>,
}

impl Stats {
    /// Numbers about `dataset`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("train.json");
    /// # std::fs::write(&path, r#"{"categories": [{"id": 3, "name": "yak"}, {"id": 4, "name": "emu"}],
    /// #     "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 20}],
    /// #     "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 5, 20, 10]}]}"#)?;
    /// let stats = equipoise_data::Stats::of(&equipoise_data::Dataset::read(&path, None)?);
    /// assert_eq!((stats.images, stats.objects, stats.categories_without_object), (1, 1, 1));
    /// assert_eq!(stats.gini_instances, Some(0.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(dataset: &Dataset) -> Self {
        let counts = Counts::of(dataset);
        let objects = counts.instances.iter().sum();
        let all = dataset.images.iter().map(|image| image.objects.len() as u64).sum::<u64>();
        let classes: Vec<_> = class_rows(dataset, &counts, objects);
        Self {
            images: dataset.images.len(),
            images_without_objects: dataset.images.iter().filter(|i| i.objects.iter().all(|o| o.crowd)).count(),
            objects,
            crowds: all - objects,
            categories: classes.len(),
            categories_without_object: counts.instances.iter().filter(|&&n| n == 0).count(),
            groups: [Group::Rare, Group::Common, Group::Frequent].map(|group| group_row(group, &classes)).into(),
            imbalance_factor: imbalance_factor(&counts.images),
            gini_images: gini(&counts.images),
            gini_instances: gini(&counts.instances),
            boxes: BoxStats::of(dataset),
            classes,
        }
    }
}

fn class_rows(dataset: &Dataset, counts: &Counts, objects: u64) -> Vec<ClassStats> {
    let rows = dataset.categories.iter().zip(counts.images.iter().zip(&counts.instances));
    let row = |(category, (&images, &instances)): (&crate::Category, _)| ClassStats {
        id: category.id,
        name: category.name.clone(),
        group: category.group,
        images,
        instances,
        ratio: expected_ratio(instances, objects, 0),
    };
    rows.map(row).collect()
}

fn group_row(group: Group, classes: &[ClassStats]) -> GroupStats {
    let of_group: Vec<_> = classes.iter().filter(|class| class.group == group).collect();
    let ratios = of_group.iter().filter(|class| class.instances > 0).filter_map(|class| class.ratio).collect();
    GroupStats {
        group,
        categories: of_group.len(),
        class_images: of_group.iter().map(|class| class.images).sum(),
        instances: of_group.iter().map(|class| class.instances).sum(),
        median_ratio: Quantiles::of(ratios).map(|quantiles| quantiles.median),
    }
}
