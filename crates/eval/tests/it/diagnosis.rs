//! Where the tail is lost: mistakes by hand and against the engine's own decomposition, calibration by hand, confusions, and the table.

use equipoise_data::{Dataset, Group};
use equipoise_eval::Detection;
use equipoise_eval::case::Case;
use equipoise_eval::diagnosis::{
    BINS, Diagnosis, ERROR_KINDS, ErrorKind, calibration_error, class_errors, diagnose, reliability,
};
use equipoise_eval::protocol::{outcomes, protocol};
use equipoise_eval::record::{LedgerRow, RunDir, read_diagnosis, write_diagnosis};
use hotcoco::params::IouType;
use hotcoco::{COCO, COCOeval};
use proptest::prelude::*;

use crate::world::{detection, object, truth};

const BOX: [f32; 4] = [10.0, 10.0, 60.0, 60.0];
const FAR: [f32; 4] = [120.0, 120.0, 180.0, 180.0];
/// Overlaps `BOX` by 1/3.
const LOOSE: [f32; 4] = [35.0, 10.0, 85.0, 60.0];
const TWO: [Group; 2] = [Group::Rare, Group::Frequent];

fn diagnosis(world: &Dataset, found: &[Detection], ledger: &[&LedgerRow]) -> Diagnosis {
    let case = Case::new(world, found).unwrap();
    let evaluation = protocol("coco").unwrap().evaluate(world, found).unwrap();
    diagnose(&case, &evaluation, &outcomes("coco", &case), ledger)
}

fn counts(world: &Dataset, found: &[Detection], class: usize) -> [u64; 6] {
    let case = Case::new(world, found).unwrap();
    class_errors(&case, &outcomes("coco", &case))[class].counts
}

#[test]
fn each_kind_of_mistake_is_told() {
    let world = truth(&TWO, &[&[object(0, BOX), object(1, FAR)]]);
    let one = |class, bbox| counts(&world, &[detection(1, class, bbox, 0.5)], class);
    // [class, location, both, duplicate, background, missed]
    assert_eq!(one(0, FAR), [1, 0, 0, 0, 0, 1]);
    assert_eq!(one(0, LOOSE), [0, 1, 0, 0, 0, 0]);
    assert_eq!(one(1, LOOSE), [0, 0, 1, 0, 0, 1]);
    assert_eq!(one(0, [0.0, 100.0, 40.0, 140.0]), [0, 0, 0, 0, 1, 1]);
    let twice = [detection(1, 0, BOX, 0.9), detection(1, 0, BOX, 0.8)];
    assert_eq!(counts(&world, &twice, 0), [0, 0, 0, 1, 0, 0]);
}

#[test]
fn mending_a_kind_gives_back_what_it_costs() {
    let world = truth(&TWO, &[&[object(0, BOX), object(1, FAR)]]);
    // The rare object is found by a frequent detection only; the frequent one loosely and after a detection of nothing.
    let found = [detection(1, 1, BOX, 0.9), detection(1, 1, [0.0, 100.0, 40.0, 140.0], 0.8), detection(1, 1, FAR, 0.7)];
    let case = Case::new(&world, &found).unwrap();
    let errors = class_errors(&case, &outcomes("coco", &case));
    // The frequent class: wrong, wrong, right is 1/3; without the confusion 1/2; without background 1/2.
    let cost = errors[1].cost.unwrap();
    assert!((cost[ErrorKind::Class as usize] - (0.5 - 1.0 / 3.0)).abs() < 1e-9);
    assert!((cost[ErrorKind::Background as usize] - (0.5 - 1.0 / 3.0)).abs() < 1e-9);
    // The rare class gets its object back, which is therefore not missed.
    assert!((errors[0].cost.unwrap()[ErrorKind::Class as usize] - 1.0).abs() < 1e-9);
    assert_eq!(errors[0].counts, [0; 6]);
    // Nothing found at all: the misses cost everything.
    let case = Case::new(&world, &[]).unwrap();
    let errors = class_errors(&case, &outcomes("coco", &case));
    assert_eq!(errors[0].cost.unwrap()[ErrorKind::Missed as usize], 1.0);
}

#[test]
fn calibration_by_hand() {
    // Scores 0.9 right, 0.9 wrong, 0.1 wrong: two bins, |0.9 - 0.5| twice and |0.1 - 0| once.
    let world = truth(&TWO, &[&[object(0, BOX)]]);
    let found = [detection(1, 0, BOX, 0.9), detection(1, 0, FAR, 0.9), detection(1, 0, LOOSE, 0.1)];
    let outcomes = outcomes("coco", &Case::new(&world, &found).unwrap());
    let bins = reliability(&outcomes, &[0, 1]);
    assert_eq!(bins.len(), BINS);
    assert_eq!((bins[13].detections, bins[13].precision, bins[1].detections), (2, 0.5, 1));
    assert!((calibration_error(&bins).unwrap() - (2.0 * 0.4 + 0.1) / 3.0).abs() < 1e-6);
    assert_eq!(calibration_error(&reliability(&outcomes, &[1])), None);
}

