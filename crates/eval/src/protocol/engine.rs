//! The bridge to `hotcoco`, which matches and accumulates; measured equal to lvis-api and pycocotools to the last digit on boxes and masks.
//!
//! Only data in memory crosses it, and nothing is printed: `summarize` and `run` of the engine print, so the numbers are taken from
//! `summarize_lines` and the accumulated arrays. The engine says −1 for "not defined"; here that becomes `None`. Detections that the rules do not
//! judge (beyond the cap, or of a class that nobody looked for in the picture) stay on this side, and the rest crosses in batches of pictures:
//! the engine's records are ten times as large as ours.

use std::ops::Range;

use equipoise_data::{Dataset, Group};
use hotcoco::params::{IouType, Params};
use hotcoco::{COCO, COCOeval, EvalMode, StreamingEval};

use super::options::Limit;
use super::{ClassResult, Evaluation};
use crate::case::{Case, Found, Labelled, Shape};
use crate::error::{EvalError, Result};
use crate::outcome::chosen;
use crate::record::Metrics;

/// Pictures that cross to the engine at once.
const BATCH: usize = 512;

/// Which of the two rule books applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// At most 100 detections a picture and class; every picture is fully labelled.
    Coco,
    /// At most 300 detections a picture; federated; what has no area is left out.
    Lvis,
}

impl Rules {
    /// The protocol's own cap.
    pub fn limit(self) -> Limit {
        match self {
            Self::Coco => Limit::PerImageAndClass(100),
            Self::Lvis => Limit::PerImage(300),
        }
    }

    /// Whether the lists of `truth` say what is judged.
    pub fn federated(self, truth: &Dataset) -> bool {
        self == Self::Lvis && truth.federated
    }

    /// Whether an object is there by these rules: lvis-api does not load one without area.
    pub fn keeps(self, object: &Labelled) -> bool {
        self == Self::Coco || object.area > 0.0
    }

    /// Positions of the detections that count by these rules under `limit`, ascending: within the cap, with an area, and of a class that was looked for.
    pub(crate) fn judged(self, case: &Case, limit: Limit) -> Vec<u32> {
        let mut kept = chosen(case, limit);
        if self == Self::Lvis {
            // After the cap, as in lvis-api: a detection without area takes a place.
            kept.retain(|&d| !case.is_flat(&case.found[d as usize]));
        }
        if self.federated(case.truth) {
            kept.retain(|&d| {
                let found = &case.found[d as usize];
                let at = found.image as usize;
                case.objects[at].iter().any(|o| o.class == found.class && self.keeps(o))
                    || case.truth.images[at].negative.contains(&(found.class as usize))
            });
        }
        kept
    }

    fn mode(self) -> EvalMode {
        match self {
            Self::Coco => EvalMode::Coco,
            Self::Lvis => EvalMode::Lvis,
        }
    }
}

/// Scores by the engine under `limit`; `keys` name its statistics in its own order.
pub(super) fn evaluate(
    protocol: &'static str,
    rules: Rules,
    keys: &[&str],
    case: &Case,
    limit: Limit,
) -> Result<Evaluation> {
    let refuse = |error: hotcoco::error::Error| EvalError::Protocol { protocol, reason: error.to_string() };
    let kept = match (rules, limit) {
        // The engine counts these by itself, and AR1 and AR10 need them all.
        (Rules::Coco, Limit::PerImageAndClass(_)) => rules.judged(case, Limit::All),
        _ => rules.judged(case, limit),
    };
    let mut run = match limit {
        Limit::PerImage(_) | Limit::PerImageAndClass(_) => in_batches(rules, case, &kept).map_err(refuse)?,
        Limit::PerClass(_) | Limit::All => at_once(rules, case, &kept).map_err(refuse)?,
    };
    run.accumulate();
    run.summarize_lines();
    let mut metrics = Metrics::default();
    let stats = run.stats().unwrap_or_default();
    for (at, key) in keys.iter().enumerate() {
        metrics.set(key, stats.get(at).copied().and_then(defined));
    }
    let classes = class_results(&run, case);
    Ok(Evaluation { protocol, metrics, labels: Vec::new(), classes })
}

