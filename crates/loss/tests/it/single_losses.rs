//! What single losses promise beyond what all share.

use equipoise_loss::{ClassLoss, ClassTargets, GradientLedger, Head, Label, TrainingFacts, registry};
use serde_json::json;

use crate::batch::{Batch, Extras, assert_close, build, facts, step, values};

const CLASSES: usize = 5;

/// Seesaw's weights follow the logits and are constants of the gradient: without the compensation they do not.
#[test]
fn the_gradient_of_seesaw_holds_its_weights_fixed() {
    let loss = build("seesaw", json!({ "q": 0.0 }), &TrainingFacts::default()).unwrap();
    let batch = Batch::of(&*loss, 5, 18, CLASSES, Extras::ALL[4]);
    let targets = batch.targets();
    let value = |logits: &[f64]| loss.step_f64(logits, &targets, &batch.ledger).value;
    let gradient = loss.step_f64(&batch.logits, &targets, &batch.ledger).gradient;
    let mut logits = batch.logits.clone();
    for at in 0..logits.len() {
        let slope = [1e-5, -1e-5].map(|h| {
            logits[at] = batch.logits[at] + h;
            value(&logits)
        });
        logits[at] = batch.logits[at];
        assert_close("slope", &[gradient[at]], &[(slope[0] - slope[1]) / 2e-5], 1e-8);
    }
}

/// The batch's own rows count, so that a class seen for the first time is not divided by nothing.
#[test]
fn seesaw_counts_the_batch_before_its_loss() {
    let loss = build("seesaw", json!({ "q": 0.0 }), &TrainingFacts::default()).unwrap();
    let targets = ClassTargets::from_indices(&[0, 0, 0, 0, 1], 2).unwrap();
    let logits = vec![0.0; 20];
    let step = loss.step_f64(&logits, &targets, &GradientLedger::new(2));
    // Rows of the frequent class push the rare one by (1/4)^0.8.
    let push = 0.25f64.powf(0.8);
    assert_close("push", &[step.gradient[1] * 5.0], &[push / (1.0 + push)], 1e-14);
}

/// EFL with every ratio at 1 is the focal loss.
#[test]
fn equalized_focal_loss_in_balance_is_focal_loss() {
    let [efl, focal] = ["efl", "focal"].map(|name| build(name, json!({}), &TrainingFacts::default()).unwrap());
    let mut batch = Batch::of(&*efl, 4, 18, CLASSES, Extras::ALL[4]);
    batch.ledger = GradientLedger::new(CLASSES);
    let (one, other) = (
        efl.step_f64(&batch.logits, &batch.targets(), &batch.ledger),
        focal.step_f64(&batch.logits, &batch.targets(), &batch.ledger),
    );
    assert_close("value", &[one.value], &[other.value], 1e-15);
    assert_close("gradient", &one.gradient, &other.gradient, 1e-15);
}

/// DRW switches on at its part of the run and not before.
#[test]
fn deferred_weights_wait_for_their_step() {
    let loss = |options| build("ldam", options, &facts(CLASSES)).unwrap();
    let (plain, drw) = (loss(json!({})), loss(json!({ "reweight_after": 0.8 })));
    let batch = Batch::of(&*plain, 6, 18, CLASSES, Extras::default());
    let value = |loss: &dyn ClassLoss, steps| {
        let zeros = vec![0.0; CLASSES];
        let ledger = GradientLedger::from_sums(zeros.clone(), zeros.clone(), zeros, steps).unwrap();
        loss.step_f64(&batch.logits, &batch.targets(), &ledger).value
    };
    assert_eq!(value(&*drw, 79), value(&*plain, 79));
    assert_ne!(value(&*drw, 80), value(&*plain, 80));
}

/// Without a foreground row the share of rare ones is 0/0: nothing is dropped.
#[test]
fn droploss_without_foreground_drops_nothing() {
    let known = facts(CLASSES);
    let (drop, eql) = (build("droploss", json!({}), &known).unwrap(), build("eql", json!({}), &known).unwrap());
    let mut batch = Batch::of(&*drop, 8, 18, CLASSES, Extras::default());
    let run = |loss: &dyn ClassLoss, batch: &Batch| loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger).value;
    assert!(run(&*drop, &batch) < run(&*eql, &batch));
    batch.labels.fill(Label::Background);
    assert_eq!(run(&*drop, &batch), run(&*eql, &batch));
}

