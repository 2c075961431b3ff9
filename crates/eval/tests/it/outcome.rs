//! Outcomes of single detections against the engine, AP-Fixed and AP-Pool by hand and by loops, and what must not change a score.

use equipoise_data::{Dataset, Group};
use equipoise_eval::Detection;
use equipoise_eval::case::Case;
use equipoise_eval::protocol::{Evaluation, Limit, Options, Rules, outcomes, protocol};
use proptest::prelude::*;

use crate::scalar::{Rule, pooled_ap, pooled_ap_over_ious};
use crate::world::{crowd, detection, object, truth};

/// Two sums of the same ten numbers in another order.
const SAME: f64 = 1e-12;
const BOX: [f32; 4] = [10.0, 10.0, 60.0, 60.0];
const FAR: [f32; 4] = [120.0, 120.0, 180.0, 180.0];
const GROUPS: [Group; 3] = [Group::Rare, Group::Common, Group::Frequent];

fn near(value: Option<f64>, expected: f64) {
    let value = value.expect("the metric is defined");
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

fn with(name: &str, truth: &Dataset, found: &[Detection], options: &Options) -> Evaluation {
    protocol(name).unwrap().score(&Case::new(truth, found).unwrap(), options).unwrap()
}

fn fixed(most: usize) -> Options {
    Options { fixed: Some(most), pool: true, ..Options::default() }
}

#[test]
fn ap_fixed_caps_a_class_and_not_a_picture() {
    let world = truth(&[Group::Rare, Group::Frequent], &[&[object(0, BOX), object(1, FAR)]]);
    // 300 better detections of another class push the right one out of LVIS's cap.
    let mut found: Vec<Detection> = (0..300).map(|i| detection(1, 1, FAR, 0.9 - 0.001 * i as f32)).collect();
    found.push(detection(1, 0, BOX, 0.1));
    for name in ["lvis", "coco"] {
        let evaluation = with(name, &world, &found, &fixed(10_000));
        near(evaluation.metrics.get("APr_fixed"), 1.0);
        near(evaluation.metrics.get("AP50r_fixed"), 1.0);
        near(evaluation.metrics.get("APr"), if name == "lvis" { 0.0 } else { 1.0 });
    }
    // The cap is on the whole set: with one detection a class, the second picture's is the better one.
    let world = truth(&[Group::Rare], &[&[object(0, BOX)], &[object(0, BOX)]]);
    let found = [detection(1, 0, BOX, 0.8), detection(2, 0, BOX, 0.9)];
    near(with("lvis", &world, &found, &fixed(1)).metrics.get("AP_fixed"), 51.0 / 101.0);
    near(with("lvis", &world, &found, &fixed(2)).metrics.get("AP_fixed"), 1.0);
}

#[test]
fn ap_fixed_lets_more_than_three_hundred_of_a_picture_count() {
    let world = truth(&[Group::Rare], &[&[object(0, BOX)]]);
    let mut found: Vec<Detection> = (0..400).map(|i| detection(1, 0, FAR, 0.9 - 0.001 * i as f32)).collect();
    found.push(detection(1, 0, BOX, 0.1));
    for name in ["lvis", "coco"] {
        let evaluation = with(name, &world, &found, &fixed(10_000));
        near(evaluation.metrics.get("AP_fixed"), 1.0 / 401.0);
        near(evaluation.metrics.get("AR_fixed"), 1.0);
        assert_eq!(evaluation.metrics.get("AP"), Some(0.0));
    }
}

#[test]
fn ap_pool_asks_whether_scores_compare_between_classes() {
    let world = truth(&[Group::Rare, Group::Frequent], &[&[object(0, BOX), object(1, FAR)]]);
    // Each class is perfect by itself; together the frequent class's mistakes come before the rare class's hit.
    let found = [detection(1, 1, FAR, 0.9), detection(1, 1, [70.0, 10.0, 90.0, 30.0], 0.5), detection(1, 0, BOX, 0.2)];
    for name in ["lvis", "coco"] {
        let evaluation = with(name, &world, &found, &Options { pool: true, ..Options::default() });
        near(evaluation.metrics.get("AP"), 1.0);
        // Right, wrong, right: 51 points at precision 1, 50 at 2/3.
        near(evaluation.metrics.get("AP_pool"), (51.0 + 50.0 * 2.0 / 3.0) / 101.0);
        near(evaluation.metrics.get("APr_pool"), 1.0);
        assert_eq!(evaluation.metrics.get("APc_pool"), None);
    }
}

/// lvis-api loads neither objects nor detections without area; pycocotools does.
#[test]
fn what_has_no_area_is_not_there_for_lvis() {
    let world = truth(&[Group::Rare], &[&[object(0, BOX), object(0, [90.0, 90.0, 90.0, 99.0])]]);
    let found = [detection(1, 0, [70.0, 70.0, 70.0, 90.0], 0.95), detection(1, 0, BOX, 0.9)];
    near(with("lvis", &world, &found, &Options::default()).metrics.get("AP"), 1.0);
    // Wrong, right of two objects.
    near(with("coco", &world, &found, &Options::default()).metrics.get("AP"), 0.5 * 51.0 / 101.0);
    for name in ["lvis", "coco"] {
        let case = Case::new(&world, &found).unwrap();
        let engine = protocol(name).unwrap().score(&case, &Options::default()).unwrap().classes[0].ap.unwrap();
        assert!((outcomes(name, &case).classes[0].ap().unwrap() - engine).abs() < SAME);
    }
}

#[test]
fn every_number_says_how_it_was_made() {
    let world = truth(&[Group::Rare], &[&[object(0, BOX)]]);
    for name in ["lvis", "coco", "openimages"] {
        let options = if name == "openimages" { Options::default() } else { fixed(7) };
        let evaluation = with(name, &world, &[], &options);
        let pairs: Vec<_> = evaluation.labels.iter().map(|l| (l.key.as_str(), l.value)).collect();
        assert_eq!(pairs, evaluation.metrics.iter().collect::<Vec<_>>());
    }
    let evaluation = with("coco", &world, &[], &fixed(7));
    let label = |key: &str| evaluation.labels.iter().find(|l| l.key == key).unwrap();
    assert_eq!(label("AP").label, "COCO box AP, 100 detections of a class in a picture, groups as in the truth");
    assert_eq!(label("AR10").limit, Limit::PerImageAndClass(10));
    assert_eq!(
        label("AP50r_fixed").label,
        "COCO box AP-Fixed, 7 detections of a class in the whole set, groups as in the truth"
    );
    assert!(label("AP_pool").pooled && !label("AP_fixed").pooled);
    let lvis = with("lvis", &world, &[], &Options::default());
    assert!(lvis.labels.iter().all(|l| l.limit == Limit::PerImage(300) && l.protocol == "lvis"));
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

/// Pictures with labels, lists of a federated set, and detections with distinct scores.
fn world() -> impl Strategy<Value = (Dataset, Vec<Detection>)> {
    let lists = prop::collection::vec((0..3_usize, 0..3_usize, any::<bool>()), 0..6);
    (rows(14), rows(30), lists, any::<bool>()).prop_map(|(labels, found, lists, federated)| {
        let mut world = truth(&GROUPS, &[&[], &[], &[]]);
        world.federated = federated;
        for (image, class, shape, is_crowd, _) in labels {
            let bbox = corners(shape);
            world.images[image].objects.push(if is_crowd { crowd(class, bbox) } else { object(class, bbox) });
        }
        for (image, class, partial) in lists.into_iter().filter(|_| federated) {
            let record = &mut world.images[image];
            let labelled = record.objects.iter().any(|o| o.class == class);
            if labelled && partial {
                record.not_exhaustive.push(class)
            } else if !labelled {
                record.negative.push(class)
            }
        }
        let found = found.iter().enumerate().map(|(at, (image, class, shape, _, score))| {
            let score = (f32::from(*score) + at as f32 / 64.0) / 1024.0;
            detection(*image as u64 + 1, *class, corners(*shape), score)
        });
        (world, found.collect())
    })
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < SAME,
        (a, b) => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Outcomes give the engine's AP, AP50 and AR of every class, and its mean.
    #[test]
    fn outcomes_agree_with_the_engine((mut world, found) in world()) {
        for name in ["lvis", "coco"] {
            if name == "coco" { world.images.iter_mut().for_each(|i| i.not_exhaustive.clear()); }
            let case = Case::new(&world, &found).unwrap();
            let evaluation = protocol(name).unwrap().score(&case, &fixed(5)).unwrap();
            let outcomes = outcomes(name, &case);
            for result in &evaluation.classes {
                let class = &outcomes.classes[result.class];
                prop_assert!(same(result.ap, class.ap()), "{} {:?} {:?}", name, result.ap, class.ap());
                prop_assert!(same(result.ap50, class.ap_at(0)));
                prop_assert!(same(result.ar, class.ar()), "{} {:?} {:?}", name, result.ar, class.ar());
            }
            prop_assert!(same(evaluation.metrics.get("AP"), outcomes.mean_ap(0..3)));
            let capped = equipoise_eval::outcome::Outcomes::of(&case, Limit::PerClass(5), if name == "lvis" { Rules::Lvis } else { Rules::Coco });
            prop_assert!(same(evaluation.metrics.get("AP_fixed"), capped.mean_ap(0..3)));
        }
    }

    /// AP-Pool of all classes and of every group against loops over pictures, classes and thresholds.
    #[test]
    fn ap_pool_agrees_with_plain_loops((mut world, found) in world()) {
        for (name, rule) in [("lvis", Rule::Lvis), ("coco", Rule::Coco)] {
            if rule == Rule::Coco { world.images.iter_mut().for_each(|i| i.not_exhaustive.clear()); }
            let metrics = with(name, &world, &found, &Options { pool: true, ..Options::default() }).metrics;
            let classes = [("AP_pool", &[0, 1, 2][..]), ("APr_pool", &[0]), ("APc_pool", &[1]), ("APf_pool", &[2])];
            for (key, classes) in classes {
                let expected = pooled_ap_over_ious(rule, &world, &found, classes);
                prop_assert!(same(metrics.get(key), expected), "{} {}: {:?}, by loops {:?}", name, key, metrics.get(key), expected);
            }
            for (key, iou) in [("AP50_pool", 0.5), ("AP75_pool", 0.75)] {
                let expected = pooled_ap(rule, &world, &found, &[0, 1, 2], iou);
                prop_assert!(same(metrics.get(key), expected), "{} {}: {:?}, by loops {:?}", name, key, metrics.get(key), expected);
            }
        }
    }

    /// One class is its own pool.
    #[test]
    fn a_pool_of_one_class_is_its_ap((world, found) in world()) {
        let outcomes = outcomes("lvis", &Case::new(&world, &found).unwrap());
        for class in 0..3 {
            let pooled = outcomes.pooled(&[class]);
            for (t, value) in pooled.into_iter().enumerate() {
                prop_assert!(same(value, outcomes.classes[class].ap_at(t)));
            }
        }
    }

    /// Scores matter by their order only; the order of the file and of pictures does not matter.
    #[test]
    fn scaling_and_shuffling_change_nothing((world, found) in world(), turn in 0..30_usize) {
        let keys = ["AP", "APr", "AR", "AP_fixed", "AP_pool"];
        for name in ["lvis", "coco"] {
            let of = |found: &[Detection]| {
                let metrics = with(name, &world, found, &fixed(4)).metrics;
                keys.map(|key| metrics.get(key))
            };
            let before = of(&found);
            let scaled: Vec<Detection> = found.iter().map(|d| Detection { score: d.score * 0.25, ..d.clone() }).collect();
            prop_assert_eq!(before, of(&scaled));
            let mut turned = found.clone();
            turned.rotate_left(if found.is_empty() { 0 } else { turn % found.len() });
            turned.reverse();
            prop_assert_eq!(before, of(&turned));
        }
    }

    /// A detection of nothing never raises AP; one below all others that finds nothing changes nothing in recall.
    #[test]
    fn a_wrong_detection_never_helps((mut world, found) in world(), score in 0.0_f32..1.0) {
        world.federated = false;
        let mut more = found.clone();
        more.push(detection(1, 0, [190.0, 190.0, 199.0, 199.0], score));
        for name in ["lvis", "coco", "openimages"] {
            let of = |found: &[Detection]| protocol(name).unwrap().evaluate(&world, found).unwrap().classes[0];
            let (before, after) = (of(&found), of(&more));
            if let (Some(a), Some(b)) = (before.ap, after.ap) {
                prop_assert!(b <= a + SAME, "{}: {} became {}", name, a, b);
            }
            prop_assert!(same(before.ar, after.ar));
        }
    }
}
