//! Copy-paste: objects cut out along their masks and laid on other pictures (Ghiasi et al., arXiv 2012.07177, without blending, which they
//! found to change nothing).
//!
//! The class is drawn with a chance that is inverse to its number of training images, so on LVIS four of five objects are rare, the
//! object uniformly among those of the class that have a mask. It is scaled as its own picture would be, times a factor of `scale`,
//! mirrored like any picture, and lands anywhere on the scene; one that does not fit is made smaller. What it covers is settled in
//! `occlude.rs`.
//!
//! The federated lists stay as they are: a class that is labelled in full still is, one that is not still is not.

use rand::{Rng, RngExt};

use super::{Placed, Scene, chance, occlude::occlude, require, short_side::index};
use crate::{
    ClassIndex, Dataset, Result,
    loader::{LoaderConfig, Map, decode_checked},
    mask::{Bitmap, Masks},
    picture::{CropBox, Picture},
    random::{Draws, Stream},
};

/// A pasted object takes at most this share of the scene's sides.
const MOST_SIDE: f64 = 0.8;

/// Copy-paste of rare objects.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CopyPasteConfig {
    /// Chance of a picture getting objects.
    pub chance: f32,
    /// Most objects; their number is drawn from 1 to this.
    pub most: usize,
    /// Range of the factor on the size that an object has in its own picture.
    pub scale: (f32, f32),
}

impl Default for CopyPasteConfig {
    fn default() -> Self {
        Self { chance: 0.0, most: 2, scale: (0.75, 1.25) }
    }
}

impl CopyPasteConfig {
    /// Whether masks are needed.
    pub fn is_on(&self) -> bool {
        self.chance > 0.0
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`DataError::Option`](crate::DataError::Option) for the first value out of range.
    pub fn check(&self) -> Result<()> {
        chance("copy_paste.chance", self.chance)?;
        require((1..=100).contains(&self.most), "copy_paste.most", self.most, "1 to 100 objects")?;
        let (low, high) = self.scale;
        let ordered = 0.05 <= low && low <= high && high <= 20.0;
        require(ordered, "copy_paste.scale", format!("{low} to {high}"), "two factors, the smaller first, 0.05 to 20")
    }
}

/// An object cut out and laid down: what it covers, and its entry on the scene.
pub struct Pasted {
    /// Its pixels on the scene.
    pub mask: Bitmap,
    /// The object.
    pub placed: Placed,
}

/// Lays objects of other pictures on `scene`, if the draw says so.
///
/// # Errors
/// When the picture of an object cannot be read.
pub fn paste(scene: &mut Scene, dataset: &Dataset, masks: &Masks, config: &LoaderConfig, draws: Draws) -> Result<()> {
    let options = config.copy_paste;
    let mut random = draws.stream(Stream::CopyPaste);
    if !options.is_on() || random.random::<f32>() >= options.chance {
        return Ok(());
    }
    let count = 1 + index(options.most, &mut random);
    let mut pasted: Vec<Pasted> = Vec::new();
    for part in 0..count {
        let mut random = draws.part(part as u64 + 1).stream(Stream::CopyPaste);
        let Some(class) = draw_class(dataset, masks, &mut random) else { break };
        let objects = masks.of_class(class);
        let (image, object) = objects[index(objects.len(), &mut random)];
        let origin = (image as usize, object as usize);
        pasted.extend(paste_one(scene, dataset, masks, origin, config, &mut random)?);
    }
    occlude(scene, &pasted, masks, config);
    Ok(())
}

/// A class with something to cut out, by the inverse of its training images.
fn draw_class(dataset: &Dataset, masks: &Masks, random: &mut impl Rng) -> Option<ClassIndex> {
    let weight = |class: ClassIndex| match masks.of_class(class).is_empty() {
        true => 0.0,
        false => 1.0 / dataset.categories[class].images.max(1) as f64,
    };
    let total: f64 = (0..dataset.num_classes()).map(weight).sum();
    let mut left = total * random.random::<f64>();
    let mut last = None;
    for class in (0..dataset.num_classes()).filter(|&class| weight(class) > 0.0) {
        last = Some(class);
        left -= weight(class);
        if left < 0.0 {
            break;
        }
    }
    last
}

