//! Mosaics: four pictures as the four tiles of one, as in YOLOv4 (Bochkovskiy et al., arXiv 2004.10934).
//!
//! The result has the size that the first picture would have had. The lines between the tiles are drawn, and each tile shows a part of its
//! picture, scaled to cover the tile, so there is no padding. The other three pictures are drawn from the whole data set, all equally
//! likely, whatever the sampler: they follow from (seed, epoch, position), not from the order.
//!
//! Trap: in a federated set a class is known to be labelled everywhere on the mosaic only when that holds for all four pictures.

use rand::{Rng, RngExt};

use super::{Scene, chance, short_side::index};
use crate::{
    ClassIndex, Dataset, ImageRecord, Result,
    loader::{LoaderConfig, Map, Placement, decode_checked, place_objects},
    picture::Picture,
    random::{Draws, Stream},
};

/// Where the lines between tiles may lie, as shares of the sides.
const LINES: (f32, f32) = (0.3, 0.7);

/// How often the part of a picture is drawn before the one around its largest object is taken.
const TRIES: usize = 10;

/// Mosaics of four pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MosaicConfig {
    /// Chance of a picture becoming the first of a mosaic.
    pub chance: f32,
}

impl MosaicConfig {
    /// Checks the range.
    ///
    /// # Errors
    /// [`DataError::Option`](crate::DataError::Option) when it is no chance.
    pub fn check(&self) -> Result<()> {
        chance("mosaic.chance", self.chance)
    }
}

/// A tile: `[left, top, width, height]` in pixels of the mosaic.
type Tile = [usize; 4];

/// The mosaic that begins with image `index`, of the `size` `[height, width]`, and the map of its first tile; `None` when the draw says no
/// or the picture is too small for four tiles.
///
/// # Errors
/// When one of the pictures cannot be read.
pub fn mosaic(
    dataset: &Dataset,
    index: usize,
    size: [usize; 2],
    config: &LoaderConfig,
    draws: Draws,
) -> Result<Option<(Scene, Map)>> {
    let mut random = draws.stream(Stream::Mosaic);
    if config.mosaic.chance == 0.0 || random.random::<f32>() >= config.mosaic.chance || size.iter().any(|&s| s < 4) {
        return Ok(None);
    }
    let tiles = layout(size, &mut random);
    let others: [usize; 3] = std::array::from_fn(|_| self::index(dataset.images.len(), &mut random));
    let pictures = [index, others[0], others[1], others[2]];
    let [height, width] = size;
    let mut canvas = vec![0; 3 * width * height];
    let (mut objects, mut exhaustive, mut maps) = (Vec::new(), None, Vec::new());
    for (part, (tile, index)) in tiles.into_iter().zip(pictures).enumerate() {
        let record = &dataset.images[index];
        let placement = fill(record, tile, config, &mut draws.part(part as u64 + 1).stream(Stream::Mosaic));
        let picture = placement.show(decode_checked(&dataset.source, record, config.upright)?, config.resize);
        lay(&mut canvas, width, &picture, tile);
        objects.extend(place_objects(record, index, placement.map, [tile[0], tile[1]], config.min_shown));
        let known = record.exhaustive_classes();
        exhaustive = Some(match exhaustive {
            None => known,
            Some(before) => common(before, &known),
        });
        maps.push(placement.map);
    }
    let picture = Picture::new(width as u32, height as u32, canvas).expect("the tiles make up the whole picture");
    Ok(Some((Scene { picture, objects, exhaustive: exhaustive.filter(|_| dataset.federated) }, maps[0])))
}

/// Four tiles that meet in a point, row by row.
fn layout([height, width]: [usize; 2], random: &mut impl Rng) -> [Tile; 4] {
    let mut line = |side: usize| {
        let share = LINES.0 + (LINES.1 - LINES.0) * random.random::<f32>();
        ((side as f32 * share).round() as usize).clamp(1, side - 1)
    };
    let (x, y) = (line(width), line(height));
    [[0, 0, x, y], [x, 0, width - x, y], [0, y, x, height - y], [x, y, width - x, height - y]]
}

/// A part of the picture that covers the tile and shows an object, where there is one.
fn fill(record: &ImageRecord, [_, _, width, height]: Tile, config: &LoaderConfig, random: &mut impl Rng) -> Placement {
    let flipped = random.random::<f32>() < config.flip;
    let cover = |share: [f64; 2]| Placement::cover([record.width, record.height], [width, height], share, flipped);
    let shows = |placement: &Placement| placement.map.shows_any(record, config.min_shown);
    let mut tried = (0..TRIES).map(|_| cover(std::array::from_fn(|_| random.random::<f64>())));
    let targets = || record.objects.iter().filter(|object| !object.crowd);
    let found = if targets().next().is_none() { tried.next() } else { tried.find(shows) };
    found.unwrap_or_else(|| {
        let largest = targets().max_by(|a, b| a.area.total_cmp(&b.area)).map_or([0.0; 4], |object| object.bbox);
        Placement::cover_around([record.width, record.height], [width, height], largest, flipped)
    })
}

/// Copies the picture of a tile to its place.
fn lay(canvas: &mut [u8], width: usize, picture: &Picture, [left, top, ..]: Tile) {
    for (y, row) in picture.rows().enumerate() {
        let at = 3 * ((top + y) * width + left);
        canvas[at..at + row.len()].copy_from_slice(row);
    }
}

/// What is in both lists, which ascend.
fn common(mut classes: Vec<ClassIndex>, others: &[ClassIndex]) -> Vec<ClassIndex> {
    classes.retain(|class| others.binary_search(class).is_ok());
    classes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::stream;

    proptest! {
        #[test]
        fn tiles_cover_everything_once(width in 4usize..900, height in 4usize..900, seed: u64) {
            let tiles = layout([height, width], &mut stream(Stream::Mosaic, seed, 0, 0));
            let mut seen = vec![0u8; width * height];
            for [left, top, w, h] in tiles {
                prop_assert!(w > 0 && h > 0);
                (top..top + h).for_each(|y| seen[y * width + left..][..w].iter_mut().for_each(|s| *s += 1));
            }
            prop_assert!(seen.iter().all(|&s| s == 1));
        }
    }

    #[test]
    fn only_what_all_lists_have_is_left() {
        assert_eq!(common(vec![1, 3, 5, 8], &[3, 4, 8, 9]), [3, 8]);
        assert_eq!(common(vec![1, 3], &[]), [0usize; 0]);
    }
}
