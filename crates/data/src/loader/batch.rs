//! One batch: decode, place, change colours, normalise and pad.

use std::path::Path;

use super::{EpochKey, LoaderConfig, place::Placement};
use crate::{
    ClassIndex, DataError, Dataset, ImageId, ImageRecord, Result,
    picture::{self, ColorChange, Picture},
    random::{Stream, stream},
};

/// Objects of which less than this share is shown after a cut are no targets any more, but not background either.
const MIN_SHOWN: f32 = 0.2;

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
    /// What scale jitter cut off, `[left, top]` in batch pixels.
    pub offset: [f32; 2],
    /// Whether the picture is mirrored left to right.
    pub flipped: bool,
    /// Boxes of the targets, `[G]`.
    pub boxes: Vec<[f32; 4]>,
    /// Classes of the targets, `[G]`.
    pub classes: Vec<ClassIndex>,
    /// Regions that are neither target nor background: crowds, and objects that a cut left too little of.
    pub crowds: Vec<[f32; 4]>,
    /// Classes of which the picture shows no object that is not labelled, ascending; `None` when that holds for all classes.
    pub exhaustive: Option<Vec<ClassIndex>>,
}

impl BatchImage {
    /// A box of the batch in pixels of the original picture, cut to it: for writing detections.
    pub fn restore_box(&self, bbox: [f32; 4]) -> [f32; 4] {
        let Self { original, size, scale, offset, flipped, .. } = *self;
        Placement { original, size, scale, offset, flipped }.restore(bbox)
    }
}

/// Loads the images with these `indices` as one batch, in the calling thread.
///
/// `first_position` is the place of the first of them in the epoch; augmentation draws from (seed, epoch, position). An empty list
/// gives an empty batch.
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
    let loaded = indices.iter().enumerate();
    let loaded: Vec<_> = loaded
        .map(|(i, &index)| load_image(dataset, index, config, key, (first_position + i) as u64))
        .collect::<Result<_>>()?;
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

fn load_image(dataset: &Dataset, index: usize, config: &LoaderConfig, key: EpochKey, position: u64) -> Result<Loaded> {
    let record = dataset.images.get(index).ok_or_else(|| DataError::ImageIndex {
        path: dataset.source.clone(),
        index,
        len: dataset.images.len(),
    })?;
    let picture = decode_checked(&dataset.source, record)?;
    let mut random = stream(Stream::Augment, key.seed, key.epoch, position);
    let placement = Placement::draw(picture.width(), picture.height(), config, &mut random);
    let [height, width] = placement.size.map(|side| side as u32);
    let mut picture = picture.resize(placement.source(), width, height);
    if placement.flipped {
        picture.flip();
    }
    let change = config.jitter.draw(&picture, &mut random);
    let exhaustive = dataset.federated.then(|| record.exhaustive_classes());
    Ok(Loaded { picture, change, truth: truth(index, record, &placement, exhaustive) })
}

fn decode_checked(source: &Path, record: &ImageRecord) -> Result<Picture> {
    if record.path.as_os_str().is_empty() {
        return Err(DataError::NoPicture { path: source.to_path_buf(), id: record.id.0 });
    }
    let picture = picture::decode(&record.path)?;
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

fn truth(index: usize, record: &ImageRecord, placement: &Placement, exhaustive: Option<Vec<ClassIndex>>) -> BatchImage {
    let Placement { original, size, scale, offset, flipped } = *placement;
    let (mut boxes, mut classes, mut crowds) = (Vec::new(), Vec::new(), Vec::new());
    for object in &record.objects {
        let (bbox, shown) = placement.cut(placement.place(object.bbox));
        if shown <= 0.0 {
            continue;
        }
        if object.crowd || shown < MIN_SHOWN {
            crowds.push(bbox);
        } else {
            boxes.push(bbox);
            classes.push(object.class);
        }
    }
    BatchImage { index, id: record.id, size, original, scale, offset, flipped, boxes, classes, crowds, exhaustive }
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
