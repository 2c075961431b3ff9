//! Numbers about a data set, by hand.

use equipoise_data::{Group, Quantiles, Stats, expected_ratio, gini, imbalance_factor};

use crate::fixture::{dataset, object};

/// A few operations in f64.
const TOLERANCE: f64 = 1e-12;

fn close(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < TOLERANCE)
}

#[test]
fn a_small_set_by_hand() {
    // Class 0: images 0, 1, 2 with 4 objects; class 1: image 1 with 2; class 2: nothing. Image 4 has a crowd only.
    let mut data = dataset(3, &[&[0, 0], &[0, 1, 1], &[0], &[], &[2]]);
    data.images[4].objects[0].crowd = true;
    data.categories[0].group = Group::Frequent;
    let stats = Stats::of(&data);
    assert_eq!((stats.images, stats.images_without_objects, stats.objects, stats.crowds), (5, 2, 6, 1));
    assert_eq!((stats.categories, stats.categories_without_object), (3, 1));
    assert_eq!(stats.imbalance_factor, Some(3.0));
    // Ascending 0, 1, 3: (-2 * 0 + 0 * 1 + 2 * 3) / (3 * 4); and 0, 2, 4: (2 * 4) / (3 * 6).
    assert!(close(stats.gini_images, 0.5) && close(stats.gini_instances, 4.0 / 9.0));
    let rows: Vec<_> = stats.classes.iter().map(|c| (c.id.0, c.name.as_str(), c.images, c.instances)).collect();
    assert_eq!(rows, [(1, "class 0", 3, 4), (2, "class 1", 1, 2), (3, "class 2", 0, 0)]);
    // 4 / (6 - 4), 2 / (6 - 2), 0 / 6.
    assert_eq!(stats.classes.iter().map(|c| c.ratio).collect::<Vec<_>>(), [Some(2.0), Some(0.5), Some(0.0)]);
    let groups: Vec<_> =
        stats.groups.iter().map(|g| (g.group, g.categories, g.class_images, g.instances, g.median_ratio)).collect();
    assert_eq!(
        groups,
        [(Group::Rare, 2, 1, 2, Some(0.5)), (Group::Common, 0, 0, 0, None), (Group::Frequent, 1, 3, 4, Some(2.0))]
    );
}

#[test]
fn sizes_of_boxes_by_hand() {
    let mut data = dataset(1, &[&[]]);
    (data.images[0].width, data.images[0].height) = (200, 200);
    // Areas 1023, 1024, 9216 and 9 with a crowd that does not count.
    let boxes = [[0.0, 0.0, 33.0, 31.0], [0.0, 0.0, 64.0, 16.0], [0.0, 0.0, 96.0, 96.0], [0.0, 0.0, 3.0, 3.0]];
    data.images[0].objects = boxes.map(|bbox| object(0, bbox)).into();
    data.images[0].objects[3].crowd = true;
    let boxes = Stats::of(&data).boxes;
    assert_eq!((boxes.small, boxes.medium, boxes.large), (1, 1, 1));
    let (side, relative, aspect) = (boxes.side.unwrap(), boxes.relative_side.unwrap(), boxes.aspect.unwrap());
    assert!(close(Some(side.min), 1023_f64.sqrt()) && side.median == 32.0 && side.max == 96.0);
    assert!(close(Some(relative.median), 0.16) && close(Some(relative.max), 0.48));
    assert_eq!((aspect.min, aspect.median, aspect.max), (1.0, 33.0 / 31.0, 4.0));
    // An area out of the file decides the size, not the box.
    data.images[0].objects[2].area = 100.0;
    let boxes = Stats::of(&data).boxes;
    assert_eq!((boxes.small, boxes.medium, boxes.large), (2, 1, 0));
}

#[test]
fn quantiles_are_linear_between_neighbours() {
    let quantiles = Quantiles::of(vec![4.0, 0.0, 2.0, f64::NAN, 1.0, 3.0]).unwrap();
    let [p5, p95] = [0.2, 3.8];
    assert_eq!(
        (quantiles.min, quantiles.p25, quantiles.median, quantiles.p75, quantiles.max),
        (0.0, 1.0, 2.0, 3.0, 4.0)
    );
    assert!(close(Some(quantiles.p5), p5) && close(Some(quantiles.p95), p95));
    let one = Quantiles::of(vec![7.0]).unwrap();
    assert_eq!((one.min, one.p5, one.median, one.max), (7.0, 7.0, 7.0, 7.0));
    assert_eq!(Quantiles::of(vec![]), None);
}

#[test]
fn measures_of_the_tail_by_hand() {
    assert_eq!(imbalance_factor(&[0, 5, 100, 2]), Some(50.0));
    assert_eq!((imbalance_factor(&[0, 0]), imbalance_factor(&[])), (None, None));
    assert!(close(gini(&[7, 7, 7]), 0.0));
    // One of four has everything: (K - 1) / K.
    assert!(close(gini(&[0, 9, 0, 0]), 0.75));
    assert_eq!((gini(&[0, 0]), gini(&[])), (None, None));
    // LVIS v1.0: its largest class, banana, and a class with one object, of 1270141.
    assert!((expected_ratio(50_552, 1_270_141, 0).unwrap() - 4.145e-2).abs() < 1e-5);
    assert!((expected_ratio(1, 1_270_141, 0).unwrap() - 7.873e-7).abs() < 1e-10);
    assert_eq!(expected_ratio(2, 6, 4), Some(0.25));
    assert_eq!((expected_ratio(3, 3, 0), expected_ratio(4, 3, 0), expected_ratio(0, 0, 0)), (None, None, None));
}

#[test]
fn nothing_at_all_has_stats_too() {
    for data in [dataset(0, &[]), dataset(2, &[]), dataset(2, &[&[], &[]])] {
        let stats = Stats::of(&data);
        assert_eq!((stats.objects, stats.imbalance_factor, stats.gini_images, stats.boxes.side), (0, None, None, None));
        assert_eq!(stats.groups.len(), 3);
    }
}

#[test]
fn stats_are_written_as_json_without_infinities() {
    let json = serde_json::to_value(Stats::of(&dataset(1, &[&[0, 0]]))).unwrap();
    assert_eq!(json["classes"][0]["ratio"], serde_json::Value::Null, "the only class has no negatives");
    assert_eq!((json["groups"][0]["group"].as_str(), json["classes"][0]["id"].as_u64()), (Some("r"), Some(1)));
    assert_eq!(json["boxes"]["side"]["median"], 4.0);
}
