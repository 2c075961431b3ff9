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
    let page = ["data", "stats", "data/train.json", "--html", "stats.html"];
    fine(dir, &page);
    let page = std::fs::read_to_string(dir.join("stats.html")).unwrap();
    for part in ["<h1>All classes are in about as many pictures</h1>", "<svg", "8 objects", ">yak</th>", "1 : 1"] {
        assert!(page.contains(part), "no `{part}` in:\n{page}");
    }
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "the page fetches something");
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
    let found = equipoise(dir, &["data", "stats", "both"]).err;
    assert!(found.contains("found both/data.yaml: 8 images, 2 classes"), "{found}");
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

/// A file that a training is refused for is examined to its end, and its copy is clean.
#[test]
fn the_doctor_repairs_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    let source = std::fs::read_to_string(dir.join("data/train.json")).unwrap();
    let mut set = json(&source);
    let annotations = set["annotations"].as_array_mut().unwrap();
    let first = annotations[0].clone();
    for (key, value) in [("category_id", 77), ("image_id", 78), ("id", 999)] {
        let mut wrong = first.clone();
        wrong[key] = value.into();
        annotations.push(wrong);
    }
    std::fs::write(dir.join("data/broken.json"), set.to_string()).unwrap();
    let ran = equipoise(dir, &["data", "doctor", "data/broken.json"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for part in ["error: 1 objects of images that are not listed", "error: 1 objects of categories", "category_id 77"] {
        assert!(ran.out.contains(part), "no `{part}` in:\n{}", ran.out);
    }
    let said = fine(dir, &["data", "doctor", "data/broken.json", "--fix", "data/mended.json"]);
    assert!(said.contains("fixed: 1 objects with the same image, class and box as another: dropped"), "{said}");
    assert!(said.contains("wrote 8 images and 8 objects as coco"), "{said}");
    assert_eq!(equipoise(dir, &["data", "doctor", "data/mended.json"]).code, 0);
    assert_eq!(
        std::fs::read_to_string(dir.join("data/broken.json")).unwrap(),
        set.to_string(),
        "the source is as it was"
    );
    let again = ["data", "doctor", "data/broken.json", "--fix", "data/broken.json"];
    assert!(refused(dir, &again).contains("in the way"));
    std::fs::write(dir.join("data/cut.json"), &source[..source.len() / 2]).unwrap();
    assert!(refused(dir, &["data", "doctor", "data/cut.json"]).contains("cut short"));
}

/// There and back through Open Images, with the classes above each class on the way.
#[test]
fn open_images_are_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    fine(dir, &["data", "convert", "data/train.json", "--to", "openimages", "--out", "tables"]);
    let stats = |path: &str| json(&fine(dir, &["data", "stats", path, "--json"]));
    let (before, after) = (stats("data/train.json"), stats("tables"));
    for key in ["images", "objects", "categories", "boxes"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    let tree = r#"{"LabelName": "/m/000000", "Subcategory": [{"LabelName": "/m/000001"}]}"#;
    std::fs::write(dir.join("tree.json"), tree).unwrap();
    fine(dir, &["data", "convert", "tables", "--hierarchy", "tree.json", "--to", "coco", "--out", "up.json"]);
    let up = stats("up.json");
    assert_eq!(up["classes"][0]["instances"], before["objects"], "every object is one of the class above");
    let error =
        refused(dir, &["data", "convert", "up.json", "--hierarchy", "tree.json", "--to", "coco", "--out", "x.json"]);
    assert!(error.contains("up.json"), "{error}");
}
