//! A tiny data set and recipe on disk.

use std::path::Path;

use image::{Rgb, RgbImage};
use serde_json::json;

/// A detector so small that a training takes a second.
pub const RECIPE: &str = r#"
epochs = 1
batch = 2
snapshots = 2
log_every = 1

[optimizer]
lr = 0.01
clip_norm = 5.0

[schedule]
warmup_steps = 2

[loader]
image_size = 64
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
"#;

/// Writes `data/train.json`, `data/val.json`, their pictures and `recipe.toml` into `dir`.
pub fn write(dir: &Path) {
    std::fs::create_dir_all(dir.join("data")).unwrap();
    for (split, pictures) in [("train", 8), ("val", 4)] {
        write_split(dir, split, pictures);
    }
    std::fs::write(dir.join("recipe.toml"), RECIPE).unwrap();
}

fn write_split(dir: &Path, split: &str, pictures: u32) {
    std::fs::create_dir_all(dir.join("data").join(split)).unwrap();
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for at in 0..pictures {
        let (x, y, side) = (5 + at * 4, 8 + at * 3, 16);
        let inside = |px: u32, py: u32| (x..x + side).contains(&px) && (y..y + side).contains(&py);
        let colour = if at % 2 == 0 { Rgb([220, 40, 40]) } else { Rgb([40, 60, 220]) };
        let picture = RgbImage::from_fn(64, 64, |px, py| if inside(px, py) { colour } else { Rgb([120, 130, 110]) });
        let name = format!("{split}/{at}.png");
        picture.save(dir.join("data").join(&name)).unwrap();
        images.push(json!({"id": at + 1, "file_name": name, "width": 64, "height": 64}));
        annotations.push(json!({
            "id": at + 1, "image_id": at + 1, "category_id": 1 + at % 2, "iscrowd": 0,
            "bbox": [x, y, side, side], "area": side * side,
        }));
    }
    let file = json!({"images": images, "annotations": annotations, "categories": categories(["owl", "yak"])});
    std::fs::write(dir.join("data").join(format!("{split}.json")), file.to_string()).unwrap();
}

fn categories(names: [&str; 2]) -> serde_json::Value {
    names.iter().enumerate().map(|(at, name)| json!({"id": at + 1, "name": name})).collect()
}

/// Rewrites `data/FILE` with other names of the classes.
pub fn rename_classes(dir: &Path, file: &str, names: [&str; 2]) {
    let path = dir.join("data").join(file);
    let mut value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    value["categories"] = categories(names);
    std::fs::write(path, value.to_string()).unwrap();
}

/// Arguments of a training of `loss` into `out`.
pub fn train<'a>(loss: &'a str, out: &'a str) -> Vec<&'a str> {
    let mut args = vec!["train", "--data", "data/train.json", "--val", "data/val.json", "--recipe", "recipe.toml"];
    args.extend(["--loss", loss, "--out", out, "--threads", "1"]);
    args
}
