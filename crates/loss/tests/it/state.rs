//! What losses remember, draw and know: saved, resumed, refused when it belongs to another.

use equipoise_loss::registry::{self, LOSSES, Options};
use equipoise_loss::{
    ClassLoss, ClassTargets, Classifier, GradientLedger, Head, Label, LedgerDelta, LossError, Memory, MemoryRule,
    TrainingFacts,
};
use serde_json::json;

use crate::batch::{
    Batch, DRAWING, Extras, Variant, assert_close, build, device, facts, losses, step, values, variants,
};

const CLASSES: usize = 5;

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
