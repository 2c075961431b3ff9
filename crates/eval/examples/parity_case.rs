//! Writes a federated LVIS case with its scores, for `parity/lvis_api.py` to compare: `cargo run -p equipoise-eval --example parity_case -- FOLDER`.

#[path = "../tests/it/synthetic.rs"]
mod synthetic;

use std::path::PathBuf;

use equipoise_data::{Dataset, Group};
use equipoise_eval::protocol::protocol;
use equipoise_eval::write_detections;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name a folder")?);
    let (train, mut val) = synthetic::sets(60, None);
    federate(&mut val);
    let run = synthetic::run("parity", "Parity", "parity", 0.4, 3, &train, &val);
    let evaluation = protocol("lvis")?.evaluate(&val, &run.detections)?;
    write_detections(&folder.join("detections.json"), &run.detections)?;
    evaluation.metrics.write(&folder.join("metrics.json"))?;
    std::fs::write(folder.join("truth.json"), serde_json::to_vec(&lvis_file(&val))?)?;
    Ok(())
}

/// Judges each picture for a third of the classes only, and calls some labels not exhaustive.
fn federate(val: &mut Dataset) {
    val.federated = true;
    let classes = val.num_classes();
    for (at, image) in val.images.iter_mut().enumerate() {
        let labelled = |class: usize| image.objects.iter().any(|o| o.class == class);
        image.negative = (0..classes).filter(|class| (class + at).is_multiple_of(3) && !labelled(*class)).collect();
        image.not_exhaustive =
            (0..classes).filter(|class| (class + at).is_multiple_of(4) && labelled(*class)).collect();
    }
}

fn lvis_file(val: &Dataset) -> Value {
    let id = |class: usize| val.categories[class].id.0;
    let ids = |classes: &[usize]| classes.iter().map(|class| id(*class)).collect::<Vec<_>>();
    let mut annotations = Vec::new();
    for image in &val.images {
        for object in &image.objects {
            let [x1, y1, x2, y2] = object.bbox.map(f64::from);
            annotations.push(json!({
                "id": annotations.len() + 1, "image_id": image.id.0, "category_id": id(object.class),
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": object.area, "segmentation": [],
            }));
        }
    }
    let letter = |group| match group {
        Group::Rare => "r",
        Group::Common => "c",
        Group::Frequent => "f",
    };
    let images = val.images.iter().map(|image| {
        json!({
            "id": image.id.0, "width": image.width, "height": image.height,
            "neg_category_ids": ids(&image.negative), "not_exhaustive_category_ids": ids(&image.not_exhaustive),
        })
    });
    let categories = val.categories.iter().map(|c| json!({"id": c.id.0, "name": c.name, "frequency": letter(c.group)}));
    json!({"images": images.collect::<Vec<_>>(), "annotations": annotations, "categories": categories.collect::<Vec<_>>()})
}
