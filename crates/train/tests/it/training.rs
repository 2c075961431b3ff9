//! What a step does, on ordinary and on hostile data.

use equipoise_train::Checkpoint;

use crate::world::{CLASSES, PICTURES, dataset, finish, recipe, run, start};

/// Sums of some hundred f32 gradients, made of feature maps in another order.
const CLOSE: f64 = 1e-3;

#[test]
fn a_short_run_learns() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let mut trainer =
        start(recipe(&["epochs=10", "weights=light", "optimizer.lr=0.02"]), &data, &dir.path().join("run"));
    let mut losses = Vec::new();
    while let Some(report) = trainer.step().unwrap() {
        assert!(report.loss().is_finite() && report.grad_norm.is_finite());
        losses.push(report.loss());
    }
    assert_eq!(losses.len(), 10 * PICTURES / 2);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
    assert!(last < 0.8 * first, "the loss went from {first} to {last}");
}

/// With every proposal in the sample nothing is drawn, so that two passes of two pictures are the batch of four.
#[test]
fn two_passes_give_the_ledger_sums_of_their_joint_batch() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let all =
        ["detector.roi.subsample.per_image=100000", "detector.roi.subsample.foreground_fraction=0.5", "loader.flip=0"];
    let first = |name: &str, batch: &[&str]| {
        let mut trainer = start(recipe(&[&all[..], batch].concat()), &data, &dir.path().join(name));
        let report = trainer.step().unwrap().unwrap();
        assert_eq!(report.images, 4);
        trainer.ledger().clone()
    };
    let (joint, parts) = (first("joint", &["batch=4"]), first("parts", &["batch=2", "accumulate=2"]));
    assert_eq!((joint.steps(), parts.steps()), (1, 1));
    assert_eq!(joint.instances(), parts.instances());
    for (one, two) in [(joint.positive(), parts.positive()), (joint.negative(), parts.negative())] {
        for (one, two) in one.iter().zip(two) {
            assert!((one - two).abs() <= CLOSE * one.abs(), "{one} and {two}");
        }
    }
}

#[test]
fn a_ledger_that_is_committed_at_every_pass_moves_inside_a_step() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let after = |name: &str, keys: &[&str]| {
        let mut trainer = start(recipe(&[&["accumulate=3"], keys].concat()), &data, &dir.path().join(name));
        trainer.step().unwrap();
        trainer.ledger().clone()
    };
    let (step, forward) = (after("step", &[]), after("forward", &["ledger=forward"]));
    assert_eq!((step.steps(), forward.steps()), (1, 3));
    assert_eq!(step.instances(), forward.instances());
    // From the second pass on, negatives of classes that have seen little else weigh next to nothing.
    assert!(forward.negative()[0] < 0.9 * step.negative()[0]);
    // A loss that does not read the ledger does not care.
    let plain = ["loss.name=sigmoid_bce", "ledger=forward"];
    let (step, forward) = (after("plain step", &plain[..1]), after("plain forward", &plain));
    for (one, two) in step.negative().iter().zip(forward.negative()) {
        assert!((one - two).abs() <= CLOSE * one.abs(), "{one} and {two}");
    }
}

#[test]
fn a_class_without_objects_is_told_no_and_nothing_breaks() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    for loss in ["softmax_ce", "sigmoid_bce", "eqlv2"] {
        let name = format!("loss.name={loss}");
        let checkpoint = run(recipe(&[&name]), &data, &dir.path().join(loss));
        let ledger = &checkpoint.state.ledger;
        assert_eq!((ledger.positive()[CLASSES - 1], ledger.instances()[CLASSES - 1]), (0.0, 0.0));
        assert!(ledger.negative()[CLASSES - 1] > 0.0, "{loss}");
        assert!(ledger.positive()[0] > 0.0, "{loss}");
    }
}

