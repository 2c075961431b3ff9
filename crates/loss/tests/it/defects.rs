//! Mistakes that published code of EQL v2 makes, each with a test that this one does not.

use burn::tensor::{DType, Device};
use equipoise_loss::{
    ClassLoss, ClassTargets, EqlV2, EqlV2Config, GradientLedger, Label, LedgerDelta, LossError, prior_bias, sigmoid,
};

use crate::batch::{Batch, Extras, Variant, assert_close, device, losses, step, tensor, values};

/// A batch of six rows over three classes, and targets of all of them.
fn six_rows() -> Batch {
    let mut batch = Batch::random(21, 6, 3, 4, Extras::default());
    batch.ledger = GradientLedger::new(3);
    batch
}

/// A head trained with sigmoids and scored with a softmax ranks its detections in another order.
#[test]
fn scores_belong_to_the_loss_and_not_to_the_head() {
    let loss = EqlV2::default();
    let rows = [[2.0, -4.0, -1.0], [1.0, 0.9, -3.0], [1.5, -9.0, -0.5]];
    let scores: Vec<f64> = rows.iter().map(|row| loss.scores_f64(row)[0]).collect();
    let expected: Vec<f64> = rows.iter().map(|row| sigmoid(row[0]) * (1.0 - sigmoid(row[2]))).collect();
    assert_close("scores", &scores, &expected, 1e-15);
    let softmax = |row: &[f64; 3]| row[0].exp() / row.iter().map(|z| z.exp()).sum::<f64>();
    assert!(scores[1] > scores[0] && softmax(&rows[1]) < softmax(&rows[0]), "the order would flip");
}

/// Without its prior the first step leaves 500 times the negative gradient in sums that never decay.
#[test]
fn the_prior_comes_with_the_loss() {
    let (loss, rows) = (EqlV2::default(), 8 * 1024);
    let bias: Vec<f64> = loss.bias_init(3).into_iter().map(f64::from).collect();
    assert_close("bias", &bias, &[-6.906_754_778_648_554; 4], 1e-7);
    let targets = ClassTargets::from_indices(&vec![3; rows], 3).unwrap();
    let negative = |bias: &[f64]| {
        let logits = tensor(&bias.repeat(rows), 4, &device());
        loss.step(logits, &targets, &GradientLedger::new(3)).unwrap().delta.negative[0]
    };
    assert_close("with the prior", &[negative(&bias)], &[8.192], 1e-5);
    assert_close("without", &[negative(&[0.0; 4])], &[4096.0], 1e-5);
}

/// Head and loss that are configured with different numbers of classes.
#[test]
fn a_head_of_500_classes_does_not_meet_a_loss_of_1203() {
    let targets = ClassTargets::from_indices(&[1203], 1203).unwrap();
    let logits = tensor(&[0.0; 501], 501, &device());
    let error = EqlV2::default().step(logits, &targets, &GradientLedger::new(1203)).unwrap_err();
    assert!(matches!(error, LossError::Channels { expected: 1204, got: 501, .. }));
    let text = error.to_string();
    assert!(text.contains("501") && text.contains("1204") && text.contains("1203"), "{text}");
}

/// One process is the plain case; several add their deltas before they commit.
#[test]
fn workers_are_a_sum_and_one_worker_needs_none() {
    let (loss, batch) = (EqlV2::default(), six_rows());
    let mut alone = batch.ledger.clone();
    alone.commit(&step(&loss, &batch).delta).unwrap();
    let mut reduced = LedgerDelta::zeros(3);
    for worker in [batch.part(0, 2), batch.part(2, 6)] {
        reduced += &loss.step_f64(&worker.logits, &worker.targets(), &worker.ledger).delta;
    }
    let mut joint = batch.ledger.clone();
    joint.commit(&reduced).unwrap();
    assert_close("positive", joint.positive(), alone.positive(), 1e-6);
    assert_close("negative", joint.negative(), alone.negative(), 1e-6);
    assert_eq!((joint.instances(), joint.steps()), (alone.instances(), 1));
}

/// A validation loss, or a second look at the same batch, must leave no trace.
#[test]
fn looking_at_a_loss_does_not_train() {
    let (loss, mut batch) = (EqlV2::default(), six_rows());
    let run = |ledger: &GradientLedger| loss.step_f64(&batch.logits, &batch.targets(), ledger);
    let mut ledger = batch.ledger.clone();
    let train = run(&ledger);
    for _ in 0..3 {
        assert_eq!(run(&ledger), train);
    }
    ledger.commit(&train.delta).unwrap();
    batch.ledger = ledger.clone();
    step(&loss, &batch);
    assert_eq!((ledger.steps(), &ledger), (1, &batch.ledger));
}

