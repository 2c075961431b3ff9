//! The same recipe gives the same bits, in one go or in two.

use std::path::Path;

use burn::tensor::Device;
use equipoise_eval::record::{HistoryRow, RunDir, read_history};
use equipoise_train::Trainer;

use crate::world::{dataset, finish, recipe, run, start};

/// The history without its wall time.
fn history(dir: &Path) -> Vec<HistoryRow> {
    let mut rows = read_history(&RunDir::new(dir).history(), &mut Vec::new()).unwrap();
    rows.iter_mut().for_each(|row| row.images_per_second = 0.0);
    rows
}

fn ledger(dir: &Path) -> Vec<u8> {
    std::fs::read(RunDir::new(dir).ledger()).unwrap()
}

/// Overrides that make every kind of state matter: average, accumulation, repeated images, augmentation, workers.
const RECIPES: [&[&str]; 3] = [
    &[],
    &["ema=0.9", "accumulate=2", "epochs=2", "sampler.name=repeat-factor", "sampler.repeat_threshold=0.5"],
    &[
        "loader.workers=2",
        "loader.short_side={ from = 48, to = 64, step = 8 }",
        "loader.crop.chance=0.5",
        "loader.mosaic.chance=0.5",
    ],
];

#[test]
fn a_run_that_was_stopped_ends_as_one_that_was_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    for (at, overrides) in RECIPES.into_iter().enumerate() {
        let (whole, halves) = (dir.path().join(format!("whole{at}")), dir.path().join(format!("halves{at}")));
        let uninterrupted = run(recipe(overrides), &data, &whole);
        assert_eq!(uninterrupted.state.step, 6);

        let mut trainer = start(recipe(overrides), &data, &halves);
        // One step more than was saved: it is lost, and done again.
        (0..4).for_each(|_| assert!(trainer.step().unwrap().is_some()));
        drop(trainer);
        let mut trainer = Trainer::resume(data.clone(), RunDir::new(&halves), &Device::flex()).unwrap();
        assert_eq!(trainer.steps_done(), 3);
        finish(&mut trainer);

        let resumed = equipoise_train::Checkpoint::read(&halves).unwrap();
        assert_eq!(resumed.state, uninterrupted.state);
        assert_eq!(resumed.model, uninterrupted.model);
        assert_eq!(resumed.velocity, uninterrupted.velocity);
        assert_eq!(resumed.average, uninterrupted.average);
        assert_eq!(history(&halves), history(&whole));
        assert_eq!(ledger(&halves), ledger(&whole));
    }
}

#[test]
fn a_finished_run_has_nothing_left_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    run(recipe(&["epochs=0.5"]), &data, &dir.path().join("run"));
    let mut trainer = Trainer::resume(data, RunDir::new(dir.path().join("run")), &Device::flex()).unwrap();
    assert_eq!(trainer.steps_done(), trainer.total_steps());
    assert!(trainer.step().unwrap().is_none());
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let run = |name: &str, seed: &str| run(recipe(&[seed]), &data, &dir.path().join(name));
    let one = run("one", "seed=1");
    assert_eq!(run("again", "seed=1"), one);
    assert_eq!(ledger(&dir.path().join("again")), ledger(&dir.path().join("one")));
    assert_ne!(run("other", "seed=2").model, one.model);
}
