//! Whose name do missed objects get? For each object that its class did not find, the best-scored detection of another class that covers it.
//!
//! The few largest confusions of each class are kept, not a matrix of `K * K`. All detections count here, also where the protocol does not judge their class.

use std::collections::{BTreeMap, HashSet};

use equipoise_data::ClassIndex;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::outcome::{Outcomes, overlap};

/// Confusions that are kept for each class.
pub const TOP_CONFUSIONS: usize = 5;
/// The part of a class's objects that one head class must cover to swallow it.
const SWALLOWED: f64 = 0.5;

/// Objects of a class that got the name of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// The class of the objects.
    pub class_index: ClassIndex,
    /// Its name.
    pub class: String,
    /// The class of the detections.
    pub taken_for_index: ClassIndex,
    /// Its name.
    pub taken_for: String,
    /// How many objects.
    pub objects: u64,
    /// The part of all objects of the class.
    pub share: f64,
    /// Whether a class with more training images covers at least half of the objects.
    pub swallowed: bool,
}

/// The largest confusions of every class, by class, the largest first.
pub fn confusions(case: &Case, outcomes: &Outcomes) -> Vec<Confusion> {
    let hits: HashSet<(u32, u32)> = outcomes
        .classes
        .iter()
        .flat_map(|c| &c.found)
        .filter(|o| o.hits & 1 == 1)
        .filter_map(|o| Some((o.image, o.object?)))
        .collect();
    let mut counts: Vec<BTreeMap<ClassIndex, u64>> = vec![BTreeMap::new(); case.num_classes()];
    for (image, objects) in case.objects.iter().enumerate() {
        for (at, object) in objects.iter().enumerate().filter(|(_, o)| !o.crowd) {
            if hits.contains(&(image as u32, at as u32)) {
                continue;
            }
            let covers = case.found[case.on_image(image)]
                .iter()
                .filter(|d| d.class != object.class && overlap(d.bbox, object.bbox, false) >= 0.5);
            // The first of equal scores.
            let best = covers.reduce(|best, d| if d.score > best.score { d } else { best });
            if let Some(best) = best {
                *counts[object.class as usize].entry(best.class as usize).or_default() += 1;
            }
        }
    }
    let row = |class: ClassIndex, (taken_for, objects): (ClassIndex, u64)| {
        let category = |k: ClassIndex| &case.truth.categories[k];
        let share = objects as f64 / outcomes.classes[class].num_objects().max(1) as f64;
        Confusion {
            class_index: class,
            class: category(class).name.clone(),
            taken_for_index: taken_for,
            taken_for: category(taken_for).name.clone(),
            objects,
            share,
            swallowed: share >= SWALLOWED && category(taken_for).images > category(class).images,
        }
    };
    let mut rows = Vec::new();
    for (class, counts) in counts.into_iter().enumerate() {
        let mut largest: Vec<(ClassIndex, u64)> = counts.into_iter().collect();
        largest.sort_by_key(|(_, objects)| std::cmp::Reverse(*objects));
        rows.extend(largest.into_iter().take(TOP_CONFUSIONS).map(|pair| row(class, pair)));
    }
    rows
}
