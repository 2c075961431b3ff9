//! A detector of one stage learns one picture by heart, whatever the loss.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use equipoise_data::{Category, CategoryId, Dataset, Group, ImageId, ImageRecord, Object};
use equipoise_eval::protocol::protocol;
use equipoise_eval::record::RunDir;
use equipoise_train::{Checkpoint, Predictor, Recipe, Trainer};
use image::{Rgb, RgbImage};

use crate::world::{finish, run, start};

const SIDE: u32 = 96;

/// What all detectors share.
const RECIPE: &str = r#"
epochs = 120
batch = 1
weights = "light"
save_every = 0
snapshots = 1

[optimizer]
lr = 0.02
clip_norm = 10.0

[schedule]
kind = "cosine"
warmup_steps = 10
warmup_factor = 0.1

[loader]
image_size = 96
flip = 0.0
workers = 0

[detector]
backbone = "light"
frozen_stages = 0
first_stage = 1
fpn_width = 32
"#;

const DENSE: &str = r#"
kind = "retina_net"
extra_levels = 1

[detector.head]
convs = 1
std = 0.05

[detector.head.anchors]
sizes = [[12.0, 16.0, 20.0], [24.0, 32.0, 40.0], [48.0, 64.0, 80.0]]
ratios = [0.5, 1.0, 2.0]
"#;

/// Five objects of three classes on a ground with stripes.
fn picture(dir: &Path) -> Arc<Dataset> {
    let boxes = [[6, 8, 18, 20], [40, 10, 30, 16], [70, 50, 20, 36], [10, 50, 40, 40], [54, 34, 13, 13]];
    let colour = |class: usize| [Rgb([220, 40, 40]), Rgb([40, 200, 60]), Rgb([50, 60, 230])][class];
    let inside = |[x0, y0, w, h]: [u32; 4], x: u32, y: u32| (x0..x0 + w).contains(&x) && (y0..y0 + h).contains(&y);
    let pixel = |x, y| match boxes.iter().position(|bbox| inside(*bbox, x, y)) {
        Some(at) => colour(at % 3),
        None => Rgb([((x * 7 + y * 3) % 97) as u8 + 60; 3]),
    };
    let path = dir.join("one.png");
    RgbImage::from_fn(SIDE, SIDE, pixel).save(&path).unwrap();
    let object = |(at, [x, y, w, h]): (usize, [u32; 4])| Object {
        class: at % 3,
        bbox: [x, y, x + w, y + h].map(|value| value as f32),
        area: f64::from(w * h),
        crowd: false,
    };
    let objects: Vec<Object> = boxes.into_iter().enumerate().map(object).collect();
    let categories = (0..3)
        .map(|class| Category {
            id: CategoryId(class + 1),
            name: format!("class {class}"),
            group: Group::Rare,
            images: 1,
            instances: objects.iter().filter(|object| object.class == class as usize).count() as u64,
        })
        .collect();
    let (negative, not_exhaustive) = (vec![], vec![]);
    let image = ImageRecord { id: ImageId(1), path, width: SIDE, height: SIDE, objects, negative, not_exhaustive };
    let (source, images) = (dir.join("train.json"), vec![image]);
    Arc::new(Dataset { source, categories, images, federated: false, warnings: vec![] })
}

/// AP50 on the picture itself, in the state of the training before its first step and after its last.
fn ap50(detector: &str, overrides: &[&str]) -> [f64; 2] {
    let dir = tempfile::tempdir().unwrap();
    let data = picture(dir.path());
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    let recipe = Recipe::parse("of the test", &format!("{RECIPE}{detector}"), &overrides).unwrap();
    let mut trainer = start(recipe, &data, &dir.path().join("run"));
    let device = Device::flex();
    let score = |trainer: &Trainer| {
        let detector = trainer.detector().unwrap();
        let batches = Predictor::new(&detector, trainer.loss(), data.clone(), trainer.recipe(), 1, &device).unwrap();
        let detections: Vec<_> = batches.flat_map(|batch| batch.unwrap().0).collect();
        protocol("coco").unwrap().evaluate(&data, &detections).unwrap().metrics.get("AP50").unwrap()
    };
    let before = score(&trainer);
    finish(&mut trainer);
    [before, score(&trainer)]
}

fn learns(overrides: &[&str]) {
    let [before, after] = ap50(DENSE, overrides);
    assert!(before < 0.3 && after > 0.9, "{overrides:?}: AP50 went from {before} to {after}");
}

#[test]
fn one_stage_learns_a_picture_with_focal_loss() {
    learns(&["loss.name=focal"]);
}

#[test]
fn one_stage_learns_a_picture_with_efl() {
    learns(&["loss.name=efl"]);
}

#[test]
fn one_stage_learns_a_picture_with_eqfl() {
    learns(&["loss.name=eqfl"]);
}

#[test]
fn one_stage_learns_a_picture_with_class_balanced_focal() {
    learns(&["loss.name=class_balanced_focal"]);
}

#[test]
fn one_stage_learns_a_picture_with_eql_v2_that_keeps_easy_background_out() {
    learns(&["loss.name=eqlv2", "loss.dense=true", "loss.easy_background=0.05"]);
}

/// A run of one stage that stops in the middle goes on as if it had not.
#[test]
fn one_stage_resumes_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let data = picture(dir.path());
    let recipe = |epochs: &str| {
        let overrides = [epochs, "loss.name=efl", "save_every=2"].map(String::from);
        Recipe::parse("of the test", &format!("{RECIPE}{DENSE}"), &overrides).unwrap()
    };
    let whole = run(recipe("epochs=4"), &data, &dir.path().join("whole"));
    assert_eq!(whole.state.step, 4);
    let halves = dir.path().join("halves");
    let mut trainer = start(recipe("epochs=4"), &data, &halves);
    (0..2).for_each(|_| assert!(trainer.step().unwrap().is_some()));
    drop(trainer);
    let mut trainer = Trainer::resume(data, RunDir::new(&halves), &Device::flex()).unwrap();
    assert_eq!(trainer.steps_done(), 2);
    finish(&mut trainer);
    assert_eq!(Checkpoint::read(&halves).unwrap(), whole);
}