/// Cuts out an object and lays it on the scene; `None` when nothing is left of it at its new size.
fn paste_one(
    scene: &mut Scene,
    dataset: &Dataset,
    masks: &Masks,
    origin: (usize, usize),
    config: &LoaderConfig,
    random: &mut impl Rng,
) -> Result<Option<Pasted>> {
    let record = &dataset.images[origin.0];
    let object = &record.objects[origin.1];
    let [x1, y1] = [object.bbox[0].floor(), object.bbox[1].floor()];
    let [x2, y2] = [object.bbox[2].ceil().min(record.width as f32), object.bbox[3].ceil().min(record.height as f32)];
    let cut = [f64::from(x2 - x1), f64::from(y2 - y1)];
    let canvas = [scene.picture.width(), scene.picture.height()];
    let (low, high) = config.copy_paste.scale;
    let factor = f64::from(low + (high - low) * random.random::<f32>());
    let flipped = random.random::<f32>() < config.flip;
    let fits = (0..2).map(|i| MOST_SIDE * f64::from(canvas[i]) / cut[i]).fold(f64::INFINITY, f64::min);
    let scale = (factor * config.usual_scale(record.width, record.height)).min(fits);
    let size: [usize; 2] = std::array::from_fn(|i| ((cut[i] * scale).round() as usize).clamp(1, canvas[i] as usize));
    let ratio: [f32; 2] = std::array::from_fn(|i| (size[i] as f64 / cut[i]) as f32);
    let map = Map {
        original: [record.height as usize, record.width as usize],
        size: [size[1], size[0]],
        scale: ratio,
        offset: [x1 * ratio[0], y1 * ratio[1]],
        flipped,
    };
    let at: [usize; 2] = std::array::from_fn(|i| random.random_range(0..=canvas[i] as usize - size[i]));
    let Some(mask) = masks.draw(origin.0, origin.1, &map, [0, 0], [0, 0, size[0], size[1]]) else { return Ok(None) };
    let Some(bounds) = mask.bounds() else { return Ok(None) };
    let source = CropBox { left: x1.into(), top: y1.into(), width: cut[0], height: cut[1] };
    let patch = decode_checked(&dataset.source, record, config.upright)?;
    let mut patch = patch.resize_by(config.resize, source, size[0] as u32, size[1] as u32);
    if flipped {
        patch.flip();
    }
    lay(&mut scene.picture, &patch, &mask, at);
    let bbox = std::array::from_fn(|i| (bounds[i] + at[i % 2]) as f32);
    let (left, top) = (mask.left + at[0], mask.top + at[1]);
    let mask = mask.moved(left, top);
    let placed = Placed { class: object.class, bbox, crowd: false, origin, map, tile: at, mask: None };
    Ok(Some(Pasted { mask, placed }))
}

/// Copies the pixels of `mask`, which lies on `patch`, to the picture.
fn lay(picture: &mut Picture, patch: &Picture, mask: &Bitmap, [left, top]: [usize; 2]) {
    let (to, from) = (picture.width() as usize, patch.width() as usize);
    let pixels = picture.pixels_mut();
    for (x, y) in mask.pixels() {
        let (at, source) = (3 * ((top + y) * to + left + x), 3 * (y * from + x));
        pixels[at..at + 3].copy_from_slice(&patch.pixels()[source..source + 3]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Category, CategoryId, Group, ImageId, ImageRecord, Object, mask::Outline, random::stream};

    /// Classes with 1, 10 and 100 training images, one object each, all in one picture.
    fn world() -> Dataset {
        let bbox = [0.0, 0.0, 20.0, 20.0];
        let object = |class| Object { class, bbox, area: 400.0, crowd: false };
        let category = |(class, images)| Category {
            id: CategoryId(class),
            name: String::new(),
            group: Group::Rare,
            images,
            instances: images,
        };
        let record = ImageRecord {
            id: ImageId(1),
            path: "".into(),
            width: 50,
            height: 50,
            objects: (0..3).map(object).collect(),
            negative: Vec::new(),
            not_exhaustive: Vec::new(),
        };
        let categories = [(0, 1), (1, 10), (2, 100)].map(category).to_vec();
        Dataset { source: "".into(), categories, images: vec![record], federated: false, warnings: Vec::new() }
    }

    #[test]
    fn classes_come_inverse_to_their_images_and_only_with_masks() {
        let data = world();
        let mut masks = Masks::empty(&data);
        let square = Outline::Polygons(vec![vec![0.0, 0.0, 20.0, 0.0, 20.0, 20.0, 0.0, 20.0]]);
        let count = |masks: &Masks| {
            let mut counts = [0usize; 3];
            let mut random = stream(Stream::CopyPaste, 4, 0, 0);
            (0..1110).for_each(|_| {
                draw_class(&data, masks, &mut random).into_iter().for_each(|class| counts[class] += 1);
            });
            counts
        };
        assert_eq!(count(&masks), [0, 0, 0]);
        masks.add(&data, 0, 2, &square);
        assert_eq!(count(&masks), [0, 0, 1110]);
        masks.add(&data, 0, 0, &square);
        masks.add(&data, 0, 1, &square);
        let [rare, common, frequent] = count(&masks);
        assert!(rare.abs_diff(1000) < 50 && common.abs_diff(100) < 40 && frequent.abs_diff(10) < 15, "{rare} {common}");
    }
}
