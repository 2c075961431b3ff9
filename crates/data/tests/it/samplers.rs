//! Samplers against golden numbers and their promises.

use std::{collections::BTreeMap, fs};

use equipoise_data::{
    RepeatFactor, SAMPLERS, Sampler, SamplerConfig, category_factors, effective_counts, image_factors, sampler,
};

use crate::fixture::dataset;

/// Factors are one division and one square root in f64.
const TOLERANCE: f64 = 1e-12;

#[derive(serde::Deserialize)]
struct Golden {
    threshold: f64,
    image_frequency: Vec<f64>,
    images: Vec<Vec<usize>>,
    category_factors: Vec<f64>,
    image_factors: Vec<f64>,
}

#[test]
fn repeat_factors_equal_the_golden_numbers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/repeat_factor.json");
    let cases: BTreeMap<String, serde_json::Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for name in ["small", "medium"] {
        let golden: Golden = serde_json::from_value(cases[name].clone()).unwrap();
        let factors = category_factors(&golden.image_frequency, golden.threshold);
        let close =
            |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < TOLERANCE);
        assert!(close(&factors, &golden.category_factors), "{name}: {factors:?}");
        let images = image_factors(&factors, golden.images.into_iter());
        assert!(close(&images, &golden.image_factors), "{name}: {images:?}");
    }
}

/// 100 images: class 0 in all but the last ten, class 1 in one, class 2 in none, the last ten without labels.
fn long_tailed() -> equipoise_data::Dataset {
    let mut images: Vec<&[usize]> = vec![&[0, 0]; 89];
    images.push(&[0, 1]);
    images.extend([&[] as &[usize]; 10]);
    dataset(3, &images)
}

#[test]
fn every_sampler_keeps_its_promises() {
    let data = long_tailed();
    let config = SamplerConfig { repeat_threshold: 0.25 };
    for entry in SAMPLERS {
        let sampler = sampler(entry.name, &config).unwrap();
        assert_eq!(sampler.name(), entry.name);
        assert!(!sampler.describe().is_empty() && !entry.summary.is_empty());
        let order = sampler.epoch(&data, 3, 5);
        assert_eq!(order, sampler.epoch(&data, 3, 5), "the same key gives the same order");
        assert_ne!(order, sampler.epoch(&data, 3, 6));
        assert_ne!(order, sampler.epoch(&data, 4, 5));
        assert!((0..100).all(|image| order.contains(&image)), "{} leaves out an image", entry.name);
        assert!(order.iter().all(|&image| image < 100));
        assert!(sampler.epoch(&dataset(1, &[]), 0, 0).is_empty());
        assert!(!order.is_sorted(), "shuffled");
    }
}

#[test]
fn rare_images_repeat_by_their_factor_on_average() {
    let data = long_tailed();
    // f = 0.01, so r = sqrt(0.0625 / 0.01) = 2.5.
    let sampler = RepeatFactor::new(0.0625).unwrap();
    let factors = sampler.factors(&data);
    assert!((factors[89] - 2.5).abs() < TOLERANCE);
    assert!(factors.iter().enumerate().all(|(image, &factor)| image == 89 || factor == 1.0));
    let shown: Vec<_> =
        (0..400).map(|epoch| effective_counts(&data, &sampler.epoch(&data, 1, epoch)).images[1]).collect();
    assert!(shown.iter().all(|n| (2..=3).contains(n)));
    let mean = shown.iter().sum::<u64>() as f64 / 400.0;
    // Four standard deviations of a mean of 400 fair coins.
    assert!((mean - 2.5).abs() < 0.1, "{mean}");
}

#[test]
fn effective_counts_see_what_an_epoch_shows() {
    let counts = effective_counts(&long_tailed(), &[0, 89, 89, 95, 1000]);
    assert_eq!((counts.images, counts.instances), (vec![3, 2, 0], vec![4, 2, 0]));
}

#[test]
fn a_threshold_of_zero_repeats_nothing() {
    let data = long_tailed();
    assert_eq!(RepeatFactor::new(0.0).unwrap().epoch(&data, 0, 0).len(), 100);
}

#[test]
fn names_and_thresholds_are_checked() {
    let error = sampler("repeat", &SamplerConfig::default()).err().unwrap().to_string();
    assert_eq!(error, "option `sampler` is `repeat`: expected one of uniform, repeat-factor");
    for threshold in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
        assert!(RepeatFactor::new(threshold).is_err());
    }
}
