//! What the values of every registered loss must do at the edges: empty, ignored, one class, saturated, halved.

use burn::tensor::Tensor;
use equipoise_loss::{ClassLoss, GradientLedger, Label, LedgerDelta};
use proptest::prelude::*;

use crate::batch::{
    Batch, DRAWING, Extras, FOREGROUND_ONLY, NORMALISED_SUMS, SPARSE, Variant, assert_close, device, facts, losses,
    on_cpu, remembered, step, values,
};

const CLASSES: usize = 5;

fn batch(loss: &dyn ClassLoss, seed: u64, rows: usize, extras: Extras) -> Batch {
    Batch::of(loss, seed, rows, CLASSES, extras)
}

/// Value 0, zero gradient, nothing for the ledger.
fn assert_nothing(name: &str, loss: &dyn ClassLoss, batch: &Batch) {
    let got = step(loss, batch);
    assert_eq!(got.value, 0.0, "{name}");
    assert_eq!(got.gradient.dims(), [batch.rows(), batch.channels], "{name}");
    assert!(values(&got.gradient).iter().all(|value| *value == 0.0), "{name}");
    assert_eq!(got.delta, LedgerDelta::zeros(batch.classes), "{name}");
    let expected = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
    assert_eq!((expected.value, &expected.delta), (0.0, &got.delta), "{name}");
    assert!(expected.gradient.iter().all(|value| *value == 0.0), "{name}");
    let mut ledger = batch.ledger.clone();
    ledger.commit(&got.delta).unwrap();
    assert_eq!(ledger, batch.ledger, "{name}: an empty batch is no step");
}

#[test]
fn an_empty_batch_is_nothing() {
    for (Variant { name, .. }, loss) in losses(CLASSES) {
        for extras in Extras::ALL {
            let batch = batch(&*loss, 1, 0, extras);
            assert_nothing(&name, &*loss, &batch);
            let tracked = batch.tensor(&device().autodiff()).require_grad();
            assert_eq!(loss.step(tracked, &batch.targets(), &batch.ledger).unwrap().value, 0.0, "{name}");
            // Burn's softmax for graphics cards does not take a tensor without rows.
            if on_cpu() {
                assert_eq!(loss.scores(batch.tensor(&device())).dims(), [0, CLASSES], "{name}");
            }
        }
    }
}

#[test]
fn an_all_ignored_batch_is_nothing() {
    for (Variant { name, .. }, loss) in losses(CLASSES) {
        for extras in Extras::ALL {
            let mut batch = batch(&*loss, 2, 7, extras);
            batch.labels.fill(Label::Ignored);
            assert_nothing(&name, &*loss, &batch);
        }
    }
}

#[test]
fn an_all_background_batch_teaches_no_class_to_say_yes() {
    for (variant, loss) in losses(CLASSES) {
        let name = &variant.name;
        let mut batch = batch(&*loss, 3, 12, Extras::default());
        batch.labels.fill(Label::Background);
        let got = step(&*loss, &batch);
        // A classifier of pictures has no place for background.
        let taught = !variant.is(&["softmax_eql", "softmax_eqlv2"]);
        assert!(got.value.is_finite() && (got.value > 0.0) == taught, "{name}");
        assert_eq!(got.delta.positive, vec![0.0; CLASSES], "{name}");
        assert_eq!(got.delta.instances, vec![0.0; CLASSES], "{name}");
        assert_eq!(got.delta.rows, 12, "{name}");
        let all = !variant.is(FOREGROUND_ONLY) && !variant.is(&["acsl", "bags"]) && !name.contains("easy_background");
        assert!(!all || got.delta.negative.iter().all(|negative| *negative > 0.0), "{name}");
    }
}

#[test]
fn one_class_and_one_row_are_enough() {
    for (Variant { name, .. }, loss) in losses(1) {
        for label in [Label::Class(0), Label::Background] {
            let mut batch = Batch::of(&*loss, 4, 1, 1, Extras::default());
            batch.labels[0] = label;
            let expected = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
            let got = step(&*loss, &batch);
            assert_close(&name, &[got.value], &[expected.value], 1e-6);
            assert_close(&name, &values(&got.gradient), &expected.gradient, 1e-6);
            assert_eq!(got.delta.rows, 1, "{name}");
            assert_eq!(got.delta.instances, [f64::from(label == Label::Class(0))], "{name}");
        }
    }
}

