//! Where a picture lands in its batch: scale, window and mirror, and the same for its boxes and back.

use rand::{Rng, RngExt};

use super::LoaderConfig;
use crate::picture::{CropBox, flip_box};

/// The map from the pixels of a picture to the pixels of a batch.
///
/// A point goes through, in this order: multiplication by `scale`, subtraction of `offset`, mirroring in `size`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Original `[height, width]` in pixels.
    pub original: [usize; 2],
    /// `[height, width]` that the picture takes in the batch.
    pub size: [usize; 2],
    /// Batch pixels per original pixel, `[x, y]`: whole sizes make the two differ slightly.
    pub scale: [f32; 2],
    /// What is cut off, `[left, top]` in batch pixels.
    pub offset: [f32; 2],
    /// Whether the picture is mirrored left to right.
    pub flipped: bool,
}

impl Placement {
    /// Draws the placement of a picture of `width` × `height` pixels. The same number of draws is made for every picture.
    pub fn draw(width: u32, height: u32, config: &LoaderConfig, random: &mut impl Rng) -> Self {
        let [shrink, left, top, flip]: [f32; 4] = std::array::from_fn(|_| random.random());
        let (low, high) = config.scale_range;
        let longer = f64::from(width.max(height).max(1));
        // Exactly `image_size` when there is no scale jitter: 160 * 1.0 must not become 160.00001.
        let target = config.image_size as f64 * f64::from(low + (high - low) * shrink);
        let resized = [width, height].map(|side| (f64::from(side) * target / longer).round().max(1.0));
        let window = resized.map(|side| side.min(config.image_size as f64));
        let cut = |axis: usize, share: f32| ((resized[axis] - window[axis]) * f64::from(share)).round();
        Self {
            original: [height as usize, width as usize],
            size: [window[1] as usize, window[0] as usize],
            scale: [(resized[0] / f64::from(width.max(1))) as f32, (resized[1] / f64::from(height.max(1))) as f32],
            offset: [cut(0, left) as f32, cut(1, top) as f32],
            flipped: flip < config.flip,
        }
    }

    /// The part of the picture that is shown, in its own pixels.
    pub fn source(&self) -> CropBox {
        // Divided in f64 by the exact ratio; the whole picture must come out without a rounding error to be recognised as such.
        let part = |axis: usize| {
            let (whole, shown) = (self.original[1 - axis] as f64, self.size[1 - axis] as f64);
            let resized = (whole * f64::from(self.scale[axis])).round().max(1.0);
            (f64::from(self.offset[axis]) * whole / resized, shown * whole / resized)
        };
        let ((left, width), (top, height)) = (part(0), part(1));
        CropBox { left, top, width, height }
    }

    /// A box of the picture in pixels of the batch, not yet cut to what is shown.
    pub fn place(&self, bbox: [f32; 4]) -> [f32; 4] {
        let placed = std::array::from_fn(|i| bbox[i] * self.scale[i % 2] - self.offset[i % 2]);
        if self.flipped { flip_box(placed, self.size[1] as f32) } else { placed }
    }

    /// A box of the batch in pixels of the picture, cut to the picture.
    pub fn restore(&self, bbox: [f32; 4]) -> [f32; 4] {
        let bbox = if self.flipped { flip_box(bbox, self.size[1] as f32) } else { bbox };
        std::array::from_fn(|i| {
            let limit = self.original[1 - i % 2] as f32;
            ((bbox[i] + self.offset[i % 2]) / self.scale[i % 2]).clamp(0.0, limit)
        })
    }

    /// `bbox` cut to what is shown, and the share of its area that is left.
    pub fn cut(&self, bbox: [f32; 4]) -> ([f32; 4], f32) {
        let cut: [f32; 4] = std::array::from_fn(|i| bbox[i].clamp(0.0, self.size[1 - i % 2] as f32));
        let area = |[x1, y1, x2, y2]: [f32; 4]| (x2 - x1).max(0.0) * (y2 - y1).max(0.0);
        let whole = area(bbox);
        (cut, if whole > 0.0 { area(cut) / whole } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{Stream, stream};

    proptest! {
        #[test]
        fn boxes_come_back_where_they_were(
            width in 1u32..3000, height in 1u32..3000, image_size in 1usize..800, seed: u64,
            low in 0.1f32..1.0, more in 0.0f32..2.0, corner in [0.0f32..0.9, 0.0f32..0.9], side in 0.01f32..0.1,
        ) {
            let config = LoaderConfig { image_size, flip: 0.5, scale_range: (low, low + more), ..Default::default() };
            let placement = Placement::draw(width, height, &config, &mut stream(Stream::Augment, seed, 0, 0));
            prop_assert!(placement.size.iter().all(|&s| (1..=image_size).contains(&s)));
            let whole = [width as f32, height as f32];
            let bbox: [f32; 4] = std::array::from_fn(|i| (corner[i % 2] + if i < 2 { 0.0 } else { side }) * whole[i % 2]);
            let back = placement.restore(placement.place(bbox));
            for (i, (was, is)) in bbox.iter().zip(back).enumerate() {
                // f32 carries 24 bits; a handful of operations at the size of the picture in the batch lose a few of them.
                let tolerance = 1e-5 * (whole[i % 2] + image_size as f32 / placement.scale[i % 2]);
                prop_assert!((was - is).abs() <= tolerance, "{bbox:?} became {back:?}, {placement:?}");
            }
            let source = placement.source();
            prop_assert!(source.left >= 0.0 && source.left + source.width <= f64::from(width) + 1e-6);
            prop_assert!(source.top >= 0.0 && source.top + source.height <= f64::from(height) + 1e-6);
        }
    }

    #[test]
    fn a_picture_of_the_right_size_is_shown_whole_and_unscaled() {
        let config = LoaderConfig { image_size: 160, ..Default::default() };
        let placement = Placement::draw(160, 160, &config, &mut stream(Stream::Augment, 1, 2, 3));
        assert_eq!((placement.size, placement.scale, placement.offset), ([160, 160], [1.0, 1.0], [0.0, 0.0]));
        assert_eq!(placement.source(), CropBox { left: 0.0, top: 0.0, width: 160.0, height: 160.0 });
    }
}
