//! Greedy non-maximum suppression on the host.
//!
//! Boxes are visited by descending score, ties by index; a box is kept unless a kept one overlaps it by more than the
//! threshold (`iou > threshold`, as in torchvision). Boxes with a NaN score or coordinate are dropped.
//!
//! Trap: suppressing per class by shifting each class's boxes to a region of its own loses precision, because an f32
//! coordinate of 10⁵ has a step of 0.008 pixel. [`batched_nms`] suppresses inside each group instead.

use super::overlap::{BoxColumns, LANES};

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

/// Greedy suppression of the boxes `order`, which are ranked already.
fn suppress(boxes: &[[f32; 4]], order: &[usize], iou_threshold: f32) -> Vec<usize> {
    let columns = BoxColumns::new(order.iter().map(|&index| boxes[index]));
    let mut suppressed = vec![[0_u32; LANES]; columns.blocks()];
    let mut kept = Vec::new();
    for (position, &index) in order.iter().enumerate() {
        let block = position / LANES;
        if suppressed[block][position % LANES] == 0 {
            kept.push(index);
            // Boxes of this block that come before were visited already: what their flags say does not matter any more.
            columns.visit(block, boxes[index], |block, overlaps| {
                for (flag, overlap) in suppressed[block].iter_mut().zip(overlaps) {
                    *flag |= u32::from(*overlap > iou_threshold);
                }
            });
        }
    }
    kept
}
