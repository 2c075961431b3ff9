//! Properties of EQL v2: its weights, its order of events, and where they settle (arXiv 2012.08548, section 3).

use equipoise_loss::{
    ClassLoss, ClassTargets, EqlV2, EqlV2Config, GradientLedger, Label, LedgerDelta, SigmoidBce, prior_bias, sigmoid,
};
use proptest::prelude::*;

use crate::batch::{Batch, Extras, assert_close, device, step, values};

/// Both weights of a class that has only been told no.
const R_WITHOUT_POSITIVES: f64 = 6.772414961977012e-05;
const Q_WITHOUT_POSITIVES: f64 = 4.9997291034015205;

proptest! {
    #[test]
    fn weights_stay_in_range_and_are_monotone(
        a in 0f64..200.0, b in 0f64..200.0,
        gamma in 0.1f64..50.0, mu in 0f64..3.0, alpha in 0f64..20.0,
    ) {
        let loss = EqlV2::new(EqlV2Config { gamma, mu, alpha, ..EqlV2Config::default() });
        let (low, high) = (loss.weights(a.min(b)), loss.weights(a.max(b)));
        for (q, r) in [low, high] {
            prop_assert!((1.0..=1.0 + alpha).contains(&q), "q {q}");
            prop_assert!(r > 0.0 && r <= 1.0, "r {r}");
        }
        prop_assert!(low.0 >= high.0 && low.1 <= high.1, "q falls and r rises with the ratio");
    }

    #[test]
    fn two_halves_sum_to_the_whole(seed in 0u64..500, cut in 0usize..25) {
        let whole = Batch::random(seed, 24, 6, 7, Extras::ALL[seed as usize % 5]);
        let loss = EqlV2::default();
        let sums = |batch: &Batch| loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger).delta;
        let mut halves = sums(&whole.part(0, cut.min(24)));
        halves += &sums(&whole.part(cut.min(24), 24));
        let whole = sums(&whole);
        assert_close("positive", &halves.positive, &whole.positive, 1e-13);
        assert_close("negative", &halves.negative, &whole.negative, 1e-13);
        prop_assert_eq!((halves.instances, halves.rows), (whole.instances, whole.rows));
    }
}

#[test]
fn weights_at_known_ratios() {
    let loss = EqlV2::default();
    assert_eq!(loss.weights(0.8), (3.0, 0.5));
    assert_eq!(loss.weights(equipoise_loss::START_RATIO), (1.0, 1.0));
    let table = [
        (0.0, 4.9997, 0.0000677),
        (0.1, 4.9991, 0.000225),
        (0.3, 4.9901, 0.00247),
        (0.5, 4.8936, 0.0266),
        (0.6, 4.6673, 0.0832),
        (0.7, 4.0741, 0.2315),
        (0.9, 1.9259, 0.7685),
        (1.0, 1.3327, 0.9168),
        (1.2, 1.0327, 0.9918),
        (2.0, 1.0000022, 0.9999994),
    ];
    for (ratio, q, r) in table {
        let got = loss.weights(ratio);
        assert!((got.0 - q).abs() < 6e-5 && (got.1 - r).abs() < 6e-5, "at {ratio}: {got:?}");
    }
}

#[test]
fn a_class_without_positives_after_the_first_step() {
    let (loss, mut ledger) = (EqlV2::default(), GradientLedger::new(2));
    let targets = ClassTargets::from_indices(&[0, 2, 2], 2).unwrap();
    let step = loss.step_f64(&[-1.0; 9], &targets, &ledger);
    ledger.commit(&step.delta).unwrap();
    assert_eq!(ledger.ratio(1), 0.0);
    let (q, r) = loss.side_weights(&ledger, 1);
    assert_close("q", &[q], &[Q_WITHOUT_POSITIVES], 1e-15);
    assert_close("r", &[r * 1e5], &[R_WITHOUT_POSITIVES * 1e5], 1e-13);

    // The weights reach the gradient: the class's column, and no other, shrinks by r.
    let second = loss.step_f64(&[-1.0; 9], &targets, &ledger);
    let expected = R_WITHOUT_POSITIVES * sigmoid(-1.0) / 3.0;
    assert_close("negative gradient", &[second.gradient[4] / expected], &[1.0], 1e-12);
    assert_close("background gradient", &[second.gradient[5]], &[step.gradient[5]], 1e-15);
}