/// Two micro-batches of three rows and one batch of six leave the same state, over several steps.
#[test]
fn micro_batches_do_not_move_the_weights_inside_a_step() {
    let loss = EqlV2::default();
    let (mut whole, mut parts) = (GradientLedger::new(3), GradientLedger::new(3));
    for seed in 0..5 {
        let batch = Batch::random(seed, 6, 3, 4, Extras::default());
        let run = |batch: &Batch, ledger: &GradientLedger| loss.step_f64(&batch.logits, &batch.targets(), ledger);
        let six = run(&batch, &whole);
        let (first, second) = (run(&batch.part(0, 3), &parts), run(&batch.part(3, 6), &parts));
        assert_close("value", &[(first.value + second.value) / 2.0], &[six.value], 1e-12);
        let halves: Vec<f64> = first.gradient.iter().chain(&second.gradient).map(|value| value / 2.0).collect();
        assert_close("gradient", &halves, &six.gradient, 1e-12);
        let mut delta = first.delta;
        delta += &second.delta;
        parts.commit(&delta).unwrap();
        whole.commit(&six.delta).unwrap();
        assert_close("ratios", &parts.ratios(), &whole.ratios(), 1e-12);
    }
    assert_eq!((whole.steps(), parts.steps()), (5, 5));
}

/// −1 as an index is the last column, background; here an ignored row is a label of its own.
#[test]
fn an_ignored_row_is_not_background() {
    let (loss, mut batch) = (EqlV2::default(), six_rows());
    batch.labels[2] = Label::Background;
    let background = step(&loss, &batch);
    batch.labels[2] = Label::Ignored;
    let ignored = step(&loss, &batch);
    assert!(background.delta.negative.iter().zip(&ignored.delta.negative).all(|(with, without)| with > without));
    assert_eq!(values(&ignored.gradient)[8..12], [0.0; 4]);
    assert_eq!((background.delta.rows, ignored.delta.rows), (6, 5));
}

/// In float32 the sum stays 10,000.
#[test]
fn sums_do_not_stall() {
    let mut ledger = GradientLedger::from_sums(vec![1e4], vec![1e4], vec![0.0], 1).unwrap();
    let delta = LedgerDelta { positive: vec![4e-4], negative: vec![4e-4], instances: vec![0.0], rows: 1, memory: None };
    for _ in 0..100_000 {
        ledger.commit(&delta).unwrap();
    }
    assert_close("sums", &[ledger.positive()[0], ledger.negative()[0]], &[10_040.0; 2], 1e-9);
}

/// Half precision cannot hold 1e-10, nor tell 1 - 1e-4 from 1: sums and sigmoids are never computed in it.
#[test]
fn half_precision_logits_are_computed_in_single() {
    for (Variant { name, .. }, loss) in losses(3) {
        let mut batch = Batch::of(&*loss, 22, 12, 3, Extras::default());
        // Eighths are exact in both precisions.
        batch.logits.iter_mut().for_each(|logit| *logit = (*logit * 8.0).round() / 8.0);
        batch.logits[0] = -14.0;
        let half = |device: &Device| batch.tensor(device).cast(DType::F16);
        let single = step(&*loss, &batch);
        for device in [device(), device().autodiff()] {
            let got = loss.step(half(&device), &batch.targets(), &batch.ledger).unwrap();
            assert_eq!((got.value, &got.delta), (single.value, &single.delta), "{name}");
            assert_eq!(values(&got.gradient), values(&single.gradient), "{name}");
        }
        let scores = values(&loss.scores(half(&device())));
        assert_eq!(scores, values(&loss.scores(batch.tensor(&device()))), "{name}");
    }
    assert_eq!(GradientLedger::new(1).ratio(0), equipoise_loss::START_RATIO);
}

/// The naive logistic function overflows far from its middle.
#[test]
fn weights_and_sigmoid_do_not_overflow() {
    let steep = EqlV2::new(EqlV2Config { gamma: 1e3, ..EqlV2Config::default() });
    for loss in [EqlV2::default(), steep] {
        for ratio in [0.0, 1e-300, 1.0, 1e10, 1e300] {
            let (q, r) = loss.weights(ratio);
            assert!((1.0..=5.0).contains(&q) && (0.0..=1.0).contains(&r), "at {ratio}: {q}, {r}");
        }
    }
    assert_eq!((sigmoid(-1e300), sigmoid(0.0), sigmoid(1e300)), (0.0, 0.5, 1.0));
    assert!(sigmoid(-720.0) > 0.0, "exp(720) is infinite, exp(-720) is not 0");
    assert_close("prior", &[sigmoid(prior_bias(0.001))], &[0.001], 1e-15);
}

