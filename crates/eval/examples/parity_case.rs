//! Writes cases with their scores, for the scripts of `parity/` to compare: `cargo run -p equipoise-eval --example parity_case -- FOLDER`.
//!
//! Everything that scoring engines disagree on is in them: boxes with decimals that no f32 holds and boxes that leave the picture, equal scores, more than 300
//! detections in a picture, crowds, detections without area, federated lists, masks with and without boxes, group-of boxes and a class hierarchy.

use std::path::{Path, PathBuf};

use equipoise_data::Dataset;
use equipoise_eval::protocol::{Hierarchy, Options, protocol};
use equipoise_eval::record::Metrics;
use equipoise_eval::{Case, Shape};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const IMAGES: u64 = 60;
const CLASSES: u64 = 40;
const SIDE: f64 = 400.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name a folder")?);
    std::fs::create_dir_all(&folder)?;
    let write = |name: &str, value: &Value| std::fs::write(folder.join(name), value.to_string());
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let truth = truth(&mut rng);
    let boxes = detections(&truth, &mut rng);
    write("truth.json", &without_crowds(&truth))?;
    write("truth_crowds.json", &truth)?;
    write("boxes.json", &boxes)?;
    write("masks.json", &masks(&boxes))?;
    // Class 1 is the root, 2 and 3 are below it, the others are leaves of 2 and 3.
    let leaves = |parent: u64| {
        let of = (4..=CLASSES).filter(|c| c % 2 == parent % 2).map(|c| json!({"LabelName": name(c)}));
        json!({"LabelName": name(parent), "Subcategory": of.collect::<Vec<_>>()})
    };
    write(
        "hierarchy.json",
        &json!({"LabelName": "/m/0bl9f", "Subcategory": [{"LabelName": name(1), "Subcategory": [leaves(2), leaves(3)]}]}),
    )?;
    let fixed = Options { fixed: Some(50), pool: true, ..Options::default() };
    let plain = Options::default();
    score(&folder, "lvis", "truth.json", "boxes.json", Shape::Boxes, &fixed)?.write(&folder.join("lvis_boxes.json"))?;
    score(&folder, "lvis", "truth.json", "masks.json", Shape::Masks, &plain)?.write(&folder.join("lvis_masks.json"))?;
    score(&folder, "coco", "truth_crowds.json", "boxes.json", Shape::Boxes, &plain)?
        .write(&folder.join("coco_boxes.json"))?;
    score(&folder, "coco", "truth_crowds.json", "masks.json", Shape::Masks, &plain)?
        .write(&folder.join("coco_masks.json"))?;
    let dataset = Dataset::read_validation(&folder.join("truth_crowds.json"), None)?;
    let hierarchy = Some(Hierarchy::read(&folder.join("hierarchy.json"), &dataset)?);
    let expanded = Options { hierarchy, ..Options::default() };
    score(&folder, "openimages", "truth_crowds.json", "boxes.json", Shape::Boxes, &expanded)?
        .write(&folder.join("openimages_boxes.json"))?;
    Ok(())
}

fn score(
    folder: &Path,
    name: &str,
    truth: &str,
    results: &str,
    shape: Shape,
    options: &Options,
) -> Result<Metrics, Box<dyn std::error::Error>> {
    let truth = Dataset::read_validation(&folder.join(truth), None)?;
    let case = Case::read(&truth, &folder.join(results), shape)?;
    Ok(protocol(name)?.score(&case, options)?.metrics)
}

