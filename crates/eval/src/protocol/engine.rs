//! The bridge to `hotcoco`, which matches and accumulates; measured equal to lvis-api to the last digit on boxes.
//!
//! Only data in memory crosses it, and nothing is printed: `summarize` and `run` of the engine print, so the numbers are taken from
//! `summarize_lines` and the accumulated arrays. The engine says −1 for "not defined"; here that becomes `None`.

use equipoise_data::{Dataset, Group, Object};
use hotcoco::params::IouType;
use hotcoco::{COCO, COCOeval};

use super::{ClassResult, Evaluation, check};
use crate::detection::Detection;
use crate::error::{EvalError, Result};
use crate::record::Metrics;

/// Which of the engine's two rule books applies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// At most 100 detections a picture and class; every picture is fully labelled.
    Coco,
    /// At most 300 detections a picture; federated.
    Lvis,
}

/// Scores by the engine; `keys` name its statistics in its own order.
pub(super) fn evaluate(
    protocol: &'static str,
    rules: Rules,
    keys: &[&str],
    truth: &Dataset,
    detections: &[Detection],
) -> Result<Evaluation> {
    check(truth, detections)?;
    let refuse = |error: hotcoco::error::Error| EvalError::Protocol { protocol, reason: error.to_string() };
    let gt = COCO::from_dataset(engine_truth(rules, truth));
    let dt = gt.load_res_anns(detections.iter().map(engine_detection).collect()).map_err(refuse)?;
    let mut run = match rules {
        Rules::Coco => COCOeval::new(gt, dt, IouType::Bbox),
        Rules::Lvis => COCOeval::new_lvis(gt, dt, IouType::Bbox),
    };
    run.evaluate().map_err(refuse)?;
    run.accumulate();
    run.summarize_lines();
    let mut metrics = Metrics::default();
    let stats = run.stats().unwrap_or_default();
    for (at, key) in keys.iter().enumerate() {
        metrics.set(key, stats.get(at).copied().and_then(defined));
    }
    let classes = class_results(&run, truth, detections);
    Ok(Evaluation { protocol, metrics, classes })
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

/// `AP50r`, `AP50c`, `AP50f`: no protocol defines them, but at small scale they say more than their stricter sisters.
pub(super) fn add_ap50_of_groups(evaluation: &mut Evaluation, truth: &Dataset) {
    for (key, group) in [("AP50r", Group::Rare), ("AP50c", Group::Common), ("AP50f", Group::Frequent)] {
        let value = group_mean(truth, &evaluation.classes, group, |c| c.ap50);
        evaluation.metrics.set(key, value);
    }
}

fn class_results(run: &COCOeval, truth: &Dataset, detections: &[Detection]) -> Vec<ClassResult> {
    let mut results: Vec<ClassResult> = (0..truth.num_classes())
        .map(|class| ClassResult { class, ap: None, ap50: None, ar: None, objects: 0, images: 0, detections: 0 })
        .collect();
    for image in &truth.images {
        let mut classes: Vec<usize> = image.objects.iter().filter(|o| !o.crowd).map(|o| o.class).collect();
        classes.iter().for_each(|&class| results[class].objects += 1);
        classes.sort_unstable();
        classes.dedup();
        classes.iter().for_each(|&class| results[class].images += 1);
    }
    let class_of = |id: u64| truth.categories.binary_search_by_key(&id, |c| c.id.0).ok();
    for class in detections.iter().filter_map(|d| class_of(d.category.0)) {
        results[class].detections += 1;
    }
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

/// The truth as the engine wants it. Under the LVIS rules a data set without federated lists is taken at its word: what is not labelled in a
/// picture is not there, so every absent class goes on the picture's negative list (else no false positive would ever count).
fn engine_truth(rules: Rules, truth: &Dataset) -> hotcoco::Dataset {
    let id = |class: usize| truth.categories[class].id.0;
    let mut annotations = Vec::new();
    let images = truth
        .images
        .iter()
        .map(|image| {
            for object in &image.objects {
                let next = annotations.len() as u64 + 1;
                annotations.push(engine_object(next, image.id.0, id(object.class), object));
            }
            let negative: Vec<u64> = if rules == Rules::Lvis && !truth.federated {
                let present: Vec<usize> = image.objects.iter().map(|o| o.class).collect();
                (0..truth.num_classes()).filter(|class| !present.contains(class)).map(id).collect()
            } else {
                image.negative.iter().map(|&class| id(class)).collect()
            };
            hotcoco::Image {
                id: image.id.0,
                width: image.width,
                height: image.height,
                neg_category_ids: negative,
                not_exhaustive_category_ids: image.not_exhaustive.iter().map(|&class| id(class)).collect(),
                ..Default::default()
            }
        })
        .collect();
    let categories = truth
        .categories
        .iter()
        .map(|category| hotcoco::Category {
            id: category.id.0,
            name: category.name.clone(),
            supercategory: None,
            skeleton: None,
            keypoints: None,
            frequency: Some(letter(category.group).to_string()),
            isthing: None,
            extra: Default::default(),
        })
        .collect();
    hotcoco::Dataset { info: None, images, annotations, categories, licenses: Vec::new() }
}

/// The letter that LVIS writes for a group.
fn letter(group: Group) -> &'static str {
    match group {
        Group::Rare => "r",
        Group::Common => "c",
        Group::Frequent => "f",
    }
}

fn engine_object(id: u64, image_id: u64, category_id: u64, object: &Object) -> hotcoco::Annotation {
    hotcoco::Annotation {
        area: Some(object.area),
        iscrowd: object.crowd,
        ..annotation(id, image_id, category_id, object.bbox)
    }
}

fn engine_detection(detection: &Detection) -> hotcoco::Annotation {
    hotcoco::Annotation {
        score: Some(f64::from(detection.score)),
        ..annotation(0, detection.image.0, detection.category.0, detection.bbox)
    }
}

fn annotation(id: u64, image_id: u64, category_id: u64, bbox: [f32; 4]) -> hotcoco::Annotation {
    let [x1, y1, x2, y2] = bbox.map(f64::from);
    hotcoco::Annotation {
        id,
        image_id,
        category_id,
        bbox: Some([x1, y1, x2 - x1, y2 - y1]),
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
