//! The whole detector on pictures without objects, with one, with hundreds, and on nothing but crowds.

use burn::tensor::Device;
use equipoise_detect::weights::host;
use equipoise_detect::weights::weights_of;
use equipoise_detect::{DetectConfig, FasterRcnn, FasterRcnnConfig, TrainOutput, ops};
use equipoise_loss::{ClassLoss, EqlV2, Label};

use crate::scene::{CLASSES, Truth, batch, config, detector};

fn train(truths: Vec<Truth>) -> TrainOutput {
    let device = Device::flex().autodiff();
    let output = detector(&config(), 0, &device).forward_train(&batch([64, 64], truths), &device, 5).unwrap();
    assert_eq!(output.logits.dims(), [output.targets.rows(), EqlV2::default().channels(CLASSES)]);
    for (name, loss) in &output.losses {
        let value = host(&loss.clone().inner())[0];
        assert!(value.is_finite() && value >= 0.0, "{name} is {value}");
    }
    output
}

fn loss(output: &TrainOutput, name: &str) -> f32 {
    let (_, loss) = output.losses.iter().find(|(known, _)| *known == name).unwrap();
    host(&loss.clone().inner())[0]
}

fn foreground(output: &TrainOutput) -> usize {
    output.targets.labels().iter().filter(|label| matches!(label, Label::Class(_))).count()
}

#[test]
fn a_picture_without_objects_trains_background_only() {
    let output = train(vec![Truth::default(), Truth::default()]);
    assert!(output.targets.rows() > 0 && output.targets.labels().iter().all(|label| *label == Label::Background));
    assert_eq!((loss(&output, "rpn_box"), loss(&output, "box")), (0.0, 0.0));
    assert!(loss(&output, "rpn_objectness") > 0.0);
}

#[test]
fn one_object_is_always_among_the_proposals() {
    let output = train(vec![Truth { boxes: vec![[10.0, 12.0, 31.0, 30.0]], classes: vec![2], ..Truth::default() }]);
    assert!(output.targets.labels().contains(&Label::Class(2)));
    assert!(loss(&output, "rpn_box") > 0.0, "an object takes its best anchors");
}

#[test]
fn hundreds_of_objects_keep_the_quota() {
    let output = train(vec![Truth::spread(400), Truth::spread(300)]);
    // Where objects are everywhere, there may be too little background to fill the sample.
    assert!(output.targets.rows() <= 2 * 32);
    assert_eq!(foreground(&output), 2 * 8);
}

#[test]
fn a_picture_that_is_all_crowd_trains_nothing() {
    let all = Truth { crowds: vec![[0.0, 0.0, 64.0, 64.0]], ..Truth::default() };
    let output = train(vec![all]);
    assert_eq!(output.targets.rows(), 0);
    let total = output.losses.iter().fold(output.logits.sum(), |total, (_, loss)| total + loss.clone());
    let _ = total.backward();
}

/// Labels are of class 2, and only class 0 was looked for besides.
#[test]
fn federated_labels_teach_what_was_looked_for() {
    let truth = || Truth {
        boxes: vec![[10.0, 12.0, 31.0, 30.0]],
        classes: vec![2],
        exhaustive: Some(vec![0]),
        ..Truth::default()
    };
    let device = Device::flex().autodiff();
    let train = |federated| {
        let mut config = config();
        config.roi.federated = federated;
        let batch = batch([64, 64], vec![truth(), Truth::default()]);
        detector(&config, 0, &device).forward_train(&batch, &device, 5).unwrap().targets
    };
    assert!(!train(false).has_unjudged());
    let targets = train(true);
    let first = targets.rows() / 2;
    for (row, label) in targets.labels().iter().enumerate() {
        // The second picture has no list: every class was looked for.
        let own = *label == Label::Class(2);
        let expected = if row < first { [true, false, own] } else { [true; 3] };
        assert_eq!([0, 1, 2].map(|class| targets.is_judged(row, class)), expected, "row {row}, {label:?}");
    }
    assert!(targets.labels().contains(&Label::Class(2)));
}

#[test]
fn a_class_that_is_not_there_is_an_error() {
    let truth = Truth { boxes: vec![[10.0, 12.0, 31.0, 30.0]], classes: vec![CLASSES], ..Truth::default() };
    let device = Device::flex().autodiff();
    let error = detector(&config(), 0, &device).forward_train(&batch([64, 64], vec![truth]), &device, 0).err();
    assert!(error.unwrap().to_string().contains("class 3"));
}