#[test]
fn the_first_step_is_plain_cross_entropy_with_a_background_column() {
    let (loss, plain) = (EqlV2::default(), SigmoidBce::default());
    for (seed, extras) in Extras::ALL.into_iter().enumerate() {
        let mut batch = Batch::random(seed as u64, 20, 4, 5, extras);
        batch.ledger = GradientLedger::new(4);
        let run = |loss: &dyn ClassLoss| loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
        assert_eq!(run(&loss), run(&plain));
        let (tensors, plain_tensors) = (step(&loss, &batch), step(&plain, &batch));
        assert_eq!(tensors.value, plain_tensors.value);
        assert_eq!(values(&tensors.gradient), values(&plain_tensors.gradient));
        assert_eq!(tensors.delta, plain_tensors.delta);
        let scores = |loss: &dyn ClassLoss| values(&loss.scores(batch.tensor(&device())));
        assert_eq!(scores(&loss), scores(&plain));
    }
}

/// Published columns: raw ratio rho, then g, r and q where it settles.
const STEADY_STATE: [(f64, f64, f64, f64); 10] = [
    (1e-5, 0.1391, 0.00036, 4.9986),
    (1e-4, 0.2744, 0.00182, 4.9927),
    (1e-3, 0.4292, 0.01154, 4.9538),
    (0.01, 0.5950, 0.07874, 4.6851),
    (0.03, 0.6781, 0.18796, 4.2482),
    (0.1, 0.7750, 0.42553, 3.2979),
    (0.3, 0.8793, 0.72140, 2.1144),
    (0.5, 0.9440, 0.84918, 1.6033),
    (1.0, 1.1146, 0.97759, 1.0896),
    (2.0, 2.0000, 1.00000, 1.0000),
];

/// One class whose raw positive gradient is `rho` times its raw negative gradient, in every step.
fn constant_ratio(rho: f64) -> ([f64; 4], ClassTargets) {
    // A negative at p = 1/4 and a positive at 1 - p = rho / 4.
    let positive = -prior_bias(rho / 4.0);
    ([positive, 0.0, prior_bias(0.25), 0.0], ClassTargets::from_indices(&[0, 1], 1).unwrap())
}

/// Steps from an empty ledger until the ratio is within `tolerance` of `goal`.
fn steps_to_settle(rho: f64, goal: f64, tolerance: f64, limit: u64) -> GradientLedger {
    let (loss, mut ledger) = (EqlV2::default(), GradientLedger::new(1));
    let (logits, targets) = constant_ratio(rho);
    while ledger.steps() < limit && (ledger.steps() == 0 || (ledger.ratio(0) - goal).abs() >= tolerance) {
        ledger.commit(&loss.step_f64(&logits, &targets, &ledger).delta).unwrap();
    }
    ledger
}

#[test]
fn the_steady_state_solves_its_equation() {
    let loss = EqlV2::default();
    for (rho, ratio, r, q) in STEADY_STATE {
        let goal = steady_ratio(&loss, rho);
        let weights = loss.weights(goal);
        assert!((goal - ratio).abs() < 6e-5, "rho {rho}: {goal}");
        assert!((weights.0 - q).abs() < 6e-5 && (weights.1 - r).abs() < 6e-6, "rho {rho}: {weights:?}");
    }
}

/// Bisection of `g = rho q(g) / r(g)`, whose right side falls with g.
fn steady_ratio(loss: &EqlV2, rho: f64) -> f64 {
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        let (q, r) = loss.weights(middle);
        if middle < rho * q / r { low = middle } else { high = middle }
    }
    low
}

#[test]
fn training_settles_there() {
    let loss = EqlV2::default();
    for (rho, steps) in [(1e-3, 179), (0.01, 20), (0.1, 8), (0.3, 8), (1.0, 13), (2.0, 1)] {
        let ledger = steps_to_settle(rho, steady_ratio(&loss, rho), 1e-3, 1000);
        assert_eq!(ledger.steps(), steps, "rho {rho}: ratio {}", ledger.ratio(0));
        let ledger = steps_to_settle(rho, f64::INFINITY, 0.0, 3000);
        let (q, r) = loss.weights(ledger.ratio(0));
        let goal = loss.weights(steady_ratio(&loss, rho));
        assert_close(&format!("weights at rho {rho}"), &[q, r], &[goal.0, goal.1], 2e-3);
    }
}

