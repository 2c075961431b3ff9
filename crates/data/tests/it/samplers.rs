//! Samplers against golden numbers and their promises.

use std::{collections::BTreeMap, fs};

use equipoise_data::{
    ClassAware, Counts, InstanceAwareRepeatFactor, RepeatFactor, Rounding, SAMPLERS, Sampler, SamplerConfig,
    SquareRoot, category_factors, class_chances, effective_counts, image_factors, mean_frequencies, sampler,
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
    let config = SamplerConfig { repeat_threshold: 0.25, ..Default::default() };
    for entry in SAMPLERS {
        let sampler = sampler(entry.name, &config).unwrap();
        assert_eq!(sampler.name(), entry.name);
        assert!(!sampler.describe().is_empty() && !entry.summary.is_empty());
        let order = sampler.epoch(&data, 3, 5);
        assert_eq!(order, sampler.epoch(&data, 3, 5), "the same key gives the same order");
        assert_ne!(order, sampler.epoch(&data, 3, 6));
        assert_ne!(order, sampler.epoch(&data, 4, 5));
        if ["class-aware", "square-root"].contains(&entry.name) {
            assert_eq!(order.len(), 100, "{} draws as many images as there are", entry.name);
            assert!(order.iter().all(|&image| image < 90), "{} draws an image without labels", entry.name);
        } else {
            assert!((0..100).all(|image| order.contains(&image)), "{} leaves out an image", entry.name);
        }
        assert!(order.iter().all(|&image| image < 100));
        assert!(sampler.epoch(&dataset(1, &[]), 0, 0).is_empty() && sampler.epoch(&dataset(0, &[]), 0, 0).is_empty());
        let unlabelled = sampler.epoch(&dataset(2, &[&[], &[], &[]]), 0, 0);
        assert!(unlabelled.len() == 3 && (0..3).all(|image| unlabelled.contains(&image)), "{}", entry.name);
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
    assert_eq!(
        error,
        "option `sampler` is `repeat`: expected one of uniform, repeat-factor, \
         instance-aware-repeat-factor, class-aware, square-root"
    );
    for threshold in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
        assert!(RepeatFactor::new(threshold).is_err());
        assert!(InstanceAwareRepeatFactor::new(threshold, Rounding::Ceil).is_err());
    }
}

