//! The Open Images metric: cases worked out by hand from the published rule, a witness in plain loops, and what must not change a score.

use equipoise_data::{Dataset, Group};
use equipoise_eval::Detection;
use equipoise_eval::case::Case;
use equipoise_eval::protocol::{Evaluation, Hierarchy, Options, fifths, protocol};
use proptest::prelude::*;

use crate::world::{crowd, detection, object, truth};

const SAME: f64 = 1e-12;
const BOX: [f32; 4] = [10.0, 10.0, 60.0, 60.0];
const FAR: [f32; 4] = [120.0, 120.0, 180.0, 180.0];
const RARE: [Group; 1] = [Group::Rare];

fn score(truth: &Dataset, found: &[Detection], hierarchy: Option<Hierarchy>) -> Evaluation {
    let case = Case::new(truth, found).unwrap();
    protocol("openimages").unwrap().score(&case, &Options { hierarchy, ..Options::default() }).unwrap()
}

fn ap(truth: &Dataset, found: &[Detection]) -> f64 {
    score(truth, found, None).metrics.get("AP").unwrap()
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < SAME, "{value} is not {expected}");
}

#[test]
fn a_detection_is_compared_with_its_largest_overlap_only() {
    // Two objects side by side, overlapping: both detections lie closest to the first. COCO gives the second detection the second object.
    let world = truth(&RARE, &[&[object(0, [0.0, 0.0, 100.0, 100.0]), object(0, [20.0, 0.0, 120.0, 100.0])]]);
    let found = [detection(1, 0, [0.0, 0.0, 100.0, 100.0], 0.9), detection(1, 0, [5.0, 0.0, 105.0, 100.0], 0.8)];
    // Right, wrong: recall 1/2 at precision 1.
    near(ap(&world, &found), 0.5);
    let coco = protocol("coco").unwrap().evaluate(&world, &found).unwrap().metrics.get("AP50").unwrap();
    assert!((coco - 1.0).abs() < 1e-9, "{coco}");
}

#[test]
fn a_group_counts_once_with_its_best_score() {
    let world = truth(&RARE, &[&[object(0, BOX), crowd(0, FAR)]]);
    let inside = |at: f32, score| detection(1, 0, [at, at, at + 10.0, at + 10.0], score);
    // Two objects to find: the single one and the group. 0.9 wrong, 0.8 of the group, 0.7 the same group again, 0.6 right.
    let found = [
        detection(1, 0, [70.0, 70.0, 90.0, 90.0], 0.9),
        inside(130.0, 0.8),
        inside(150.0, 0.7),
        detection(1, 0, BOX, 0.6),
    ];
    // Wrong, right (1/2), right (2/3): precision made to fall is 2/3 for both halves of recall.
    near(ap(&world, &found), 2.0 / 3.0);
    // A group that nothing lies in is an object that was not found.
    near(ap(&world, &[detection(1, 0, BOX, 0.6)]), 0.5);
    // Less than half of the detection inside: wrong.
    near(ap(&world, &[detection(1, 0, [100.0, 120.0, 130.0, 150.0], 0.9), detection(1, 0, BOX, 0.6)]), 0.25);
}

#[test]
fn a_second_hit_inside_a_group_belongs_to_the_group() {
    let world = truth(&RARE, &[&[object(0, BOX), crowd(0, [0.0, 0.0, 100.0, 100.0])]]);
    let found = [detection(1, 0, BOX, 0.9), detection(1, 0, BOX, 0.8)];
    near(ap(&world, &found), 1.0);
}

#[test]
fn labels_of_a_picture_decide_what_is_judged() {
    let mut world = truth(&RARE, &[&[object(0, BOX)], &[], &[], &[]]);
    world.federated = true;
    // Picture 2: nobody looked. Picture 3: verified absent. Picture 4: verified present, but not boxed.
    world.images[2].negative = vec![0];
    world.images[3].not_exhaustive = vec![0];
    let with = |image| ap(&world, &[detection(image, 0, BOX, 0.95), detection(1, 0, BOX, 0.9)]);
    near(with(2), 1.0);
    near(with(3), 0.5);
    near(with(4), 0.5);
}

