//! Every judged detection with what became of it: the matching rule of COCO and LVIS in plain loops, kept for each class.
//!
//! `hotcoco` gives the protocol's numbers; this gives what it does not hand out cheaply: the outcomes that pooling, calibration, error types and
//! the bootstrap over images are made of. 32 bytes a judged detection. Rule (`pycocotools`, `lvis-api`): the detections of a class in a picture, best first,
//! each take the free object with the largest overlap that reaches the threshold, the later of equal ones; only then a crowd. What lands in a crowd, or nowhere where the
//! class's labels are not exhaustive, is ignored. Tests demand the same AP as the engine's, to the last digits.

use std::collections::BTreeMap;

use equipoise_data::ClassIndex;

use crate::case::{Case, Labelled};
use crate::protocol::{Limit, Rules};

/// IoU thresholds 0.50, 0.55 … 0.95.
pub const THRESHOLDS: usize = 10;
/// Points of recall at which precision is read: 0.00, 0.01 … 1.00.
const RECALL_POINTS: usize = 101;

/// The `t`-th threshold, the bits that `numpy.linspace(0.5, 0.95, 10)` gives.
pub fn threshold(t: usize) -> f64 {
    if t + 1 == THRESHOLDS { 0.95 } else { t as f64 * ((0.95 - 0.5) / 9.0) + 0.5 }
}

/// What became of a detection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Its position in [`Case::found`].
    pub found: u32,
    /// Position of its picture.
    pub image: u32,
    /// Its confidence.
    pub score: f64,
    /// Bit `t` is set where it found an object at threshold `t`.
    pub hits: u16,
    /// Bit `t` is set where it counts neither way at threshold `t`.
    pub ignored: u16,
    /// Position of the object it found at IoU 0.50 in the picture's objects.
    pub object: Option<u32>,
}

/// The judged detections of a class, best first, and what there was to find.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassOutcomes {
    /// Judged detections by falling score; equal scores in the order of pictures, then of the file.
    pub found: Vec<Outcome>,
    /// Pictures with objects of the class, and how many; crowds not counted.
    pub objects: Vec<(u32, u32)>,
}

impl ClassOutcomes {
    /// Objects to find.
    pub fn num_objects(&self) -> u64 {
        self.objects.iter().map(|(_, n)| u64::from(*n)).sum()
    }

    /// AP at threshold `t`: 101-point interpolation. `None` without objects.
    pub fn ap_at(&self, t: usize) -> Option<f64> {
        let judged = self.found.iter().filter(|o| o.ignored >> t & 1 == 0).map(|o| o.hits >> t & 1 == 1);
        ap_101(judged.map(|hit| (hit, 1.0)), self.num_objects() as f64)
    }

    /// AP over the ten thresholds.
    pub fn ap(&self) -> Option<f64> {
        let sum: Option<f64> = (0..THRESHOLDS).map(|t| self.ap_at(t)).sum();
        sum.map(|sum| sum / THRESHOLDS as f64)
    }

    /// Recall over the ten thresholds.
    pub fn ar(&self) -> Option<f64> {
        let objects = self.num_objects();
        let hits: u32 = self.found.iter().map(|o| (o.hits & !o.ignored).count_ones()).sum();
        (objects > 0).then(|| f64::from(hits) / (THRESHOLDS as f64 * objects as f64))
    }
}

