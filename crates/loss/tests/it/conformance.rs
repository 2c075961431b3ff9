//! What every registered loss must keep to: its card, its shapes, and the agreement of its three ways to compute.

use burn::tensor::Tensor;
use equipoise_loss::{ClassTargets, GradientLedger, Label, LossError, TrainingFacts};

use crate::batch::{
    Batch, DRAWING, Extras, Random, Variant, assert_close, device, facts, losses, on_cpu, remembered, step, tensor,
    values, variants,
};

const ROWS: usize = 30;
const CLASSES: usize = 5;
/// Float32 tensors against float64 loops, on values of up to a few tens and gradients of up to five.
const F32: f64 = 2e-6;

/// Every loss with a batch of each kind.
fn each(check: impl FnMut(&str, &dyn equipoise_loss::ClassLoss, &Batch)) {
    each_of(|_| true, check);
}

/// Those losses that are `wanted` with a batch of each kind.
fn each_of(wanted: impl Fn(&Variant) -> bool, mut check: impl FnMut(&str, &dyn equipoise_loss::ClassLoss, &Batch)) {
    for (variant, loss) in losses(CLASSES).into_iter().filter(|(variant, _)| wanted(variant)) {
        for (seed, extras) in Extras::ALL.into_iter().enumerate() {
            let batch = Batch::of(&*loss, seed as u64, ROWS, CLASSES, extras);
            check(&format!("{}, batch {seed}", variant.name), &*loss, &batch);
        }
    }
}

#[test]
fn channels_and_bias_have_one_length() {
    for classes in [1, 2, 60, 1203] {
        for (Variant { name, .. }, loss) in losses(classes) {
            let bias = loss.bias_init(classes);
            assert_eq!(bias.len(), loss.channels(classes), "{name}");
            assert!(loss.channels(classes) >= classes, "{name}");
            assert!(bias.iter().all(|bias| bias.is_finite()), "{name}");
        }
    }
}

#[test]
fn tensors_agree_with_float64() {
    each(|name, loss, batch| {
        let expected = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
        let got = step(loss, batch);
        assert_eq!(got.gradient.dims(), [batch.rows(), batch.channels], "{name}");
        assert_close(name, &[got.value], &[expected.value], F32);
        // Those of LDAM are thirty times as large.
        let size = expected.gradient.iter().fold(1.0f64, |size, value| size.max(value.abs()));
        assert_close(name, &values(&got.gradient), &expected.gradient, F32 * size);
        assert_close(name, &got.delta.positive, &expected.delta.positive, F32 * size);
        assert_close(name, &got.delta.negative, &expected.delta.negative, F32 * size);
        assert_eq!(got.delta.instances, expected.delta.instances, "{name}");
        assert_eq!(got.delta.rows, expected.delta.rows, "{name}");
        assert_close(name, &remembered(&got.delta), &remembered(&expected.delta), F32);
        assert!(expected.gradient.iter().any(|gradient| *gradient != 0.0), "{name}");
    });
}

/// The fused pass against the definition, on random shapes: short rows, rows that fill vectors, many pieces.
#[test]
fn the_fused_pass_agrees_with_the_terms() {
    let mut random = Random(7);
    for variant in variants() {
        let name = &variant.name;
        for (seed, extras) in Extras::ALL.into_iter().cycle().take(30).enumerate() {
            let (rows, classes) = (1 + random.below(100), 1 + random.below(70));
            let loss = variant.build(&facts(classes));
            let batch = Batch::of(&*loss, seed as u64, rows, classes, extras);
            let what = format!("{name}, {rows} rows of {classes} classes, batch {seed}");
            let (targets, logits) = (batch.targets(), batch.tensor(&device()));
            let fused = loss.step(logits.clone(), &targets, &batch.ledger).unwrap();
            let terms = loss.step_by_terms(logits, &targets, &batch.ledger).unwrap();
            assert_close(&what, &[fused.value], &[terms.value], F32);
            assert_close(&what, &values(&fused.gradient), &values(&terms.gradient), F32);
            // Gradients of LDAM are 30 times a difference of probabilities, and the differentiated terms round that difference: 1 - p is 6e-8 off.
            let sums = if name.starts_with("ldam") { 30.0 * F32 } else { F32 };
            assert_close(&what, &fused.delta.positive, &terms.delta.positive, sums);
            assert_close(&what, &fused.delta.negative, &terms.delta.negative, sums);
            assert_eq!(fused.delta.instances, terms.delta.instances, "{what}");
            assert_eq!(fused.delta.rows, terms.delta.rows, "{what}");
        }
    }
}