#[test]
fn a_box_counts_for_the_classes_above_it() {
    // 0 is above 1, which is above 2.
    let groups = [Group::Frequent, Group::Common, Group::Rare];
    let mut world = truth(&groups, &[&[object(2, BOX)], &[], &[]]);
    let tree = || Some(Hierarchy::new(3, &[(2, 1), (1, 0)]));
    assert_eq!((tree().unwrap().ancestors(2), tree().unwrap().descendants(0)), (&[0, 1][..], &[1, 2][..]));
    let found = [detection(1, 0, BOX, 0.9), detection(1, 2, BOX, 0.8)];
    let classes = score(&world, &found, tree()).classes;
    assert_eq!([classes[0].ap, classes[1].ap, classes[2].ap], [Some(1.0), Some(0.0), Some(1.0)]);
    world.federated = true;
    // "No" to the middle says no to the leaf, not to the root; "yes" to the leaf says yes to all.
    world.images[1].negative = vec![1];
    world.images[2].not_exhaustive = vec![2];
    let wrong = |image, class| {
        let mut all = found.to_vec();
        all.push(detection(image, class, BOX, 0.95));
        score(&world, &all, tree()).classes[class].ap.unwrap()
    };
    near(wrong(2, 2), 0.5);
    near(wrong(2, 0), 1.0);
    near(wrong(3, 0), 0.5);
}

#[test]
fn classes_without_truth_are_left_out_and_nothing_scores_nothing() {
    let world = truth(&[Group::Rare, Group::Frequent], &[&[object(1, BOX)]]);
    let evaluation = score(&world, &[detection(1, 0, BOX, 0.9), detection(1, 1, BOX, 0.9)], None);
    assert_eq!((evaluation.classes[0].ap, evaluation.metrics.get("APr")), (None, None));
    assert_eq!(evaluation.metrics.get("AP"), Some(1.0));
    assert_eq!(score(&world, &[], None).metrics.get("AP"), Some(0.0));
    // A box without area is no detection.
    near(ap(&world, &[detection(1, 1, [5.0, 5.0, 5.0, 9.0], 0.99), detection(1, 1, BOX, 0.9)]), 1.0);
}

#[test]
fn fifths_go_from_few_to_many_instances() {
    let mut world = truth(&[Group::Rare; 10], &[]);
    for (class, category) in world.categories.iter_mut().enumerate() {
        category.instances = 100 - class as u64;
    }
    assert_eq!(fifths(&world)[0], [9, 8]);
    assert_eq!(fifths(&world)[4], [1, 0]);
    assert_eq!(fifths(&truth(&[], &[]))[0], [0_usize; 0]);
}

#[test]
fn what_it_does_not_define_is_refused() {
    let world = truth(&RARE, &[&[object(0, BOX)]]);
    let case = Case::new(&world, &[]).unwrap();
    let refusal =
        |name: &str, options: &Options| protocol(name).unwrap().score(&case, options).unwrap_err().to_string();
    assert!(refusal("openimages", &Options { pool: true, ..Options::default() }).contains("no cap"));
    let hierarchy = Some(Hierarchy::new(2, &[(0, 1)]));
    assert!(refusal("lvis", &Options { hierarchy, ..Options::default() }).contains("hierarchy"));
}