fn iou_type(shape: Shape) -> IouType {
    match shape {
        Shape::Boxes => IouType::Bbox,
        Shape::Masks => IouType::Segm,
    }
}

/// Matches batch by batch. The engine caps a picture at 300 detections by itself, so it must be so that no more than these count.
fn in_batches(rules: Rules, case: &Case, kept: &[u32]) -> hotcoco::error::Result<COCOeval> {
    let params = rules.mode().default_params(iou_type(case.shape));
    let mut run = StreamingEval::new(params, rules.mode(), categories(case.truth))?;
    let mut rest = kept;
    for start in (0..case.objects.len()).step_by(BATCH) {
        let images = start..(start + BATCH).min(case.objects.len());
        let here = rest.partition_point(|&d| (case.found[d as usize].image as usize) < images.end);
        let (mine, later) = rest.split_at(here);
        rest = later;
        let found = mine.iter().map(|&d| engine_detection(case, &case.found[d as usize])).collect();
        run.update(engine_images(rules, case, images.clone(), mine), engine_objects(rules, case, images), found)?;
    }
    Ok(run.finalize())
}

/// Matches all at once, without any cap but the one that `kept` has.
fn at_once(rules: Rules, case: &Case, kept: &[u32]) -> hotcoco::error::Result<COCOeval> {
    let images = 0..case.objects.len();
    let mut annotations = engine_objects(rules, case, images.clone());
    annotations.iter_mut().zip(1..).for_each(|(annotation, id)| annotation.id = id);
    let gt = COCO::from_dataset(hotcoco::Dataset {
        info: None,
        images: engine_images(rules, case, images, kept),
        annotations,
        categories: categories(case.truth),
        licenses: Vec::new(),
    });
    let dt = gt.load_res_anns(kept.iter().map(|&d| engine_detection(case, &case.found[d as usize])).collect())?;
    let dt = dt.cap_detections_per_image(None);
    let mut run = match rules {
        Rules::Coco => COCOeval::new(gt, dt, iou_type(case.shape)),
        Rules::Lvis => COCOeval::new_lvis(gt, dt, iou_type(case.shape)),
    };
    uncap(&mut run.params, kept.len());
    run.evaluate()?;
    Ok(run)
}

/// Lets every one of `most` detections count.
fn uncap(params: &mut Params, most: usize) {
    if let Some(last) = params.max_dets.last_mut() {
        *last = most.max(*last);
    }
}

/// The engine's −1 is "not defined".
fn defined(value: f64) -> Option<f64> {
    (value >= 0.0).then_some(value)
}

