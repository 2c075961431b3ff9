//! The protocols: cases worked out by hand, agreement with the scalar witness, and input that must be refused.

use equipoise_data::{CategoryId, Group, ImageId};
use equipoise_eval::protocol::{PROTOCOLS, Protocol, protocol};
use equipoise_eval::{Detection, EvalError};
use proptest::prelude::*;

use crate::scalar::{Rule, ap, ap_over_ious};
use crate::world::{crowd, detection, object, perfect, truth};

/// The engine interpolates in f64 with an epsilon of 2e-16 in its precisions.
const SAME: f64 = 1e-9;

const BOX: [f32; 4] = [10.0, 10.0, 60.0, 60.0];
const FAR: [f32; 4] = [120.0, 120.0, 180.0, 180.0];
const GROUPS: [Group; 3] = [Group::Rare, Group::Common, Group::Frequent];

fn near(value: Option<f64>, expected: f64) {
    let value = value.expect("the metric is defined");
    assert!((value - expected).abs() < SAME, "{value} is not {expected}");
}

/// The protocols that read precision at 101 recalls and average over IoU 0.50 to 0.95; Open Images has its own tests.
fn interpolating() -> impl Iterator<Item = &'static dyn Protocol> {
    ["lvis", "coco"].into_iter().map(|name| protocol(name).unwrap())
}

#[test]
fn names_are_unique_and_found() {
    for entry in PROTOCOLS {
        assert_eq!(protocol(entry.name()).unwrap().title(), entry.title());
        assert_eq!(PROTOCOLS.iter().filter(|p| p.name() == entry.name()).count(), 1);
    }
    let Err(error) = protocol("voc") else { panic!("there is no voc") };
    assert_eq!(error.to_string(), "no protocol is called `voc`; there are: lvis, coco, openimages");
}

#[test]
fn perfect_detections_score_one_everywhere() {
    let truth = truth(&GROUPS, &[&[object(0, BOX), object(1, FAR)], &[object(2, BOX), object(2, FAR)]]);
    for p in interpolating() {
        let evaluation = p.evaluate(&truth, &perfect(&truth)).unwrap();
        for key in ["AP", "AP50", "AP75", "APm", "APr", "APc", "APf", "AR", "AP50r", "AP50c", "AP50f"] {
            near(evaluation.metrics.get(key), 1.0);
        }
        assert_eq!(evaluation.metrics.get("APl"), None, "no object is large");
        evaluation.classes.iter().for_each(|c| {
            near(c.ap, 1.0);
            near(c.ar, 1.0);
        });
        assert_eq!((evaluation.classes[2].objects, evaluation.classes[2].images), (2, 1));
    }
}

#[test]
fn no_detections_score_zero() {
    let truth = truth(&GROUPS, &[&[object(0, BOX), object(1, FAR), object(2, BOX)]]);
    for p in interpolating() {
        let evaluation = p.evaluate(&truth, &[]).unwrap();
        for key in ["AP", "AP50", "APr", "APc", "APf", "AR", "AP50r"] {
            assert_eq!(evaluation.metrics.get(key), Some(0.0), "{key} of {}", p.name());
        }
    }
}

#[test]
fn without_truth_nothing_is_defined() {
    let empty = truth(&GROUPS, &[&[]]);
    let nothing = truth(&[], &[]);
    for p in PROTOCOLS {
        let evaluation = p.evaluate(&empty, &[detection(1, 0, BOX, 0.9)]).unwrap();
        assert!(evaluation.metrics.iter().all(|(_, value)| value.is_none()), "{:?}", evaluation.metrics);
        assert_eq!(evaluation.classes.len(), 3);
        assert_eq!((evaluation.classes[0].ap, evaluation.classes[0].detections), (None, 1));
        let evaluation = p.evaluate(&nothing, &[]).unwrap();
        assert!(evaluation.classes.is_empty() && evaluation.metrics.get("AP").is_none());
    }
}

#[test]
fn a_class_without_validation_objects_is_left_out_of_the_means() {
    let truth = truth(&GROUPS, &[&[object(2, BOX)]]);
    for p in interpolating() {
        let evaluation = p.evaluate(&truth, &perfect(&truth)).unwrap();
        near(evaluation.metrics.get("AP"), 1.0);
        near(evaluation.metrics.get("APf"), 1.0);
        assert_eq!((evaluation.metrics.get("APr"), evaluation.classes[0].ap), (None, None));
    }
}

