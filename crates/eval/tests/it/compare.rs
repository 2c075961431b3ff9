//! The paired bootstrap: known answers, its seed, and how often its interval holds the truth.

use equipoise_data::Group;
use equipoise_eval::Case;
use equipoise_eval::compare::{compare_on_images, paired_difference};
use equipoise_eval::protocol::{outcomes, protocol};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::synthetic;
use crate::world::{detection, object, perfect, truth};

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

#[test]
fn an_equal_shift_is_certain() {
    let a = some(&[0.25, 0.5, 0.75]);
    let b = some(&[0.375, 0.625, 0.875]);
    let d = paired_difference(&a, &b, 1).unwrap();
    assert_eq!((d.classes, d.mean, d.low, d.high, d.standard_error), (3, 0.125, 0.125, 0.125, 0.0));
    assert!(d.is_clear());
}

#[test]
fn classes_without_a_score_are_left_out() {
    let d = paired_difference(&[Some(0.0), None, Some(0.5)], &[Some(0.25), Some(1.0), None], 1).unwrap();
    assert_eq!((d.classes, d.mean), (1, 0.25));
    assert_eq!(paired_difference(&[None], &[Some(1.0)], 1), None);
    assert_eq!(paired_difference(&[], &[], 1), None);
    assert_eq!(paired_difference(&[Some(f64::NAN)], &[Some(1.0)], 1), None);
}

#[test]
fn the_seed_decides() {
    let (a, b) = (some(&[0.1, 0.4, 0.2, 0.9]), some(&[0.3, 0.3, 0.5, 0.8]));
    assert_eq!(paired_difference(&a, &b, 7), paired_difference(&a, &b, 7));
    assert!(!paired_difference(&a, &b, 7).unwrap().is_clear());
    let (ab, ba) = (paired_difference(&a, &b, 7).unwrap(), paired_difference(&b, &a, 7).unwrap());
    assert!((ab.mean + ba.mean).abs() < 1e-15 && (ab.standard_error - ba.standard_error).abs() < 1e-12);
}

/// Of 200 sets of 30 classes whose true difference is 0.1, the 95 % interval must hold 0.1 in most; 5 sigma below 95 % is 87 %.
#[test]
fn the_interval_holds_the_truth_as_often_as_it_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let held = (0..200)
        .filter(|&seed| {
            let a: Vec<f64> = (0..30).map(|_| rng.random_range(0.0..0.5)).collect();
            let b: Vec<f64> = a.iter().map(|a| a + 0.1 + rng.random_range(-0.2..0.2)).collect();
            let d = paired_difference(&some(&a), &some(&b), seed).unwrap();
            d.low <= 0.1 && 0.1 <= d.high
        })
        .count();
    assert!((174..=200).contains(&held), "{held} of 200");
}

const BOX: [f32; 4] = [10.0, 10.0, 60.0, 60.0];
const FAR: [f32; 4] = [120.0, 120.0, 180.0, 180.0];

#[test]
fn a_run_does_not_differ_from_itself() {
    let world = truth(&[Group::Rare, Group::Frequent], &[&[object(0, BOX)], &[object(1, FAR)], &[object(1, BOX)]]);
    let run = outcomes("lvis", &Case::new(&world, &perfect(&world)).unwrap());
    let compared = compare_on_images(&world, &run, &run, 100, 1);
    for d in compared.groups.iter().filter_map(|(_, d)| *d).chain(compared.classes.into_iter().flatten()) {
        assert_eq!((d.mean, d.low, d.high, d.standard_error), (0.0, 0.0, 0.0, 0.0));
    }
    assert_eq!(compared.groups[2], ("APc", None));
}

#[test]
fn the_difference_is_that_of_the_protocol_and_its_interval_is_seeded() {
    let (train, val) = synthetic::sets(24, None);
    let runs = [0.1, 0.6].map(|tail| synthetic::run("run", "Run", "loss", tail, 4, &train, &val));
    let scored = runs.each_ref().map(|run| {
        let case = Case::new(&val, &run.detections).unwrap();
        (protocol("lvis").unwrap().evaluate(&val, &run.detections).unwrap(), outcomes("lvis", &case))
    });
    let [(metrics_a, a), (metrics_b, b)] = &scored;
    let compared = compare_on_images(&val, a, b, 200, 9);
    assert_eq!(compared, compare_on_images(&val, a, b, 200, 9));
    for (key, difference) in compared.groups {
        let expected = metrics_b.metrics.get(key).zip(metrics_a.metrics.get(key)).map(|(b, a)| b - a);
        let (Some(d), Some(expected)) = (difference, expected) else {
            assert_eq!((difference.is_some(), key), (expected.is_some(), key));
            continue;
        };
        assert!((d.mean - expected).abs() < 1e-12, "{key}: {} is not {expected}", d.mean);
        assert!(d.low <= d.mean && d.mean <= d.high && d.standard_error > 0.0, "{key}: {d:?}");
    }
}

/// One class with one object in each of two pictures; one run finds the first only. A draw is (2, 0), (1, 1) or (0, 2) of the pictures: AP 1, 51/101 or 0.
#[test]
fn draws_by_hand() {
    let world = truth(&[Group::Rare], &[&[object(0, BOX)], &[object(0, BOX)]]);
    let run = |found: &[_]| outcomes("coco", &Case::new(&world, found).unwrap());
    let d = compare_on_images(&world, &run(&[]), &run(&[detection(1, 0, BOX, 0.5)]), 400, 2).classes[0].unwrap();
    assert!((d.mean - 51.0 / 101.0).abs() < 1e-12);
    assert!(d.low == 0.0 && (d.high - 1.0).abs() < 1e-12, "{d:?}");
    // A quarter, a half, a quarter: the deviation is 0.35; 400 draws know it to a twentieth.
    assert!((d.standard_error - 0.353).abs() < 0.03, "{d:?}");
}