/// AP of hits and misses, best first, each counted `weight` times, against `objects` to find: precision made to fall, read at 101 recalls.
pub(crate) fn ap_101(judged: impl Iterator<Item = (bool, f64)>, objects: f64) -> Option<f64> {
    if objects <= 0.0 {
        return None;
    }
    let (mut right, mut wrong) = (0.0, 0.0);
    let mut curve: Vec<(f64, f64)> = Vec::new();
    for (hit, weight) in judged {
        if hit {
            right += weight
        } else {
            wrong += weight
        }
        if right + wrong > 0.0 {
            // The reference adds the spacing of doubles, so that nothing is divided by zero.
            curve.push((right / objects, right / (right + wrong + f64::EPSILON)));
        }
    }
    for at in (1..curve.len()).rev() {
        curve[at - 1].1 = curve[at - 1].1.max(curve[at].1);
    }
    let mut sum = 0.0;
    let mut at = 0;
    for point in 0..RECALL_POINTS {
        let recall = if point + 1 == RECALL_POINTS { 1.0 } else { point as f64 * 0.01 };
        while at < curve.len() && curve[at].0 < recall {
            at += 1;
        }
        sum += curve.get(at).map_or(0.0, |(_, precision)| *precision);
    }
    Some(sum / RECALL_POINTS as f64)
}

/// What became of every judged detection, by class, `[K]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// By class.
    pub classes: Vec<ClassOutcomes>,
    /// Pictures of the set `N`.
    pub images: usize,
}

