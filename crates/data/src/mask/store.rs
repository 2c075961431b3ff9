//! The masks of a data set, a few bytes for each corner.
//!
//! Polygons are kept as 16-bit shares of the picture's sides: for a picture of 640 pixels a step is a hundredth of a pixel, and the training
//! set of LVIS (1.27 million objects) takes about 250 MB where its JSON has a gigabyte. Run lengths are kept as they are.

use super::{Bitmap, Outline, outline::is_whole, rle};
use crate::{ClassIndex, Dataset, loader::Map};

/// Words of a share.
const ONE: f32 = 65_535.0;

/// No mask.
const NONE: usize = usize::MAX;

/// Larger pictures have no run lengths: a file can claim any size.
const MOST_PIXELS: u64 = 1 << 28;

/// Shorter objects are not cut out, in pixels of their picture: enlarged they are a smear.
const LEAST_SIDE: f32 = 8.0;

/// Masks by image and object, and the objects that can be cut out by class.
#[derive(Debug)]
pub struct Masks {
    /// Where the objects of each image begin in `starts`, `[N + 1]`.
    images: Vec<usize>,
    /// Where the mask of each object begins in `words`.
    starts: Vec<usize>,
    /// The number of polygons, then for each its corners and their shares; or 0, the number of runs and their lengths in two words each.
    words: Vec<u16>,
    /// Image and object, `[K]`.
    by_class: Vec<Vec<(u32, u32)>>,
}

impl Masks {
    /// No mask for any object of `dataset` yet.
    pub fn empty(dataset: &Dataset) -> Self {
        let mut images = vec![0];
        for record in &dataset.images {
            images.push(images[images.len() - 1] + record.objects.len());
        }
        let starts = vec![NONE; images[images.len() - 1]];
        Self { images, starts, words: Vec::new(), by_class: vec![Vec::new(); dataset.num_classes()] }
    }

    /// Adds the mask of an object, unless it is damaged; says whether it did.
    pub fn add(&mut self, dataset: &Dataset, image: usize, object: usize, outline: &Outline) -> bool {
        let record = &dataset.images[image];
        let sides = [record.width, record.height].map(|side| side as f32);
        let before = self.words.len();
        let whole = match outline {
            Outline::Polygons(polygons) => self.push_polygons(polygons, sides),
            Outline::Runs { counts, .. } => {
                let pixels = u64::from(record.width) * u64::from(record.height);
                counts.plain().is_some_and(|counts| self.push_runs(&counts, pixels))
            }
        };
        if !whole {
            self.words.truncate(before);
            return false;
        }
        self.starts[self.images[image] + object] = before;
        let object_is = &record.objects[object];
        let [x1, y1, x2, y2] = object_is.bbox;
        if !object_is.crowd && (x2 - x1).min(y2 - y1) >= LEAST_SIDE {
            self.by_class[object_is.class].push((image as u32, object as u32));
        }
        true
    }

    fn push_polygons(&mut self, polygons: &[Vec<f64>], sides: [f32; 2]) -> bool {
        if !is_whole(polygons) {
            return false;
        }
        self.words.push(polygons.len() as u16);
        for polygon in polygons {
            self.words.push((polygon.len() / 2) as u16);
            let share = |(at, &v): (usize, &f64)| (v as f32 / sides[at % 2] * ONE).round().clamp(0.0, ONE) as u16;
            self.words.extend(polygon.iter().enumerate().map(share));
        }
        true
    }

    fn push_runs(&mut self, counts: &[u32], pixels: u64) -> bool {
        if pixels > MOST_PIXELS || counts.iter().map(|&count| u64::from(count)).sum::<u64>() != pixels {
            return false;
        }
        self.words.push(0);
        for &word in [counts.len() as u32].iter().chain(counts) {
            self.words.extend([word as u16, (word >> 16) as u16]);
        }
        true
    }

    /// Sorts what can be cut out, so that the order of annotations in a file changes nothing.
    pub fn finish(&mut self) {
        self.by_class.iter_mut().for_each(|objects| objects.sort_unstable());
        self.words.shrink_to_fit();
    }

    /// Number of objects that can be cut out.
    pub fn len(&self) -> usize {
        self.by_class.iter().map(Vec::len).sum()
    }

    /// Whether there is nothing to cut out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Image and object of what can be cut out of `class`.
    pub fn of_class(&self, class: ClassIndex) -> &[(u32, u32)] {
        &self.by_class[class]
    }

    /// What `map` shows of an object within `limits`, `[x1, y1, x2, y2]`, on a tile at `tile`; `None` when the object has no mask.
    pub fn draw(&self, image: usize, object: usize, map: &Map, tile: [usize; 2], limits: [usize; 4]) -> Option<Bitmap> {
        let start = *self.starts.get(self.images[image] + object)?;
        let words = self.words.get(start..)?;
        let [height, width] = map.original;
        if words[0] > 0 {
            let corner = |[x, y]: &[u16; 2]| {
                let at = [f32::from(*x) / ONE * width as f32, f32::from(*y) / ONE * height as f32];
                let [x, y] = map.point(at);
                [x + tile[0] as f32, y + tile[1] as f32]
            };
            let mut rest = &words[1..];
            let polygon = |_| {
                let (corners, after) = rest[1..].split_at(2 * usize::from(rest[0]));
                rest = after;
                corners.as_chunks::<2>().0.iter().map(corner).collect()
            };
            let polygons: Vec<Vec<[f32; 2]>> = (0..words[0]).map(polygon).collect();
            return Some(Bitmap::of_polygons(&polygons, limits));
        }
        let mut pairs =
            words[1..].as_chunks::<2>().0.iter().map(|[low, high]| u32::from(*low) | u32::from(*high) << 16);
        let count = pairs.next().unwrap_or(0);
        let counts: Vec<u32> = pairs.take(count as usize).collect();
        let bits = rle::bits(&counts, width * height)?;
        Some(Bitmap::from_fn(limits, |x, y| {
            let middle = [x as f32 + 0.5 - tile[0] as f32, y as f32 + 0.5 - tile[1] as f32];
            let [x, y] = map.back(middle).map(|v| v.floor());
            x >= 0.0 && y >= 0.0 && x < width as f32 && y < height as f32 && bits[x as usize * height + y as usize]
        }))
    }
}