/// The mean of what is defined.
pub(super) fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = values.flatten().fold((0.0, 0_u32), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The mean of a score over the classes of a group.
pub(super) fn group_mean(
    truth: &Dataset,
    classes: &[ClassResult],
    group: Group,
    score: fn(&ClassResult) -> Option<f64>,
) -> Option<f64> {
    mean(classes.iter().filter(|c| truth.categories[c.class].group == group).map(score))
}

/// A result of each class with its counts, without scores.
pub(super) fn counted(case: &Case) -> Vec<ClassResult> {
    let mut results: Vec<ClassResult> = (0..case.num_classes())
        .map(|class| ClassResult { class, ap: None, ap50: None, ar: None, objects: 0, images: 0, detections: 0 })
        .collect();
    for objects in &case.objects {
        let mut classes: Vec<usize> = objects.iter().filter(|o| !o.crowd).map(|o| o.class as usize).collect();
        classes.iter().for_each(|&class| results[class].objects += 1);
        classes.sort_unstable();
        classes.dedup();
        classes.iter().for_each(|&class| results[class].images += 1);
    }
    case.found.iter().for_each(|d| results[d.class as usize].detections += 1);
    results
}

fn class_results(run: &COCOeval, case: &Case) -> Vec<ClassResult> {
    let truth = case.truth;
    let mut results = counted(case);
    let class_of = |id: u64| truth.categories.binary_search_by_key(&id, |c| c.id.0).ok();
    let Some(acc) = run.accumulated() else { return results };
    let (area, cap) = (run.params.all_area_idx(), run.params.max_det_idx());
    let shape = acc.shape;
    for (k, class) in acc.cat_ids.iter().enumerate().filter_map(|(k, &id)| class_of(id).map(|class| (k, class))) {
        let ap_at =
            |t: usize| mean((0..shape.r).map(|r| defined(acc.precision[shape.precision_idx(t, r, k, area, cap)])));
        results[class].ap = mean((0..shape.t).map(ap_at));
        results[class].ap50 = (shape.t > 0).then(|| ap_at(0)).flatten();
        results[class].ar = mean((0..shape.t).map(|t| defined(acc.recall[shape.recall_idx(t, k, area, cap)])));
    }
    results
}

/// The pictures as the engine wants them. Under the LVIS rules a data set without federated lists is taken at its word: what is not labelled in a
/// picture is not there, so every absent class that `found` names goes on the picture's negative list (else no false positive would ever count).
fn engine_images(rules: Rules, case: &Case, images: Range<usize>, mut found: &[u32]) -> Vec<hotcoco::Image> {
    let id = |class: usize| case.truth.categories[class].id.0;
    let image = |at: usize| {
        let record = &case.truth.images[at];
        let (mine, later) = found.split_at(found.partition_point(|&d| case.found[d as usize].image as usize <= at));
        found = later;
        let negative: Vec<u64> = if rules == Rules::Lvis && !case.truth.federated {
            let present = |class: u32| case.objects[at].iter().any(|o| o.class == class && rules.keeps(o));
            let mut absent: Vec<u32> =
                mine.iter().map(|&d| case.found[d as usize].class).filter(|&class| !present(class)).collect();
            absent.sort_unstable();
            absent.dedup();
            absent.into_iter().map(|class| id(class as usize)).collect()
        } else {
            record.negative.iter().map(|&class| id(class)).collect()
        };
        hotcoco::Image {
            id: record.id.0,
            width: record.width,
            height: record.height,
            neg_category_ids: negative,
            not_exhaustive_category_ids: record.not_exhaustive.iter().map(|&class| id(class)).collect(),
            ..Default::default()
        }
    };
    images.map(image).collect()
}

fn categories(truth: &Dataset) -> Vec<hotcoco::Category> {
    let category = |category: &equipoise_data::Category| hotcoco::Category {
        id: category.id.0,
        name: category.name.clone(),
        supercategory: None,
        skeleton: None,
        keypoints: None,
        frequency: Some(category.group.letter().to_string()),
        isthing: None,
        extra: Default::default(),
    };
    truth.categories.iter().map(category).collect()
}

fn engine_objects(rules: Rules, case: &Case, images: Range<usize>) -> Vec<hotcoco::Annotation> {
    let object = |at: usize, object: &Labelled| hotcoco::Annotation {
        area: Some(object.area),
        iscrowd: object.crowd,
        bbox: Some(object.bbox),
        segmentation: object.mask.as_deref().cloned(),
        ..annotation(case, at, object.class)
    };
    images.flat_map(|at| case.objects[at].iter().filter(move |o| rules.keeps(o)).map(move |o| object(at, o))).collect()
}

fn engine_detection(case: &Case, found: &Found) -> hotcoco::Annotation {
    hotcoco::Annotation {
        score: Some(found.score),
        bbox: case.has_boxes.then_some(found.bbox),
        segmentation: found.mask.as_deref().cloned(),
        ..annotation(case, found.image as usize, found.class)
    }
}

fn annotation(case: &Case, image: usize, class: u32) -> hotcoco::Annotation {
    hotcoco::Annotation {
        id: 0,
        image_id: case.truth.images[image].id.0,
        category_id: case.truth.categories[class as usize].id.0,
        bbox: None,
        area: None,
        segmentation: None,
        iscrowd: false,
        keypoints: None,
        num_keypoints: None,
        obb: None,
        score: None,
        is_group_of: None,
        extra: Default::default(),
    }
}