#[test]
fn ignored_rows_change_nothing() {
    for (Variant { name, .. }, loss) in losses(CLASSES) {
        for extras in Extras::ALL {
            let all = batch(&*loss, 5, 24, Extras { ignored: true, ..extras });
            let kept: Vec<Batch> =
                (0..24).map(|row| all.part(row, row + 1)).filter(|row| row.labels[0] != Label::Ignored).collect();
            assert!(kept.len() < 24);
            let join = |get: fn(&Batch) -> Option<Vec<f32>>| kept.iter().map(get).collect::<Option<Vec<_>>>();
            let without = Batch {
                labels: kept.iter().map(|row| row.labels[0]).collect(),
                weights: join(|row| row.weights.clone()).map(|rows| rows.concat()),
                judged: kept.iter().map(|row| row.judged.clone()).collect::<Option<Vec<_>>>().map(|rows| rows.concat()),
                quality: join(|row| row.quality.clone()).map(|rows| rows.concat()),
                logits: kept.iter().flat_map(|row| row.logits.clone()).collect(),
                ..all.clone()
            };
            let (all_step, without_step) = (step(&*loss, &all), step(&*loss, &without));
            assert_close(&name, &[all_step.value], &[without_step.value], 1e-6);
            assert_eq!(all_step.delta, without_step.delta, "{name}");
            let gradient = values(&all_step.gradient);
            let rows = gradient.chunks(all.channels).zip(&all.labels);
            let counted: Vec<f64> =
                rows.clone().filter(|(_, label)| **label != Label::Ignored).flat_map(|(row, _)| row.to_vec()).collect();
            assert_eq!(counted, values(&without_step.gradient), "{name}");
            let mut ignored = rows.filter(|(_, label)| **label == Label::Ignored).flat_map(|(row, _)| row);
            assert!(ignored.all(|value| *value == 0.0), "{name}");
        }
    }
}

