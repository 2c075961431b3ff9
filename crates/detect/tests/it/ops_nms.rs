//! Suppression and overlap against quadratic definitions.

use equipoise_detect::ops::{batched_nms, iou_matrix, nms};
use proptest::prelude::*;

/// Overlap of two boxes as the definition has it.
fn iou(a: [f32; 4], b: [f32; 4]) -> f32 {
    let area = |[x1, y1, x2, y2]: [f32; 4]| (x2 - x1).max(0.0) * (y2 - y1).max(0.0);
    let shared = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    let union = area(a) + area(b) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

/// Picks the best remaining box until none is left.
fn reference(boxes: &[[f32; 4]], scores: &[f32], groups: &[usize], threshold: f32) -> Vec<usize> {
    let mut left: Vec<usize> = (0..boxes.len()).filter(|&index| !scores[index].is_nan()).collect();
    let mut kept = Vec::new();
    while let Some(&first) = left.first() {
        let best = left.iter().fold(first, |best, &index| if scores[index] > scores[best] { index } else { best });
        kept.push(best);
        left.retain(|&index| {
            index != best && (groups[index] != groups[best] || iou(boxes[index], boxes[best]) <= threshold)
        });
    }
    kept
}

type Boxes = Vec<([f32; 4], f32, usize)>;

fn boxes() -> impl Strategy<Value = Boxes> {
    let corner = (0u8..30).prop_map(f32::from);
    let size = (0u8..20).prop_map(f32::from);
    let bbox = (corner.clone(), corner, size.clone(), size).prop_map(|(x, y, w, h)| [x, y, x + w, y + h]);
    // Few distinct scores, so that ties are common.
    let score =
        prop_oneof![8 => (0u8..6).prop_map(|score| f32::from(score) / 5.0), 1 => Just(f32::NAN), 1 => Just(-0.0)];
    prop::collection::vec((bbox, score, 0usize..3), 0..60)
}

fn columns(boxes: &Boxes) -> (Vec<[f32; 4]>, Vec<f32>, Vec<usize>) {
    (boxes.iter().map(|b| b.0).collect(), boxes.iter().map(|b| b.1).collect(), boxes.iter().map(|b| b.2).collect())
}

proptest! {
    #[test]
    fn suppression_agrees_with_the_definition(boxes in boxes(), threshold in prop_oneof![Just(0.0f32), Just(0.5), 0.0f32..1.0]) {
        let (boxes, scores, groups) = columns(&boxes);
        prop_assert_eq!(nms(&boxes, &scores, threshold), reference(&boxes, &scores, &vec![0; boxes.len()], threshold));
        prop_assert_eq!(batched_nms(&boxes, &scores, &groups, threshold), reference(&boxes, &scores, &groups, threshold));
    }

    #[test]
    fn overlaps_agree_with_the_definition(a in boxes(), b in boxes()) {
        let (a, b) = (columns(&a).0, columns(&b).0);
        let expected: Vec<f32> = a.iter().flat_map(|&a| b.iter().map(move |&b| iou(a, b))).collect();
        prop_assert_eq!(iou_matrix(&a, &b), expected);
    }
}

#[test]
fn empty_boxes_overlap_nothing() {
    let points = [[1.0, 1.0, 1.0, 1.0], [3.0, 3.0, 1.0, 1.0]];
    assert_eq!(iou_matrix(&points, &points), [0.0; 4]);
    assert_eq!(nms(&points, &[0.5, 0.9], 0.0), [1, 0]);
    assert!(iou_matrix(&points, &[]).is_empty() && nms(&[], &[], 0.5).is_empty());
}

#[test]
fn a_coordinate_that_is_not_a_number_drops_the_box() {
    let boxes = [[0.0, 0.0, f32::NAN, 2.0], [0.0, 0.0, 2.0, 2.0]];
    assert_eq!(nms(&boxes, &[0.9, 0.1], 0.5), [1]);
    assert_eq!(iou_matrix(&boxes[..1], &boxes[1..]), [0.0]);
}

#[test]
fn far_classes_do_not_cost_precision() {
    // One box hidden by another at 0.96 overlap, in a class whose coordinates would be shifted by some 10⁷ pixels.
    let boxes = [[1000.0, 1000.0, 1010.0, 1010.0], [1000.1, 1000.1, 1010.1, 1010.1], [1000.0, 1000.0, 1010.0, 1010.0]];
    let groups = [10_000, 10_000, 9_999];
    assert_eq!(batched_nms(&boxes, &[0.9, 0.8, 0.7], &groups, 0.95), [0, 2]);
    assert_eq!(batched_nms(&boxes, &[0.9, 0.8, 0.7], &groups, 0.97), [0, 1, 2]);
}
