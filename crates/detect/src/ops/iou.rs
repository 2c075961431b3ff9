//! Intersection over union of host boxes.
//!
//! `iou(a, b) = |a ∩ b| / (|a| + |b| - |a ∩ b|)`, boxes as `[x1, y1, x2, y2]` with `x2, y2` exclusive (no `+ 1`).
//! Trap: two boxes of zero area have no union; their overlap is 0 here, never NaN.

/// Area of a box, 0 for an empty or inverted one.
pub(crate) fn area(bbox: &[f32; 4]) -> f32 {
    (bbox[2] - bbox[0]).max(0.0) * (bbox[3] - bbox[1]).max(0.0)
}

/// Area shared by two boxes.
pub(crate) fn intersection(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let width = a[2].min(b[2]) - a[0].max(b[0]);
    let height = a[3].min(b[3]) - a[1].max(b[1]);
    width.max(0.0) * height.max(0.0)
}

/// Intersection over union of every box of `a` with every box of `b`, row by row.
///
/// Boxes are `[x1, y1, x2, y2]` in any one unit. The value is 0 where both boxes have zero area.
///
/// # Shapes
///
/// `a`: `[A, 4]`, `b`: `[B, 4]`, result: `[A, B]` flattened, so that pair `(i, j)` is at `i * B + j`.
pub fn iou_matrix(a: &[[f32; 4]], b: &[[f32; 4]]) -> Vec<f32> {
    let areas: Vec<f32> = b.iter().map(area).collect();
    let mut out = Vec::with_capacity(a.len() * b.len());
    for first in a {
        let first_area = area(first);
        out.extend(b.iter().zip(&areas).map(|(second, &second_area)| {
            let shared = intersection(first, second);
            let union = first_area + second_area - shared;
            if union > 0.0 { shared / union } else { 0.0 }
        }));
    }
    out
}
