//! Weights that a training starts from: what fits, what is left out, and what is refused.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use equipoise_data::Dataset;
use equipoise_detect::weights::{Weight, Weights, to_safetensors};
use equipoise_eval::record::RunDir;
use equipoise_train::{Checkpoint, Trainer};

use crate::world::{CLASSES, dataset, recipe, run, start};

/// The weights of a run before its first step.
fn initial(weights: &Path, data: &std::sync::Arc<Dataset>, dir: &Path) -> Weights {
    let key = format!("weights={:?}", weights.display().to_string());
    start(recipe(&[&key, "seed=9"]), data, dir).save().unwrap();
    Checkpoint::read(dir).unwrap().model
}

#[test]
fn a_run_starts_from_the_weights_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("first");
    let first = run(recipe(&["epochs=0.5", "ema=0.9"]), &data, &folder);
    let file = Checkpoint::file(&RunDir::new(&folder).last_checkpoint());
    for (name, path) in [("folder", &folder), ("file", &file)] {
        assert_eq!(initial(path, &data, &dir.path().join(name)), first.average, "{name}");
    }
}

#[test]
fn layers_of_another_class_list_start_anew() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("first");
    let first = run(recipe(&["epochs=0.5"]), &data, &folder).model;
    let mut fewer = Dataset::clone(&data);
    fewer.categories.pop();
    let fewer = fewer.into();
    let key = format!("weights={:?}", folder.display().to_string());
    let noting = start(recipe(&[&key]), &fewer, &dir.path().join("noting"));
    assert_eq!(noting.notes().len(), 4, "{:?}", noting.notes());
    assert!(noting.notes().iter().any(|note| note.contains("`roi_head.classifier.bias` starts fresh: [5]")));
    let second = initial(&folder, &fewer, &dir.path().join("second"));
    for (name, weight) in &second {
        let of_classes = name.starts_with("roi_head.classifier") || name.starts_with("roi_head.deltas");
        assert_eq!(*weight != first[name], of_classes, "{name}");
    }
    assert_eq!(second["roi_head.classifier.bias"].values.len(), CLASSES);
}

/// A classifier of as many other classes has the right shape, and knows nothing of these.
#[test]
fn a_classifier_of_other_classes_starts_anew_though_it_would_fit() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("first");
    let first = run(recipe(&["epochs=0.5"]), &data, &folder).model;
    let mut renamed = Dataset::clone(&data);
    renamed.categories[1].name = "another".into();
    let renamed = renamed.into();
    let key = format!("weights={:?}", folder.display().to_string());
    let noting = start(recipe(&[&key]), &renamed, &dir.path().join("noting"));
    assert!(
        noting
            .notes()
            .iter()
            .any(|note| note.contains("`roi_head.classifier.weight`") && note.contains("other classes"))
    );
    for (name, weight) in &initial(&folder, &renamed, &dir.path().join("second")) {
        let of_classes = name.starts_with("roi_head.classifier") || name.starts_with("roi_head.deltas");
        assert_eq!(*weight != first[name], of_classes, "{name}");
    }
    let second_stage = recipe(&[&key, "decouple.method=crt"]);
    let dir = RunDir::new(dir.path().join("refused"));
    let error = Trainer::start(second_stage, "test", renamed, dir, &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("`another`") && error.contains("second stage"), "{error}");
}

#[test]
fn weights_that_do_not_fit_name_the_file_and_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let weight = Weight { shape: vec![8, 3, 3, 3], values: vec![0.0; 216] };
    let weights: Weights = [("backbone.stem.conv.weight".to_string(), weight)].into();
    let path = dir.path().join("other.safetensors");
    std::fs::write(&path, to_safetensors(&weights, false, BTreeMap::new())).unwrap();
    let error = |path: &Path| {
        let key = format!("weights={:?}", path.display().to_string());
        let dir = RunDir::new(dir.path().join("refused"));
        Trainer::start(recipe(&[&key]), "test", data.clone(), dir, &Device::flex()).err().unwrap().to_string()
    };
    let misfit = error(&path);
    assert!(misfit.contains("other.safetensors") && misfit.contains("backbone.stem.conv.weight"), "{misfit}");
    assert!(misfit.contains("detector.backbone"), "{misfit}");
    assert!(error(&dir.path().join("none.safetensors")).contains("none.safetensors"));
}

#[test]
fn random_layers_are_not_frozen() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let run = RunDir::new(dir.path().join("run"));
    let recipe = recipe(&["detector.frozen_stages=1"]);
    let error = Trainer::start(recipe, "test", data, run, &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("would stay random") && error.contains("detector.frozen_stages=0"), "{error}");
}