/// Fifty classes are fifty classes, whether or not there is background; a batch with more keeps all of its own.
#[test]
fn the_federated_subset_has_its_size() {
    let loss = build("federated", json!({ "num_classes": 6 }), &facts(60)).unwrap();
    let answering = |labels: &[usize]| {
        let targets = ClassTargets::from_indices(labels, 60).unwrap();
        let step = loss.step_f64(&vec![0.5; labels.len() * 60], &targets, &GradientLedger::new(60));
        (0..60).filter(|class| step.gradient[*class] != 0.0).collect::<Vec<_>>()
    };
    let some = answering(&[60, 3, 9, 60]);
    assert!(some.len() == 6 && some.contains(&3) && some.contains(&9), "{some:?}");
    assert_eq!(answering(&[60, 60]).len(), 6);
    let many: Vec<usize> = (10..19).collect();
    assert_eq!(answering(&[&[60], &many[..]].concat()), many);
}

/// A data set on which the thresholds of LVIS do nothing says so.
#[test]
fn a_threshold_without_effect_is_noted() {
    let balanced = TrainingFacts { image_counts: vec![50; 4], images: 100, ..facts(4) };
    for name in ["eql", "droploss"] {
        let note = build(name, json!({}), &balanced).unwrap().notes().concat();
        assert!(note.contains("none is rare") && note.contains("loss.lambda"), "{note}");
        assert!(build(name, json!({}), &facts(6)).unwrap().notes().is_empty());
    }
}

/// Unjudged classes train as in the authors' code, and stay out of the sums.
#[test]
fn unknown_negatives_can_be_kept_out_of_the_ledger_alone() {
    let loss = build("eqlv2", json!({ "federated_ledger": true }), &TrainingFacts::default()).unwrap();
    let plain = build("eqlv2", json!({}), &TrainingFacts::default()).unwrap();
    let judged = Batch::of(&*loss, 9, 18, CLASSES, Extras { judged: true, ..Extras::default() });
    let open = Batch { judged: None, ..judged.clone() };
    let got = step(&*loss, &judged);
    assert_close("as published", &values(&got.gradient), &values(&step(&*plain, &open).gradient), 1e-6);
    assert_close("value", &[got.value], &[step(&*plain, &open).value], 1e-6);
    let masked = step(&*plain, &judged).delta;
    assert_close("M", &got.delta.negative, &masked.negative, 1e-6);
    assert_close("P", &got.delta.positive, &masked.positive, 1e-6);
}

/// Of background rows only scores above the threshold are recorded, and training is as without it.
#[test]
fn easy_background_trains_and_is_not_recorded() {
    let loss = build("eqlv2", json!({ "easy_background": 0.3 }), &TrainingFacts::default()).unwrap();
    let plain = build("eqlv2", json!({}), &TrainingFacts::default()).unwrap();
    let mut batch = Batch::of(&*loss, 10, 18, CLASSES, Extras::default());
    batch.labels[0] = Label::Class(2);
    let (got, all) = (step(&*loss, &batch), step(&*plain, &batch));
    assert_close("gradient", &values(&got.gradient), &values(&all.gradient), 1e-6);
    assert_close("P", &got.delta.positive, &all.delta.positive, 1e-6);
    let mut expected = vec![0.0; CLASSES];
    let raw = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger).gradient;
    for row in 0..batch.rows() {
        for (class, expected) in expected.iter_mut().enumerate() {
            let at = row * batch.channels + class;
            let easy = batch.labels[row] == Label::Background && equipoise_loss::sigmoid(batch.logits[at]) < 0.3;
            if batch.labels[row] != Label::Class(class) && !easy {
                *expected += raw[at].abs() * batch.rows() as f64;
            }
        }
    }
    assert_close("M", &got.delta.negative, &expected, 1e-6);
    assert!(got.delta.negative.iter().sum::<f64>() < all.delta.negative.iter().sum::<f64>());
}

