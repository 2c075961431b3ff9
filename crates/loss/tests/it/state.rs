//! What losses remember, draw and know: saved, resumed, refused when it belongs to another.

use equipoise_loss::registry::{self, LOSSES, Options};
use equipoise_loss::{
    ClassLoss, ClassTargets, Classifier, GradientLedger, Head, Label, LedgerDelta, LossError, Memory, MemoryRule,
    TrainingFacts,
};
use serde_json::json;

use crate::batch::{Batch, DRAWING, Extras, Variant, assert_close, device, facts, losses, step, values, variants};

const CLASSES: usize = 5;

fn build(name: &str, options: serde_json::Value, facts: &TrainingFacts) -> Result<Box<dyn ClassLoss>, LossError> {
    registry::build(name, options.as_object().unwrap(), facts)
}

/// Four steps from an empty ledger, each on a batch of its own.
fn train(loss: &dyn ClassLoss, mut ledger: GradientLedger, steps: std::ops::Range<u64>) -> (Vec<u64>, GradientLedger) {
    let mut bits = Vec::new();
    for seed in steps {
        let batch =
            Batch { ledger: ledger.clone(), ..Batch::of(loss, seed, 24, CLASSES, Extras::ALL[seed as usize % 5]) };
        let done = step(loss, &batch);
        bits.push(done.value.to_bits());
        bits.extend(values(&done.gradient).into_iter().map(f64::to_bits));
        ledger.commit(&done.delta).unwrap();
    }
    (bits, ledger)
}

/// Saved after two steps and read back, every loss goes on to the same bits: sums, memory, discount and draws.
#[test]
fn a_resumed_loss_takes_the_steps_that_it_would_have_taken() {
    for (Variant { name, .. }, loss) in losses(CLASSES) {
        let (whole, end) = train(&*loss, GradientLedger::of(&*loss, CLASSES), 0..4);
        let (mut parts, half) = train(&*loss, GradientLedger::of(&*loss, CLASSES), 0..2);
        let json = serde_json::to_string(&half).unwrap();
        let read: GradientLedger = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json, "{name}");
        let (rest, resumed_end) = train(&*loss, read, 2..4);
        parts.extend(rest);
        assert_eq!(parts, whole, "{name}");
        assert_eq!(resumed_end, end, "{name}");
    }
}

/// A ledger without the memory of the loss, with that of another, or with another rule, is refused with both named.
#[test]
fn foreign_state_is_refused() {
    let mut remembering = 0;
    for (Variant { name, .. }, loss) in losses(CLASSES) {
        let batch = Batch::of(&*loss, 1, 6, CLASSES, Extras::default());
        let run = |ledger: &GradientLedger| loss.step(batch.tensor(&device()), &batch.targets(), ledger);
        let foreign = Memory { loss: "another".into(), rule: MemoryRule::Sum, values: vec![0.0; CLASSES] };
        let refused = |ledger: GradientLedger, part: &str| {
            let error = run(&ledger).unwrap_err();
            assert!(matches!(error, LossError::State { .. }), "{name}: {error}");
            let text = error.to_string();
            assert!(text.contains(loss.card().name) && text.contains(part), "{text}");
            assert!(text.contains("GradientLedger::of"), "{text}");
        };
        run(&GradientLedger::of(&*loss, CLASSES)).unwrap();
        refused(GradientLedger::of(&*loss, CLASSES).with_memory(foreign).unwrap(), "`another`");
        refused(GradientLedger::of(&*loss, CLASSES).with_discount(0.123).unwrap(), "0.123");
        if let Some(spec) = loss.memory() {
            remembering += 1;
            refused(GradientLedger::new(CLASSES), "no memory");
            let rule = MemoryRule::Mean { decay: 0.123 };
            let values = vec![spec.start; spec.len(CLASSES)];
            let other = Memory { loss: spec.loss.into(), rule, values };
            refused(GradientLedger::new(CLASSES).with_memory(other).unwrap(), "0.123");
        }
    }
    assert!(remembering >= 2, "LOCE and FCBL remember");
}

