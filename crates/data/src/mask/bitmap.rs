//! A mask as bits over a rectangle of a picture.
//!
//! A pixel belongs to a polygon when its centre does, by the even-odd rule; several polygons are united, as COCO means them.

use super::rle;

/// Bits over `width` × `height` pixels from (`left`, `top`) on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    /// Left edge.
    pub left: usize,
    /// Upper edge.
    pub top: usize,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    bits: Vec<bool>,
}

impl Bitmap {
    /// Bits of the rectangle `[x1, y1, x2, y2]` of whole pixels, by a function of (x, y).
    pub fn from_fn([x1, y1, x2, y2]: [usize; 4], mut bit: impl FnMut(usize, usize) -> bool) -> Self {
        let (width, height) = (x2.saturating_sub(x1), y2.saturating_sub(y1));
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x1 + x, y1 + y)));
        let bits = places.map(|(x, y)| bit(x, y)).collect();
        Self { left: x1, top: y1, width, height, bits }
    }

    /// The union of `polygons`, each a list of corners, cut to the rectangle `limits`.
    pub fn of_polygons(polygons: &[Vec<[f32; 2]>], limits: [usize; 4]) -> Self {
        let corners = || polygons.iter().flatten();
        let reach = |axis: usize| {
            let (low, high) = (limits[axis] as f32, limits[axis + 2] as f32);
            let least = corners().map(|c| c[axis]).fold(high, f32::min).clamp(low, high);
            let most = corners().map(|c| c[axis]).fold(low, f32::max).clamp(low, high);
            (least.floor() as usize, most.ceil() as usize)
        };
        let ((x1, x2), (y1, y2)) = (reach(0), reach(1));
        let mut mask = Self::from_fn([x1, y1, x2, y2], |_, _| false);
        polygons.iter().for_each(|polygon| mask.add(polygon));
        mask
    }

    fn add(&mut self, polygon: &[[f32; 2]]) {
        let mut crossings = Vec::new();
        for y in 0..self.height {
            let middle = (self.top + y) as f32 + 0.5;
            crossings.clear();
            for (at, &[x1, y1]) in polygon.iter().enumerate() {
                let [x2, y2] = polygon[(at + 1) % polygon.len()];
                if (y1 <= middle) != (y2 <= middle) {
                    crossings.push(x1 + (middle - y1) / (y2 - y1) * (x2 - x1));
                }
            }
            crossings.sort_by(f32::total_cmp);
            for [from, to] in crossings.as_chunks::<2>().0 {
                let column = |x: f32| ((x - 0.5).ceil().max(self.left as f32) as usize - self.left).min(self.width);
                let (from, to) = (column(*from), column(*to));
                self.bits[y * self.width..][from.min(to)..to].fill(true);
            }
        }
    }

    /// Whether the pixel at (x, y) of the picture belongs to it; none outside its rectangle does.
    pub fn has(&self, x: usize, y: usize) -> bool {
        let inside = x >= self.left && y >= self.top && x - self.left < self.width && y - self.top < self.height;
        inside && self.bits[(y - self.top) * self.width + x - self.left]
    }

    /// Number of pixels.
    pub fn area(&self) -> usize {
        self.bits.iter().filter(|&&bit| bit).count()
    }

    /// `[x1, y1, x2, y2]` of its pixels; `None` without any.
    pub fn bounds(&self) -> Option<[usize; 4]> {
        let mut bounds: Option<[usize; 4]> = None;
        for (y, row) in self.bits.chunks(self.width.max(1)).enumerate() {
            let Some(first) = row.iter().position(|&bit| bit) else { continue };
            let last = row.iter().rposition(|&bit| bit).unwrap_or(first);
            let [x1, x2] = [self.left + first, self.left + last + 1];
            let y = self.top + y;
            let [left, top, right, _] = bounds.unwrap_or([x1, y, x2, y + 1]);
            bounds = Some([left.min(x1), top, right.max(x2), y + 1]);
        }
        bounds
    }

    /// Takes away every pixel of `other`.
    pub fn subtract(&mut self, other: &Bitmap) {
        let rows = self.top.max(other.top)..(self.top + self.height).min(other.top + other.height);
        let columns = self.left.max(other.left)..(self.left + self.width).min(other.left + other.width);
        for y in rows {
            for x in columns.clone() {
                if other.has(x, y) {
                    self.bits[(y - self.top) * self.width + x - self.left] = false;
                }
            }
        }
    }

    /// The same bits elsewhere.
    pub fn moved(self, left: usize, top: usize) -> Self {
        Self { left, top, ..self }
    }

    /// Run lengths over a picture of `[height, width]`, in which it lies: 0s and 1s in turns, column by column, packed as COCO does.
    pub fn packed(&self, [height, width]: [usize; 2]) -> String {
        let mut counts = vec![0u32];
        let mut add = |bit: bool, count: usize| {
            // The list begins with 0s, so that an even length ends in 1s.
            if bit == counts.len().is_multiple_of(2) {
                *counts.last_mut().expect("never empty") += count as u32;
            } else if count > 0 {
                counts.push(count as u32);
            }
        };
        add(false, self.left * height);
        for x in self.left..self.left + self.width {
            add(false, self.top);
            (self.top..self.top + self.height).for_each(|y| add(self.has(x, y), 1));
            add(false, height - self.top - self.height);
        }
        add(false, (width - self.left - self.width) * height);
        rle::pack(&counts)
    }

    /// The bits of packed run lengths over a picture of `[height, width]`; `None` when they are damaged or of another picture.
    pub fn unpacked(text: &str, [height, width]: [usize; 2]) -> Option<Self> {
        let bits = rle::bits(&rle::unpack(text)?, height * width)?;
        Some(Self::from_fn([0, 0, width, height], |x, y| bits[x * height + y]))
    }

    /// The pixels, `(x, y)` of the picture.
    pub fn pixels(&self) -> impl Iterator<Item = (usize, usize)> {
        let width = self.width.max(1);
        let bits = self.bits.iter().enumerate().filter(|(_, bit)| **bit);
        bits.map(move |(at, _)| (self.left + at % width, self.top + at / width))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rectangle([x1, y1, x2, y2]: [usize; 4]) -> Vec<[f32; 2]> {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(|v| v as f32);
        vec![[x1, y1], [x2, y1], [x2, y2], [x1, y2]]
    }

    proptest! {
        #[test]
        fn rectangles_are_exact_and_cut(x1 in 0usize..40, y1 in 0usize..40, w in 1usize..40, h in 1usize..40) {
            let bbox = [x1, y1, x1 + w, y1 + h];
            let mask = Bitmap::of_polygons(&[rectangle(bbox)], [0, 0, 100, 100]);
            prop_assert_eq!((mask.bounds(), mask.area()), (Some(bbox), w * h));
            let cut = Bitmap::of_polygons(&[rectangle(bbox)], [10, 5, 50, 40]);
            let expected = [bbox[0].max(10), bbox[1].max(5), bbox[2].min(50), bbox[3].min(40)];
            let seen = expected[0] < expected[2] && expected[1] < expected[3];
            prop_assert_eq!(cut.bounds(), seen.then_some(expected));
            prop_assert!((0..100).all(|x| (0..100).all(|y| cut.has(x, y) == (mask.has(x, y) && (10..50).contains(&x) && (5..40).contains(&y)))));
        }

        #[test]
        fn taking_away_leaves_what_only_the_first_has(a in [0usize..20, 0usize..20, 1usize..20, 1usize..20], b in [0usize..20, 0usize..20, 1usize..20, 1usize..20]) {
            let mask = |[x, y, w, h]: [usize; 4]| Bitmap::of_polygons(&[rectangle([x, y, x + w, y + h])], [0, 0, 64, 64]);
            let (first, second) = (mask(a), mask(b));
            let mut left = first.clone();
            left.subtract(&second);
            prop_assert!((0..64).all(|x| (0..64).all(|y| left.has(x, y) == (first.has(x, y) && !second.has(x, y)))));
            prop_assert_eq!(left.pixels().count(), left.area());
            prop_assert!(left.pixels().all(|(x, y)| left.has(x, y)));
        }
    }

    #[test]
    fn run_lengths_come_back() {
        let mask = Bitmap::from_fn([3, 2, 9, 7], |x, y| (x * 3 + y * 5) % 4 < 2);
        let size = [8, 11];
        let back = Bitmap::unpacked(&mask.packed(size), size).unwrap();
        assert!((0..11).all(|x| (0..8).all(|y| back.has(x, y) == mask.has(x, y))));
        let whole = Bitmap::from_fn([0, 0, 11, 8], |_, _| true);
        assert_eq!(Bitmap::unpacked(&whole.packed(size), size), Some(whole));
        let nothing = Bitmap::from_fn([4, 4, 4, 4], |_, _| true);
        assert_eq!(Bitmap::unpacked(&nothing.packed(size), size).unwrap().area(), 0);
        assert_eq!(Bitmap::unpacked(&mask.packed(size), [8, 12]), None);
    }

    #[test]
    fn two_polygons_are_united_and_a_triangle_is_half() {
        let two = [rectangle([0, 0, 4, 4]), rectangle([2, 2, 6, 6])];
        assert_eq!(Bitmap::of_polygons(&two, [0, 0, 9, 9]).area(), 28);
        let triangle = vec![vec![[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]]];
        assert!(Bitmap::of_polygons(&triangle, [0, 0, 100, 100]).area().abs_diff(5000) <= 100);
        assert_eq!(Bitmap::of_polygons(&[], [0, 0, 9, 9]).bounds(), None);
        assert_eq!(Bitmap::of_polygons(&[vec![[3.0, 3.0]]], [0, 0, 9, 9]).bounds(), None);
    }
}
