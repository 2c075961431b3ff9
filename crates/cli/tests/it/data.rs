//! `data stats`, `doctor` and `preview`.

use serde_json::Value;

use crate::program::{equipoise, fine, refused};
use crate::world::write;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn statistics_count_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    let text = fine(dir, &["data", "stats", "data/train.json", "--classes", "--svg", "tail.svg"]);
    for part in
        ["8 images, 0 of them without objects", "8 objects", "2 classes", "imbalance factor 1, Gini of images 0.00"]
    {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(std::fs::read_to_string(dir.join("tail.svg")).unwrap().contains("</svg>"));
    let stats = json(&fine(dir, &["data", "stats", "data/train.json", "--json"]));
    assert_eq!((&stats["images"], &stats["classes"][1]["name"]), (&8.into(), &"yak".into()));
    assert!(refused(dir, &["data", "stats", "nope.json"]).contains("`nope.json`"));
}

/// The two sets of this world share their pictures, which the doctor must see, and only when it may open them.
#[test]
fn the_doctor_finds_pictures_in_both_sets() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    let both = ["data", "doctor", "data/train.json", "--val", "data/val.json"];
    let ran = equipoise(dir, &both);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("error: ") && ran.out.contains("why") && ran.out.contains("fix"), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
    let blind = equipoise(dir, &[&both[..], &["--no-pictures"]].concat());
    assert_eq!(blind.code, 0, "{}{}", blind.out, blind.err);
    let findings = json(&equipoise(dir, &[&both[..], &["--json"]].concat()).out);
    assert!(findings.as_array().unwrap().iter().any(|finding| finding["severity"] == "error"), "{findings}");
    std::fs::remove_file(dir.join("data/train/3.png")).unwrap();
    let ran = equipoise(dir, &["data", "doctor", "data/train.json"]);
    assert!(ran.code == 1 && ran.out.contains("3.png"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_sampler_that_does_nothing_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    let ran = equipoise(dir, &["data", "preview", "data/train.json"]);
    assert!(ran.code == 0 && ran.err.contains("changes nothing"), "{}{}", ran.out, ran.err);
    let args = ["data", "preview", "data/train.json", "--sampler", "class-aware", "--json"];
    let preview = json(&fine(dir, &args));
    assert!(preview["changes_nothing"].is_null());
    assert_eq!(preview["images_per_epoch"], 8.0);
    assert!(refused(dir, &["data", "preview", "data/train.json", "--sampler", "rfs"]).contains("repeat-factor"));
}

#[test]
fn a_sheet_shows_pictures_as_a_recipe_makes_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    fn preview<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["data", "preview", "data/train.json"], more].concat()
    }
    let sheet = |name: &str, more: &[&str]| {
        let ran = equipoise(dir, &preview(&[&["--sheet", name, "--pictures", "5"], more].concat()));
        assert!(ran.code == 0 && ran.err.contains("5 pictures"), "{}{}", ran.out, ran.err);
        image::open(dir.join(name)).unwrap().into_rgb8()
    };
    let plain = sheet("plain.png", &[]);
    assert!(plain == sheet("again.png", &[]));
    let mosaic = ["--set", "loader.mosaic.chance=1", "--set", "loader.image_size=96"];
    assert!(plain != sheet("mosaic.png", &mosaic));
    let said = refused(dir, &preview(&["--set", "loader.crop.chance=2"]));
    assert!(said.contains("crop.chance") && said.contains("0 to 1"), "{said}");
    let said = refused(dir, &preview(&["--sheet", "none.png", "--set", "loader.copy_paste.chance=0.5"]));
    assert!(said.contains("copy_paste") && said.contains("segmentation"), "{said}");
    assert!(!dir.join("none.png").exists());
    assert!(refused(dir, &preview(&["--rounding", "floor"])).contains("stochastic"));
    assert!(fine(dir, &preview(&["--sampler", "repeat-factor", "--rounding", "ceil"])).contains("ceil rounding"));
}

/// There and back through YOLO: boxes and classes stay, and what YOLO has no place for is named.
#[test]
fn a_data_set_is_converted_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    let said = fine(dir, &["data", "convert", "data/train.json", "--to", "yolo", "--out", "yolo", "--copy-pictures"]);
    assert!(said.contains("wrote 8 images, 8 objects and 2 classes as yolo"), "{said}");
    fine(dir, &["data", "convert", "yolo", "--to", "coco", "--out", "back.json"]);
    let stats = |path: &str| json(&fine(dir, &["data", "stats", path, "--json"]));
    let (before, after) = (stats("data/train.json"), stats("back.json"));
    for key in ["images", "objects", "categories", "boxes", "gini_images"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    // With both splits in one folder, a training finds each where it is meant.
    fine(dir, &["data", "convert", "data/train.json", "--val", "data/val.json", "--to", "yolo", "--out", "both"]);
    let args = ["data", "convert", "both", "--split", "val", "--to", "coco", "--out", "val.json"];
    assert!(fine(dir, &args).contains("wrote 4 images"));
    let args =
        ["train", "--data", "both", "--val", "both", "--recipe", "recipe.toml", "--out", "run", "--threads", "1"];
    fine(dir, &args);
    let detections = std::fs::read_to_string(dir.join("run/detections.json")).unwrap();
    let images: std::collections::BTreeSet<u64> =
        json(&detections).as_array().unwrap().iter().map(|found| found["image_id"].as_u64().unwrap()).collect();
    assert!(images.len() <= 4, "{images:?}");
    assert!(refused(dir, &["data", "convert", "yolo", "--to", "voc", "--out", "x"]).contains("coco"));
    let error = refused(dir, &["data", "convert", "data/train.json", "--to", "coco", "--out", "data/train.json"]);
    assert!(error.contains("data/train.json"), "{error}");
}

/// A wrong file in the cache is refused before anything is fetched or begun.
#[test]
fn emojivis_trusts_no_package() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir_all(dir.join("cache/packages")).unwrap();
    std::fs::write(dir.join("cache/packages/emojibase-data-17.0.0.tgz"), "another").unwrap();
    let build = ["data", "build", "emojivis", "--dir", "set", "--cache", "cache"];
    let error = refused(dir, &[&build[..], &["--preset", "mini"]].concat());
    assert!(error.contains("SHA-512") && error.contains("npm pack emojibase-data@17.0.0"), "{error}");
    assert!(!dir.join("set").exists());
    assert!(refused(dir, &[&build[..], &["--side", "9"]].concat()).contains("`side`"));
    let ran = equipoise(dir, &[&build[..], &["--preset", "huge"]].concat());
    assert!(ran.code == 2 && ran.err.contains("objects"), "{}", ran.err);
}
