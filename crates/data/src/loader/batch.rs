//! One batch: decode, place, change colours, normalise and pad.

use std::path::Path;

use super::{
    EpochKey, LoaderConfig,
    place::{Map, Placement, place_objects},
};
use crate::{
    Bitmap, ClassIndex, DataError, Dataset, ImageId, ImageRecord, Masks, Result,
    augment::{Scene, mosaic, own_mask, paste},
    picture::{self, ColorChange, Picture},
    random::{Draws, Stream},
};

/// Pictures and boxes for one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// RGB, normalised, zero right of and below each picture, `[N, 3, H, W]` in this order.
    pub pixels: Vec<f32>,
    /// `[N, 3, H, W]`.
    pub shape: [usize; 4],
    /// What is known about each picture, `[N]`.
    pub images: Vec<BatchImage>,
}

/// A picture of a batch and its truth, in pixels of the batch.
///
/// A mosaic goes by the first of its pictures, the one in the upper left; `scale`, `offset` and `flipped` are those of its tile.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchImage {
    /// Index into [`Dataset::images`].
    pub index: usize,
    /// Id in the file.
    pub id: ImageId,
    /// `[height, width]` that the picture takes in the batch; beyond it is padding.
    pub size: [usize; 2],
    /// Original `[height, width]` in pixels.
    pub original: [usize; 2],
    /// Batch pixels per original pixel, `[x, y]`.
    pub scale: [f32; 2],
    /// What a crop or scale jitter cut off, `[left, top]` in batch pixels.
    pub offset: [f32; 2],
    /// Whether the picture is mirrored left to right.
    pub flipped: bool,
    /// Boxes of the targets, `[G]`.
    pub boxes: Vec<[f32; 4]>,
    /// Classes of the targets, `[G]`.
    pub classes: Vec<ClassIndex>,
    /// Masks of the targets, where they have one, `[G]`; empty unless [`LoaderConfig::masks`] asks for them.
    pub masks: Vec<Option<Bitmap>>,
    /// Regions that are neither target nor background: crowds, and objects that a cut or a pasted object left too little of.
    pub crowds: Vec<[f32; 4]>,
    /// Classes of which the picture shows no object that is not labelled, ascending; `None` when that holds for all classes.
    pub exhaustive: Option<Vec<ClassIndex>>,
}

impl BatchImage {
    /// A box of the batch in pixels of the original picture, cut to it: for writing detections.
    pub fn restore_box(&self, bbox: [f32; 4]) -> [f32; 4] {
        let Self { original, size, scale, offset, flipped, .. } = *self;
        Map { original, size, scale, offset, flipped }.restore(bbox)
    }
}

/// Loads the images with these `indices` as one batch, in the calling thread.
///
/// `first_position` is the place of the first of them in the epoch; augmentation draws from (seed, epoch, position). An empty list
/// gives an empty batch. For copy-paste, which needs masks, there is [`Loader::with_masks`](super::Loader::with_masks).
///
/// # Errors
/// [`DataError::Option`] for a configuration out of range, [`DataError::ImageIndex`] for an index beyond the data set, and
/// [`DataError::Io`], [`DataError::Picture`], [`DataError::PictureSize`] or [`DataError::NoPicture`] when a picture is missing, damaged
/// or not the one that was annotated.
pub fn load_batch(
    dataset: &Dataset,
    indices: &[usize],
    config: &LoaderConfig,
    key: EpochKey,
    first_position: usize,
) -> Result<Batch> {
    config.check()?;
    check_masks(dataset, None, config)?;
    load_with_masks(dataset, None, indices, config, key, first_position)
}

/// Copy-paste, or a detector that learns masks, without masks is an error.
pub fn check_masks(dataset: &Dataset, masks: Option<&Masks>, config: &LoaderConfig) -> Result<()> {
    match masks {
        None if config.needs_masks() => Err(DataError::NoMasks { path: dataset.source.clone() }),
        _ => Ok(()),
    }
}

/// [`load_batch`] with the masks of `dataset`, and a configuration that has been checked.
pub fn load_with_masks(
    dataset: &Dataset,
    masks: Option<&Masks>,
    indices: &[usize],
    config: &LoaderConfig,
    key: EpochKey,
    first_position: usize,
) -> Result<Batch> {
    let draws = |i| Draws { seed: key.seed, epoch: key.epoch, position: (first_position + i) as u64, part: 0 };
    let loaded = indices.iter().enumerate();
    let loaded: Vec<_> =
        loaded.map(|(i, &index)| load_image(dataset, masks, index, config, draws(i))).collect::<Result<_>>()?;
    let padded = |axis: usize| {
        let longest = loaded.iter().map(|image| image.truth.size[axis]).max().unwrap_or(0);
        longest.next_multiple_of(config.stride)
    };
    let shape = [loaded.len(), 3, padded(0), padded(1)];
    let mut pixels = vec![0.0; shape.iter().product()];
    for (image, out) in loaded.iter().zip(pixels.chunks_exact_mut((3 * shape[2] * shape[3]).max(1))) {
        normalise(&image.picture, image.change, config, out, [shape[2], shape[3]]);
    }
    Ok(Batch { pixels, shape, images: loaded.into_iter().map(|image| image.truth).collect() })
}

