//! A data set of a dozen small pictures, and a recipe for a detector that trains on them in a second.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use equipoise_data::{Category, CategoryId, Dataset, Group, ImageId, ImageRecord, Object};
use equipoise_eval::record::RunDir;
use equipoise_train::{Checkpoint, Recipe, Trainer};
use image::{Rgb, RgbImage};

/// Side of the pictures in pixels.
const SIDE: u32 = 64;
/// Pictures; with batches of two, six steps see them all.
pub const PICTURES: usize = 12;
/// Classes, of which the last has no object.
pub const CLASSES: usize = 4;

const RECIPE: &str = r#"
epochs = 1
batch = 2
snapshots = 2
log_every = 1
save_every = 3

[optimizer]
lr = 0.01
clip_norm = 5.0

[schedule]
kind = "cosine"
warmup_steps = 2
warmup_factor = 0.1

[loader]
image_size = 64
flip = 0.5
workers = 0

[detector]
backbone = "light"
frozen_stages = 0
first_stage = 1
fpn_width = 8
extra_levels = 0

[detector.rpn]
pre_nms_train = 60
post_nms_train = 40
pre_nms_test = 40
post_nms_test = 20

[detector.rpn.anchors]
sizes = [[16.0], [32.0]]
ratios = [1.0]

[detector.roi]
resolution = 3
hidden = 16
pooled_levels = 2
canonical_side = 56.0

[detector.roi.subsample]
per_image = 24
foreground_fraction = 0.25
"#;

/// The recipe with overrides.
pub fn recipe(overrides: &[&str]) -> Recipe {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    Recipe::parse("of the test", RECIPE, &overrides).unwrap()
}

/// A square of a class: its colour tells it.
fn object(picture: usize, class: usize) -> Object {
    let (x, y) = ((5 + picture * 11 % 30) as f32, (7 + picture * 17 % 30) as f32);
    let side = (14 + picture * 3 % 10) as f32;
    Object { class, bbox: [x, y, x + side, y + side], area: f64::from(side * side), crowd: false }
}

fn draw(objects: &[Object], picture: usize) -> RgbImage {
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let inside = |o: &&Object| {
            let [x1, y1, x2, y2] = o.bbox.map(|v| v as u32);
            (x1..x2).contains(&x) && (y1..y2).contains(&y)
        };
        match objects.iter().find(inside) {
            Some(object) => [Rgb([220, 40, 40]), Rgb([40, 200, 60]), Rgb([50, 60, 230])][object.class % 3],
            None => Rgb([((x * 7 + y * 3 + picture as u32 * 31) % 97) as u8 + 60; 3]),
        }
    })
}

/// Writes the pictures into `dir`. Every third has no object when `empty_ones`, and none has any when `objects` is false.
pub fn dataset(dir: &Path, objects: bool, empty_ones: bool) -> Arc<Dataset> {
    let record = |picture: usize| {
        let shows = objects && !(empty_ones && picture.is_multiple_of(3));
        let objects = if shows { vec![object(picture, picture % (CLASSES - 1))] } else { vec![] };
        let path = dir.join(format!("{picture}.png"));
        draw(&objects, picture).save(&path).unwrap();
        ImageRecord {
            id: ImageId(picture as u64 + 1),
            path,
            width: SIDE,
            height: SIDE,
            objects,
            negative: vec![],
            not_exhaustive: vec![],
        }
    };
    let images: Vec<ImageRecord> = (0..PICTURES).map(record).collect();
    let count =
        |class: usize| images.iter().flat_map(|image| &image.objects).filter(|o| o.class == class).count() as u64;
    let category = |class: usize| Category {
        id: CategoryId(10 + class as u64),
        name: format!("class {class}"),
        group: Group::Rare,
        images: count(class),
        instances: count(class),
    };
    let categories = (0..CLASSES).map(category).collect();
    Arc::new(Dataset { source: dir.join("train.json"), categories, images, federated: false, warnings: vec![] })
}

/// Starts a run.
pub fn start(recipe: Recipe, dataset: &Arc<Dataset>, dir: &Path) -> Trainer {
    Trainer::start(recipe, "test", dataset.clone(), RunDir::new(dir), &Device::flex()).unwrap()
}

/// Steps until the run is done.
pub fn finish(trainer: &mut Trainer) {
    while trainer.step().unwrap().is_some() {}
}

/// A whole run; its last checkpoint.
pub fn run(recipe: Recipe, dataset: &Arc<Dataset>, dir: &Path) -> Checkpoint {
    finish(&mut start(recipe, dataset, dir));
    Checkpoint::read(dir).unwrap()
}
