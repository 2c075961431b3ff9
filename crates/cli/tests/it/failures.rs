//! Everything that can be wrong with files and flags: exit code 2, the path or field, and a way out.

use crate::program::{equipoise, fine, refused};
use crate::world::{rename_classes, train, write};

fn world() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    dir
}

fn assert_says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let dir = world();
    let dir = dir.path();
    assert_says(&refused(dir, &["train", "--data", "nope.json"]), &["`nope.json`", "cause: "]);
    assert_says(&refused(dir, &["train", "--data", "data/train.json", "--recipe", "no.toml"]), &["`no.toml`"]);
    assert_says(&refused(dir, &["eval", "--gt", "data/val.json", "--dt", "no.json"]), &["`no.json`"]);
    assert_says(&refused(dir, &["predict", "--run", "no", "--images", "data"]), &["`no`", "no checkpoint here"]);
    assert_says(&refused(dir, &["report", "no"]), &["`no`"]);
    assert_says(&refused(dir, &["report", "data"]), &["`data`", "run.json"]);
    assert_says(&refused(dir, &["eval", "--run", "data"]), &["`data`", "run.json"]);
}

#[test]
fn a_truncated_json_has_its_place() {
    let dir = world();
    let text = std::fs::read_to_string(dir.path().join("data/val.json")).unwrap();
    std::fs::write(dir.path().join("cut.json"), &text[..text.len() / 2]).unwrap();
    let error = refused(dir.path(), &["eval", "--gt", "cut.json", "--dt", "cut.json"]);
    assert_says(&error, &["`cut.json`"]);
    std::fs::write(dir.path().join("dt.json"), "[{\"image_id\": 1, \"category_id\": 1,").unwrap();
    let error = refused(dir.path(), &["eval", "--gt", "data/val.json", "--dt", "dt.json"]);
    assert_says(&error, &["`dt.json`", "detection 0", "bbox"]);
}

#[test]
fn detections_with_ids_of_their_own_are_refused() {
    let dir = world();
    let entry = |image: u32, category: u32, score: &str| {
        format!("[{{\"image_id\": {image}, \"category_id\": {category}, \"bbox\": [1, 1, 9, 9], \"score\": {score}}}]")
    };
    for (text, part) in [
        (entry(99, 1, "0.5"), "image 99"),
        (entry(1, 99, "0.5"), "category 99"),
        (entry(1, 1, "\"high\""), "detection 0"),
        ("{}".into(), "array"),
    ] {
        std::fs::write(dir.path().join("dt.json"), text).unwrap();
        assert_says(&refused(dir.path(), &["eval", "--gt", "data/val.json", "--dt", "dt.json"]), &["`dt.json`", part]);
    }
}

#[test]
fn unknown_names_list_or_suggest_what_there_is() {
    let dir = world();
    let dir = dir.path();
    let wrong = |extra: &[&str]| {
        let mut args = vec!["train", "--data", "data/train.json", "--recipe", "recipe.toml", "--out", "run"];
        args.extend(extra);
        refused(dir, &args)
    };
    assert_says(&wrong(&["--loss", "eqlv3"]), &["`eqlv3`", "did you mean `eqlv2`?"]);
    assert_says(&wrong(&["--set", "optimizer.lrr=1"]), &["lrr", "did you mean `lr`?"]);
    assert_says(&wrong(&["--set", "loss.gama=1"]), &["`gama`", "did you mean `gamma`?"]);
    assert_says(&wrong(&["--set", "detector.backbone=lite"]), &["`lite`", "light"]);
    assert_says(&wrong(&["--set", "sampler.name=rfs"]), &["`rfs`", "repeat-factor"]);
    for device in ["gpu", "cpu:1", "cuda:first"] {
        assert_says(&wrong(&["--device", device]), &[&format!("`{device}`"), "cpu, wgpu, cuda"]);
    }
    #[cfg(not(feature = "cuda"))]
    assert_says(&wrong(&["--device", "cuda:0"]), &["without `cuda`", "--features cuda"]);
    assert_says(&wrong(&["--set", "optimizer.lr=nan"]), &["--set optimizer.lr=nan", "`optimizer.lr`"]);
    let published = ["train", "--data", "data/train.json", "--recipe", "resnet50", "--out", "run"];
    assert_says(&refused(dir, &published), &["`detector.frozen_stages`", "`weights` is empty"]);
    assert_says(&refused(dir, &["train", "--out", "run", "--resume"]), &["`run`", "--data"]);
    assert!(!dir.join("run/run.json").exists(), "a run that cannot start leaves nothing");
    let args = ["eval", "--gt", "data/val.json", "--dt", "data/val.json", "--protocol", "voc"];
    assert_says(&refused(dir, &args), &["`voc`", "lvis, coco"]);
}

#[test]
fn a_recipe_with_an_unknown_key_says_where() {
    let dir = world();
    std::fs::write(dir.path().join("r.toml"), "epochs = 1\nbtach = 2\n").unwrap();
    let error = refused(dir.path(), &["train", "--data", "data/train.json", "--recipe", "r.toml"]);
    assert_says(&error, &["r.toml", "line 2", "did you mean `batch`?"]);
}

#[test]
fn a_checkpoint_belongs_to_its_classes() {
    let dir = world();
    let dir = dir.path();
    fine(dir, &train("eqlv2", "run"));
    std::fs::rename(dir.join("run/detections.json"), dir.join("kept.json")).unwrap();
    assert_says(&refused(dir, &["eval", "--run", "run"]), &["`run`", "equipoise predict --run run --data"]);
    std::fs::rename(dir.join("kept.json"), dir.join("run/detections.json")).unwrap();
    rename_classes(dir, "val.json", ["owl", "emu"]);
    let error = refused(dir, &["predict", "--run", "run", "--data", "data/val.json", "--out", "out"]);
    assert_says(&error, &["`yak`", "`emu`"]);
    assert_says(&refused(dir, &["eval", "--run", "run"]), &["`yak`", "`emu`"]);
    rename_classes(dir, "train.json", ["owl", "emu"]);
    let error = refused(dir, &["train", "--data", "data/train.json", "--out", "run", "--resume"]);
    assert_says(&error, &["`yak`", "`emu`"]);
}

#[test]
fn pictures_that_do_not_decode_are_skipped_unless_none_does() {
    let dir = world();
    let dir = dir.path();
    fine(dir, &train("softmax_ce", "run"));
    let bytes = std::fs::read(dir.join("data/val/0.png")).unwrap();
    std::fs::create_dir(dir.join("mixed")).unwrap();
    std::fs::write(dir.join("mixed/a.png"), &bytes).unwrap();
    std::fs::write(dir.join("mixed/b.png"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(dir.join("mixed/c.jpg"), "no picture").unwrap();
    let ran = equipoise(dir, &["predict", "--run", "run", "--images", "mixed", "--out", "out"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_says(&ran.err, &["warning: skipped", "b.png", "c.jpg"]);
    assert!(dir.join("out/pictures/a.png").is_file() && !dir.join("out/pictures/b.png").exists());
    let error = refused(dir, &["predict", "--run", "run", "--images", "mixed/b.png", "--out", "out2"]);
    assert_says(&error, &["no picture can be read", "b.png"]);
    std::fs::create_dir(dir.join("empty")).unwrap();
    assert_says(&refused(dir, &["predict", "--run", "run", "--images", "empty"]), &["`empty` holds no picture"]);
}