struct Loaded {
    picture: Picture,
    change: Option<ColorChange>,
    truth: BatchImage,
}

fn load_image(
    dataset: &Dataset,
    masks: Option<&Masks>,
    index: usize,
    config: &LoaderConfig,
    draws: Draws,
) -> Result<Loaded> {
    let record = dataset.images.get(index).ok_or_else(|| DataError::ImageIndex {
        path: dataset.source.clone(),
        index,
        len: dataset.images.len(),
    })?;
    let mut random = draws.stream(Stream::Augment);
    let placement = Placement::draw(record, config, draws, &mut random);
    let (mut scene, map) = match mosaic(dataset, index, placement.map.size, config, draws)? {
        Some(mosaic) => mosaic,
        None => (single(dataset, index, &placement, config)?, placement.map),
    };
    if let Some(masks) = masks {
        if config.masks {
            scene.objects.iter_mut().filter(|placed| !placed.crowd).for_each(|placed| {
                placed.mask = own_mask(masks, placed);
            });
        }
        paste(&mut scene, dataset, masks, config, draws)?;
    }
    let change = config.jitter.draw(&scene.picture, &mut random);
    let (picture, truth) = truth(index, record, map, config.masks, scene);
    Ok(Loaded { picture, change, truth })
}

/// The picture of image `index` alone.
fn single(dataset: &Dataset, index: usize, placement: &Placement, config: &LoaderConfig) -> Result<Scene> {
    let record = &dataset.images[index];
    Ok(Scene {
        picture: placement.show(decode_checked(&dataset.source, record, config.upright)?, config.resize),
        objects: place_objects(record, index, placement.map, [0, 0], config.min_shown).collect(),
        exhaustive: dataset.federated.then(|| record.exhaustive_classes()),
    })
}

/// The picture of `record`, which must have the size that the data set says.
pub fn decode_checked(source: &Path, record: &ImageRecord, upright: bool) -> Result<Picture> {
    if record.path.as_os_str().is_empty() {
        return Err(DataError::NoPicture { path: source.to_path_buf(), id: record.id.0 });
    }
    let decode = if upright { picture::decode_upright } else { picture::decode };
    let picture = decode(&record.path)?;
    if [picture.width(), picture.height()] != [record.width, record.height] {
        return Err(DataError::PictureSize {
            path: record.path.clone(),
            width: record.width,
            height: record.height,
            got_width: picture.width(),
            got_height: picture.height(),
        });
    }
    Ok(picture)
}

fn truth(index: usize, record: &ImageRecord, map: Map, with_masks: bool, scene: Scene) -> (Picture, BatchImage) {
    let Map { original, scale, offset, flipped, .. } = map;
    let size = [scene.picture.height() as usize, scene.picture.width() as usize];
    let (mut boxes, mut classes, mut masks, mut crowds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for object in scene.objects {
        if object.crowd {
            crowds.push(object.bbox);
        } else {
            boxes.push(object.bbox);
            classes.push(object.class);
            if with_masks {
                masks.push(object.mask);
            }
        }
    }
    let (id, exhaustive) = (record.id, scene.exhaustive);
    let truth =
        BatchImage { index, id, size, original, scale, offset, flipped, boxes, classes, masks, crowds, exhaustive };
    (scene.picture, truth)
}

/// Writes `picture` into the upper left of `out`, `[3, H, W]`.
fn normalise(
    picture: &Picture,
    change: Option<ColorChange>,
    config: &LoaderConfig,
    out: &mut [f32],
    [height, width]: [usize; 2],
) {
    let factor: [f32; 3] = config.std.map(|s| 1.0 / (255.0 * s));
    let shift: [f32; 3] = std::array::from_fn(|c| config.mean[c] / config.std[c]);
    let (red, rest) = out.split_at_mut(height * width);
    let (green, blue) = rest.split_at_mut(height * width);
    let rows = red.chunks_exact_mut(width).zip(green.chunks_exact_mut(width)).zip(blue.chunks_exact_mut(width));
    for (row, ((red, green), blue)) in picture.rows().zip(rows) {
        let (pixels, _) = row.as_chunks::<3>();
        let places = red.iter_mut().zip(green).zip(blue);
        for (pixel, ((red, green), blue)) in pixels.iter().zip(places) {
            let color = pixel.map(f32::from);
            let color = change.map_or(color, |change| change.apply(color));
            *red = color[0] * factor[0] - shift[0];
            *green = color[1] * factor[1] - shift[1];
            *blue = color[2] * factor[2] - shift[2];
        }
    }
}