/// The rule again, for a set without labels or hierarchy: one list of all classes' detections, no early sorting by class.
fn witness(world: &Dataset, found: &[Detection], class: usize) -> Option<f64> {
    let id = world.categories[class].id;
    let mut judged: Vec<(f64, bool)> = Vec::new();
    let mut objects = 0;
    let area = |b: [f32; 4]| f64::from(b[2] - b[0]) * f64::from(b[3] - b[1]);
    let inner = |a: [f32; 4], b: [f32; 4]| {
        let side = |at: usize| f64::from((a[at + 2].min(b[at + 2]) - a[at].max(b[at])).max(0.0));
        side(0) * side(1)
    };
    for image in &world.images {
        let labels: Vec<_> = image.objects.iter().filter(|o| o.class == class).collect();
        objects += labels.len();
        let mut mine: Vec<_> = found.iter().filter(|d| d.image == image.id && d.category == id).collect();
        mine.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut used = vec![false; labels.len()];
        let mut best_of_group = vec![0.0_f64; labels.len()];
        for d in mine {
            let (mut at_single, mut at_group) = ((0.0, usize::MAX), (0.0, usize::MAX));
            for (at, label) in labels.iter().enumerate() {
                let shared = inner(d.bbox, label.bbox);
                let (slot, value) = if label.crowd {
                    (&mut at_group, shared / area(d.bbox))
                } else {
                    (&mut at_single, shared / (area(d.bbox) + area(label.bbox) - shared))
                };
                if value > slot.0 {
                    *slot = (value, at);
                }
            }
            if at_single.0 >= 0.5 && !used[at_single.1] {
                used[at_single.1] = true;
                judged.push((f64::from(d.score), true));
            } else if at_group.0 >= 0.5 {
                best_of_group[at_group.1] = best_of_group[at_group.1].max(f64::from(d.score));
            } else {
                judged.push((f64::from(d.score), false));
            }
        }
        judged.extend(best_of_group.into_iter().filter(|s| *s > 0.0).map(|s| (s, true)));
    }
    judged.sort_by(|a, b| b.0.total_cmp(&a.0));
    let precision = |n: usize| judged[..n].iter().filter(|(_, r)| *r).count() as f64 / n as f64;
    // Each right detection adds 1 / objects of recall at the best precision from there on.
    let area: f64 = (0..judged.len())
        .filter(|&at| judged[at].1)
        .map(|at| (at + 1..=judged.len()).map(precision).fold(0.0, f64::max) / objects as f64)
        .sum();
    (objects > 0).then_some(area)
}

fn corners((x, y, w, h): (u8, u8, u8, u8)) -> [f32; 4] {
    [x, y, x + w, y + h].map(|v| f32::from(v) * 16.0)
}

type Row = (usize, usize, (u8, u8, u8, u8), bool);

fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(
        (0..2_usize, 0..2_usize, (0..5_u8, 0..5_u8, 1..6_u8, 1..6_u8), prop::bool::weighted(0.25)),
        0..most,
    )
}

fn world_of(labels: &[Row]) -> Dataset {
    let mut world = truth(&[Group::Rare, Group::Frequent], &[&[], &[]]);
    for &(image, class, shape, is_group) in labels {
        let bbox = corners(shape);
        world.images[image].objects.push(if is_group { crowd(class, bbox) } else { object(class, bbox) });
    }
    world
}

fn found_of(rows: &[Row]) -> Vec<Detection> {
    let score = |at: usize| 0.05 + 0.9 * ((at * 37) % 101) as f32 / 101.0;
    rows.iter()
        .enumerate()
        .map(|(at, &(i, k, shape, _))| detection(i as u64 + 1, k, corners(shape), score(at)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_matcher_agrees_with_the_witness(labels in rows(12), found in rows(24)) {
        let (world, found) = (world_of(&labels), found_of(&found));
        for result in score(&world, &found, None).classes {
            let expected = witness(&world, &found, result.class);
            prop_assert_eq!(result.ap.is_some(), expected.is_some());
            if let (Some(ours), Some(theirs)) = (result.ap, expected) {
                prop_assert!((ours - theirs).abs() < SAME, "{} against {}", ours, theirs);
            }
        }
    }

    #[test]
    fn a_wrong_detection_never_helps(labels in rows(10), found in rows(16), score in 0.0_f32..1.0) {
        let (world, mut found) = (world_of(&labels), found_of(&found));
        let before = super::open_images::score(&world, &found, None);
        found.push(detection(1, 0, [190.0, 190.0, 199.0, 199.0], score));
        let after = super::open_images::score(&world, &found, None);
        if let (Some(before), Some(after)) = (before.classes[0].ap, after.classes[0].ap) {
            prop_assert!(after <= before + SAME);
        }
    }
}
