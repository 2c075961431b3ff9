//! A mask as a detector makes it, a grid of chances over its box, and the pixels that it stands for.

use equipoise_data::Bitmap;

/// Chances of a square grid over a box.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxMask {
    /// Cells per side.
    pub side: usize,
    /// Chance of each cell of belonging to the object, row by row.
    pub chances: Vec<f32>,
}

/// From this chance on a pixel belongs to the object (Mask R-CNN, arXiv 1703.06870, section 3.1).
const THRESHOLD: f32 = 0.5;

impl BoxMask {
    /// The pixels of a picture of `size` (height, width) whose centre belongs to the object in `bbox`, by bilinear interpolation
    /// between the centres of the cells. Around the grid the chance is 0, so that a mask does not end in the straight line of its box.
    pub fn paste(&self, bbox: [f32; 4], size: [usize; 2]) -> Bitmap {
        let [x1, y1, x2, y2] = bbox;
        // A coordinate that is not finite becomes 0 by the cast.
        let whole = |low: f32, high: f32, limit: usize| {
            [(low.floor().max(0.0) as usize).min(limit), (high.ceil().max(0.0) as usize).min(limit)]
        };
        let ([left, right], [top, bottom]) = (whole(x1, x2, size[1]), whole(y1, y2, size[0]));
        let columns = Axis::new(left..right, x1, x2, self.side);
        let rows = Axis::new(top..bottom, y1, y2, self.side);
        Bitmap::from_fn([left, top, right, bottom], |x, y| {
            let ([top, bottom], down) = rows.at(y);
            let ([left, right], across) = columns.at(x);
            let row = |row: Option<usize>| {
                let cell = |column: Option<usize>| match (row, column) {
                    (Some(row), Some(column)) => self.chances.get(row * self.side + column).copied().unwrap_or(0.0),
                    _ => 0.0,
                };
                (1.0 - across) * cell(left) + across * cell(right)
            };
            (1.0 - down) * row(top) + down * row(bottom) >= THRESHOLD
        })
    }
}

/// The two cells that each pixel of an axis lies between, and the share of the second.
struct Axis {
    first: usize,
    places: Vec<([Option<usize>; 2], f32)>,
}

impl Axis {
    fn new(pixels: std::ops::Range<usize>, low: f32, high: f32, side: usize) -> Self {
        let first = pixels.start;
        let place = |pixel: usize| {
            let at = (pixel as f32 + 0.5 - low) / (high - low) * side as f32 - 0.5;
            let cell = |at: f32| (at >= 0.0 && at < side as f32).then_some(at as usize);
            ([cell(at.floor()), cell(at.floor() + 1.0)], at - at.floor())
        };
        Self { first, places: pixels.map(place).collect() }
    }

    fn at(&self, pixel: usize) -> ([Option<usize>; 2], f32) {
        self.places[pixel - self.first]
    }
}