#[test]
fn pictures_without_objects_train_background() {
    let dir = tempfile::tempdir().unwrap();
    let some = dataset(dir.path(), true, true);
    assert_eq!(run(recipe(&[]), &some, &dir.path().join("some")).state.step, 6);
    let none = dataset(dir.path(), false, false);
    let ledger = run(recipe(&[]), &none, &dir.path().join("none")).state.ledger;
    assert!(ledger.positive().iter().all(|sum| *sum == 0.0));
    assert!(ledger.negative().iter().all(|sum| *sum > 0.0));
}

#[test]
fn a_run_that_explodes_stops_and_names_what_broke() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("run");
    let wild = ["epochs=20", "save_every=1", "optimizer.lr=1000", "optimizer.clip_norm=0", "schedule.warmup_steps=0"];
    let mut trainer = start(recipe(&wild), &data, &folder);
    let error = loop {
        match trainer.step() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a learning rate of 1000 trained to the end"),
            Err(error) => break error.to_string(),
        }
    };
    let named = ["classification", "rpn_objectness", "rpn_box", "`box`", "gradient norm", "logit"];
    assert!(named.iter().any(|term| error.contains(term)), "{error}");
    assert!(error.contains("lower the learning rate") || error.contains("lower `optimizer.lr`"), "{error}");
    // What was saved before is whole.
    let step = trainer.steps_done();
    assert!(step == 0 || Checkpoint::read(&folder).unwrap().state.step == step);
}

#[test]
fn the_average_trails_the_weights() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let checkpoint = run(recipe(&["ema=0.9"]), &data, &dir.path().join("run"));
    assert!(checkpoint.average.keys().eq(checkpoint.model.keys()));
    let name = "roi_head.classifier.weight";
    assert_ne!(checkpoint.average[name], checkpoint.model[name]);
    // After one step there is nothing to average with.
    let mut trainer = start(recipe(&["ema=0.9"]), &data, &dir.path().join("one"));
    trainer.step().unwrap();
    trainer.save().unwrap();
    let checkpoint = Checkpoint::read(&dir.path().join("one")).unwrap();
    assert_eq!(checkpoint.average, checkpoint.model);
}

#[test]
fn frozen_parts_of_the_backbone_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    // With a pyramid level on the frozen stage, which must not reach it either.
    let levels = ["detector.first_stage=0", "detector.rpn.anchors.sizes=[[8.0], [16.0], [32.0]]"];
    let fresh = ["detector.frozen_stages=2", "weights=light", "epochs=0.2", levels[0], levels[1]];
    let before = run(recipe(&[&fresh[..], &["optimizer.lr=0"]].concat()), &data, &dir.path().join("before"));
    let after = run(recipe(&fresh), &data, &dir.path().join("after"));
    let changed = |prefix: &str| {
        let names: Vec<_> = before.model.keys().filter(|name| name.starts_with(prefix)).collect();
        assert!(!names.is_empty(), "no weights under `{prefix}`");
        names.into_iter().filter(|name| before.model[*name] != after.model[*name]).count()
    };
    assert_eq!(changed("backbone.stem."), 0);
    assert_eq!(changed("backbone.stages.0."), 0);
    assert!(changed("backbone.stages.2.") > 0);
    assert!(changed("rpn.") > 0);
}

#[test]
fn a_set_too_small_for_a_batch_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let dir = equipoise_eval::record::RunDir::new(dir.path().join("run"));
    let device = burn::tensor::Device::flex();
    let error = equipoise_train::Trainer::start(recipe(&["batch=13"]), "test", data, dir, &device).err().unwrap();
    assert!(error.to_string().contains("lower `batch`"), "{error}");
}

#[test]
fn a_missing_picture_stops_the_run_and_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    std::fs::remove_file(&data.images[3].path).unwrap();
    let mut trainer = start(recipe(&[]), &data, &dir.path().join("run"));
    let error = (0..6).find_map(|_| trainer.step().err()).expect("the picture is needed").to_string();
    assert!(error.contains("3.png"), "{error}");
    let data = dataset(dir.path(), true, false);
    finish(&mut start(recipe(&[]), &data, &dir.path().join("other")));
}
