//! Intersection over union of one box with many.
//!
//! Boxes lie column by column in blocks of [`LANES`], so that a block is a few vectors. All users (the matrix, matching, suppression)
//! read the same bits: `iou(a, b) = |a ∩ b| / (|a| + |b| - |a ∩ b|)` as one rounded division.

use super::simd_kernel::{Kernel, Simd, dispatch};
use crate::boxes::area;

/// Boxes of a block.
pub(crate) const LANES: usize = 16;

type Block = [f32; LANES];

/// Boxes column by column, filled up with empty boxes at the origin, which overlap nothing.
pub(crate) struct BoxColumns {
    x1: Vec<Block>,
    y1: Vec<Block>,
    x2: Vec<Block>,
    y2: Vec<Block>,
    area: Vec<Block>,
}

impl BoxColumns {
    /// The columns of some boxes.
    pub(crate) fn new(boxes: impl ExactSizeIterator<Item = [f32; 4]>) -> Self {
        let blocks = boxes.len().div_ceil(LANES);
        let empty = || vec![[0.0; LANES]; blocks];
        let mut columns = Self { x1: empty(), y1: empty(), x2: empty(), y2: empty(), area: empty() };
        for (index, bbox) in boxes.enumerate() {
            let (block, lane) = (index / LANES, index % LANES);
            columns.x1[block][lane] = bbox[0];
            columns.y1[block][lane] = bbox[1];
            columns.x2[block][lane] = bbox[2];
            columns.y2[block][lane] = bbox[3];
            columns.area[block][lane] = area(bbox);
        }
        columns
    }

    /// Number of blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.x1.len()
    }

    /// Hands every block from `first` on with its overlaps with `bbox` to `visit`, which must be `#[inline(always)]` code.
    pub(crate) fn visit(&self, first: usize, bbox: [f32; 4], visit: impl FnMut(usize, &Block)) {
        dispatch(Visit { columns: self, first, bbox, visit });
    }
}

struct Visit<'a, F> {
    columns: &'a BoxColumns,
    first: usize,
    bbox: [f32; 4],
    visit: F,
}

impl<F: FnMut(usize, &Block)> Kernel for Visit<'_, F> {
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Visit { columns, first, bbox: [x1, y1, x2, y2], mut visit } = self;
        let own = area([x1, y1, x2, y2]);
        let coordinates = columns.x1.iter().zip(&columns.y1).zip(columns.x2.iter().zip(&columns.y2));
        let blocks = coordinates.zip(&columns.area).enumerate().skip(first);
        for (block, (((ax1, ay1), (ax2, ay2)), areas)) in blocks {
            let mut overlaps = [0.0; LANES];
            for i in 0..LANES {
                let width = least(x2, ax2[i]) - most(x1, ax1[i]);
                let height = least(y2, ay2[i]) - most(y1, ay1[i]);
                let shared = most(width, 0.0) * most(height, 0.0);
                let union = own + areas[i] - shared;
                // Two boxes without area have no union; their overlap is 0, never NaN.
                overlaps[i] = if union > 0.0 { shared / union } else { 0.0 };
            }
            visit(block, &overlaps);
        }
    }
}

/// `f32::min` without its rule for NaN, which costs a blend; NaN falls to the second.
#[inline(always)]
fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline(always)]
fn most(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