#[test]
fn the_weights_of_a_step_come_from_the_steps_before() {
    let loss = EqlV2::default();
    let mut batch = Batch::random(3, 18, 4, 5, Extras::default());
    batch.ledger = GradientLedger::new(4);
    let first = step(&loss, &batch);
    let again = step(&loss, &batch);
    assert_eq!(first.value, again.value, "nothing was committed, so nothing moved");
    batch.ledger.commit(&first.delta).unwrap();
    let second = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
    assert!((second.value - first.value).abs() > 1e-3, "the committed sums must be felt");
    let targets = batch.targets();
    for (at, (gradient, logit)) in second.gradient.iter().zip(&batch.logits).enumerate() {
        let (row, column) = (at / 5, at % 5);
        let own = targets.column(row) == Some(column);
        let (q, r) = if column < 4 { loss.weights(batch.ledger.ratio(column)) } else { (1.0, 1.0) };
        let expected = if own { q * (sigmoid(*logit) - 1.0) } else { r * sigmoid(*logit) };
        assert_close("gradient", &[*gradient], &[expected / 18.0], 1e-14);
    }
}

#[test]
fn the_ledger_sees_weighted_gradients_without_normaliser() {
    let loss = EqlV2::new(EqlV2Config { loss_weight: 7.0, ..EqlV2Config::default() });
    let batch = Batch::random(5, 18, 4, 5, Extras { weights: true, ..Extras::default() });
    let step = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
    let targets = batch.targets();
    let mut expected = LedgerDelta::zeros(4);
    for (at, gradient) in step.gradient.iter().enumerate().filter(|(at, _)| at % 5 < 4) {
        let own = targets.column(at / 5) == Some(at % 5);
        let side = if own { &mut expected.positive } else { &mut expected.negative };
        side[at % 5] += gradient.abs() * 18.0 / 7.0;
    }
    assert_close("positive", &step.delta.positive, &expected.positive, 1e-13);
    assert_close("negative", &step.delta.negative, &expected.negative, 1e-13);
}

#[test]
fn a_class_that_was_never_judged_keeps_weights_of_one() {
    let loss = EqlV2::default();
    let mut ledger = GradientLedger::new(2);
    let targets = || ClassTargets::from_indices(&[0, 2, 2], 2).unwrap();
    let masked = targets().with_judged(vec![true, false, true, false, true, false]).unwrap();
    let device = device();
    for _ in 0..3 {
        let logits = crate::batch::tensor(&[-1.0; 9], 3, &device);
        ledger.commit(&loss.step(logits, &masked, &ledger).unwrap().delta).unwrap();
    }
    assert_eq!((ledger.positive()[1], ledger.negative()[1]), (0.0, 0.0));
    assert_eq!(loss.weights(ledger.ratio(1)), (1.0, 1.0));
    assert!(loss.weights(ledger.ratio(0)).0 > 1.0);
    ledger.commit(&loss.step_f64(&[-1.0; 9], &targets(), &ledger).delta).unwrap();
    assert_close("q once it was judged", &[loss.weights(ledger.ratio(1)).0], &[Q_WITHOUT_POSITIVES], 1e-12);
}

#[test]
fn the_background_column_has_weight_one_and_no_entry() {
    let loss = EqlV2::default();
    let batch = Batch::random(6, 18, 4, 5, Extras::default());
    let trained = loss.step_f64(&batch.logits, &batch.targets(), &batch.ledger);
    let fresh = loss.step_f64(&batch.logits, &batch.targets(), &GradientLedger::new(4));
    let column = |gradient: &[f64]| -> Vec<f64> { gradient.iter().skip(4).step_by(5).copied().collect() };
    assert_eq!(column(&trained.gradient), column(&fresh.gradient));
    assert_ne!(trained.gradient, fresh.gradient);
    assert_eq!(trained.delta.positive.len(), 4);
}

#[test]
fn scores_can_do_without_the_background_column() {
    let loss = EqlV2::new(EqlV2Config { score_with_background: false, ..EqlV2Config::default() });
    let row = [-1.0, 0.0, 2.0, 3.0];
    assert_eq!(loss.scores_f64(&row), row[..3].iter().map(|z| sigmoid(*z)).collect::<Vec<_>>());
    let with = EqlV2::default().scores_f64(&row);
    assert_close(
        "score",
        &with,
        &loss.scores_f64(&row).iter().map(|s| s * (1.0 - sigmoid(3.0))).collect::<Vec<_>>(),
        1e-15,
    );
}

#[test]
fn an_ignored_row_may_have_any_other_label_beside_it() {
    let loss = EqlV2::default();
    let targets = ClassTargets::new(vec![Label::Ignored, Label::Class(1), Label::Background], 2).unwrap();
    let step = loss.step_f64(&[0.0; 9], &targets, &GradientLedger::new(2));
    assert_eq!(step.gradient[..3], [0.0; 3]);
    assert_close("value", &[step.value], &[3.0 * std::f64::consts::LN_2], 1e-15);
    assert_eq!((step.delta.positive, step.delta.negative), (vec![0.0, 0.5], vec![1.0, 0.5]));
}