#[test]
fn one_miss_in_front_of_a_hit_halves_the_precision() {
    let truth = truth(&[Group::Rare], &[&[object(0, BOX)]]);
    let found = [detection(1, 0, FAR, 0.9), detection(1, 0, BOX, 0.8)];
    for p in interpolating() {
        near(p.evaluate(&truth, &found).unwrap().metrics.get("AP"), 0.5);
    }
}

#[test]
fn half_of_the_objects_give_51_of_101_recall_points() {
    let truth = truth(&[Group::Common], &[&[object(0, BOX), object(0, FAR)]]);
    let found = [detection(1, 0, BOX, 0.9)];
    for p in interpolating() {
        let evaluation = p.evaluate(&truth, &found).unwrap();
        near(evaluation.metrics.get("APc"), 51.0 / 101.0);
        near(evaluation.metrics.get("AR"), 0.5);
    }
}

#[test]
fn a_loose_box_counts_up_to_its_overlap() {
    // 50 × 50 against 50 × 40: an overlap of 0.8 passes 0.50, 0.55 … 0.80, seven of ten thresholds.
    let truth = truth(&[Group::Rare], &[&[object(0, BOX)]]);
    let found = [detection(1, 0, [10.0, 10.0, 60.0, 50.0], 0.9)];
    for p in interpolating() {
        let evaluation = p.evaluate(&truth, &found).unwrap();
        near(evaluation.metrics.get("AP"), 0.7);
        near(evaluation.metrics.get("AP50r"), 1.0);
        near(evaluation.metrics.get("AP75"), 1.0);
    }
}

#[test]
fn a_detection_in_a_crowd_counts_neither_way() {
    let truth = truth(&[Group::Rare], &[&[object(0, BOX), crowd(0, FAR)]]);
    let found =
        [detection(1, 0, [130.0, 130.0, 150.0, 150.0], 0.95), detection(1, 0, FAR, 0.94), detection(1, 0, BOX, 0.9)];
    for p in interpolating() {
        let evaluation = p.evaluate(&truth, &found).unwrap();
        near(evaluation.metrics.get("AP"), 1.0);
        assert_eq!(evaluation.classes[0].objects, 1);
    }
}

#[test]
fn federated_truth_judges_only_what_was_looked_for() {
    let groups = [Group::Rare];
    let mut truth = truth(&groups, &[&[object(0, BOX)], &[], &[], &[object(0, BOX)]]);
    truth.federated = true;
    truth.images[2].negative = vec![0];
    truth.images[3].not_exhaustive = vec![0];
    let lvis = protocol("lvis").unwrap();
    let found = |extra: Detection| {
        let mut all = perfect(&truth);
        all.push(extra);
        lvis.evaluate(&truth, &all).unwrap().metrics.get("AP")
    };
    near(found(detection(2, 0, BOX, 0.99)), 1.0);
    near(found(detection(4, 0, FAR, 0.99)), 1.0);
    near(found(detection(3, 0, BOX, 0.99)), 2.0 / 3.0);
    near(protocol("coco").unwrap().evaluate(&truth, &[detection(2, 0, BOX, 0.99)]).unwrap().metrics.get("AP"), 0.0);
}

#[test]
fn groups_come_from_the_caller() {
    let images: [&[_]; 1] = [&[object(0, BOX), object(1, FAR)]];
    let found = [detection(1, 0, BOX, 0.9)];
    for p in interpolating() {
        let evaluation = p.evaluate(&truth(&[Group::Rare, Group::Frequent], &images), &found).unwrap();
        near(evaluation.metrics.get("APr"), 1.0);
        near(evaluation.metrics.get("APf"), 0.0);
        let swapped = p.evaluate(&truth(&[Group::Frequent, Group::Rare], &images), &found).unwrap();
        near(swapped.metrics.get("APr"), 0.0);
        near(swapped.metrics.get("APf"), 1.0);
    }
}