/// Pieces are added in order, so that threads change nothing.
#[test]
fn the_number_of_threads_changes_no_bit() {
    // Other devices choose among their kernels by speed, and these differ in the order of sums.
    if !on_cpu() {
        return;
    }
    for (Variant { name, .. }, loss) in losses(40) {
        let batch = Batch::of(&*loss, 3, 300, 40, Extras::ALL[4]);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let step = pool.install(|| step(&*loss, &batch));
            (step.value.to_bits(), values(&step.gradient), step.delta)
        };
        assert_eq!(with(1), with(5), "{name}");
    }
}

#[test]
fn terms_sum_to_the_value() {
    each(|name, loss, batch| {
        let targets = batch.targets();
        let terms = loss.terms(batch.tensor(&device()), &targets, &batch.ledger);
        assert_eq!(terms.dims(), [batch.rows(), batch.channels], "{name}");
        let terms = values(&terms);
        let value = terms.iter().sum::<f64>() / loss.normalizer(&targets) * loss.loss_weight();
        assert_close(name, &[value], &[step(loss, batch).value], F32);
        assert!(terms.iter().all(|term| *term >= 0.0), "{name}: a negative term");
    });
}

#[test]
fn scores_agree_with_float64_and_are_probabilities() {
    each(|name, loss, batch| {
        let scores = loss.scores(batch.tensor(&device()));
        assert_eq!(scores.dims(), [batch.rows(), CLASSES], "{name}");
        let expected: Vec<Vec<f64>> = batch.logits.chunks(batch.channels).map(|row| loss.scores_f64(row)).collect();
        assert_close(name, &values(&scores), &expected.concat(), 1e-6);
        assert!(expected.concat().iter().all(|score| (0.0..=1.0).contains(score)), "{name}");
    });
}

#[test]
fn gradient_equals_central_differences() {
    const H: f64 = 1e-5;
    // The weights of Seesaw follow the logits and are held fixed; a test of its own looks at it.
    each_of(
        |variant| !variant.is(&["seesaw"]),
        |name, loss, batch| {
            let targets = batch.targets();
            let value = |logits: &[f64]| loss.step_f64(logits, &targets, &batch.ledger).value;
            let gradient = loss.step_f64(&batch.logits, &targets, &batch.ledger).gradient;
            let mut logits = batch.logits.clone();
            let mut slopes = Vec::with_capacity(logits.len());
            for at in 0..logits.len() {
                let z = batch.logits[at];
                logits[at] = z + H;
                let above = value(&logits);
                logits[at] = z - H;
                slopes.push((above - value(&logits)) / (2.0 * H));
                logits[at] = z;
            }
            // Those of LDAM bend thirty times as much.
            let size = gradient.iter().fold(1.0f64, |size, value| size.max(value.abs()));
            assert_close(name, &gradient, &slopes, 1e-8 * size * size);
        },
    );
}

