//! Repairing what needs no decision: a copy of the data set without what is certainly wrong.
//!
//! Reading has already dropped boxes that are nowhere, clipped those across the border and, when it is lenient, left out what leads
//! nowhere. Here go objects given twice, images whose picture is missing or unreadable, and pictures that are there twice with the same
//! objects; sizes become those of the pictures, and names of categories lose blanks around them. Whatever would need a person
//! (which of two names is right, which set a shared picture belongs to) is left, and [`examine`](super::examine) still finds it.

use std::collections::{BTreeSet, HashSet};

use super::pictures::{problems, twins};
use crate::{Counts, Dataset, GroupThresholds, ImageRecord, Object, format};

/// Something that was repaired.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Repair {
    /// What it was, as a plural noun phrase.
    pub what: String,
    /// How many there were.
    pub count: usize,
    /// What was done: "dropped".
    pub action: String,
}

/// Repairs `dataset`, which may have been read leniently, and says what was done, by reading it too.
///
/// Pictures are only read when `pictures` is set, as in [`examine`](super::examine). Groups and counts that were those of the objects
/// are counted anew; those that the file took from elsewhere stay. The file itself is not touched: write the result to another.
///
/// Trap: boxes across the border were clipped to the size in the file, and where that size was too small, what was cut off stays lost.
pub fn repair(dataset: &mut Dataset, pictures: bool) -> Vec<Repair> {
    let counted = is_counted(dataset);
    let mut done: Vec<_> = dataset.warnings.iter().filter_map(by_reading).collect();
    let mut add = |what: &str, count: usize, action: &str| {
        if count > 0 {
            done.push(Repair { what: what.into(), count, action: action.into() });
        }
    };
    add("category names with blanks around them", trim_names(dataset), "trimmed");
    if pictures {
        let [gone, resized, cut] = mend_pictures(dataset);
        add("images whose picture is missing or unreadable", gone, "dropped");
        add("sizes that are not those of the pictures", resized, "replaced by those of the pictures");
        add("boxes outside the pictures of corrected size", cut, "dropped");
    }
    add("objects with the same image, class and box as another", drop_repeated(dataset), "dropped");
    if pictures {
        add("pictures that are there twice with the same objects", drop_twins(dataset), "dropped once");
    }
    if counted {
        recount(dataset);
    }
    dataset.warnings.clear();
    done
}

/// What reading did about a warning, when it did something.
fn by_reading(warning: &crate::Warning) -> Option<Repair> {
    let action = format::repaired_by_reading(&warning.what)?;
    Some(Repair { what: warning.what.clone(), count: warning.count, action: action.into() })
}

fn trim_names(dataset: &mut Dataset) -> usize {
    let mut trimmed = 0;
    for category in &mut dataset.categories {
        let name = category.name.trim();
        if name.len() != category.name.len() && !name.is_empty() {
            category.name = name.to_owned();
            trimmed += 1;
        }
    }
    trimmed
}

/// Drops images without a picture and corrects sizes: how many images went, were corrected, and how many boxes went with that.
fn mend_pictures(dataset: &mut Dataset) -> [usize; 3] {
    let found: Vec<_> = problems(dataset).into_iter().map(|(at, problem)| (at, problem.size())).collect();
    let [mut resized, mut cut] = [0; 2];
    let mut gone = BTreeSet::new();
    for (at, size) in found {
        match size {
            Some(size) => {
                resized += 1;
                cut += resize(&mut dataset.images[at], size);
            }
            None => {
                gone.insert(at);
            }
        }
    }
    keep(&mut dataset.images, |at, _| !gone.contains(&at));
    [gone.len(), resized, cut]
}

/// Gives `image` its real size and clips its boxes; returns how many were outside.
fn resize(image: &mut ImageRecord, [width, height]: [u32; 2]) -> usize {
    let before = image.objects.len();
    (image.width, image.height) = (width, height);
    image.objects.retain_mut(|object| {
        let limit = [width, height, width, height].map(|side| side as f32);
        let clipped: [f32; 4] = std::array::from_fn(|i| object.bbox[i].min(limit[i]));
        if clipped != object.bbox {
            object.bbox = clipped;
            object.area = object.area.min(format::box_area(clipped));
        }
        clipped[0] < clipped[2] && clipped[1] < clipped[3]
    });
    before - image.objects.len()
}

fn drop_repeated(dataset: &mut Dataset) -> usize {
    let mut dropped = 0;
    for image in &mut dataset.images {
        let mut seen = HashSet::new();
        let before = image.objects.len();
        image.objects.retain(|object| seen.insert(identity(object)));
        dropped += before - image.objects.len();
    }
    dropped
}

/// Objects with the same class and box are the same.
pub(super) fn identity(object: &Object) -> (usize, [u32; 4]) {
    (object.class, object.bbox.map(f32::to_bits))
}

/// Drops pictures that are there before with the same objects.
fn drop_twins(dataset: &mut Dataset) -> usize {
    let objects = |at: usize| dataset.images[at].objects.iter().map(identity).collect::<BTreeSet<_>>();
    let same = twins(dataset).into_iter().filter(|&(at, first)| objects(at) == objects(first));
    let gone: BTreeSet<_> = same.map(|(at, _)| at).collect();
    keep(&mut dataset.images, |at, _| !gone.contains(&at));
    gone.len()
}

fn keep(images: &mut Vec<ImageRecord>, mut keep: impl FnMut(usize, &ImageRecord) -> bool) {
    let mut at = 0;
    images.retain(|image| {
        at += 1;
        keep(at - 1, image)
    });
}

/// Whether groups and counts are those of the objects.
fn is_counted(dataset: &Dataset) -> bool {
    let counts = Counts::of(dataset);
    let rows = dataset.categories.iter().zip(counts.images.iter().zip(&counts.instances));
    rows.into_iter().all(|(category, (images, instances))| {
        (category.images, category.instances) == (*images, *instances)
            && category.group == GroupThresholds::default().group(*images)
    })
}

fn recount(dataset: &mut Dataset) {
    let counts = Counts::of(dataset);
    for (category, (images, instances)) in
        dataset.categories.iter_mut().zip(counts.images.iter().zip(&counts.instances))
    {
        (category.images, category.instances) = (*images, *instances);
    }
    dataset.regroup(GroupThresholds::default());
}