#[test]
fn lvis_keeps_the_300_best_of_a_picture() {
    let truth = truth(&[Group::Rare, Group::Frequent], &[&[object(0, BOX), object(1, FAR)]]);
    let mut found: Vec<Detection> = (0..300).map(|i| detection(1, 1, FAR, 0.9 - 0.001 * i as f32)).collect();
    found.push(detection(1, 0, BOX, 0.1));
    let of = |name: &str| protocol(name).unwrap().evaluate(&truth, &found).unwrap().classes[0].ap;
    assert_eq!(of("lvis"), Some(0.0));
    near(of("coco"), 1.0);
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let truth = truth(&[Group::Rare], &[&[object(0, BOX)]]);
    let good = detection(1, 0, BOX, 0.9);
    for p in PROTOCOLS {
        let error = |d: Detection| p.evaluate(&truth, &[good.clone(), d]).unwrap_err();
        let nan = error(Detection { score: f32::NAN, ..good.clone() });
        assert!(matches!(nan, EvalError::Detection { index: 1, image: 1, .. }), "{nan}");
        let infinite = error(Detection { bbox: [0.0, 0.0, f32::INFINITY, 1.0], ..good.clone() });
        assert!(infinite.to_string().contains("not finite"), "{infinite}");
        let inside_out = error(Detection { bbox: [9.0, 0.0, 1.0, 1.0], ..good.clone() });
        assert!(inside_out.to_string().contains("x2 < x1"), "{inside_out}");
        assert!(matches!(
            error(Detection { image: ImageId(7), ..good.clone() }),
            EvalError::UnknownImage { image: 7, .. }
        ));
        let other = error(Detection { category: CategoryId(0), ..good.clone() });
        assert!(matches!(other, EvalError::UnknownCategory { category: 0, index: 1, .. }));
    }
}

type Row = (usize, usize, (u8, u8, u8, u8), bool, u16);

fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(
        (0..3_usize, 0..3_usize, (0..6_u8, 0..6_u8, 1..5_u8, 1..5_u8), prop::bool::weighted(0.1), 0..1000_u16),
        0..most,
    )
}

fn corners((x, y, w, h): (u8, u8, u8, u8)) -> [f32; 4] {
    [x, y, x + w, y + h].map(|v| f32::from(v) * 16.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The engine and the scalar loops agree on every class, whatever is labelled, crowded, negative or not exhaustive.
    #[test]
    fn the_engine_agrees_with_the_scalar_witness(
        labels in rows(12), found in rows(24), lists in prop::collection::vec((0..3_usize, 0..3_usize, any::<bool>()), 0..5), federated: bool,
    ) {
        let mut world = truth(&GROUPS, &[&[], &[], &[]]);
        world.federated = federated;
        for (image, class, shape, is_crowd, _) in labels {
            let bbox = corners(shape);
            world.images[image].objects.push(if is_crowd { crowd(class, bbox) } else { object(class, bbox) });
        }
        for (image, class, exhaustive) in lists.into_iter().filter(|_| federated) {
            let record = &mut world.images[image];
            let labelled = record.objects.iter().any(|o| o.class == class);
            if labelled && !exhaustive { record.not_exhaustive.push(class) } else if !labelled { record.negative.push(class) }
        }
        // Distinct scores: the order of ties is the engine's own business.
        let found: Vec<Detection> = found.iter().enumerate()
            .map(|(at, (image, class, shape, _, score))| detection(*image as u64 + 1, *class, corners(*shape), (f32::from(*score) + at as f32 / 64.0) / 1000.0))
            .collect();
        for (name, rule) in [("lvis", Rule::Lvis), ("coco", Rule::Coco)] {
            if rule == Rule::Coco { world.images.iter_mut().for_each(|i| i.not_exhaustive.clear()); }
            let evaluation = protocol(name).unwrap().evaluate(&world, &found).unwrap();
            for result in &evaluation.classes {
                for (ours, theirs) in [
                    (ap_over_ious(rule, &world, &found, result.class), result.ap),
                    (ap(rule, &world, &found, result.class, 0.5), result.ap50),
                ] {
                    prop_assert_eq!(ours.is_some(), theirs.is_some());
                    if let (Some(ours), Some(theirs)) = (ours, theirs) {
                        prop_assert!((ours - theirs).abs() < 1e-6, "{} {:?}: {} by hand, {} by the engine", name, result.class, ours, theirs);
                    }
                }
            }
            let defined: Vec<f64> = evaluation.classes.iter().filter_map(|c| c.ap).collect();
            let mean = (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64);
            prop_assert_eq!(mean.is_some(), evaluation.metrics.get("AP").is_some());
            if let (Some(mean), Some(ap)) = (mean, evaluation.metrics.get("AP")) {
                prop_assert!((mean - ap).abs() < 1e-9);
            }
        }
    }
}