#[test]
fn options_are_read_and_unknown_ones_refused() {
    let config: SamplerConfig = serde_json::from_str(r#"{"rounding": "ceil"}"#).unwrap();
    assert_eq!(config, SamplerConfig { repeat_threshold: 1e-3, rounding: Rounding::Ceil });
    let written = serde_json::to_string(&SamplerConfig::default()).unwrap();
    assert_eq!(written, r#"{"repeat_threshold":0.001,"rounding":"stochastic"}"#);
    for wrong in [r#"{"rounding": "floor"}"#, r#"{"roundings": "ceil"}"#, r#"{"threshold": 0.1}"#] {
        assert!(serde_json::from_str::<SamplerConfig>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn ceil_rounds_up_and_is_the_same_in_every_epoch() {
    let data = long_tailed();
    // As above 2.5 for image 89, 1 for all others.
    let sampler = RepeatFactor::new(0.0625).unwrap().rounded(Rounding::Ceil);
    let repeats = sampler.repeats(&data, 1, 0);
    assert_eq!((repeats[89], repeats.iter().sum::<usize>()), (3, 102));
    assert_eq!(repeats, sampler.repeats(&data, 2, 9));
    assert!(sampler.describe().ends_with("t = 0.0625, ceil rounding"));
    assert_eq!(Rounding::Ceil.showings(&[1.0, 1.01, 2.0, 2.99], 0, 0), [1, 2, 2, 3]);
}

#[test]
fn instance_aware_factors_by_hand() {
    // Class 0: 4 of 4 images, 4 of 16 objects: f = sqrt(1 * 0.25) = 0.5. Class 1: 1 of 4 images, 12 of 16 objects:
    // sqrt(0.25 * 0.75). Class 2: nothing.
    let many = [vec![0], vec![1; 12]].concat();
    let data = dataset(3, &[&[0], &many, &[0], &[0]]);
    let frequencies = mean_frequencies(&Counts::of(&data), 4);
    let expected = [0.5, 0.1875_f64.sqrt(), 0.0];
    assert!(frequencies.iter().zip(expected).all(|(a, b)| (a - b).abs() < TOLERANCE), "{frequencies:?}");
    // t = 0.72: r_0 = sqrt(0.72 / 0.5) = 1.2, r_1 = sqrt(0.72 / 0.4330127) = 1.2894839; plain factors: 1 and sqrt(0.72 / 0.25).
    let factors = InstanceAwareRepeatFactor::new(0.72, Rounding::Stochastic).unwrap().factors(&data);
    assert!((factors[0] - 1.2).abs() < TOLERANCE && (factors[1] - 1.289_483_9).abs() < 1e-6, "{factors:?}");
    let plain = RepeatFactor::new(0.72).unwrap().factors(&data);
    assert!(plain[0] == 1.0 && (plain[1] - 1.697_056_3).abs() < 1e-6, "{plain:?}");
}

#[test]
fn chances_of_classes_by_hand() {
    assert_eq!(class_chances(&[100, 0, 1, 9], 0.0), [1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0]);
    assert_eq!(class_chances(&[100, 0, 1, 9], 0.5), [10.0 / 14.0, 0.0, 1.0 / 14.0, 3.0 / 14.0]);
    assert_eq!(class_chances(&[0, 0], 0.5), [0.0, 0.0]);
    assert!(class_chances(&[], 0.0).is_empty());
}

#[test]
fn classes_are_drawn_by_their_chances() {
    // 81 images with class 0, 9 with class 1, 1 with class 3; class 2 has none, nine images have no label.
    let mut images: Vec<&[usize]> = vec![&[0]; 81];
    images.extend([&[1_usize] as &[usize]; 9]);
    images.push(&[3, 3]);
    images.extend([&[] as &[usize]; 9]);
    let data = dataset(4, &images);
    let samplers: [(&dyn Sampler, [f64; 4]); 2] = [
        (&ClassAware, [1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0]),
        (&SquareRoot, [9.0 / 13.0, 3.0 / 13.0, 0.0, 1.0 / 13.0]),
    ];
    for (sampler, chances) in samplers {
        let mut shown = [0; 4];
        for epoch in 0..200 {
            let counts = effective_counts(&data, &sampler.epoch(&data, 7, epoch)).images;
            shown.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
        assert_eq!((shown.iter().sum::<u64>(), shown[2]), (20_000, 0));
        for (shown, chance) in shown.iter().zip(chances) {
            // Four standard deviations of a share of 20000 draws are at most 0.0142.
            assert!((*shown as f64 / 20_000.0 - chance).abs() < 0.0142, "{}: {shown}, {chance}", sampler.name());
        }
    }
}

#[test]
fn a_sampler_says_when_it_changes_nothing() {
    let data = long_tailed();
    let nothing = |sampler: &dyn Sampler, data| sampler.changes_nothing(data);
    // The rarest class is in 0.01 of the images.
    let why = nothing(&RepeatFactor::new(0.01).unwrap(), &data).unwrap();
    assert!(why.contains("`class 1`, has a frequency of 1.000e-2, not below t = 0.01"), "{why}");
    assert_eq!(nothing(&RepeatFactor::new(0.011).unwrap(), &data), None);
    // Its share of the 180 objects is smaller, so the mean is sqrt(0.01 / 180) = 0.00745.
    let aware = |t| InstanceAwareRepeatFactor::new(t, Rounding::Ceil).unwrap();
    assert!(nothing(&aware(0.007), &data).is_some() && nothing(&aware(0.008), &data).is_none());
    for entry in SAMPLERS {
        let sampler = sampler(entry.name, &SamplerConfig { repeat_threshold: 0.5, ..Default::default() }).unwrap();
        assert_eq!(sampler.changes_nothing(&data), None, "{}", entry.name);
        let unlabelled = sampler.changes_nothing(&dataset(2, &[&[], &[]]));
        assert_eq!(unlabelled.is_some(), entry.name != "uniform", "{}", entry.name);
    }
}
