//! The Open Images challenge metric (challenges 2018 and 2019): AP at IoU 0.50, by the rule of the TensorFlow Object Detection API's challenge evaluator.
//!
//! The rule, from its documentation and the challenge's pages, for one class in one picture:
//!
//! 1. The class is judged only where it has a box or a verified image-level label, "yes" or "no". With a [`Hierarchy`] boxes count for the ancestors
//!    too, "yes" for the ancestors, "no" for the descendants.
//! 2. Best detection first, each is compared with *one* box: the one with the largest overlap of those that are not group-of, the first of equal ones, taken or not. It is right if the
//!    overlap reaches 0.50 and the box is free. COCO would give it the best *free* box; in crowds that is worth many points.
//! 3. What is not right is compared with the group-of boxes by intersection over its own area. At 0.50 or more it belongs to the one where that is
//!    largest, and all that belong to a group-of box count once, as one right detection with the best of their scores.
//! 4. A group-of box is one object to find. AP is the whole area under the curve of falling precision (VOC 2010), not 101 points of it.
//!
//! Detections without area are left out. There is no cap. AP1 to AP5 are the fifths of the classes from few to many training instances, as in Tan et al.
//! (arXiv 2012.08548).

use std::collections::BTreeSet;

use equipoise_data::{ClassIndex, Dataset, Group};

use super::engine::{counted, group_mean, mean};
use super::options::{Family, Limit};
use super::{Evaluation, Hierarchy, Options, Protocol};
use crate::case::{Case, Found, Shape};
use crate::error::{EvalError, Result};
use crate::outcome::overlap;
use crate::record::Metrics;

/// The Open Images protocol.
#[derive(Clone, Copy, Debug)]
pub struct OpenImages;

/// Overlap that a detection needs.
const THRESHOLD: f64 = 0.5;
/// Groups of the published tables.
const FIFTHS: usize = 5;

impl Protocol for OpenImages {
    fn name(&self) -> &'static str {
        "openimages"
    }

    fn title(&self) -> &'static str {
        "Open Images box AP at IoU 0.50: group-of boxes, verified labels, five groups by training instances"
    }

    fn score(&self, case: &Case, options: &Options) -> Result<Evaluation> {
        let refuse = |reason: &str| Err(EvalError::Protocol { protocol: self.name(), reason: reason.into() });
        if case.shape == Shape::Masks {
            return refuse("it is a metric of boxes");
        }
        if options.fixed.is_some() || options.pool {
            return refuse("AP-Fixed and AP-Pool are defined for LVIS and COCO; this metric has no cap");
        }
        let none = Hierarchy::default();
        let judged = judge(case, options.hierarchy.as_ref().unwrap_or(&none));
        let mut classes = counted(case);
        for (result, class) in classes.iter_mut().zip(judged) {
            let (ap, recall) = (class.ap(), class.recall());
            (result.ap, result.ap50, result.ar) = (ap, ap, recall);
        }
        let mut metrics = Metrics::default();
        let ap = mean(classes.iter().map(|c| c.ap));
        metrics.set("AP", ap);
        metrics.set("AP50", ap);
        for (number, fifth) in fifths(case.truth).iter().enumerate() {
            metrics.set(&format!("AP{}", number + 1), mean(fifth.iter().map(|&class| classes[class].ap)));
        }
        for (key, group) in [("APr", Group::Rare), ("APc", Group::Common), ("APf", Group::Frequent)] {
            metrics.set(key, group_mean(case.truth, &classes, group, |c| c.ap));
        }
        metrics.set("AR", mean(classes.iter().map(|c| c.ar)));
        let (protocol, groups) = (self.name(), &options.groups);
        let family = Family { protocol, shape: case.shape, limit: Limit::All, variant: " at IoU 0.50", groups };
        let labels = metrics.iter().map(|(key, value)| family.label(key, value)).collect();
        Ok(Evaluation { protocol, metrics, labels, classes })
    }
}

/// The classes in five groups of equal size, from few to many training instances; the first groups are the larger ones where five does not divide `K`.
pub fn fifths(truth: &Dataset) -> [Vec<ClassIndex>; FIFTHS] {
    let mut order: Vec<ClassIndex> = (0..truth.num_classes()).collect();
    order.sort_by_key(|&class| truth.categories[class].instances);
    let mut groups: [Vec<ClassIndex>; FIFTHS] = Default::default();
    for (rank, class) in order.iter().enumerate() {
        groups[rank * FIFTHS / truth.num_classes()].push(*class);
    }
    groups
}

/// What is known of a class after all pictures.
#[derive(Clone, Debug, Default)]
struct Judged {
    /// Score, and whether it is right.
    found: Vec<(f64, bool)>,
    /// Objects to find, a group-of box being one.
    objects: usize,
}

