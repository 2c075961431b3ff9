//! How often each class occurs, and the rare, common and frequent groups that follow from it.
//!
//! Groups belong to the *training* set. A validation set takes them over with [`Dataset::adopt_counts_from`]; counting them on the
//! validation set itself gives other groups and numbers that compare with nothing.

use std::path::Path;

use crate::{ClassList, DataError, Dataset, GroupThresholds, ImageRecord, Result, format::UNSEEN_CATEGORIES};

/// Images and objects per class, `[K]` each. Crowd regions do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Images that contain the class.
    pub images: Vec<u64>,
    /// Objects of the class.
    pub instances: Vec<u64>,
}

impl Counts {
    /// Counts over all images of `dataset`.
    pub fn of(dataset: &Dataset) -> Self {
        Self::of_records(dataset.num_classes(), &dataset.images)
    }

    /// Counts over the images of `records`, with `num_classes` classes.
    pub(crate) fn of_records<'a>(num_classes: usize, records: impl IntoIterator<Item = &'a ImageRecord>) -> Self {
        let mut counts = Self { images: vec![0; num_classes], instances: vec![0; num_classes] };
        for record in records {
            for class in record.classes() {
                counts.images[class] += 1;
            }
            for object in record.objects.iter().filter(|o| !o.crowd) {
                counts.instances[object.class] += 1;
            }
        }
        counts
    }
}

/// Counts over an epoch in which images may repeat: what a sampler makes of the data set. Indices beyond it are skipped.
pub fn effective_counts(dataset: &Dataset, order: &[usize]) -> Counts {
    Counts::of_records(dataset.num_classes(), order.iter().filter_map(|&i| dataset.images.get(i)))
}

impl ImageRecord {
    /// Classes with an object in the image, ascending, each once. Crowd regions do not count.
    pub fn classes(&self) -> Vec<crate::ClassIndex> {
        let mut classes: Vec<_> = self.objects.iter().filter(|o| !o.crowd).map(|o| o.class).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

impl Dataset {
    /// Reads a validation set and takes groups and counts from `training`.
    ///
    /// # Errors
    /// As [`Dataset::read`], and [`DataError::ClassMismatch`] when the two files list different classes.
    pub fn read_with_training_counts(path: &Path, images: Option<&Path>, training: &Dataset) -> Result<Self> {
        let mut dataset = Self::read_validation(path, images)?;
        dataset.adopt_counts_from(training)?;
        Ok(dataset)
    }

    /// Takes groups and counts of the categories from `training`.
    ///
    /// # Errors
    /// [`DataError::ClassMismatch`] when the two list different category ids or names; nothing is changed then.
    pub fn adopt_counts_from(&mut self, training: &Dataset) -> Result<()> {
        if let Some(difference) = ClassList::of(self).difference(&ClassList::of(training)) {
            return Err(DataError::ClassMismatch {
                first: self.source.clone(),
                second: training.source.clone(),
                difference,
            });
        }
        self.categories.clone_from(&training.categories);
        self.warnings.retain(|w| w.what != UNSEEN_CATEGORIES);
        Ok(())
    }

    /// Groups all categories anew by their number of images, whatever the file said.
    pub fn regroup(&mut self, thresholds: GroupThresholds) {
        for category in &mut self.categories {
            category.group = thresholds.group(category.images);
        }
    }
}
