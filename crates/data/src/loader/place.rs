//! Where a picture lands in its batch: window, scale and mirror, and the same for its boxes and back.

use rand::{Rng, RngExt};

use super::LoaderConfig;
use crate::{
    ImageRecord,
    augment::Placed,
    picture::{CropBox, Picture, ResizeRule, flip_box},
    random::{Draws, Stream},
};

/// The map from the pixels of a picture to the pixels of a batch.
///
/// A point goes through, in this order: multiplication by `scale`, subtraction of `offset`, mirroring in `size`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Map {
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

impl Map {
    /// A point of the picture in pixels of the batch.
    pub fn point(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let x = x * self.scale[0] - self.offset[0];
        [if self.flipped { self.size[1] as f32 - x } else { x }, y * self.scale[1] - self.offset[1]]
    }

    /// A point of the batch in pixels of the picture.
    pub fn back(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let x = if self.flipped { self.size[1] as f32 - x } else { x };
        [(x + self.offset[0]) / self.scale[0], (y + self.offset[1]) / self.scale[1]]
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

    /// Whether any object of `record` is a target here: no crowd, and at least the share `min_shown` of it in sight.
    pub fn shows_any(&self, record: &ImageRecord, min_shown: f32) -> bool {
        let shown = |bbox| self.cut(self.place(bbox)).1;
        record.objects.iter().any(|object| !object.crowd && shown(object.bbox) >= min_shown.max(f32::MIN_POSITIVE))
    }
}

/// A map, and the part of the picture that it shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// From the picture to the batch.
    pub map: Map,
    /// What is shown, in pixels of the picture.
    pub source: CropBox,
}

impl Placement {
    /// Draws the placement of the picture of `record`.
    ///
    /// `random` is asked for the same number of draws for every picture; short side and crop have streams of their own.
    pub fn draw(record: &ImageRecord, config: &LoaderConfig, draws: Draws, random: &mut impl Rng) -> Self {
        let (width, height) = (record.width.max(1), record.height.max(1));
        let numbers: [f32; 4] = std::array::from_fn(|_| random.random());
        let short = config.short_side.draw(draws);
        let place = |window| Self::of([width, height], window, config, short, numbers);
        let whole = place([0, 0, width, height]);
        let windows = config.crop.draw(width, height, &mut draws.stream(Stream::Crop));
        let empty = record.objects.iter().all(|object| object.crowd);
        let mut crops = windows.into_iter().map(place);
        crops.find(|crop| empty || crop.map.shows_any(record, config.min_shown)).unwrap_or(whole)
    }

    /// Shows `window` of a picture of `[width, height]`; `numbers` in 0..1 decide on scale, cut and mirror.
    fn of(
        whole: [u32; 2],
        window: [u32; 4],
        config: &LoaderConfig,
        short: Option<usize>,
        [shrink, left, top, flip]: [f32; 4],
    ) -> Self {
        let [width, height] = [window[2], window[3]];
        let (low, high) = config.scale_range;
        let (longer, shorter) = (f64::from(width.max(height)), f64::from(width.min(height)));
        let most = config.image_size as f64;
        let target = short.map_or(most, |short| (short as f64 * longer / shorter).min(most));
        let jitter = f64::from(low + (high - low) * shrink);
        let resized = [width, height].map(|side| match config.resize {
            // Exactly `image_size` when there is no scale jitter: 160 * 1.0 must not become 160.00001.
            ResizeRule::Smooth => (f64::from(side) * (target * jitter) / longer).round().max(1.0),
            ResizeRule::Torchvision => {
                let scale = short.map_or(f64::INFINITY, |short| short as f64 / shorter).min(most / longer);
                (f64::from(side) * (scale * jitter)).floor().max(1.0)
            }
        });
        let size = resized.map(|side| side.min(most));
        let cut = |axis: usize, share: f32| ((resized[axis] - size[axis]) * f64::from(share)).round();
        Self::exact(whole, window, resized, size, [cut(0, left), cut(1, top)], flip < config.flip)
    }

    /// `window` of the picture brought to `resized` pixels, of which `size` from `cut` on are shown; all `[x, y]`.
    fn exact(
        whole: [u32; 2],
        window: [u32; 4],
        resized: [f64; 2],
        size: [f64; 2],
        cut: [f64; 2],
        flipped: bool,
    ) -> Self {
        let scale: [f64; 2] = std::array::from_fn(|i| resized[i] / f64::from(window[2 + i]));
        let map = Map {
            original: [whole[1] as usize, whole[0] as usize],
            size: [size[1] as usize, size[0] as usize],
            scale: scale.map(|s| s as f32),
            offset: std::array::from_fn(|i| (f64::from(window[i]) * scale[i] + cut[i]) as f32),
            flipped,
        };
        // The length is multiplied before it is divided: the whole picture must come out without a rounding error to be recognised as such.
        let start = |i: usize| f64::from(window[i]) + cut[i] * f64::from(window[2 + i]) / resized[i];
        let length = |i: usize| size[i] * f64::from(window[2 + i]) / resized[i];
        let source = CropBox { left: start(0), top: start(1), width: length(0), height: length(1) };
        Self { map, source }
    }