#[test]
fn a_memory_that_cannot_be_is_refused() {
    let memory =
        |values: Vec<f64>, decay: f64| Memory { loss: "loce".into(), rule: MemoryRule::Mean { decay }, values };
    for (bad, text) in [
        (memory(vec![0.1; 4], 0.9), "expected 3 or 9 numbers for 3 classes, got 4"),
        (memory(vec![0.1, f64::NAN, 0.1], 0.9), "got NaN"),
        (memory(vec![0.1, -1.0, 0.1], 0.9), "got -1"),
        (memory(vec![0.1; 3], 1.0), "a decay above 0 and below 1"),
    ] {
        let error = GradientLedger::new(3).with_memory(bad).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    for json in [
        r#"{"positive":[1],"negative":[1],"instances":[0],"steps":1,"discount":2}"#,
        r#"{"positive":[1],"negative":[1],"instances":[0],"steps":1,"memory":{"loss":"x","rule":"sum","values":[1,2]}}"#,
        r#"{"positive":[1],"negative":[1],"instances":[0],"steps":1,"memory":{"loss":"x","rule":"max","values":[1]}}"#,
    ] {
        assert!(serde_json::from_str::<GradientLedger>(json).is_err(), "{json}");
    }
}

/// A delta with the wrong memory leaves the ledger as it was.
#[test]
fn sums_that_do_not_fit_the_memory_change_nothing() {
    let loss = build("loce", json!({}), &TrainingFacts::default()).unwrap();
    let mut ledger = GradientLedger::of(&*loss, 2);
    let before = ledger.clone();
    let delta = |memory| LedgerDelta { memory, rows: 1, ..LedgerDelta::zeros(2) };
    let sums = |class: usize, row: &[f64]| Some([(0, vec![1.0]), (class, row.to_vec())].into());
    for memory in [None, sums(1, &[]), sums(1, &[1.0; 2]), sums(1, &[f64::NAN]), sums(1, &[-0.5]), sums(2, &[1.0])] {
        let error = ledger.commit(&delta(memory)).unwrap_err();
        assert!(error.to_string().contains("`memory`"), "{error}");
        assert_eq!(ledger, before);
    }
    let error = GradientLedger::new(2).commit(&delta(sums(1, &[1.0]))).unwrap_err();
    assert!(error.to_string().contains("no memory"), "{error}");
    assert_eq!(serde_json::to_string(&GradientLedger::new(1)).unwrap(), {
        r#"{"positive":[0.0],"negative":[0.0],"instances":[0.0],"steps":0}"#
    });
}

/// Two micro-batches committed together are the joint batch, for means as for sums.
#[test]
fn micro_batches_remember_what_the_whole_batch_does() {
    for name in ["loce", "fcbl"] {
        let loss = build(name, json!({}), &TrainingFacts::default()).unwrap();
        let whole = Batch::of(&*loss, 3, 24, CLASSES, Extras::default());
        let run = |batch: &Batch| loss.step_f64(&batch.logits, &batch.targets(), &whole.ledger).delta;
        let mut parts = run(&whole.part(0, 9));
        parts += &run(&whole.part(9, 24));
        let (mut joint, mut joined) = (whole.ledger.clone(), whole.ledger.clone());
        joint.commit(&run(&whole)).unwrap();
        joined.commit(&parts).unwrap();
        assert_ne!(joint.memory(), whole.ledger.memory(), "{name}");
        assert_close(name, &joined.memory().unwrap().values, &joint.memory().unwrap().values, 1e-13);
    }
}

/// A class that scores low is helped: its margin in LOCE grows, and with it the loss of the others' rows.
#[test]
fn means_move_by_the_rows_of_a_class() {
    let loss = build("loce", json!({ "decay": 0.5 }), &TrainingFacts::default()).unwrap();
    let mut ledger = GradientLedger::of(&*loss, 3);
    let memory = Some([(0, vec![0.41]), (1, vec![0.9])].into());
    let delta = LedgerDelta { instances: vec![1.0, 2.0, 0.0], rows: 3, memory, ..LedgerDelta::zeros(3) };
    ledger.commit(&delta).unwrap();
    let expected = [0.5 * 0.01 + 0.5 * 0.41, 0.25 * 0.01 + 0.75 * 0.45, 0.01];
    assert_close("means", &ledger.memory().unwrap().values, &expected, 1e-15);
}

#[test]
fn a_discount_forgets_before_it_adds() {
    let loss = build("eqlv2", json!({ "discount": 0.5 }), &TrainingFacts::default()).unwrap();
    let mut ledger = GradientLedger::of(&*loss, 1);
    let delta = LedgerDelta { positive: vec![4.0], negative: vec![8.0], rows: 1, instances: vec![1.0], memory: None };
    (0..2).for_each(|_| ledger.commit(&delta).unwrap());
    assert_eq!((ledger.positive(), ledger.negative(), ledger.instances()), (&[6.0][..], &[12.0][..], &[2.0][..]));
    ledger.commit(&LedgerDelta::zeros(1)).unwrap();
    assert_eq!(ledger.positive(), [6.0], "an empty batch is no step");
    let note = build("eqlv2", json!({ "discount": 0.965 }), &TrainingFacts::default()).unwrap().notes().concat();
    assert!(note.contains("28.6 steps") && note.contains("19.5 steps"), "{note}");
    assert!(build("eqlv2", json!({}), &TrainingFacts::default()).unwrap().notes().is_empty());
}

/// Draws follow from seed and step: the same twice, others in the next step and for another seed.
#[test]
fn draws_are_functions_of_seed_and_step() {
    let draws = |name: &str, seed: u64, steps: u64| {
        // So few that BAGS does not take all other rows.
        let options = if name == "bags" { json!({ "beta": 0.1 }) } else { json!({}) };
        let loss = build(name, options, &TrainingFacts { seed, ..facts(200) }).unwrap();
        let mut batch = Batch::of(&*loss, 1, 400, 200, Extras::default());
        let sums = [batch.ledger.positive(), batch.ledger.negative(), batch.ledger.instances()].map(<[f64]>::to_vec);
        let [positive, negative, instances] = sums;
        batch.ledger = GradientLedger::from_sums(positive, negative, instances, steps).unwrap();
        // Few classes in the batch, half of its foreground rare.
        batch.labels.iter_mut().enumerate().for_each(|(row, label)| {
            if let Label::Class(class) = label {
                *class = if row % 2 == 0 { 2 } else { 0 };
            }
        });
        loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger).value
    };
    for name in DRAWING {
        assert_eq!(draws(name, 1, 7), draws(name, 1, 7), "{name}");
        assert_ne!(draws(name, 1, 7), draws(name, 1, 8), "{name}: another step");
        assert_ne!(draws(name, 1, 7), draws(name, 2, 7), "{name}: another seed");
    }
}