/// 0 / 0 as a value, and as the very first batch a ratio of 0 instead of the start ratio.
#[test]
fn an_empty_first_batch_leaves_the_start_ratio() {
    let (loss, mut batch) = (EqlV2::default(), six_rows());
    let empty = step(&loss, &batch.part(0, 0));
    assert_eq!(empty.value, 0.0);
    batch.ledger.commit(&empty.delta).unwrap();
    assert_eq!(batch.ledger.ratios(), [equipoise_loss::START_RATIO; 3]);
    assert_eq!(step(&loss, &batch).value, step(&loss, &six_rows()).value);
}

/// A mean of worker means is not the mean of the joint batch; the normaliser lets a caller make the latter.
#[test]
fn unequal_workers_join_by_their_normalisers() {
    let (loss, batch) = (EqlV2::default(), six_rows());
    let joint = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
    let parts = [batch.part(0, 1), batch.part(1, 6)].map(|part| {
        let step = loss.step_f64(&part.logits, &part.targets(), &part.ledger);
        (step.value, loss.normalizer(&part.targets()))
    });
    let mean_of_means = (parts[0].0 + parts[1].0) / 2.0;
    assert!((mean_of_means - joint.value).abs() > 1e-3, "the parts are unequal enough to matter");
    let rows: f64 = parts.iter().map(|(_, rows)| rows).sum();
    let value = parts.iter().map(|(value, rows)| value * rows).sum::<f64>() / rows;
    assert_close("joint value", &[value], &[joint.value], 1e-14);
}

/// A resume that forgets its state trains a step with all weights at 1 and then starts to learn from zero.
#[test]
fn a_resume_brings_its_state_back() {
    let (loss, batch) = (EqlV2::default(), Batch::random(23, 12, 5, 6, Extras::default()));
    let json = serde_json::to_string(&batch.ledger).unwrap();
    let resumed = Batch { ledger: serde_json::from_str(&json).unwrap(), ..batch.clone() };
    let forgotten = Batch { ledger: GradientLedger::new(5), ..batch.clone() };
    assert_eq!(step(&loss, &resumed).value, step(&loss, &batch).value);
    assert_ne!(step(&loss, &forgotten).value, step(&loss, &batch).value);
    let foreign = Batch { ledger: GradientLedger::new(4), ..batch };
    let error = loss.step(foreign.tensor(&device()), &foreign.targets(), &foreign.ledger).unwrap_err();
    assert!(matches!(error, LossError::LedgerClasses { ledger: 4, targets: 5 }));
}

/// On dense heads the method fails, and its card says so before somebody trains one.
#[test]
fn the_card_warns_of_one_stage_heads() {
    let traps = EqlV2::default().card().traps;
    assert!(traps.contains("one-stage"), "{traps}");
}

/// At a prior of 0.001 the background column makes most of the first loss; a neutral bias is an option.
#[test]
fn the_background_column_can_start_neutral() {
    let classes = 1203;
    let targets = ClassTargets::from_indices(&[7, classes, classes, classes], classes).unwrap();
    let first = |background_prior: f64| {
        let loss = EqlV2::new(EqlV2Config { background_prior, ..EqlV2Config::default() });
        let bias: Vec<f64> = loss.bias_init(classes).into_iter().map(f64::from).collect();
        assert_close("bias", &bias[classes..], &[prior_bias(background_prior)], 1e-7);
        loss.step_f64(&bias.repeat(4), &targets, &GradientLedger::new(classes)).value
    };
    assert_close("published", &[first(0.001)], &[8.111_357_180_283_129], 1e-6);
    assert_close("neutral", &[first(0.5)], &[8.111_357_180_283_129 - 5.181_066_584_32 + std::f64::consts::LN_2], 1e-6);
}

/// A class that nobody looked for in a picture is not absent from it.
#[test]
fn unknown_negatives_are_not_true_negatives() {
    let (loss, mut batch) = (EqlV2::default(), six_rows());
    batch.labels.fill(Label::Background);
    let mut judged = vec![true; 18];
    for row in 0..6 {
        judged[row * 3 + 1] = false;
    }
    let all = step(&loss, &batch).delta;
    batch.judged = Some(judged);
    batch.weights = Some(vec![0.5; 6]);
    let some = step(&loss, &batch).delta;
    assert_eq!(some.negative[1], 0.0);
    assert_close(
        "half weight",
        &[some.negative[0] * 2.0, some.negative[2] * 2.0],
        &[all.negative[0], all.negative[2]],
        1e-6,
    );
}