    /// A part of a picture of `[width, height]` that covers a tile of `size`, `[width, height]`; `share` in 0..1 decides which, `[x, y]`.
    pub fn cover(whole: [u32; 2], size: [usize; 2], share: [f64; 2], flipped: bool) -> Self {
        let (whole, size) = (whole.map(|side| side.max(1)), size.map(|side| side as f64));
        let scale = (0..2).map(|i| size[i] / f64::from(whole[i])).fold(0.0, f64::max);
        let resized: [f64; 2] = std::array::from_fn(|i| (f64::from(whole[i]) * scale).round().max(size[i]));
        let cut = std::array::from_fn(|i| ((resized[i] - size[i]) * share[i]).round());
        Self::exact(whole, [0, 0, whole[0], whole[1]], resized, size, cut, flipped)
    }

    /// As [`Placement::cover`], with the part that has the middle of `bbox` as near to its own as can be.
    pub fn cover_around(whole: [u32; 2], size: [usize; 2], bbox: [f32; 4], flipped: bool) -> Self {
        let room = Self::cover(whole, size, [1.0; 2], false).map;
        let share = |i: usize| {
            let middle = f64::from((bbox[i] + bbox[i + 2]) / 2.0 * room.scale[i]);
            let offset = f64::from(room.offset[i]);
            if offset > 0.0 { ((middle - size[i] as f64 / 2.0) / offset).clamp(0.0, 1.0) } else { 0.0 }
        };
        Self::cover(whole, size, [share(0), share(1)], flipped)
    }

    /// The part of `picture` that is shown, in the size and direction of the batch.
    pub fn show(&self, picture: Picture, rule: ResizeRule) -> Picture {
        let [height, width] = self.map.size.map(|side| side as u32);
        let mut shown = picture.resize_by(rule, self.source, width, height);
        if self.map.flipped {
            shown.flip();
        }
        shown
    }
}

