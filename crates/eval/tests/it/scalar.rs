//! A second witness of average precision: loops over one class and one IoU threshold, written from the papers, without the engine.

use equipoise_data::{Dataset, ImageRecord, Object};
use equipoise_eval::Detection;

/// Which pictures and detections count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Coco,
    Lvis,
}

/// AP of a class at one IoU threshold: 101-point interpolation. `None` without truth.
pub fn ap(rule: Rule, truth: &Dataset, detections: &[Detection], class: usize, iou: f64) -> Option<f64> {
    pooled_ap(rule, truth, detections, &[class], iou)
}

/// AP-Pool of `classes` at one IoU threshold (arXiv 2102.01066): each class is matched by itself, then all detections make one curve over all objects.
pub fn pooled_ap(rule: Rule, truth: &Dataset, detections: &[Detection], classes: &[usize], iou: f64) -> Option<f64> {
    let (mut judged, mut objects) = (Vec::new(), 0);
    for &class in classes {
        for image in &truth.images {
            let labels: Vec<&Object> = image.objects.iter().filter(|o| o.class == class).collect();
            if rule == Rule::Lvis && truth.federated && labels.is_empty() && !image.negative.contains(&class) {
                continue;
            }
            objects += labels.iter().filter(|o| !o.crowd).count();
            judged.extend(judge(truth, image, &labels, detections, class, iou));
        }
    }
    (objects > 0).then(|| interpolated(judged, objects))
}

/// AP of a class over IoU 0.50 to 0.95.
pub fn ap_over_ious(rule: Rule, truth: &Dataset, detections: &[Detection], class: usize) -> Option<f64> {
    let aps: Option<Vec<f64>> =
        (0..10).map(|i| ap(rule, truth, detections, class, 0.5 + 0.05 * f64::from(i))).collect();
    aps.map(|aps| aps.iter().sum::<f64>() / 10.0)
}

/// AP-Pool over IoU 0.50 to 0.95.
pub fn pooled_ap_over_ious(rule: Rule, truth: &Dataset, detections: &[Detection], classes: &[usize]) -> Option<f64> {
    let at = |i| pooled_ap(rule, truth, detections, classes, 0.5 + 0.05 * f64::from(i));
    (0..10).map(at).sum::<Option<f64>>().map(|sum| sum / 10.0)
}

/// `(score, right)` of every detection that counts in a picture.
fn judge(
    truth: &Dataset,
    image: &ImageRecord,
    labels: &[&Object],
    detections: &[Detection],
    class: usize,
    threshold: f64,
) -> Vec<(f32, bool)> {
    let id = truth.categories[class].id;
    let mut mine: Vec<&Detection> = detections.iter().filter(|d| d.image == image.id && d.category == id).collect();
    mine.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut taken = vec![false; labels.len()];
    let mut judged = Vec::new();
    for detection in mine {
        let mut best: Option<(usize, f64)> = None;
        for (at, label) in labels.iter().enumerate().filter(|(_, l)| !l.crowd) {
            let overlap = iou(detection.bbox, label.bbox, false);
            // Of equal overlaps the later one wins, as in pycocotools.
            if !taken[at] && overlap >= threshold - 1e-10 && best.is_none_or(|(_, b)| overlap >= b) {
                best = Some((at, overlap));
            }
        }
        if let Some((at, _)) = best {
            taken[at] = true;
            judged.push((detection.score, true));
            continue;
        }
        let in_crowd = labels.iter().any(|l| l.crowd && iou(detection.bbox, l.bbox, true) >= threshold - 1e-10);
        if !in_crowd && !image.not_exhaustive.contains(&class) {
            judged.push((detection.score, false));
        }
    }
    judged
}

/// Overlap over union; over the detection's own area for a crowd.
fn iou(d: [f32; 4], g: [f32; 4], crowd: bool) -> f64 {
    let [dx1, dy1, dx2, dy2] = d.map(f64::from);
    let [gx1, gy1, gx2, gy2] = g.map(f64::from);
    let (w, h) = (dx2.min(gx2) - dx1.max(gx1), dy2.min(gy2) - dy1.max(gy1));
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let (inner, own) = (w * h, (dx2 - dx1) * (dy2 - dy1));
    if crowd { inner / own } else { inner / (own + (gx2 - gx1) * (gy2 - gy1) - inner) }
}

fn interpolated(mut judged: Vec<(f32, bool)>, objects: usize) -> f64 {
    judged.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut points = Vec::new();
    let mut right = 0;
    for (at, (_, hit)) in judged.iter().enumerate() {
        right += usize::from(*hit);
        points.push((right as f64 / objects as f64, right as f64 / (at + 1) as f64));
    }
    let best_from =
        |recall: f64| points.iter().filter(|(r, _)| *r >= recall - 1e-12).map(|(_, p)| *p).fold(0.0, f64::max);
    (0..=100).map(|i| best_from(f64::from(i) / 100.0)).sum::<f64>() / 101.0
}
