//! Intersection over union of host boxes.
//!
//! `iou(a, b) = |a ∩ b| / (|a| + |b| - |a ∩ b|)`, boxes as `[x1, y1, x2, y2]` with `x2, y2` exclusive (no `+ 1`).
//! Trap: two boxes of zero area have no union; their overlap is 0 here, never NaN.

use super::overlap::{BoxColumns, LANES};

/// Intersection over union of every box of `a` with every box of `b`, row by row.
///
/// Boxes are `[x1, y1, x2, y2]` in any one unit. The value is 0 where both boxes have zero area.
///
/// # Shapes
///
/// `a`: `[A, 4]`, `b`: `[B, 4]`, result: `[A, B]` flattened, so that pair `(i, j)` is at `i * B + j`.
pub fn iou_matrix(a: &[[f32; 4]], b: &[[f32; 4]]) -> Vec<f32> {
    let columns = BoxColumns::new(b.iter().copied());
    let mut out = vec![0.0; a.len() * b.len()];
    for (bbox, row) in a.iter().zip(out.chunks_exact_mut(b.len().max(1))) {
        columns.visit(0, *bbox, |block, overlaps| {
            let to = &mut row[block * LANES..];
            let count = to.len().min(LANES);
            to[..count].copy_from_slice(&overlaps[..count]);
        });
    }
    out
}
