//! Every registered loss trains the detector, and goes on after a stop as if there had been none.

use burn::tensor::Device;
use equipoise_eval::record::RunDir;
use equipoise_loss::registry::LOSSES;
use equipoise_loss::{Head, Memory, MemoryRule};
use equipoise_train::{Checkpoint, Recipe, Trainer};

use crate::world::{CLASSES, dataset, finish, recipe, run, start};

/// Small steps: LDAM's gradients are thirty times as large.
fn overrides(loss: &str) -> Vec<String> {
    let options: &[&str] = match loss {
        // Three classes have four pictures of twelve each: below this frequency all of them are rare.
        "eql" | "droploss" => &["loss.lambda=0.5"],
        // The weights of the late stage are on in the second step.
        "ldam" => &["loss.reweight_after=0.4"],
        "federated" => &["loss.num_classes=2"],
        "eqlv2" => &["loss.discount=0.9"],
        _ => &[],
    };
    let common = ["epochs=0.5", "save_every=2", "optimizer.lr=0.002", &format!("loss.name={loss}")].map(String::from);
    common.into_iter().chain(options.iter().map(ToString::to_string)).collect()
}

#[test]
fn every_loss_trains_and_resumes_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, true);
    for entry in LOSSES.iter().filter(|entry| entry.card.heads.contains(&Head::Proposals)) {
        let name = entry.card.name;
        let overrides = overrides(name);
        let recipe = || recipe(&overrides.iter().map(String::as_str).collect::<Vec<_>>());
        let (whole, halves) = (dir.path().join(format!("{name}-whole")), dir.path().join(format!("{name}-halves")));
        let uninterrupted = run(recipe(), &data, &whole);
        assert_eq!(uninterrupted.state.step, 3, "{name}");
        assert!(uninterrupted.state.ledger.instances().iter().sum::<f64>() > 0.0, "{name} saw no object");
        assert_eq!(uninterrupted.state.facts.image_counts.len(), CLASSES, "{name}");
        assert_eq!(uninterrupted.state.ledger.memory().is_some(), ["loce", "fcbl"].contains(&name), "{name}");

        let mut trainer = start(recipe(), &data, &halves);
        (0..2).for_each(|_| assert!(trainer.step().unwrap().is_some()));
        drop(trainer);
        let mut trainer = Trainer::resume(data.clone(), RunDir::new(&halves), &Device::flex()).unwrap();
        assert_eq!(trainer.steps_done(), 2, "{name}");
        finish(&mut trainer);
        assert_eq!(Checkpoint::read(&halves).unwrap(), uninterrupted, "{name}");
        // What it learnt can be scored from the file alone.
        let (_, loss) = uninterrupted.detector(&Device::flex()).unwrap();
        assert_eq!(loss.card().name, name);
    }
}

#[test]
fn a_loss_for_other_heads_is_refused_with_the_reason() {
    let other = LOSSES.iter().filter(|entry| !entry.card.heads.contains(&Head::Proposals));
    let mut refused = 0;
    for entry in other {
        let set = [format!("loss.name={}", entry.card.name)];
        let error = Recipe::parse("r.toml", "", &set).unwrap_err().to_string();
        assert!(error.contains(entry.card.name) && error.contains("two stages"), "{error}");
        assert!(error.contains(&entry.card.heads_text()) && error.contains("equipoise losses"), "{error}");
        refused += 1;
    }
    assert!(refused >= 4);
}

#[test]
fn a_checkpoint_with_foreign_state_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("run");
    let mut checkpoint = run(recipe(&["epochs=0.2", "loss.name=loce"]), &data, &folder);
    let last = RunDir::new(&folder).last_checkpoint();
    let memory = Memory { loss: "fcbl".into(), rule: MemoryRule::Sum, values: vec![0.0; CLASSES * CLASSES] };
    checkpoint.state.ledger = checkpoint.state.ledger.with_memory(memory).unwrap();
    checkpoint.write(&last).unwrap();
    let error = Trainer::resume(data, RunDir::new(&folder), &Device::flex()).err().unwrap().to_string();
    assert!(
        error.contains("checkpoint.safetensors") && error.contains("`loce`") && error.contains("`fcbl`"),
        "{error}"
    );
}
