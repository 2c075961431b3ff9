//! From checked images to a [`Dataset`], for formats that hold neither counts nor groups.

use std::path::Path;

use super::{boxes::count_repeated, tally::Tally};
use crate::{Category, CategoryId, Counts, Dataset, GroupThresholds, ImageRecord};

/// Counts and groups the classes of `images`. The ids of `names` and of `images` must ascend.
pub fn assemble(
    source: &Path,
    names: impl IntoIterator<Item = (CategoryId, String)>,
    images: Vec<ImageRecord>,
    federated: bool,
    mut tally: Tally,
) -> Dataset {
    count_repeated(&images, &mut tally);
    let names: Vec<_> = names.into_iter().collect();
    let counts = Counts::of_records(names.len(), &images);
    let categories = names.into_iter().enumerate().map(|(k, (id, name))| {
        let (images, instances) = (counts.images[k], counts.instances[k]);
        Category { id, name, group: GroupThresholds::default().group(images), images, instances }
    });
    let categories: Vec<_> = categories.collect();
    let warnings = tally.into_warnings(&categories);
    Dataset { source: source.to_path_buf(), categories, images, federated, warnings }
}