#[test]
fn a_row_of_weight_zero_counts_but_pulls_nowhere() {
    for (variant, loss) in losses(CLASSES) {
        let name = &variant.name;
        let mut batch = batch(&*loss, 6, 6, Extras::default());
        batch.weights = Some(vec![1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        let got = step(&*loss, &batch);
        assert_eq!(got.delta.rows, 6, "{name}");
        let last = &values(&got.gradient)[3 * batch.channels..];
        assert!(last.iter().all(|value| *value == 0.0), "{name}: a row without weight pulls");
        // Seesaw counts the rows of the batch, and draws go by all of them.
        if variant.is(DRAWING) || variant.is(&["seesaw"]) {
            continue;
        }
        let part = batch.part(0, 3);
        let half = step(&*loss, &part);
        let times = loss.normalizer(&batch.targets()) / loss.normalizer(&part.targets());
        assert_close(name, &[got.value * times], &[half.value], 1e-6);
        if !variant.is(NORMALISED_SUMS) {
            assert_eq!(got.delta.positive, half.delta.positive, "{name}");
            assert_eq!(got.delta.negative, half.delta.negative, "{name}");
        }
    }
}

#[test]
fn a_class_that_was_not_judged_gets_no_gradient() {
    for (variant, loss) in losses(CLASSES) {
        // `federated_ledger` teaches what was not judged.
        if variant.options.contains_key("federated_ledger") {
            continue;
        }
        let name = &variant.name;
        let mut batch = batch(&*loss, 7, 18, Extras { judged: true, ..Extras::default() });
        let got = step(&*loss, &batch);
        let judged = batch.judged.clone().unwrap();
        let gradient = values(&got.gradient);
        for row in 0..18 {
            for class in 0..CLASSES {
                let value = gradient[row * batch.channels + class];
                let taught = judged[row * CLASSES + class];
                assert!(value == 0.0 || taught, "{name}: row {row}, class {class}: {value}");
                assert!(value != 0.0 || !taught || variant.is(SPARSE), "{name}: row {row}, class {class}");
                if !judged[row * CLASSES + class] {
                    batch.logits[row * batch.channels + class] += 2.0;
                }
            }
        }
        let moved = step(&*loss, &batch);
        assert_eq!((moved.value, values(&moved.gradient)), (got.value, gradient), "{name}: an unjudged logit mattered");
    }
}

#[test]
fn sums_of_parts_are_the_sums_of_the_whole() {
    for (variant, loss) in losses(CLASSES) {
        let name = &variant.name;
        if variant.is(DRAWING) || variant.is(&["seesaw"]) {
            continue;
        }
        for extras in Extras::ALL {
            let whole = batch(&*loss, 8, 26, extras);
            let mut total = LedgerDelta::zeros(CLASSES);
            let mut value = 0.0;
            for part in [whole.part(0, 9), whole.part(9, 9), whole.part(9, 26)] {
                let targets = part.targets();
                let step = loss.step_f64(&part.logits, &targets, &part.ledger);
                value += step.value * loss.normalizer(&targets);
                total += &step.delta;
            }
            let targets = whole.targets();
            let step = loss.step_f64(&whole.logits, &targets, &whole.ledger);
            if !variant.is(NORMALISED_SUMS) {
                assert_close(name, &total.positive, &step.delta.positive, 1e-13);
                assert_close(name, &total.negative, &step.delta.negative, 1e-13);
            }
            assert_close(name, &remembered(&total), &remembered(&step.delta), 1e-13);
            assert_eq!((&total.instances, total.rows), (&step.delta.instances, step.delta.rows), "{name}");
            assert_close(name, &[value / loss.normalizer(&targets)], &[step.value], 1e-13);
        }
    }
}

/// Textbook formulas have a wrong automatic gradient where a logit is exactly 0, which it is with a bias of 0.
#[test]
fn logits_of_exactly_zero_have_the_right_gradient() {
    for (variant, loss) in losses(CLASSES) {
        let name = &variant.name;
        let mut batch = batch(&*loss, 9, 12, Extras::default());
        batch.logits.fill(0.0);
        batch.ledger = GradientLedger::of(&*loss, CLASSES);
        let got = values(&step(&*loss, &batch).gradient);
        let expected = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger).gradient;
        let size = expected.iter().fold(1.0f64, |size, value| size.max(value.abs()));
        assert_close(name, &got, &expected, 1e-7 * size);
        if variant.is(&["sigmoid_bce", "eqlv2"]) {
            let targets = batch.targets();
            let half = 0.5 * loss.loss_weight() / loss.normalizer(&targets);
            for (at, value) in got.iter().enumerate() {
                let own = targets.column(at / batch.channels) == Some(at % batch.channels);
                assert_close(name, &[*value], &[if own { -half } else { half }], 1e-7);
            }
        }
    }
}

#[test]
fn saturated_logits_stay_finite() {
    for (variant, loss) in losses(CLASSES) {
        let name = &variant.name;
        let exact = variant.is(&["softmax_ce", "sigmoid_bce", "eqlv2"]);
        for size in [30.0, 100.0, 1e4] {
            let mut batch = batch(&*loss, 10, 12, Extras { judged: true, ..Extras::default() });
            for (at, logit) in batch.logits.iter_mut().enumerate() {
                *logit = if (at / 2 + at / batch.channels).is_multiple_of(2) { size } else { -size };
            }
            let got = step(&*loss, &batch);
            let expected = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
            // A margin on a logit of 1e4 is rounded to 1e-3 in f32; LDAM's logits are thirty times as large.
            let rounding = if variant.is(&["ldam"]) { 30.0 * 2.4e-7 * size } else { 2.4e-7 * size };
            let tolerance = if exact { 1e-6 } else { rounding.max(1e-6) };
            assert_close(name, &[got.value], &[expected.value], tolerance);
            let steep = expected.gradient.iter().fold(1.0f64, |steep, value| steep.max(value.abs()));
            assert_close(name, &values(&got.gradient), &expected.gradient, tolerance * steep);
            let scores = values(&loss.scores(batch.tensor(&device())));
            assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{name}");
            assert!(expected.value.is_finite() && expected.value > 0.0, "{name}");
        }
    }
}

/// A margin on a logit of 3000, or thirty times such a logit, must not lose the digits that decide between two columns.
#[test]
fn margins_on_large_logits_keep_their_digits() {
    for (variant, loss) in losses(CLASSES) {
        let mut batch = batch(&*loss, 13, 30, Extras::default());
        // Exact in f32.
        batch.logits.iter_mut().for_each(|z| *z = 3000.0 + (*z * 64.0).round() / 1024.0);
        let expected = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger).gradient;
        let size = expected.iter().fold(1.0f64, |size, value| size.max(value.abs()));
        assert_close(&variant.name, &values(&step(&*loss, &batch).gradient), &expected, 2e-6 * size);
    }
}