#[test]
fn permuting_classes_permutes_everything() {
    let order = [3, 0, 4, 1, 2];
    let known = facts(CLASSES);
    let pick_counts = |counts: &[u64]| order.iter().map(|from| counts[*from]).collect();
    let (image_counts, instance_counts) = (pick_counts(&known.image_counts), pick_counts(&known.instance_counts));
    let permuted_facts = TrainingFacts { image_counts, instance_counts, ..known };
    let all = variants();
    // Draws go by the order of classes.
    each_of(
        |variant| !variant.is(DRAWING),
        |name, loss, batch| {
            let variant = all.iter().find(|variant| name.starts_with(&format!("{}, batch", variant.name))).unwrap();
            let permuted_loss = variant.build(&permuted_facts);
            let rows = batch.rows();
            let pick = |values: &[f64]| -> Vec<f64> { order.iter().map(|from| values[*from]).collect() };
            let columns = |values: &[f64]| -> Vec<f64> {
                values.chunks(batch.channels).flat_map(|row| [pick(row), row[CLASSES..].to_vec()].concat()).collect()
            };
            let label = |label: &Label| match label {
                Label::Class(class) => Label::Class(order.iter().position(|from| from == class).unwrap()),
                other => *other,
            };
            let judged = |judged: &Vec<bool>| -> Vec<bool> {
                (0..rows).flat_map(|row| order.map(|from| judged[row * CLASSES + from])).collect()
            };
            let ledger = &batch.ledger;
            let sums = [ledger.positive(), ledger.negative(), ledger.instances()].map(pick);
            let [positive, negative, instances] = sums;
            let permuted = Batch {
                labels: batch.labels.iter().map(label).collect(),
                judged: batch.judged.as_ref().map(judged),
                logits: columns(&batch.logits),
                ledger: with_state_of(
                    GradientLedger::from_sums(positive, negative, instances, ledger.steps()).unwrap(),
                    ledger,
                    &order,
                ),
                ..batch.clone()
            };
            let before = loss.step_f64(&batch.logits, &batch.targets(), ledger);
            let after = permuted_loss.step_f64(&permuted.logits, &permuted.targets(), &permuted.ledger);
            assert_close(name, &[after.value], &[before.value], 1e-13);
            assert_close(name, &after.gradient, &columns(&before.gradient), 1e-13);
            assert_close(name, &after.delta.positive, &pick(&before.delta.positive), 1e-13);
            assert_close(name, &after.delta.negative, &pick(&before.delta.negative), 1e-13);
            assert_eq!(after.delta.instances, pick(&before.delta.instances), "{name}");
            for (row, permuted) in batch.logits.chunks(batch.channels).zip(permuted.logits.chunks(batch.channels)) {
                assert_close(name, &permuted_loss.scores_f64(permuted), &pick(&loss.scores_f64(row)), 1e-13);
            }
        },
    );
}

/// `ledger` with discount and memory of `of`, its classes in this order.
fn with_state_of(ledger: GradientLedger, of: &GradientLedger, order: &[usize]) -> GradientLedger {
    let ledger = ledger.with_discount(of.discount()).unwrap();
    let Some(memory) = of.memory() else { return ledger };
    let mut memory = memory.clone();
    let (old, classes) = (memory.values.clone(), order.len());
    for (to, from) in order.iter().enumerate() {
        if old.len() == classes {
            memory.values[to] = old[*from];
        } else {
            order.iter().enumerate().for_each(|(at, j)| memory.values[to * classes + at] = old[from * classes + j]);
        }
    }
    ledger.with_memory(memory).unwrap()
}

#[test]
fn tracked_and_plain_logits_give_the_same_bits() {
    each(|name, loss, batch| {
        let targets = batch.targets();
        let plain = step(loss, batch);
        let leaf = batch.tensor(&device().autodiff()).require_grad();
        for logits in [leaf.clone(), leaf.mul_scalar(1.0), batch.tensor(&device()).autodiff()] {
            let tracked = loss.step(logits, &targets, &batch.ledger).unwrap();
            assert_eq!(tracked.value, plain.value, "{name}");
            assert_eq!(values(&tracked.gradient), values(&plain.gradient), "{name}");
            assert_eq!(tracked.delta, plain.delta, "{name}");
            assert!(!tracked.gradient.is_autodiff(), "{name}: the gradient must be detached");
        }
    });
}

