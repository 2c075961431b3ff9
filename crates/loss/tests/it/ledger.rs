//! The ledger: what it accepts, how it adds, and that a saved one is the same to the last bit.

use equipoise_loss::{ClassLoss, EqlV2, GradientLedger, LedgerDelta, LossError, RATIO_EPSILON, START_RATIO};
use proptest::prelude::*;

use crate::batch::{Batch, Extras};

fn delta(positive: Vec<f64>, negative: Vec<f64>) -> LedgerDelta {
    LedgerDelta { instances: vec![1.0; positive.len()], positive, negative, rows: 4, memory: None }
}

#[test]
fn an_empty_ledger_starts_at_the_start_ratio() {
    let ledger = GradientLedger::new(3);
    assert_eq!(ledger.ratios(), [START_RATIO; 3]);
    assert_eq!((ledger.num_classes(), ledger.steps()), (3, 0));
    assert_eq!(
        (ledger.positive(), ledger.negative(), ledger.instances()),
        (&[0.0; 3][..], &[0.0; 3][..], &[0.0; 3][..])
    );
}

#[test]
fn ratios_are_positive_over_negative() {
    let mut ledger = GradientLedger::new(4);
    ledger.commit(&delta(vec![1.0, 0.0, 2.0, 0.0], vec![4.0, 3.0, 0.0, 0.0])).unwrap();
    assert_eq!(ledger.ratios(), [1.0 / (4.0 + RATIO_EPSILON), 0.0, 2.0 / RATIO_EPSILON, START_RATIO]);
    ledger.commit(&delta(vec![1.0; 4], vec![0.0; 4])).unwrap();
    assert_eq!(ledger.positive(), [2.0, 1.0, 3.0, 1.0]);
    assert_eq!(ledger.instances(), [2.0; 4]);
    assert_eq!(ledger.steps(), 2);
}

#[test]
fn a_delta_without_rows_is_no_step() {
    let mut ledger = GradientLedger::new(2);
    ledger.commit(&LedgerDelta::zeros(2)).unwrap();
    assert_eq!(ledger, GradientLedger::new(2));
}

#[test]
fn a_bad_delta_is_refused_and_changes_nothing() {
    let mut ledger = GradientLedger::from_sums(vec![1.0, 2.0], vec![3.0, 4.0], vec![1.0, 1.0], 5).unwrap();
    let before = ledger.clone();
    let error = ledger.commit(&LedgerDelta::zeros(3)).unwrap_err();
    assert!(matches!(error, LossError::LedgerClasses { ledger: 2, targets: 3 }), "{error}");
    let mut short = delta(vec![1.0, 1.0], vec![1.0]);
    short.instances = vec![0.0; 2];
    for (bad, field) in [
        (delta(vec![1.0, f64::NAN], vec![1.0, 1.0]), "`positive`"),
        (delta(vec![1.0, 1.0], vec![f64::INFINITY, 1.0]), "`negative`"),
        (delta(vec![1.0, 1.0], vec![1.0, -1e-9]), "`negative`"),
        (short, "`negative`"),
    ] {
        let error = ledger.commit(&bad).unwrap_err();
        assert!(matches!(error, LossError::LedgerSums { .. }) && error.to_string().contains(field), "{error}");
        assert_eq!(ledger, before);
    }
}

#[test]
fn sums_that_cannot_be_are_refused() {
    let check = |positive: &[f64], negative: &[f64], instances: &[f64], text: &str| {
        let error = GradientLedger::from_sums(positive.to_vec(), negative.to_vec(), instances.to_vec(), 1).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    };
    check(&[f64::NAN, 1.0], &[1.0, 1.0], &[0.0, 0.0], "got NaN for class 0");
    check(&[1.0, 1.0], &[1.0, f64::INFINITY], &[0.0, 0.0], "got inf for class 1");
    check(&[1.0, 1.0], &[1.0, 1.0], &[0.0, -1.0], "`instances`");
    check(&[1.0, 1.0], &[1.0], &[0.0, 0.0], "expected 2 sums, one for each class, got 1 sums");
    check(&[1.0], &[1.0], &[], "`instances`");
    assert_eq!(GradientLedger::from_sums(vec![], vec![], vec![], 0).unwrap(), GradientLedger::new(0));
}

#[test]
fn a_file_is_checked_like_any_other_sums() {
    for (json, text) in [
        (r#"{"positive":[1,2],"negative":[1],"instances":[0,0],"steps":1}"#, "`negative`"),
        (r#"{"positive":[-1],"negative":[1],"instances":[0],"steps":1}"#, "got -1 for class 0"),
        (r#"{"positive":[null],"negative":[1],"instances":[0],"steps":1}"#, "null"),
        (r#"{"positive":[1],"negative":[1],"instances":[0]}"#, "steps"),
        (r#"{"positive":[1],"negative":[1],"instances":[0],"steps":1,"decay":1}"#, "decay"),
        (r#"{"positive":[1],"negative":[1],"instances":[0],"steps":-1}"#, "-1"),
        (r#"{"positive":[1],"negative":[1],"inst"#, "EOF"),
    ] {
        let error = serde_json::from_str::<GradientLedger>(json).unwrap_err();
        assert!(error.to_string().contains(text), "{json}: {error}");
    }
}

#[test]
fn deltas_add_up() {
    let mut sum = LedgerDelta::zeros(2);
    sum += &delta(vec![1.0, 2.0], vec![3.0, 4.0]);
    sum += &delta(vec![0.5, 0.5], vec![0.25, 0.25]);
    assert_eq!(sum.positive, [1.5, 2.5]);
    assert_eq!(sum.negative, [3.25, 4.25]);
    assert_eq!((sum.instances, sum.rows), (vec![2.0, 2.0], 8));
}

proptest! {
    #[test]
    fn a_saved_ledger_is_the_same_to_the_last_bit(
        sums in prop::collection::vec(
            (prop::num::f64::POSITIVE | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO).prop_map(f64::abs), 3..60),
        steps in any::<u64>(),
    ) {
        let third = sums.len() / 3;
        let part = |index: usize| sums[index * third..(index + 1) * third].to_vec();
        let ledger = GradientLedger::from_sums(part(0), part(1), part(2), steps).unwrap();
        let json = serde_json::to_string(&ledger).unwrap();
        let read: GradientLedger = serde_json::from_str(&json).unwrap();
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(read.positive()), bits(ledger.positive()));
        prop_assert_eq!(bits(read.negative()), bits(ledger.negative()));
        prop_assert_eq!(bits(read.instances()), bits(ledger.instances()));
        prop_assert_eq!(read.steps(), steps);
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }

    /// Save, load, step is step.
    #[test]
    fn a_resumed_training_takes_the_same_step(seed in 0u64..200) {
        let loss = EqlV2::default();
        let batch = Batch::random(seed, 12, 5, 6, Extras::default());
        let read: GradientLedger = serde_json::from_str(&serde_json::to_string(&batch.ledger).unwrap()).unwrap();
        let run = |ledger: &GradientLedger| {
            let mut ledger = ledger.clone();
            for _ in 0..3 {
                let step = loss.step_f64(&batch.logits, &batch.targets(), &ledger);
                ledger.commit(&step.delta).unwrap();
            }
            ledger
        };
        prop_assert_eq!(run(&read), run(&batch.ledger));
    }
}