/// Sums of tiny gradients are what a rare class lives on: they must keep their relative precision in float32.
#[test]
fn gradients_of_confident_rows_are_not_rounded_away() {
    for (variant, loss) in losses(CLASSES) {
        let name = &variant.name;
        let mut batch = batch(&*loss, 11, 6, Extras::default());
        batch.labels.fill(Label::Background);
        batch.logits.fill(-20.0);
        batch.ledger = GradientLedger::of(&*loss, CLASSES);
        let negative = step(&*loss, &batch).delta.negative[0];
        let expected = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger).delta.negative[0];
        // Beyond the range of float32.
        if expected < 1e-30 {
            continue;
        }
        assert!((negative / expected - 1.0).abs() < 1e-5, "{name}: {negative:e}, expected {expected:e}");
        if variant.is(&["sigmoid_bce", "eqlv2"]) {
            assert_close(name, &[expected * 1e9], &[6.0 * 2.061_153_618_190_203_6], 1e-12);
        }
    }
}

#[test]
fn the_loss_weight_scales_value_and_gradient_only() {
    let facts = facts(CLASSES);
    for entry in equipoise_loss::registry::LOSSES {
        let options = |weight: f64| serde_json::json!({ "loss_weight": weight }).as_object().unwrap().clone();
        let (one, three) = (entry.build(&options(1.0), &facts).unwrap(), entry.build(&options(3.0), &facts).unwrap());
        let batch = batch(&*one, 12, 12, Extras::default());
        let (plain, weighted) = (step(&*one, &batch), step(&*three, &batch));
        assert_close(entry.card.name, &[weighted.value], &[3.0 * plain.value], 1e-12);
        let expected: Vec<f64> = values(&plain.gradient).iter().map(|value| 3.0 * value).collect();
        assert_close(entry.card.name, &values(&weighted.gradient), &expected, 1e-6);
        assert_eq!(weighted.delta, plain.delta, "{}: the ledger must not see the loss weight", entry.card.name);
    }
}

fn label() -> impl Strategy<Value = Label> {
    prop_oneof![
        3 => (0..CLASSES).prop_map(Label::Class),
        2 => Just(Label::Background),
        1 => Just(Label::Ignored),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_batch_is_finite_and_agrees_with_float64(
        labels in prop::collection::vec(label(), 0..12),
        draws in prop::collection::vec((-4f64..4.0, any::<bool>()), 12 * (CLASSES + 6)),
        seed in 0u64..1000,
    ) {
        for (Variant { name, .. }, loss) in losses(CLASSES) {
            let mut batch = batch(&*loss, seed, labels.len(), Extras { weights: true, ..Extras::default() });
            batch.labels = labels.clone();
            for (logit, (exponent, negative)) in batch.logits.iter_mut().zip(&draws) {
                let size = 10f64.powf(*exponent);
                *logit = f64::from((if *negative { -size } else { size }) as f32);
            }
            let expected = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
            let got = step(&*loss, &batch);
            prop_assert!(expected.value.is_finite() && expected.value >= 0.0);
            assert_close(&name, &[got.value], &[expected.value], 1e-5);
            assert_close(&name, &values(&got.gradient), &expected.gradient, 1e-5);
            assert_close(&name, &got.delta.positive, &expected.delta.positive, 1e-5);
            assert_close(&name, &got.delta.negative, &expected.delta.negative, 1e-5);
            for (row, scores) in batch.logits.chunks(batch.channels).map(|row| loss.scores_f64(row)).enumerate() {
                prop_assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{name}, row {row}");
            }
        }
    }

    #[test]
    fn scores_keep_their_order_in_float32(scale in 0.1f64..3.0, seed in 0u64..1000) {
        for (variant, loss) in losses(CLASSES) {
            // Its groups have softmaxes of their own.
            if variant.is(&["bags"]) {
                continue;
            }
            let name = &variant.name;
            let mut batch = batch(&*loss, seed, 4, Extras::default());
            batch.logits.iter_mut().for_each(|logit| *logit = f64::from((*logit * scale) as f32));
            let scores: Tensor<2> = loss.scores(batch.tensor(&device()));
            for (row, got) in batch.logits.chunks(batch.channels).zip(values(&scores).chunks(CLASSES)) {
                let best = |scores: &[f64]| scores.iter().copied().fold(0.0, f64::max);
                let top = (0..CLASSES).find(|class| row[*class] == best_logit(row)).unwrap();
                prop_assert!(got[top] == best(got), "{name}: the largest logit must have the largest score");
            }
        }
    }
}

fn best_logit(row: &[f64]) -> f64 {
    row[..CLASSES].iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