/// On a dense head the loss is divided by foreground rows, and any number of easy background rows leaves the ratios as they are.
#[test]
fn easy_anchors_do_not_flood_a_dense_ledger() {
    let options = json!({ "dense": true, "easy_background": 0.05 });
    let dense = build("eqlv2", options, &TrainingFacts::default()).unwrap();
    let flooded = build("eqlv2", json!({ "dense": true }), &TrainingFacts::default()).unwrap();
    let two_stage = build("eqlv2", json!({ "background": false }), &TrainingFacts::default()).unwrap();
    assert_eq!(dense.channels(CLASSES), CLASSES);
    let delta = |loss: &dyn ClassLoss, easy: usize| {
        let labels = [Label::Class(0), Label::Class(1), Label::Background].into_iter();
        let labels: Vec<Label> = labels.chain((0..easy).map(|_| Label::Background)).collect();
        // sigmoid(-4.6) is 0.01.
        let logits = [vec![0.5; 3 * CLASSES], vec![-4.6; easy * CLASSES]].concat();
        let targets = ClassTargets::new(labels, CLASSES).unwrap();
        let step = loss.step_f64(&logits, &targets, &GradientLedger::new(CLASSES));
        let mut ledger = GradientLedger::new(CLASSES);
        ledger.commit(&step.delta).unwrap();
        (ledger.ratio(0), step)
    };
    let (few, step) = delta(&*dense, 10);
    let (many, _) = delta(&*dense, 10_000);
    let p = equipoise_loss::sigmoid(0.5);
    assert_close("ratio", &[few, many], &[(1.0 - p) / (2.0 * p); 2], 1e-9);
    let (many, _) = delta(&*flooded, 10_000);
    assert!(many < 0.02, "{many}");
    let (_, plain) = delta(&*two_stage, 10);
    let times = 13.0 / 2.0;
    assert_close("value", &[step.value], &[plain.value * times], 1e-12);
    assert_close("gradient", &step.gradient, &plain.gradient.iter().map(|g| g * times).collect::<Vec<_>>(), 1e-12);
}

#[test]
fn a_dense_head_is_refused_until_the_options_for_it_are_set() {
    let entry = registry::find("eqlv2").unwrap();
    let check = |options: serde_json::Value, head| entry.check_head(options.as_object().unwrap(), head);
    for options in [json!({}), json!({ "dense": true }), json!({ "easy_background": 0.05 })] {
        let error = check(options.clone(), Head::Dense).unwrap_err().to_string();
        assert!(error.contains("57.8") && error.contains("efl") && error.contains("loss.dense=true"), "{error}");
        assert!(check(options, Head::Proposals).is_ok());
    }
    assert!(check(json!({ "dense": true, "easy_background": 0.05 }), Head::Dense).is_ok());
    assert!(check(json!({}), Head::Pictures).unwrap_err().to_string().contains("two-stage"));
}

/// A passive EQL v2 is sigmoid cross-entropy, whatever its ledger says.
#[test]
fn a_passive_eqlv2_only_records() {
    let passive = build("eqlv2", json!({ "active": false }), &TrainingFacts::default()).unwrap();
    let bce = build("sigmoid_bce", json!({}), &TrainingFacts::default()).unwrap();
    let batch = Batch::of(&*passive, 11, 18, CLASSES, Extras::default());
    let (one, other) = (step(&*passive, &batch), step(&*bce, &batch));
    assert_eq!((one.value, one.delta), (other.value, other.delta));
    assert_eq!(passive.side_weights(&batch.ledger, 0), (1.0, 1.0));
}

#[test]
fn qualities_that_do_not_fit_are_refused() {
    let targets = || ClassTargets::from_indices(&[0, 2], 2).unwrap();
    for (quality, text) in [
        (vec![1.0; 3], "2 values"),
        (vec![0.5, 1.5], "got 1.5"),
        (vec![0.5, f32::NAN], "got NaN"),
        (vec![-0.1, 0.0], "got -0.1"),
    ] {
        let error = targets().with_quality(quality).unwrap_err().to_string();
        assert!(error.starts_with("quality of the targets") && error.contains(text), "{error}");
    }
    assert_eq!(targets().quality(0), 1.0);
    assert_eq!(targets().with_quality(vec![0.25, 0.0]).unwrap().quality(0), 0.25);
}