fn name(class: u64) -> String {
    format!("class {class}")
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn some_box(rng: &mut ChaCha8Rng) -> [f64; 4] {
    let mut side = || rng.random_range(4.0..9.0_f64).exp2().min(SIDE / 2.0);
    let (w, h) = (side(), side());
    // Some leave the picture.
    [rng.random_range(-20.0..SIDE - w + 20.0), rng.random_range(-20.0..SIDE - h + 20.0), w, h].map(round)
}

/// An octagon in the box, so that a mask is not its box.
fn octagon([x, y, w, h]: [f64; 4]) -> Value {
    let at = |u: f64, v: f64| [round(x + u * w), round(y + v * h)];
    let corners = [(0.3, 0.0), (0.7, 0.0), (1.0, 0.3), (1.0, 0.7), (0.7, 1.0), (0.3, 1.0), (0.0, 0.7), (0.0, 0.3)];
    json!([corners.iter().flat_map(|&(u, v)| at(u, v)).collect::<Vec<f64>>()])
}

fn truth(rng: &mut ChaCha8Rng) -> Value {
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for image in 1..=IMAGES {
        let mut present = Vec::new();
        for _ in 0..rng.random_range(0..14) {
            let class = 1 + (CLASSES as f64 * rng.random_range(0.0..1.0_f64).powi(2)) as u64;
            let bbox = some_box(rng);
            present.push(class);
            annotations.push(json!({
                "id": annotations.len() + 1, "image_id": image, "category_id": class, "bbox": bbox,
                "area": round(bbox[2] * bbox[3] * 0.82), "segmentation": octagon(bbox),
                "iscrowd": u8::from(rng.random_bool(0.08)),
            }));
        }
        let negative: Vec<u64> = (1..=CLASSES).filter(|c| !present.contains(c) && rng.random_bool(0.4)).collect();
        let mut partial: Vec<u64> = present.into_iter().filter(|_| rng.random_bool(0.2)).collect();
        partial.sort_unstable();
        partial.dedup();
        images.push(json!({
            "id": image, "width": SIDE, "height": SIDE, "file_name": format!("{image}.jpg"),
            "neg_category_ids": negative, "not_exhaustive_category_ids": partial,
        }));
    }
    let frequency = |class: u64| ["f", "c", "r"][(class % 3) as usize];
    let categories = (1..=CLASSES).map(|class| {
        json!({
            "id": class, "name": name(class), "frequency": frequency(class),
            "image_count": 3 * (CLASSES + 1 - class), "instance_count": 5 * (CLASSES + 1 - class),
        })
    });
    json!({"images": images, "annotations": annotations, "categories": categories.collect::<Vec<_>>()})
}

/// LVIS has no crowds.
fn without_crowds(truth: &Value) -> Value {
    let mut truth = truth.clone();
    if let Some(annotations) = truth["annotations"].as_array_mut() {
        annotations.iter_mut().filter_map(Value::as_object_mut).for_each(|a| {
            a.remove("iscrowd");
        });
    }
    truth
}

fn detections(truth: &Value, rng: &mut ChaCha8Rng) -> Value {
    let mut found = Vec::new();
    let mut add = |image: u64, class: u64, bbox: [f64; 4], rng: &mut ChaCha8Rng| {
        // Two decimals: many scores are equal.
        let score = round(rng.random_range(0.0..1.0));
        found.push(json!({"image_id": image, "category_id": class, "bbox": bbox, "score": score}));
    };
    for annotation in truth["annotations"].as_array().into_iter().flatten() {
        let number = |key: &str| annotation[key].as_u64().unwrap_or_default();
        let bbox: Vec<f64> = annotation["bbox"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        for _ in 0..rng.random_range(0..4) {
            let moved: Vec<f64> = bbox.iter().map(|v| round(v + rng.random_range(-6.0..6.0))).collect();
            let class = if rng.random_bool(0.8) { number("category_id") } else { rng.random_range(1..=CLASSES) };
            add(number("image_id"), class, [moved[0], moved[1], moved[2].max(2.0), moved[3].max(2.0)], rng);
        }
    }
    for image in 1..=IMAGES {
        let many = if image % 10 == 0 { 420 } else { 30 };
        for _ in 0..many {
            let class = rng.random_range(1..=CLASSES);
            add(image, class, some_box(rng), rng);
        }
        // Without area, as boxes and as masks.
        add(image, rng.random_range(1..=CLASSES), [40.0, 40.0, 0.0, 30.0], rng);
    }
    Value::Array(found)
}

/// The same detections as masks, without boxes.
fn masks(boxes: &Value) -> Value {
    let mask = |entry: &Value| {
        let side = |at: usize| entry["bbox"][at].as_f64().unwrap_or_default();
        let bbox = [side(0), side(1), side(2), side(3)];
        json!({
            "image_id": entry["image_id"], "category_id": entry["category_id"], "score": entry["score"],
            "segmentation": octagon(bbox),
        })
    };
    Value::Array(boxes.as_array().into_iter().flatten().map(mask).collect())
}