#[test]
fn the_seed_decides_which_boxes_train() {
    let device = Device::flex().autodiff();
    let detector = detector(&config(), 0, &device);
    let batch = batch([64, 64], vec![Truth::spread(200)]);
    let logits = |seed| host(&detector.forward_train(&batch, &device, seed).unwrap().logits.inner());
    assert_eq!(logits(1), logits(1));
    assert_ne!(logits(1), logits(2));
}

#[test]
fn the_seed_decides_the_weights() {
    let device = Device::flex();
    let weights = |seed| weights_of(&detector(&config(), seed, &device));
    assert_eq!(weights(1), weights(1));
    assert_ne!(weights(1), weights(2));
}

#[test]
fn detections_keep_every_limit() {
    let device = Device::flex();
    let detector = detector(&config(), 0, &device);
    // The right and lower quarters are padding.
    let batch = batch([48, 48], vec![Truth::default(), Truth::default()]);
    let limits = DetectConfig { score_threshold: 1e-4, nms_iou: 0.5, max_detections: 20, min_side: 0.0 };
    let found = detector.detect(&batch, &device, &EqlV2::default(), &limits);
    assert_eq!(found.len(), 2);
    for found in found {
        assert!(!found.is_empty() && found.len() <= 20);
        assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score), "best first");
        for (at, one) in found.iter().enumerate() {
            assert!(one.score > 1e-4 && one.class < CLASSES);
            assert!(one.bbox.iter().all(|v| (0.0..=48.0).contains(v)), "{:?} leaves the picture", one.bbox);
            for two in found[at + 1..].iter().filter(|two| two.class == one.class) {
                assert!(ops::iou_matrix(&[one.bbox], &[two.bbox])[0] <= 0.5, "the same object found twice");
            }
        }
    }
}

/// Rows without a score above the threshold get no deltas; the others get the same as ever.
#[test]
fn the_threshold_does_not_move_boxes() {
    let device = Device::flex();
    let batch = batch([64, 64], vec![Truth::default(), Truth::default()]);
    for class_specific_boxes in [false, true] {
        let mut config = config();
        config.roi.class_specific_boxes = class_specific_boxes;
        let detector = detector(&config, 0, &device);
        let detect = |score_threshold| {
            let limits = DetectConfig { score_threshold, nms_iou: 0.5, max_detections: 10_000, min_side: 0.0 };
            detector.detect(&batch, &device, &EqlV2::default(), &limits).concat()
        };
        let all = detect(0.0);
        let mut scores: Vec<f32> = all.iter().map(|found| found.score).collect();
        scores.sort_by(f32::total_cmp);
        let threshold = scores[scores.len() - scores.len() / 8];
        let expected: Vec<_> = all.iter().filter(|found| found.score > threshold).collect();
        let some = detect(threshold);
        assert!(!some.is_empty() && some.len() == expected.len(), "{} of {}", some.len(), expected.len());
        for (got, expected) in some.iter().zip(expected) {
            assert_eq!((got.class, got.score), (expected.class, expected.score));
            // Rows of another tile of the product may be summed in another order.
            assert!(got.bbox.iter().zip(expected.bbox).all(|(a, b)| (a - b).abs() < 1e-3), "{got:?} for {expected:?}");
        }
    }
}

#[test]
fn a_high_threshold_or_no_proposals_find_nothing() {
    let device = Device::flex();
    let batch = batch([64, 64], vec![Truth::default(), Truth::default()]);
    let strict = DetectConfig { score_threshold: 0.99, ..DetectConfig::default() };
    assert_eq!(detector(&config(), 0, &device).detect(&batch, &device, &EqlV2::default(), &strict), [vec![], vec![]]);
    let mut silent = config();
    silent.rpn.post_nms_test = 0;
    let found = detector(&silent, 0, &device).detect(&batch, &device, &EqlV2::default(), &DetectConfig::default());
    assert_eq!(found, [vec![], vec![]]);
}

fn refused(change: impl FnOnce(&mut FasterRcnnConfig)) -> String {
    let mut config = config();
    change(&mut config);
    FasterRcnn::new(&config, CLASSES, &EqlV2::default(), 0, &Device::flex()).expect_err("refused").to_string()
}

#[test]
fn a_configuration_that_does_not_fit_names_its_field() {
    assert!(refused(|c| c.backbone = "lite".into()).contains("light"));
    assert!(refused(|c| c.first_stage = 3).contains("first_stage"));
    assert!(refused(|c| c.extra_levels = 1).contains("rpn.anchors.sizes"));
    assert!(refused(|c| c.rpn.anchors.sizes[1].push(64.0)).contains("rpn.anchors"));
    assert!(refused(|c| c.rpn.anchors.ratios.clear()).contains("rpn.anchors"));
}
