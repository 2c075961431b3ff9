//! The contact sheet of `data preview`: the first pictures of an epoch, just as the training gets them.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use equipoise_data::{Batch, BatchImage, Dataset, EpochKey, Loader, LoaderConfig, read_masks, write_atomically};
use equipoise_eval::{Tile, TileBox, contact_sheet};
use equipoise_train::Recipe;
use image::{ImageFormat, RgbImage};

/// Pictures of a row.
const COLUMNS: usize = 4;

/// Writes the first `count` pictures of `order` as the loader of `recipe` delivers them in epoch 0; returns how many there are.
pub fn write_sheet(
    file: &Path,
    dataset: &Arc<Dataset>,
    order: &[usize],
    recipe: &Recipe,
    count: usize,
) -> anyhow::Result<usize> {
    if order.is_empty() {
        bail!("`{}` has no pictures to show", dataset.source.display());
    }
    let config = recipe.loader;
    let masks = config.copy_paste.is_on().then(|| read_masks(dataset)).transpose()?.map(Arc::new);
    // Batches of one: each picture keeps its size, and no more of them are in memory than the workers need.
    let plan: Vec<Vec<usize>> = order.iter().take(count).map(|&index| vec![index]).collect();
    let key = EpochKey { seed: recipe.seed, epoch: 0 };
    let batches = Loader::with_masks(dataset.clone(), masks, plan, config, key, 0)?;
    let tiles = batches.map(|batch| Ok(tile(&batch?, dataset, &config))).collect::<anyhow::Result<Vec<_>>>()?;
    let mut bytes = Vec::new();
    contact_sheet(&tiles, COLUMNS)?.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    write_atomically(file, &bytes)?;
    Ok(tiles.len())
}

fn tile(batch: &Batch, dataset: &Dataset, config: &LoaderConfig) -> Tile {
    let image = &batch.images[0];
    let of = |(bbox, &class): (&[f32; 4], &usize)| {
        let category = &dataset.categories[class];
        TileBox { bbox: *bbox, name: category.name.clone(), group: category.group }
    };
    Tile {
        picture: picture(batch, image, config),
        caption: caption(image),
        boxes: image.boxes.iter().zip(&image.classes).map(of).collect(),
        crowds: image.crowds.clone(),
    }
}

fn caption(image: &BatchImage) -> String {
    let [height, width] = image.size;
    let objects = image.boxes.len();
    format!("{}: {width} × {height}, {objects} {}", image.id.0, if objects == 1 { "object" } else { "objects" })
}

/// The pixels of the batch, back from normalisation.
fn picture(batch: &Batch, image: &BatchImage, config: &LoaderConfig) -> RgbImage {
    let [_, _, height, width] = batch.shape;
    let value = |channel: usize, x: u32, y: u32| {
        let normalised = batch.pixels[(channel * height + y as usize) * width + x as usize];
        (255.0 * (normalised * config.std[channel] + config.mean[channel])).round() as u8
    };
    let [rows, columns] = image.size.map(|side| side as u32);
    RgbImage::from_fn(columns, rows, |x, y| image::Rgb(std::array::from_fn(|channel| value(channel, x, y))))
}