/// The objects of `record`, image `index`, on a tile whose upper left is `tile`.
pub fn place_objects(
    record: &ImageRecord,
    index: usize,
    map: Map,
    tile: [usize; 2],
    min_shown: f32,
) -> impl Iterator<Item = Placed> {
    record.objects.iter().enumerate().filter_map(move |(number, object)| {
        let (bbox, shown) = map.cut(map.place(object.bbox));
        let crowd = object.crowd || shown < min_shown;
        let bbox = std::array::from_fn(|i| bbox[i] + tile[i % 2] as f32);
        let seen = shown > 0.0 && bbox[2] > bbox[0] && bbox[3] > bbox[1];
        seen.then_some(Placed { class: object.class, bbox, crowd, origin: (index, number), map, tile, mask: None })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ImageId, Object,
        augment::{CropConfig, ShortSideConfig},
        random::stream,
    };

    fn record([width, height]: [u32; 2], boxes: &[[f32; 4]]) -> ImageRecord {
        let object = |&bbox: &[f32; 4]| Object { class: 0, bbox, area: 1.0, crowd: false };
        let (objects, none) = (boxes.iter().map(object).collect(), Vec::new());
        let id = ImageId(1);
        ImageRecord { id, path: "".into(), width, height, objects, negative: none.clone(), not_exhaustive: none }
    }

    fn draw(size: [u32; 2], config: &LoaderConfig, seed: u64) -> Placement {
        let draws = Draws { seed, epoch: 0, position: 0, part: 0 };
        Placement::draw(&record(size, &[]), config, draws, &mut stream(Stream::Augment, seed, 0, 0))
    }

    proptest! {
        #[test]
        fn boxes_come_back_where_they_were(
            width in 1u32..3000, height in 1u32..3000, image_size in 1usize..800, seed: u64,
            low in 0.1f32..1.0, more in 0.0f32..2.0, corner in [0.0f32..0.9, 0.0f32..0.9], side in 0.01f32..0.1,
        ) {
            let config = LoaderConfig { image_size, flip: 0.5, scale_range: (low, low + more), ..Default::default() };
            let Placement { map, source } = draw([width, height], &config, seed);
            prop_assert!(map.size.iter().all(|&s| (1..=image_size).contains(&s)));
            let whole = [width as f32, height as f32];
            let bbox: [f32; 4] = std::array::from_fn(|i| (corner[i % 2] + if i < 2 { 0.0 } else { side }) * whole[i % 2]);
            let back = map.restore(map.place(bbox));
            for (i, (was, is)) in bbox.iter().zip(back).enumerate() {
                // f32 carries 24 bits; a handful of operations at the size of the picture in the batch lose a few of them.
                let tolerance = 1e-5 * (whole[i % 2] + image_size as f32 / map.scale[i % 2]);
                prop_assert!((was - is).abs() <= tolerance, "{bbox:?} became {back:?}, {map:?}");
            }
            prop_assert!(source.left >= 0.0 && source.left + source.width <= f64::from(width) + 1e-6);
            prop_assert!(source.top >= 0.0 && source.top + source.height <= f64::from(height) + 1e-6);
        }
    }

    #[test]
    fn a_picture_of_the_right_size_is_shown_whole_and_unscaled() {
        let config = LoaderConfig { image_size: 160, ..Default::default() };
        let Placement { map, source } = draw([160, 160], &config, 1);
        assert_eq!((map.size, map.scale, map.offset), ([160, 160], [1.0, 1.0], [0.0, 0.0]));
        assert_eq!(source, CropBox { left: 0.0, top: 0.0, width: 160.0, height: 160.0 });
    }

    #[test]
    fn the_short_side_decides_until_the_long_one_is_too_long() {
        let short_side = ShortSideConfig { from: 800, to: 800, step: 32 };
        let config = LoaderConfig { image_size: 1333, short_side, ..Default::default() };
        assert_eq!(draw([640, 480], &config, 0).map.size, [800, 1067]);
        assert_eq!(draw([480, 640], &config, 0).map.size, [1067, 800]);
        assert_eq!(draw([1000, 500], &config, 0).map.size, [667, 1333]);
        let several = ShortSideConfig { from: 640, ..short_side };
        let config = LoaderConfig { short_side: several, ..config };
        let sizes: Vec<_> = (0..40).map(|seed| draw([100, 100], &config, seed).map.size[0]).collect();
        assert!(sizes.iter().all(|size| (640..=800).contains(size) && size % 32 == 0));
        assert!(sizes.contains(&640) && sizes.contains(&800));
        assert_eq!(draw([100, 100], &config.without_augmentation(), 7).map.size, [800, 800]);
    }

    /// `math.floor` of side times the smaller of two quotients, as torchvision computes it.
    #[test]
    fn torchvisions_sizes_are_rounded_down() {
        let short_side = ShortSideConfig { from: 800, to: 800, step: 32 };
        let config =
            LoaderConfig { image_size: 1333, short_side, resize: ResizeRule::Torchvision, ..Default::default() };
        assert_eq!(draw([640, 480], &config, 0).map.size, [800, 1066]);
        assert_eq!(draw([500, 333], &config, 0).map.size, [800, 1201]);
        assert_eq!(draw([1000, 500], &config, 0).map.size, [666, 1333]);
        assert_eq!(draw([800, 800], &config, 0).map.size, [800, 800]);
    }

    proptest! {
        #[test]
        fn a_crop_of_a_picture_with_an_object_shows_one(
            width in 8u32..400, height in 8u32..400, corner in [0.0f32..0.9, 0.0f32..0.9], seed: u64, min_shown in 0.0f32..=1.0,
        ) {
            let whole = [width as f32, height as f32];
            let bbox = std::array::from_fn(|i| (corner[i % 2] + if i < 2 { 0.0 } else { 0.1 }) * whole[i % 2]);
            let crop = CropConfig { chance: 1.0, smallest: 0.1 };
            let config = LoaderConfig { image_size: 320, flip: 0.5, crop, min_shown, ..Default::default() };
            let record = record([width, height], &[bbox]);
            let draws = Draws { seed, epoch: 0, position: 0, part: 0 };
            let random = &mut stream(Stream::Augment, seed, 0, 0);
            let Placement { map, source } = Placement::draw(&record, &config, draws, random);
            // The whole picture may cost the box a rounding error.
            prop_assert!(map.cut(map.place(bbox)).1 >= min_shown - 1e-3);
            prop_assert!(source.left + source.width <= f64::from(width) + 1e-6);
            prop_assert!(source.top + source.height <= f64::from(height) + 1e-6);
            for corner in [[0.0, 0.0], [map.size[1] as f32, map.size[0] as f32]] {
                let back = map.back(corner);
                let near = |a: f32, b: f64, whole: u32| (f64::from(a) - b).abs() < 1e-4 * f64::from(whole) + 1e-3;
                let x = if (corner[0] == 0.0) == map.flipped { source.left + source.width } else { source.left };
                let y = if corner[1] == 0.0 { source.top } else { source.top + source.height };
                prop_assert!(near(back[0], x, width) && near(back[1], y, height), "{back:?} {x} {y}");
                let again = map.point(back);
                prop_assert!(again.iter().zip(corner).all(|(a, b)| (a - b).abs() < 0.05));
            }
        }
    }
}