#[test]
fn the_table_names_what_the_tail_suffers_from() {
    let world =
        truth(&[Group::Rare, Group::Frequent, Group::Common], &[&[object(0, BOX), object(1, FAR)], &[object(0, BOX)]]);
    let found = [detection(1, 1, BOX, 0.9), detection(2, 1, BOX, 0.8), detection(1, 1, FAR, 0.7)];
    let ledger = LedgerRow {
        step: 5,
        class_index: 0,
        id: world.categories[0].id,
        name: "class 0".into(),
        group: Group::Rare,
        images: 2,
        instances: 3,
        positive: 1.0,
        negative: 4.0,
        ratio: 0.25,
        q: 1.0,
        r: 1.0,
    };
    let diagnosis = diagnosis(&world, &found, &[&ledger]);
    let rare = &diagnosis.classes[0];
    assert!(rare.never_predicted && !rare.never_in_validation);
    assert_eq!((rare.swallowed_by.as_deref(), rare.gradient_ratio), (Some("class 1"), Some(0.25)));
    assert_eq!((diagnosis.confusions[0].objects, diagnosis.confusions[0].share), (2, 1.0));
    assert!(diagnosis.classes[2].never_in_validation && diagnosis.classes[2].ap.is_none());
    assert_eq!(diagnosis.classes[1].swallowed_by, None);
    let groups: Vec<_> = diagnosis.groups.iter().map(|g| (g.classes, g.never_predicted, g.swallowed)).collect();
    assert_eq!(groups, [(3, 2, 1), (1, 1, 1), (1, 1, 0), (1, 0, 0)]);
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::new(folder.path());
    assert_eq!(read_diagnosis(&dir, &mut Vec::new()).unwrap(), None);
    write_diagnosis(&dir, &diagnosis).unwrap();
    assert_eq!(read_diagnosis(&dir, &mut Vec::new()).unwrap(), Some(diagnosis));
}

/// The engine's own decomposition (a port of `tidecv`), as a witness.
fn engine(world: &Dataset, found: &[Detection]) -> hotcoco::detection::TideErrors {
    let annotation = |id: usize, image: u64, category: u64, b: [f32; 4], score: Option<f32>| {
        let [x1, y1, x2, y2] = b.map(f64::from);
        serde_json::from_value::<hotcoco::Annotation>(serde_json::json!({
            "id": id, "image_id": image, "category_id": category, "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1), "score": score.map(f64::from),
        }))
        .unwrap()
    };
    let mut annotations = Vec::new();
    for image in &world.images {
        for o in &image.objects {
            annotations.push(annotation(
                annotations.len() + 1,
                image.id.0,
                world.categories[o.class].id.0,
                o.bbox,
                None,
            ));
        }
    }
    let images =
        world.images.iter().map(|i| hotcoco::Image { id: i.id.0, width: 200, height: 200, ..Default::default() });
    let categories = world
        .categories
        .iter()
        .map(|c| serde_json::from_value(serde_json::json!({"id": c.id.0, "name": c.name})).unwrap());
    let gt = COCO::from_dataset(hotcoco::Dataset {
        images: images.collect(),
        annotations,
        categories: categories.collect(),
        ..Default::default()
    });
    let results = found.iter().map(|d| annotation(0, d.image.0, d.category.0, d.bbox, Some(d.score))).collect();
    let dt = gt.load_res_anns(results).unwrap();
    let mut run = COCOeval::new(gt, dt, IouType::Bbox);
    run.evaluate().unwrap();
    run.tide_errors(0.5, 0.1).unwrap()
}

fn shape() -> impl Strategy<Value = [f32; 4]> {
    // No whole numbers: an overlap of exactly 0.5 is decided by the last digit.
    (0.0_f32..120.0, 0.0_f32..120.0, 8.0_f32..75.0, 8.0_f32..75.0)
        .prop_map(|(x, y, w, h)| [x + 0.137, y + 0.291, x + w + 0.611, y + h + 0.417])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mistakes_agree_with_the_engine(
        labels in prop::collection::vec((0..2_usize, 0..3_usize, shape()), 1..8),
        found in prop::collection::vec((0..2_usize, 0..3_usize, shape(), 0..8_usize, -9.0_f32..9.0), 0..16),
    ) {
        let mut world = truth(&[Group::Rare, Group::Common, Group::Frequent], &[&[], &[]]);
        for (image, class, bbox) in &labels {
            world.images[*image].objects.push(object(*class, *bbox));
        }
        // Half of the detections lie near an object.
        let found: Vec<Detection> = found.iter().enumerate().map(|(at, &(image, class, shape, near, shift))| {
            let (image, bbox) = match labels.get(near) {
                Some((image, _, bbox)) => (*image, bbox.map(|v| v + shift)),
                None => (image, shape),
            };
            detection(image as u64 + 1, class, bbox, 0.03 + ((at * 29) % 61) as f32 / 64.0)
        }).collect();
        let case = Case::new(&world, &found).unwrap();
        let ours = class_errors(&case, &outcomes("coco", &case));
        let theirs = engine(&world, &found);
        let names = ["Cls", "Loc", "Both", "Dupe", "Bkg", "Miss"];
        for (kind, name) in ERROR_KINDS.into_iter().zip(names) {
            let count: u64 = ours.iter().map(|e| e.counts[kind as usize]).sum();
            prop_assert_eq!(count, theirs.counts[name], "{}", name);
            // A class without any found object is where we differ in the cost of misses, on purpose.
            let all_missed = ours.iter().enumerate().any(|(k, e)| {
                let objects = labels.iter().filter(|(_, class, _)| *class == k).count() as u64;
                objects > 0 && e.counts[ErrorKind::Missed as usize] == objects
            });
            if kind == ErrorKind::Missed && all_missed { continue; }
            let costs: Vec<f64> = ours.iter().filter_map(|e| e.cost).map(|c| c[kind as usize]).collect();
            let mean = costs.iter().sum::<f64>() / costs.len() as f64;
            prop_assert!((mean - theirs.delta_ap[name]).abs() < 1e-9, "{}: {} against {}", name, mean, theirs.delta_ap[name]);
        }
    }
}