/// `(logits * gradient).sum()` must move parameters exactly as the loss itself would.
#[test]
fn driving_a_network_by_the_gradient_equals_autodiff() {
    const FEATURES: usize = 4;
    let device = device().autodiff();
    each(|name, loss, batch| {
        let mut random = Random(99);
        let mut draw = |count: usize| -> Vec<f64> { (0..count).map(|_| random.between(-1.0, 1.0)).collect() };
        let features = tensor(&draw(batch.rows() * FEATURES), FEATURES, &device);
        let weight = tensor(&draw(FEATURES * batch.channels), batch.channels, &device).require_grad();
        let targets = batch.targets();

        let logits = features.clone().matmul(weight.clone());
        let step = loss.step(logits.clone(), &targets, &batch.ledger).unwrap();
        let driver = (logits * Tensor::from_inner(step.gradient)).sum();
        let driven = weight.grad(&driver.backward()).unwrap();

        let logits = features.matmul(weight.clone());
        let scale = loss.loss_weight() / loss.normalizer(&targets);
        let value = loss.terms(logits, &targets, &batch.ledger).sum().mul_scalar(scale as f32);
        assert_close(name, &[step.value], &[f64::from(value.clone().inner().into_scalar::<f32>())], F32);
        let direct = weight.grad(&value.backward()).unwrap();
        let size = values(&direct).iter().fold(1.0f64, |size, value| size.max(value.abs()));
        assert_close(name, &values(&driven), &values(&direct), F32 * size);
    });
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    for (Variant { name, .. }, loss) in losses(CLASSES) {
        let batch = Batch::of(&*loss, 1, 4, CLASSES, Extras::default());
        let (targets, device) = (batch.targets(), device());
        let run = |rows: usize, channels: usize, ledger: usize| {
            loss.step(Tensor::zeros([rows, channels], &device), &targets, &GradientLedger::new(ledger)).unwrap_err()
        };
        let error = run(4, batch.channels + 1, CLASSES);
        assert!(
            matches!(error, LossError::Channels { expected, got, classes: CLASSES, .. }
                if expected == batch.channels && got == batch.channels + 1),
            "{name}: {error}"
        );
        let error = run(5, batch.channels, CLASSES);
        assert!(matches!(error, LossError::Rows { logits: 5, targets: 4 }), "{name}: {error}");
        let error = run(4, batch.channels, CLASSES - 1);
        assert!(matches!(error, LossError::LedgerClasses { ledger: 4, targets: CLASSES }), "{name}: {error}");
    }
}

#[test]
fn a_logit_that_is_not_finite_is_named() {
    for (Variant { name, .. }, loss) in losses(CLASSES) {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut batch = Batch::of(&*loss, 1, 6, CLASSES, Extras::default());
            batch.logits[3 * batch.channels + 2] = bad;
            let error = loss.step(batch.tensor(&device()), &batch.targets(), &batch.ledger).unwrap_err();
            assert!(matches!(error, LossError::NotFinite { row: 3, channel: 2, .. }), "{name}: {error}");
            assert!(error.to_string().starts_with("row 3, channel 2: the logit is "), "{name}: {error}");
        }
    }
}

#[test]
fn a_step_changes_neither_ledger_nor_targets_and_repeats_itself() {
    each(|name, loss, batch| {
        let (targets, ledger) = (batch.targets(), batch.ledger.clone());
        let first = loss.step(batch.tensor(&device()), &targets, &ledger).unwrap();
        let second = loss.step(batch.tensor(&device()), &targets, &ledger).unwrap();
        assert_eq!((first.value, &first.delta), (second.value, &second.delta), "{name}");
        assert_eq!(values(&first.gradient), values(&second.gradient), "{name}");
        assert_eq!((&ledger, &targets), (&batch.ledger, &batch.targets()), "{name}");
    });
}

#[test]
fn out_of_range_labels_are_errors() {
    let error = ClassTargets::new(vec![Label::Background, Label::Class(5)], CLASSES).unwrap_err();
    assert!(matches!(error, LossError::LabelOutOfRange { row: 1, label: 5, classes: CLASSES }), "{error}");
}