impl Judged {
    /// Area under the curve of precision, made to fall, over recall.
    fn ap(&self) -> Option<f64> {
        if self.objects == 0 {
            return None;
        }
        let mut order = self.found.clone();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut right, mut curve) = (0, Vec::with_capacity(order.len()));
        for (at, (_, hit)) in order.iter().enumerate() {
            right += usize::from(*hit);
            curve.push((right as f64 / self.objects as f64, right as f64 / (at + 1) as f64));
        }
        let (mut area, mut precision) = (0.0, 0.0_f64);
        for at in (0..curve.len()).rev() {
            precision = precision.max(curve[at].1);
            let before = if at == 0 { 0.0 } else { curve[at - 1].0 };
            area += (curve[at].0 - before) * precision;
        }
        Some(area)
    }

    fn recall(&self) -> Option<f64> {
        let right = self.found.iter().filter(|(_, hit)| *hit).count();
        (self.objects > 0).then(|| right as f64 / self.objects as f64)
    }
}

/// Judges every class in every picture.
fn judge(case: &Case, hierarchy: &Hierarchy) -> Vec<Judged> {
    let mut classes = vec![Judged::default(); case.num_classes()];
    for at in 0..case.objects.len() {
        let mut boxes: Vec<(ClassIndex, [f64; 4], bool)> = Vec::new();
        for object in &case.objects[at] {
            let own = object.class as usize;
            for class in std::iter::once(own).chain(hierarchy.ancestors(own).iter().copied()) {
                boxes.push((class, object.bbox, object.crowd));
                classes[class].objects += 1;
            }
        }
        let judged = judged_classes(case, at, hierarchy, &boxes);
        let mut found: Vec<&Found> = case.found[case.on_image(at)]
            .iter()
            .filter(|d| d.bbox[2] > 0.0 && d.bbox[3] > 0.0)
            .filter(|d| judged.as_ref().is_none_or(|judged| judged.contains(&(d.class as usize))))
            .collect();
        found.sort_by(|a, b| a.class.cmp(&b.class).then(b.score.total_cmp(&a.score)));
        for mine in found.chunk_by(|a, b| a.class == b.class) {
            let class = mine[0].class as usize;
            let of = |group: bool| -> Vec<[f64; 4]> {
                boxes.iter().filter(|(k, _, crowd)| *k == class && *crowd == group).map(|(_, bbox, _)| *bbox).collect()
            };
            classes[class].found.extend(match_class(mine, &of(false), &of(true)));
        }
    }
    classes
}

/// Classes that are judged in a picture; `None` for all of them, where nobody lists what was looked for.
fn judged_classes(
    case: &Case,
    at: usize,
    hierarchy: &Hierarchy,
    boxes: &[(ClassIndex, [f64; 4], bool)],
) -> Option<BTreeSet<ClassIndex>> {
    if !case.truth.federated {
        return None;
    }
    let record = &case.truth.images[at];
    let mut judged: BTreeSet<ClassIndex> = boxes.iter().map(|(class, ..)| *class).collect();
    // Verified to be there without a box of its own.
    for &class in &record.not_exhaustive {
        judged.insert(class);
        judged.extend(hierarchy.ancestors(class));
    }
    for &class in &record.negative {
        judged.insert(class);
        judged.extend(hierarchy.descendants(class));
    }
    Some(judged)
}

/// Scores of the detections of a class in a picture, best first, and whether they are right.
fn match_class(found: &[&Found], single: &[[f64; 4]], groups: &[[f64; 4]]) -> Vec<(f64, bool)> {
    let mut taken = vec![false; single.len()];
    let mut group_scores: Vec<Option<f64>> = vec![None; groups.len()];
    let mut judged = Vec::with_capacity(found.len());
    for detection in found {
        let best = largest(single, |truth| overlap(detection.bbox, *truth, false));
        if let Some(at) = best.filter(|&at| !taken[at]) {
            taken[at] = true;
            judged.push((detection.score, true));
        } else if let Some(at) = largest(groups, |truth| overlap(detection.bbox, *truth, true)) {
            // Best first: the first score is the largest.
            group_scores[at].get_or_insert(detection.score);
        } else {
            judged.push((detection.score, false));
        }
    }
    judged.extend(group_scores.into_iter().flatten().map(|score| (score, true)));
    judged
}

/// The first box of the largest `overlap`, where that reaches the threshold.
fn largest(boxes: &[[f64; 4]], overlap: impl Fn(&[f64; 4]) -> f64) -> Option<usize> {
    let mut best = (None, f64::NEG_INFINITY);
    for (at, truth) in boxes.iter().enumerate() {
        let value = overlap(truth);
        if value > best.1 {
            best = (Some(at), value);
        }
    }
    best.0.filter(|_| best.1 >= THRESHOLD)
}
