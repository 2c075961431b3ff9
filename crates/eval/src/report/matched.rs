//! Which detections of a picture are shown, and which of them are right.

use equipoise_data::{Dataset, ImageRecord};

use crate::detection::Detection;

/// Boxes that overlap this much are one claim: the best score speaks for it.
const SAME_BOX: f32 = 0.7;
/// A detection is right from this overlap on, with the right class.
const RIGHT: f32 = 0.5;
/// Weaker claims are not shown, whatever the loss.
const LEAST_SCORE: f32 = 0.05;
const MOST_BOXES: usize = 8;

/// A detection on show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown<'a> {
    pub detection: &'a Detection,
    pub class: usize,
    pub right: bool,
}

/// The best claims of a picture: one for each place, as many as there are objects and one more, at most eight, scores from 0.05.
///
/// Scores of different losses are not calibrated alike, so a number of boxes compares them more fairly than a threshold would.
pub(super) fn shown<'a>(truth: &Dataset, image: &ImageRecord, detections: &[&'a Detection]) -> Vec<Shown<'a>> {
    let most = (image.objects.iter().filter(|o| !o.crowd).count() + 1).min(MOST_BOXES);
    let mut ranked: Vec<&Detection> = detections.iter().copied().filter(|d| d.score >= LEAST_SCORE).collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut chosen: Vec<Shown> = Vec::new();
    let mut found = vec![false; image.objects.len()];
    for detection in ranked {
        if chosen.len() == most {
            break;
        }
        let repeated = chosen.iter().any(|other| iou(other.detection.bbox, detection.bbox) > SAME_BOX);
        let class = truth.categories.binary_search_by_key(&detection.category, |c| c.id);
        let (false, Ok(class)) = (repeated, class) else { continue };
        let hit = image
            .objects
            .iter()
            .enumerate()
            .filter(|(at, o)| !found[*at] && !o.crowd && o.class == class)
            .map(|(at, o)| (at, iou(o.bbox, detection.bbox)))
            .filter(|(_, overlap)| *overlap >= RIGHT)
            .max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((at, _)) = hit {
            found[at] = true;
        }
        chosen.push(Shown { detection, class, right: hit.is_some() });
    }
    chosen
}

fn iou(a: [f32; 4], b: [f32; 4]) -> f32 {
    let inner = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |c: [f32; 4]| (c[2] - c[0]) * (c[3] - c[1]);
    let union = area(a) + area(b) - inner;
    if union > 0.0 { inner / union } else { 0.0 }
}
