//! Greedy non-maximum suppression on the host.
//!
//! Boxes are visited by descending score, ties by index; a box is kept unless a kept one overlaps it by more than the
//! threshold (`iou > threshold`, as in torchvision). Boxes with a NaN score or coordinate are dropped.
//!
//! Trap: suppressing per class by shifting each class's boxes to a region of its own loses precision, because an f32
//! coordinate of 10⁵ has a step of 0.008 pixel. [`batched_nms`] suppresses inside each group instead.

use crate::boxes::area;

/// Indices of the boxes that survive greedy suppression, by descending score.
///
/// `boxes` are `[x1, y1, x2, y2]`; a box is suppressed when its overlap with a kept box exceeds `iou_threshold`.
///
/// # Panics
///
/// When `boxes` and `scores` differ in length.
pub fn nms(boxes: &[[f32; 4]], scores: &[f32], iou_threshold: f32) -> Vec<usize> {
    suppress(boxes, &ranked(boxes, scores), iou_threshold)
}

/// Like [`nms`], with boxes of different `groups` (classes, pyramid levels) never suppressing each other.
///
/// The result is ordered by descending score over all groups.
///
/// # Panics
///
/// When `boxes`, `scores` and `groups` differ in length.
pub fn batched_nms(boxes: &[[f32; 4]], scores: &[f32], groups: &[usize], iou_threshold: f32) -> Vec<usize> {
    assert_eq!(boxes.len(), groups.len(), "batched_nms needs one group per box");
    let mut order = ranked(boxes, scores);
    // Stable, so that each group stays ranked by score.
    order.sort_by_key(|&index| groups[index]);
    let mut kept = Vec::new();
    for members in order.chunk_by(|&a, &b| groups[a] == groups[b]) {
        kept.extend(suppress(boxes, members, iou_threshold));
    }
    sort_by_score(&mut kept, scores);
    kept
}

/// Usable boxes by descending score.
fn ranked(boxes: &[[f32; 4]], scores: &[f32]) -> Vec<usize> {
    assert_eq!(boxes.len(), scores.len(), "non-maximum suppression needs one score per box");
    let usable = |&index: &usize| !scores[index].is_nan() && !boxes[index].iter().any(|value| value.is_nan());
    let mut order: Vec<usize> = (0..boxes.len()).filter(usable).collect();
    sort_by_score(&mut order, scores);
    order
}

fn sort_by_score(order: &mut [usize], scores: &[f32]) {
    // `+ 0.0` makes -0.0 and 0.0 a tie, which `total_cmp` would not.
    order.sort_unstable_by(|&a, &b| (scores[b] + 0.0).total_cmp(&(scores[a] + 0.0)).then(a.cmp(&b)));
}

/// Boxes in structure-of-arrays form: the overlap test of one box with many then vectorises.
struct Columns {
    x1: Vec<f32>,
    y1: Vec<f32>,
    x2: Vec<f32>,
    y2: Vec<f32>,
    area: Vec<f32>,
}

impl Columns {
    fn gather(boxes: &[[f32; 4]], order: &[usize]) -> Self {
        let column = |axis: usize| order.iter().map(|&index| boxes[index][axis]).collect();
        let area = order.iter().map(|&index| area(boxes[index])).collect();
        Columns { x1: column(0), y1: column(1), x2: column(2), y2: column(3), area }
    }

    /// Marks in `suppressed` the boxes after `first` that overlap it by more than `threshold`.
    fn mark(&self, first: usize, threshold: f32, suppressed: &mut [u8]) {
        let (x1, y1, x2, y2, area) = (self.x1[first], self.y1[first], self.x2[first], self.y2[first], self.area[first]);
        let rest = first + 1..suppressed.len();
        let columns = self.x1[rest.clone()].iter().zip(&self.y1[rest.clone()]);
        let columns = columns.zip(self.x2[rest.clone()].iter().zip(&self.y2[rest.clone()]));
        let columns = columns.zip(&self.area[rest.clone()]);
        for (flag, (((&bx1, &by1), (&bx2, &by2)), &other)) in suppressed[rest].iter_mut().zip(columns) {
            let width = (x2.min(bx2) - x1.max(bx1)).max(0.0);
            let height = (y2.min(by2) - y1.max(by1)).max(0.0);
            let shared = width * height;
            let union = area + other - shared;
            // An empty union has overlap 0, see `iou_matrix`.
            let overlap = if union > 0.0 { shared / union } else { 0.0 };
            *flag |= u8::from(overlap > threshold);
        }
    }
}

/// Greedy suppression of the boxes `order`, which are ranked already.
fn suppress(boxes: &[[f32; 4]], order: &[usize], iou_threshold: f32) -> Vec<usize> {
    let columns = Columns::gather(boxes, order);
    let mut suppressed = vec![0u8; order.len()];
    let mut kept = Vec::new();
    for (position, &index) in order.iter().enumerate() {
        if suppressed[position] == 0 {
            kept.push(index);
            columns.mark(position, iou_threshold, &mut suppressed);
        }
    }
    kept
}