impl Outcomes {
    /// Matches the boxes of `case` by `rules`; `limit` says how many detections are judged.
    pub fn of(case: &Case, limit: Limit, rules: Rules) -> Self {
        let mut classes = vec![ClassOutcomes::default(); case.num_classes()];
        let chosen = rules.judged(case, limit);
        let federated = rules.federated(case.truth);
        let mut next = 0;
        for (at, objects) in case.objects.iter().enumerate() {
            let range = case.on_image(at);
            let mut mine: BTreeMap<ClassIndex, Vec<u32>> = BTreeMap::new();
            while next < chosen.len() && (chosen[next] as usize) < range.end {
                mine.entry(case.found[chosen[next] as usize].class as usize).or_default().push(chosen[next]);
                next += 1;
            }
            let mut count: BTreeMap<ClassIndex, u32> = BTreeMap::new();
            for object in objects.iter().filter(|o| rules.keeps(o)) {
                *count.entry(object.class as usize).or_default() += u32::from(!object.crowd);
            }
            let record = &case.truth.images[at];
            for (&class, &n) in count.iter().filter(|(_, n)| **n > 0) {
                classes[class].objects.push((at as u32, n));
            }
            for (class, found) in mine {
                let exhaustive = !(federated && record.not_exhaustive.contains(&class));
                let labels = labels(objects, class, rules);
                judge(case, &labels, at as u32, found, exhaustive, &mut classes[class].found);
            }
        }
        for class in &mut classes {
            class.found.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        Self { classes, images: case.objects.len() }
    }

    /// The mean AP over `classes`; classes without objects are left out.
    pub fn mean_ap(&self, classes: impl Iterator<Item = ClassIndex>) -> Option<f64> {
        let (sum, n) =
            classes.filter_map(|k| self.classes[k].ap()).fold((0.0, 0_u32), |(sum, n), ap| (sum + ap, n + 1));
        (n > 0).then(|| sum / f64::from(n))
    }

    /// AP-Pool over `classes` (Dave et al., arXiv 2102.01066): the detections of all of them in one list by score, the objects of all of them to find. At the ten thresholds.
    pub fn pooled(&self, classes: &[ClassIndex]) -> [Option<f64>; THRESHOLDS] {
        let mut all: Vec<&Outcome> = classes.iter().flat_map(|&k| &self.classes[k].found).collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        let objects: u64 = classes.iter().map(|&k| self.classes[k].num_objects()).sum();
        std::array::from_fn(|t| {
            let judged = all.iter().filter(|o| o.ignored >> t & 1 == 0).map(|o| (o.hits >> t & 1 == 1, 1.0));
            ap_101(judged, objects as f64)
        })
    }
}

/// Positions of the detections that `limit` lets through, ascending.
pub(crate) fn chosen(case: &Case, limit: Limit) -> Vec<u32> {
    let all = 0..case.found.len() as u32;
    let score = |d: &u32| case.found[*d as usize].score;
    let best = |mut some: Vec<u32>, most: usize| {
        if some.len() > most {
            some.sort_by(|a, b| score(b).total_cmp(&score(a)));
            some.truncate(most);
        }
        some
    };
    let mut kept: Vec<u32> = match limit {
        Limit::All => return all.collect(),
        Limit::PerImage(most) => {
            (0..case.objects.len()).flat_map(|at| best(case.on_image(at).map(|d| d as u32).collect(), most)).collect()
        }
        Limit::PerImageAndClass(most) => (0..case.objects.len())
            .flat_map(|at| {
                let by_class = by_class(case, case.on_image(at).map(|d| d as u32));
                by_class.into_values().flat_map(|some| best(some, most)).collect::<Vec<_>>()
            })
            .collect(),
        Limit::PerClass(most) => by_class(case, all).into_values().flat_map(|some| best(some, most)).collect(),
    };
    kept.sort_unstable();
    kept
}

fn by_class(case: &Case, found: impl Iterator<Item = u32>) -> BTreeMap<u32, Vec<u32>> {
    let mut classes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for d in found {
        classes.entry(case.found[d as usize].class).or_default().push(d);
    }
    classes
}

/// The objects of a class in a picture with their positions.
fn labels(objects: &[Labelled], class: ClassIndex, rules: Rules) -> Vec<(u32, &Labelled)> {
    let all = objects.iter().zip(0..);
    all.filter(|(o, _)| o.class as usize == class && rules.keeps(o)).map(|(o, at)| (at, o)).collect()
}

/// Matches the detections `found` of the class of `labels` in a picture and adds their outcomes.
fn judge(
    case: &Case,
    labels: &[(u32, &Labelled)],
    image: u32,
    mut found: Vec<u32>,
    exhaustive: bool,
    outcomes: &mut Vec<Outcome>,
) {
    found.sort_by(|a, b| case.found[*b as usize].score.total_cmp(&case.found[*a as usize].score));
    let mut taken = vec![0_u16; labels.len()];
    for d in found {
        let detection = &case.found[d as usize];
        let overlaps: Vec<f64> = labels.iter().map(|(_, o)| overlap(detection.bbox, o.bbox, o.crowd)).collect();
        let mut outcome = Outcome { found: d, image, score: detection.score, hits: 0, ignored: 0, object: None };
        for t in 0..THRESHOLDS {
            let bit = 1 << t;
            match take(labels, &overlaps, &taken, t) {
                Some(at) if labels[at].1.crowd => outcome.ignored |= bit,
                Some(at) => {
                    outcome.hits |= bit;
                    taken[at] |= bit;
                    if t == 0 {
                        outcome.object = Some(labels[at].0);
                    }
                }
                None if !exhaustive => outcome.ignored |= bit,
                None => {}
            }
        }
        outcomes.push(outcome);
    }
}

/// The label that a detection with these overlaps takes at threshold `t`: an object before a crowd, the largest overlap, the later of equal ones.
fn take(labels: &[(u32, &Labelled)], overlaps: &[f64], taken: &[u16], t: usize) -> Option<usize> {
    let among = |crowd: bool| {
        let mut best: Option<usize> = None;
        for (at, &overlap) in overlaps.iter().enumerate().filter(|(at, _)| labels[*at].1.crowd == crowd) {
            let free = crowd || taken[at] >> t & 1 == 0;
            if free && overlap >= threshold(t) && best.is_none_or(|b| overlap >= overlaps[b]) {
                best = Some(at);
            }
        }
        best
    };
    among(false).or_else(|| among(true))
}

/// Intersection over union of boxes `[x, y, width, height]`; over the detection's own area where `crowd`.
pub(crate) fn overlap(found: [f64; 4], truth: [f64; 4], crowd: bool) -> f64 {
    let w = (found[2] + found[0]).min(truth[2] + truth[0]) - found[0].max(truth[0]);
    let h = (found[3] + found[1]).min(truth[3] + truth[1]) - found[1].max(truth[1]);
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let (inner, own) = (w * h, found[2] * found[3]);
    inner / if crowd { own } else { own + truth[2] * truth[3] - inner }
}
