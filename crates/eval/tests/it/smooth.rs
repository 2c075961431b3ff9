//! The filter of Figure 1 against golden numbers, and its properties.

use equipoise_eval::smooth::{gaussian, sigma_for};
use proptest::prelude::*;
use serde::Deserialize;

/// Sums of at most 41 products of numbers near 1 in f64.
const GOLDEN: f64 = 1e-12;

#[derive(Deserialize)]
struct Case {
    sigma: f64,
    input: Vec<f64>,
    output: Vec<f64>,
}

#[test]
fn golden_numbers() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../fixtures/smoothing.json")).unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let ours = gaussian(&case.input, case.sigma);
        assert_eq!(ours.len(), case.output.len());
        for (ours, golden) in ours.iter().zip(&case.output) {
            assert!((ours - golden).abs() < GOLDEN, "sigma {}: {ours} is not {golden}", case.sigma);
        }
    }
}

#[test]
fn sigma_scales_with_the_classes_and_is_five_on_lvis() {
    assert_eq!(sigma_for(1203), 5.0);
    assert_eq!(sigma_for(60), 1.0);
    assert_eq!(sigma_for(0), 1.0);
    assert!((sigma_for(500) - 2.078).abs() < 1e-3);
}

#[test]
fn nothing_and_one_value_are_fine() {
    assert!(gaussian(&[], 5.0).is_empty());
    assert!((gaussian(&[0.7], 5.0)[0] - 0.7).abs() < 1e-15);
    assert_eq!(gaussian(&[1.0, 2.0], 0.0), [1.0, 2.0]);
    assert_eq!(gaussian(&[1.0, 2.0], f64::NAN), [1.0, 2.0]);
}

proptest! {
    /// Smoothing keeps the mean (mirrored ends lose nothing) and stays within the values.
    #[test]
    fn mean_and_range_are_kept(values in prop::collection::vec(0.0_f64..2.0, 1..80), sigma in 0.3_f64..8.0) {
        let smooth = gaussian(&values, sigma);
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        prop_assert!((mean(&smooth) - mean(&values)).abs() < 1e-9);
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        prop_assert!(smooth.iter().all(|v| *v >= low - 1e-12 && *v <= high + 1e-12));
    }
}
