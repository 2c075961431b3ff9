//! Checkpoints: exact, whole, and tied to their classes.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use equipoise_data::{ClassList, Dataset};
use equipoise_eval::record::RunDir;
use equipoise_train::{Checkpoint, Predictor, Trainer};

use crate::world::{dataset, finish, recipe, run, start};

#[test]
fn a_checkpoint_comes_back_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let checkpoint = run(recipe(&["ema=0.9"]), &data, &dir.path().join("run"));
    assert!(!checkpoint.velocity.is_empty() && !checkpoint.average.is_empty());
    let copy = dir.path().join("copy");
    checkpoint.write(&copy).unwrap();
    assert_eq!(Checkpoint::read(&copy).unwrap(), checkpoint);
    let bytes = |folder: &Path| std::fs::read(Checkpoint::file(folder)).unwrap();
    assert_eq!(bytes(&copy), bytes(&dir.path().join("run/checkpoints/last")));
}

#[test]
fn a_run_a_folder_and_a_file_lead_to_the_same_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("run");
    let checkpoint = run(recipe(&["epochs=0.2"]), &data, &folder);
    let last = RunDir::new(&folder).last_checkpoint();
    for path in [&last, &Checkpoint::file(&last)] {
        assert_eq!(Checkpoint::read(path).unwrap(), checkpoint);
    }
}

#[test]
fn a_detector_of_a_checkpoint_finds_what_the_trained_one_finds() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    for ema in ["ema=0", "ema=0.5"] {
        let folder = dir.path().join(ema);
        let mut trainer = start(recipe(&[ema]), &data, &folder);
        finish(&mut trainer);
        let device = Device::flex();
        let found = |detector, loss| {
            Predictor::new(detector, loss, data.clone(), trainer.recipe(), Predictor::BATCH, &device)
                .unwrap()
                .flat_map(|batch| batch.unwrap().0)
                .collect::<Vec<_>>()
        };
        let (detector, loss) = Checkpoint::read(&folder).unwrap().detector(&device).unwrap();
        let again = found(&detector, &*loss);
        assert!(!again.is_empty());
        assert_eq!(again, found(&trainer.detector().unwrap(), trainer.loss()));
    }
}

#[test]
fn a_file_that_is_cut_short_is_an_error_at_every_length() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("run");
    run(recipe(&["epochs=0.2"]), &data, &folder);
    let file = Checkpoint::file(&RunDir::new(&folder).last_checkpoint());
    let bytes = std::fs::read(&file).unwrap();
    for length in [0, 4, 8, 200, 2000, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&file, &bytes[..length]).unwrap();
        let error = Checkpoint::read(&folder).unwrap_err().to_string();
        assert!(error.contains("checkpoint.safetensors"), "{error}");
        let resumed = Trainer::resume(data.clone(), RunDir::new(&folder), &Device::flex());
        assert!(resumed.is_err());
    }
}

#[test]
fn other_files_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let error = Checkpoint::read(dir.path()).unwrap_err().to_string();
    assert!(error.contains("no checkpoint here"), "{error}");
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/light.safetensors");
    let error = Checkpoint::read(&weights).unwrap_err().to_string();
    assert!(error.contains("no checkpoint of equipoise"), "{error}");
}

#[test]
fn a_checkpoint_of_other_classes_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("run");
    let checkpoint = run(recipe(&["epochs=0.2"]), &data, &folder);
    let mut other = Dataset::clone(&data);
    other.categories[1].name = "owl".into();
    assert!(checkpoint.check_classes(&folder, &ClassList::of(&data)).is_ok());
    let error = Trainer::resume(Arc::new(other), RunDir::new(&folder), &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("class 1 is 11 `class 1`") && error.contains("11 `owl`"), "{error}");
}

#[test]
fn a_run_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("run");
    run(recipe(&["epochs=0.2"]), &data, &folder);
    let error = Trainer::start(recipe(&[]), "test", data, RunDir::new(&folder), &Device::flex()).err().unwrap();
    assert!(error.to_string().contains("--resume"), "{error}");
}

#[test]
fn a_run_goes_on_between_two_rows_as_if_it_had_not_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let recipe = recipe(&["epochs=2", "log_every=4", "save_every=0"]);
    run(recipe.clone(), &data, &whole);
    let mut trainer = start(recipe, &data, &parts);
    (0..6).for_each(|_| assert!(trainer.step().unwrap().is_some()));
    trainer.save().unwrap();
    drop(trainer);
    finish(&mut Trainer::resume(data, RunDir::new(&parts), &Device::flex()).unwrap());
    // The last column is wall time.
    let rows = |folder: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(RunDir::new(folder).history()).unwrap();
        text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_string()).collect()
    };
    assert_eq!(rows(&whole).len(), 4);
    assert_eq!(rows(&whole), rows(&parts));
}

/// Threads share work by shape, never by who is free: a run on three threads is the same each time.
#[test]
fn a_number_of_threads_gives_the_same_bits_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let on_three = |name: &str| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        pool.install(|| run(recipe(&["epochs=2", "loader.workers=2"]), &data, &dir.path().join(name)))
    };
    assert_eq!(on_three("first"), on_three("second"));
}

#[test]
fn other_pictures_with_the_same_classes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("run");
    run(recipe(&["epochs=0.2"]), &data, &folder);
    let mut other = Dataset::clone(&data);
    other.images.pop();
    let error = Trainer::resume(Arc::new(other), RunDir::new(&folder), &Device::flex()).err().unwrap().to_string();
    assert!(error.contains("12 pictures") && error.contains("has 11") && error.contains("weights="), "{error}");
}
