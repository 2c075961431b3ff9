//! Results as large as those of LVIS v1 val, and how long they take to score:
//!
//! ```text
//! cargo run --release -p equipoise-eval --example lvis_scale -- make FOLDER
//! cargo run --release -p equipoise-eval --example lvis_scale -- score FOLDER/detections.json lvis
//! ```
//!
//! 19,809 pictures, 1,203 classes, 300 detections a picture: 5.9 million. Truth has the shape of LVIS: 12 objects a picture, a long tail, federated lists.
//! `score` prints wall time and the largest resident memory, where the system tells.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use equipoise_data::Dataset;
use equipoise_eval::protocol::{FIXED_LIMIT, Options, protocol};
use equipoise_eval::{Case, Shape};
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

const IMAGES: u64 = 19_809;
const CLASSES: u64 = 1_203;
const DETECTIONS: usize = 300;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", folder] => make(Path::new(folder)),
        ["score", detections, name] => score(Path::new(detections), name, &Options::default()),
        ["score", detections, name, "extra"] => {
            score(Path::new(detections), name, &Options { fixed: Some(FIXED_LIMIT), pool: true, ..Options::default() })
        }
        _ => Err("expected `make FOLDER` or `score DETECTIONS PROTOCOL [extra]`".into()),
    }
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut some_class = move || 1 + (CLASSES as f64 * rng.random_range(0.0..1.0_f64).powi(4)) as u64;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut some_box = move || {
        let (w, h) = (rng.random_range(8.0..240.0_f64), rng.random_range(8.0..240.0_f64));
        [rng.random_range(0.0..640.0 - w), rng.random_range(0.0..480.0 - h), w, h].map(|v| (v * 100.0).round() / 100.0)
    };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    let mut plain = BufWriter::new(File::create(folder.join("detections.json"))?);
    let mut zipped =
        GzEncoder::new(BufWriter::new(File::create(folder.join("detections.json.gz"))?), Compression::fast());
    for image in 1..=IMAGES {
        let objects: Vec<(u64, [f64; 4])> = (0..12).map(|_| (some_class(), some_box())).collect();
        for (class, bbox) in &objects {
            annotations.push(json!({
                "id": annotations.len() + 1, "image_id": image, "category_id": class, "bbox": bbox,
                "area": 0.7 * bbox[2] * bbox[3],
            }));
        }
        let negative: Vec<u64> =
            (0..8).map(|_| rng.random_range(1..=CLASSES)).filter(|c| objects.iter().all(|o| o.0 != *c)).collect();
        images.push(json!({
            "id": image, "width": 640, "height": 480, "file_name": format!("{image}.jpg"),
            "neg_category_ids": negative, "not_exhaustive_category_ids": [],
        }));
        let mut text = String::new();
        for at in 0..DETECTIONS {
            let near = objects.get(at / 2);
            let class = near.filter(|_| at % 2 == 0).map_or_else(&mut some_class, |o| o.0);
            let [x, y, w, h] = near.map_or_else(&mut some_box, |o| o.1.map(|v| v + rng.random_range(-4.0..4.0)));
            let score = rng.random_range(0.0..1.0_f64) * if near.is_some() { 1.0 } else { 0.4 };
            text += if image == 1 && at == 0 { "[" } else { "," };
            text += &format!(
                "{{\"image_id\":{image},\"category_id\":{class},\"bbox\":[{x:.4},{y:.4},{w:.4},{h:.4}],\"score\":{score:.6}}}"
            );
        }
        plain.write_all(text.as_bytes())?;
        zipped.write_all(text.as_bytes())?;
    }
    plain.write_all(b"]\n")?;
    zipped.write_all(b"]\n")?;
    plain.flush()?;
    zipped.finish()?.flush()?;
    let letter = |class: u64| ["f", "c", "r"][(class * 3 / (CLASSES + 1)) as usize];
    let categories: Vec<_> = (1..=CLASSES)
        .map(|class| json!({"id": class, "name": format!("class {class}"), "frequency": letter(class)}))
        .collect();
    let truth = json!({"images": images, "annotations": annotations, "categories": categories});
    serde_json::to_writer(BufWriter::new(File::create(folder.join("truth.json"))?), &truth)?;
    Ok(())
}

fn score(detections: &Path, name: &str, options: &Options) -> Result<(), Failure> {
    let started = Instant::now();
    let folder: PathBuf = detections.parent().ok_or("name a file in the folder of the truth")?.into();
    let truth = Dataset::read_validation(&folder.join("truth.json"), None)?;
    let lap = |what: &str| println!("{what:12} {:6.1} s {:5.2} GiB", started.elapsed().as_secs_f64(), peak_gib());
    lap("truth");
    let case = Case::read(&truth, detections, Shape::Boxes)?;
    lap("detections");
    let evaluation = protocol(name)?.score(&case, options)?;
    lap("scores");
    for (key, value) in evaluation.metrics.iter() {
        println!("{key:12} {value:?}");
    }
    Ok(())
}

/// Largest resident memory so far; 0 where the system does not tell.
fn peak_gib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()).unwrap_or_default() / 1_048_576.0
}
