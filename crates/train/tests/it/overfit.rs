//! A detector that cannot learn one picture by heart cannot learn: boxes by Faster R-CNN, and masks by Mask R-CNN.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use equipoise_data::Dataset;
use equipoise_eval::protocol::{Options, protocol};
use equipoise_eval::{Case, Detection, Shape, write_detections};
use equipoise_train::{Predictor, Recipe, Trainer};
use image::{Rgb, RgbImage};

use crate::world::{finish, start};

const SIDE: u32 = 96;
/// What is on the picture: class, left, top, width, height. The first two classes are ellipses, the third is a triangle.
const OBJECTS: [(usize, f32, f32, f32, f32); 4] =
    [(0, 6.0, 8.0, 34.0, 22.0), (1, 52.0, 10.0, 30.0, 36.0), (2, 10.0, 48.0, 40.0, 38.0), (0, 60.0, 60.0, 28.0, 28.0)];

const RECIPE: &str = r#"
epochs = 160
batch = 1
weights = "light"
snapshots = 1
log_every = 1000

[loss]
name = "softmax_ce"

[optimizer]
lr = 0.02
clip_norm = 10.0

[schedule]
kind = "cosine"
warmup_steps = 20
warmup_factor = 0.1
factor = 0.05

[loader]
image_size = 96
workers = 0

[detector]
backbone = "light"
frozen_stages = 0
first_stage = 1
fpn_width = 32
extra_levels = 0

[detector.rpn]
pre_nms_train = 100
post_nms_train = 60
pre_nms_test = 60
post_nms_test = 30
smooth_beta = 0.1

[detector.rpn.anchors]
sizes = [[20.0], [40.0]]

[detector.roi]
hidden = 64
pooled_levels = 2
canonical_side = 56.0
smooth_beta = 0.1
classifier_std = 0.05

[detector.roi.subsample]
per_image = 32
foreground_fraction = 0.5

[detector.mask]
width = 32
convs = 2
resolution = 7

[detect]
score_threshold = 0.05
"#;

/// The corners of an object.
fn outline(&(class, left, top, width, height): &(usize, f32, f32, f32, f32)) -> Vec<f32> {
    let unit: Vec<[f32; 2]> = match class {
        2 => vec![[0.5, 0.0], [1.0, 1.0], [0.0, 1.0]],
        _ => (0..40)
            .map(|at| at as f32 / 40.0 * std::f32::consts::TAU)
            .map(|angle| [0.5 + 0.5 * angle.cos(), 0.5 + 0.5 * angle.sin()])
            .collect(),
    };
    unit.into_iter().flat_map(|[x, y]| [left + width * x, top + height * y]).collect()
}

/// Writes the picture and its COCO file.
fn picture(dir: &Path) -> Arc<Dataset> {
    let inside = |x: u32, y: u32, object: &(usize, f32, f32, f32, f32)| {
        let (u, v) = ((x as f32 + 0.5 - object.1) / object.3, (y as f32 + 0.5 - object.2) / object.4);
        match object.0 {
            2 => (0.0..=1.0).contains(&v) && (u - 0.5).abs() <= v / 2.0,
            _ => (u - 0.5).hypot(v - 0.5) <= 0.5,
        }
    };
    let colour = |x, y| match OBJECTS.iter().find(|object| inside(x, y, object)) {
        Some((class, ..)) => [Rgb([220, 60, 50]), Rgb([60, 170, 220]), Rgb([240, 200, 60])][*class],
        None => Rgb([((x * 7 + y * 13) % 31) as u8 + 90; 3]),
    };
    RgbImage::from_fn(SIDE, SIDE, colour).save(dir.join("one.png")).unwrap();
    let annotation = |(at, object): (usize, &(usize, f32, f32, f32, f32))| {
        let (class, left, top, width, height) = *object;
        serde_json::json!({
            "id": at + 1, "image_id": 1, "category_id": class + 1, "iscrowd": 0, "area": width * height * 0.7,
            "bbox": [left, top, width, height], "segmentation": [outline(object)],
        })
    };
    let file = serde_json::json!({
        "images": [{"id": 1, "file_name": "one.png", "width": SIDE, "height": SIDE}],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}],
        "annotations": OBJECTS.iter().enumerate().map(annotation).collect::<Vec<_>>(),
    });
    let path = dir.join("one.json");
    std::fs::write(&path, file.to_string()).unwrap();
    Arc::new(Dataset::read(&path, Some(dir)).unwrap())
}

fn predictions(trainer: &Trainer, data: &Arc<Dataset>) -> Vec<Detection> {
    let detector = trainer.detector().unwrap();
    let predictor =
        Predictor::new(&detector, trainer.loss(), data.clone(), trainer.recipe(), 1, &Device::flex()).unwrap();
    predictor.flat_map(|batch| batch.unwrap().0).collect()
}

fn ap50(dir: &Path, data: &Dataset, shape: Shape) -> f64 {
    let case = Case::read(data, &dir.join("found.json"), shape).unwrap();
    protocol("coco").unwrap().score(&case, &Options::default()).unwrap().metrics.get("AP50").unwrap()
}

fn overfitted(masks: bool, backbone: &[&str]) -> (tempfile::TempDir, Arc<Dataset>, Vec<Detection>) {
    let dir = tempfile::tempdir().unwrap();
    let data = picture(dir.path());
    let mut overrides = vec![format!("detector.masks={masks}")];
    overrides.extend(backbone.iter().map(ToString::to_string));
    let recipe = Recipe::parse("of the test", RECIPE, &overrides).unwrap();
    let mut trainer = start(recipe, &data, &dir.path().join("run"));
    finish(&mut trainer);
    let found = predictions(&trainer, &data);
    write_detections(&dir.path().join("found.json"), &found).unwrap();
    (dir, data, found)
}

#[test]
fn faster_rcnn_learns_one_picture_by_heart() {
    let (dir, data, found) = overfitted(false, &[]);
    assert!(found.iter().all(|found| found.mask.is_none()));
    let boxes = ap50(dir.path(), &data, Shape::Boxes);
    assert!(boxes > 0.9, "AP50 of boxes is {boxes}");
}

#[test]
fn mask_rcnn_learns_one_picture_by_heart() {
    let (dir, data, found) = overfitted(true, &["loader.flip=0.5"]);
    assert!(found.iter().all(|found| found.mask.is_some()));
    let [boxes, masks] = [Shape::Boxes, Shape::Masks].map(|shape| ap50(dir.path(), &data, shape));
    assert!(boxes > 0.9 && masks > 0.9, "AP50 of boxes is {boxes}, of masks {masks}");
}
