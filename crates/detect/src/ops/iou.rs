//! Intersection over union of host boxes.
//!
//! `iou(a, b) = |a ∩ b| / (|a| + |b| - |a ∩ b|)`, boxes as `[x1, y1, x2, y2]` with `x2, y2` exclusive (no `+ 1`).
//! Trap: two boxes of zero area have no union; their overlap is 0 here, never NaN.

use crate::boxes::{area, intersection};

/// Intersection over union of every box of `a` with every box of `b`, row by row.
///
/// Boxes are `[x1, y1, x2, y2]` in any one unit. The value is 0 where both boxes have zero area.
///
/// # Shapes
///
/// `a`: `[A, 4]`, `b`: `[B, 4]`, result: `[A, B]` flattened, so that pair `(i, j)` is at `i * B + j`.
pub fn iou_matrix(a: &[[f32; 4]], b: &[[f32; 4]]) -> Vec<f32> {
    let areas: Vec<f32> = b.iter().map(|&bbox| area(bbox)).collect();
    let mut out = Vec::with_capacity(a.len() * b.len());
    for first in a {
        let first_area = area(*first);
        out.extend(b.iter().zip(&areas).map(|(second, &second_area)| {
            let shared = intersection(*first, *second);
            let union = first_area + second_area - shared;
            if union > 0.0 { shared / union } else { 0.0 }
        }));
    }
    out
}