/// A loss that needs counts says which, and one made for other classes says so before it reads beyond them.
#[test]
fn missing_and_foreign_counts_are_refused() {
    let mut needing = 0;
    for entry in LOSSES {
        let name = entry.card.name;
        let nothing = entry.build(&Options::new(), &TrainingFacts::default());
        let needs = entry.card.needs != "nothing";
        let Err(error) = nothing else {
            assert!(!needs, "{name} was built without {}", entry.card.needs);
            continue;
        };
        needing += 1;
        assert!(needs, "{name}: {error}");
        assert!(matches!(error, LossError::Facts { loss, .. } if loss == name), "{error}");
        assert!(error.to_string().contains("of the training set"), "{error}");

        let loss = entry.build(&Options::new(), &facts(CLASSES)).unwrap();
        assert_eq!(loss.counted_classes(), Some(CLASSES), "{name}");
        let batch = Batch::random(1, 6, 3, loss.channels(3), Extras::default());
        let error = loss.step(batch.tensor(&device()), &batch.targets(), &GradientLedger::of(&*loss, 3));
        let error = error.unwrap_err();
        assert!(matches!(error, LossError::FactsClasses { known: CLASSES, targets: 3, .. }), "{name}: {error}");
    }
    assert!(needing >= 12);
    let only_counts = TrainingFacts { images: 0, ..facts(CLASSES) };
    assert!(build("eql", json!({}), &only_counts).unwrap_err().to_string().contains("number of training images"));
    let endless = TrainingFacts { steps: 0, ..facts(CLASSES) };
    assert!(build("ldam", json!({}), &endless).is_ok());
    let error = build("ldam", json!({ "reweight_after": 0.8 }), &endless).unwrap_err();
    assert!(error.to_string().contains("number of steps"), "{error}");
}

/// Classes without an object count as one: no weight, margin or shift is infinite.
#[test]
fn classes_without_objects_have_finite_weights() {
    let empty = TrainingFacts { image_counts: vec![0; 3], instance_counts: vec![0; 3], ..facts(3) };
    for variant in variants() {
        let loss = variant.build(&empty);
        let batch = Batch::of(&*loss, 2, 12, 3, Extras::default());
        let done = step(&*loss, &batch);
        assert!(
            done.value.is_finite() && values(&done.gradient).iter().all(|value| value.is_finite()),
            "{}",
            variant.name
        );
    }
}

/// First loss of a head whose logits are its bias, at 1,203 classes and a quarter of foreground: no loss drowns its first steps.
#[test]
fn first_losses_are_small() {
    let classes = 1203;
    for entry in LOSSES {
        let name = entry.card.name;
        let loss = entry.build(&Options::new(), &facts(classes)).unwrap();
        let bias: Vec<f64> = loss.bias_init(classes).into_iter().map(f64::from).collect();
        let targets = ClassTargets::from_indices(&[6, classes, classes, classes], classes).unwrap();
        let value = loss.step_f64(&bias.repeat(4), &targets, &GradientLedger::of(&*loss, classes)).value;
        // ECM has no prior: its margins, made from the counts, take its place.
        let most = if name == "ecm" { 120.0 } else { 40.0 };
        assert!(value > 0.0 && value < most, "{name}: {value}");
    }
}

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
fn losses_say_which_head_and_classifier_they_want() {
    let card = |name: &str| registry::find(name).unwrap().card.clone();
    for dense in ["efl", "eqfl"] {
        assert_eq!(card(dense).heads, [Head::Dense], "{dense}");
        assert!(card(dense).heads_text().contains("one-stage"));
    }
    assert_eq!(card("softmax_eql").heads, [Head::Pictures]);
    assert!(card("eqlv2").heads.contains(&Head::Proposals));
    let kind = |name: &str, options| build(name, options, &facts(CLASSES)).unwrap().classifier();
    assert_eq!(kind("seesaw", json!({})), Classifier::Normalized { temperature: 20.0 });
    assert_eq!(kind("ecm", json!({ "temperature": 5.0 })), Classifier::Normalized { temperature: 5.0 });
    assert_eq!(kind("ldam", json!({})), Classifier::Normalized { temperature: 1.0 });
    assert_eq!(kind("seesaw", json!({ "normalized": false })), Classifier::Linear);
    assert_eq!(kind("eqlv2", json!({})), Classifier::Linear);
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
