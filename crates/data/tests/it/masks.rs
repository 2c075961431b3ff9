//! Masks in conversions: number for number between JSON files, as outlines in YOLO, named where they are lost.

use std::{collections::BTreeMap, fs, path::Path};

use equipoise_data::{DataError, Dataset, Lost, ReadConfig, WriteConfig, read_masks, repair, write_with};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::Folder;

const SIZE: [u32; 2] = [64, 48];
const MASKS: WriteConfig = WriteConfig { copy_pictures: false, masks: true };

fn write(data: &Dataset, format: &str, to: &Path) -> Vec<Lost> {
    write_with(data, format, to, &MASKS).unwrap()
}

fn words(lost: &[Lost]) -> Vec<String> {
    lost.iter().filter(|lost| lost.what.contains("masks")).map(Lost::to_string).collect()
}

fn coco(annotations: &[Value]) -> String {
    let images: Vec<_> = (1..4)
        .map(|id| json!({"id": id, "file_name": format!("{id}.png"), "width": SIZE[0], "height": SIZE[1]}))
        .collect();
    let categories = json!([{"id": 0, "name": "a"}, {"id": 1, "name": "b"}]);
    json!({"images": images, "annotations": annotations, "categories": categories}).to_string()
}

fn annotation(image: usize, class: usize, bbox: [f64; 4], shape: Value) -> Value {
    json!({"image_id": image, "category_id": class, "bbox": bbox, "segmentation": shape})
}

/// The shapes in a JSON file by image, numbers as floats.
fn shapes(path: &Path) -> BTreeMap<u64, Vec<Value>> {
    fn floats(value: &Value) -> Value {
        match value {
            Value::Array(list) => list.iter().map(floats).collect(),
            Value::Number(number) => number.as_f64().into(),
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), floats(v))).collect(),
            other => other.clone(),
        }
    }
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in file["annotations"].as_array().unwrap() {
        found.entry(row["image_id"].as_u64().unwrap()).or_default().push(floats(&row["segmentation"]));
    }
    found
}

/// Two counts in COCO's text.
fn packed(counts: [u32; 2]) -> String {
    let mut text = String::new();
    for mut count in counts {
        loop {
            let bits = (count & 31) as u8;
            count >>= 5;
            let more = count != 0 || bits & 16 != 0;
            text.push(char::from(48 + bits + if more { 32 } else { 0 }));
            if !more {
                break;
            }
        }
    }
    text
}

/// Polygons with tenths of pixels, and their box.
fn polygons(parts: std::ops::Range<usize>) -> impl Strategy<Value = (Vec<Vec<f64>>, [f64; 4])> {
    let corner = (0..600u32, 0..450u32).prop_map(|(x, y)| [f64::from(x) / 10.0, f64::from(y) / 10.0]);
    let polygon = prop::collection::vec(corner, 2..7).prop_map(|mut corners| {
        let [x, y] = corners[0];
        corners.push([x + 3.7, y + 2.9]);
        corners.into_flattened()
    });
    prop::collection::vec(polygon, parts).prop_map(|polygons| {
        let reach = |axis: usize| {
            let values = || polygons.iter().flat_map(|p| p.iter().skip(axis).step_by(2).copied());
            (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max))
        };
        let ((x1, x2), (y1, y2)) = (reach(0), reach(1));
        (polygons, [x1, y1, x2 - x1, y2 - y1])
    })
}

fn shape() -> impl Strategy<Value = (Value, [f64; 4])> {
    let pixels = SIZE[0] * SIZE[1];
    let size = [SIZE[1], SIZE[0]];
    prop_oneof![
        polygons(1..4).prop_map(|(polygons, bbox)| (json!(polygons), bbox)),
        (0..pixels).prop_map(move |n| (json!({"size": size, "counts": [n, pixels - n]}), [1.0, 2.0, 3.0, 4.0])),
        (0..pixels).prop_map(move |n| (json!({"size": size, "counts": packed([n, pixels - n])}), [1.0, 2.0, 3.0, 4.0])),
        Just((json!([]), [5.0, 5.0, 6.0, 6.0])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn json_keeps_every_shape(objects in prop::collection::vec((1usize..4, 0usize..2, shape()), 0..12)) {
        let folder = Folder::new();
        let rows: Vec<_> = objects.iter().map(|(i, k, (shape, bbox))| annotation(*i, *k, *bbox, shape.clone())).collect();
        let data = folder.read(&coco(&rows)).unwrap();
        let [lvis, again] = ["lvis.json", "again.json"].map(|name| folder.path().join(name));
        prop_assert_eq!(words(&write(&data, "lvis", &lvis)), Vec::<String>::new());
        prop_assert_eq!(words(&write(&Dataset::read(&lvis, None).unwrap(), "coco", &again)), Vec::<String>::new());
        prop_assert_eq!(shapes(&data.source), shapes(&lvis));
        prop_assert_eq!(shapes(&data.source), shapes(&again));
    }

    #[test]
    fn yolo_keeps_polygons_to_its_digits_and_boxes_bit_for_bit(objects in prop::collection::vec((0usize..2, polygons(1..2)), 1..6)) {
        let folder = Folder::new();
        (1..4).for_each(|id| drop(folder.png(&format!("{id}.png"), SIZE[0], SIZE[1])));
        let rows: Vec<_> = objects.iter().map(|(k, (shape, bbox))| annotation(2, *k, *bbox, json!(shape))).collect();
        let data = folder.read(&coco(&rows)).unwrap();
        let (yolo, back) = (folder.path().join("yolo"), folder.path().join("back.json"));
        prop_assert_eq!(words(&write(&data, "yolo", &yolo)), Vec::<String>::new());
        let read = Dataset::read(&yolo, None).unwrap();
        let boxes = |data: &Dataset| data.images[1].objects.iter().map(|o| (o.class, o.bbox)).collect::<Vec<_>>();
        prop_assert_eq!(boxes(&read), boxes(&data));
        prop_assert_eq!(words(&write(&read, "coco", &back)), Vec::<String>::new());
        let found = shapes(&back).remove(&2).unwrap();
        prop_assert_eq!(found.len(), objects.len());
        for (found, (_, (written, _))) in found.iter().zip(&objects) {
            let found: Vec<Vec<f64>> = serde_json::from_value(found.clone()).unwrap();
            prop_assert_eq!(found[0].len(), written[0].len());
            prop_assert!(found[0].iter().zip(&written[0]).all(|(a, b)| (a - b).abs() < 1e-4), "{:?} {:?}", found, written);
        }
    }
}

/// An object of each kind that a format may lose.
fn mixed(folder: &Folder) -> Dataset {
    (1..4).for_each(|id| drop(folder.png(&format!("{id}.png"), SIZE[0], SIZE[1])));
    let square = |x: u32, y: u32| json!([x, y, x + 10, y, x + 10, y + 10, x, y + 10]);
    let crowd = json!({"image_id": 3, "category_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1,
        "segmentation": {"size": [48, 64], "counts": [0, 3072]}});
    let rows = [
        annotation(1, 0, [0.0, 0.0, 10.0, 10.0], json!([square(0, 0)])),
        annotation(1, 0, [0.0, 0.0, 30.0, 10.0], json!([square(0, 0), square(20, 0)])),
        annotation(1, 1, [5.0, 5.0, 20.0, 20.0], json!([square(10, 10)])),
        annotation(1, 1, [1.0, 1.0, 2.0, 2.0], json!({"size": [48, 64], "counts": [70, 3002]})),
        annotation(2, 1, [1.0, 1.0, 2.0, 2.0], json!([[1, 1, 3, 3]])),
        annotation(2, 1, [1.0, 1.0, 3.0, 3.0], json!([[1, 1, 4, 1, 4, 4, 1]])),
        annotation(2, 1, [1.0, 1.0, 4.0, 4.0], json!({"size": [64, 48], "counts": [70, 3002]})),
        annotation(2, 1, [1.0, 1.0, 0.0, 4.0], json!([square(1, 1)])),
        crowd,
    ];
    folder.read(&coco(&rows)).unwrap()
}

#[test]
fn what_is_lost_is_named_with_its_first() {
    let folder = Folder::new();
    let data = mixed(&folder);
    let at = |name: &str| folder.path().join(name);
    let damaged = "3 masks that are damaged or of another size than their picture (left out), such as that of annotation number 5 of the list";
    let homeless =
        "1 masks without an object of theirs here (left out), such as that of annotation number 8 of the list";
    assert_eq!(words(&write(&data, "coco", &at("a.json"))), [damaged, homeless]);
    let yolo = [
        damaged,
        homeless,
        "1 masks of several polygons (joined to one by lines of no width), such as that of image 1, box [0.0, 0.0, 30.0, 10.0]",
        "1 masks that end more than a pixel from their box (the box is kept), such as that of image 1, box [5.0, 5.0, 25.0, 25.0]",
        "1 masks as run lengths (the box is kept), such as that of image 1, box [1.0, 1.0, 3.0, 3.0]",
    ];
    assert_eq!(words(&write(&data, "yolo", &at("yolo"))), yolo);
    let boxes = |data: &Dataset| data.images[0].objects.iter().map(|o| (o.class, o.bbox)).collect::<Vec<_>>();
    assert_eq!(boxes(&Dataset::read(&at("yolo"), None).unwrap()), boxes(&data));
    assert_eq!(
        words(&write(&data, "openimages", &at("oi"))),
        ["9 masks, such as that of annotation number 1 of the list"]
    );
    // Without the option nothing is read, and nothing claimed.
    assert!(words(&write_with(&data, "coco", &at("b.json"), &WriteConfig::default()).unwrap()).is_empty());
    assert!(shapes(&at("b.json")).values().flatten().all(|shape| *shape == json!([])));
}

#[test]
fn a_repaired_copy_has_the_masks_of_what_is_left() {
    let folder = Folder::new();
    let shape = json!([[1.0, 1.0, 9.0, 1.0, 9.0, 9.5]]);
    let rows = [0, 0, 1].map(|class| annotation(1, class, [1.0, 1.0, 8.0, 8.5], shape.clone()));
    let mut data = folder.read(&coco(&rows)).unwrap();
    repair(&mut data, false);
    let to = folder.path().join("fixed.json");
    let lost = write(&data, "coco", &to);
    assert_eq!(
        words(&lost),
        ["1 masks without an object of theirs here (left out), such as that of annotation number 2 of the list"]
    );
    assert_eq!(shapes(&to)[&1], [shape.clone(), shape]);
}

#[test]
fn outlines_of_yolo_can_be_cut_out() {
    let folder = Folder::new();
    let yaml = folder.file("data.yaml", "train: images\nnames: [a, b]\n");
    folder.png("images/1.png", SIZE[0], SIZE[1]);
    folder.file("labels/1.txt", "0 0.5 0.5 0.5 0.5\n1 0.25 0.25 0.75 0.25 0.75 0.75\n");
    let masks = read_masks(&Dataset::read(&yaml, None).unwrap()).unwrap();
    assert_eq!((masks.of_class(0), masks.of_class(1)), (&[][..], &[(0, 1)][..]));
    folder.file("labels/1.txt", "0 0.5 0.5 0.5 0.5\n");
    let data = Dataset::read(&yaml, None).unwrap();
    assert!(matches!(read_masks(&data), Err(DataError::NoMasks { .. })));
}

#[test]
fn hostile_outlines_are_refused_or_counted() {
    let folder = Folder::new();
    let yaml = folder.file("data.yaml", "train: images\nnames: [a, b]\n");
    folder.png("images/1.png", SIZE[0], SIZE[1]);
    let good = "1 0.25 0.25 0.75 0.25 0.75 0.75";
    for bad in
        ["0 0.1 0.1 0.9", "0 0.1 0.1 0.9 0.1 0.9 0.9 0.1", "0 NaN 0.1 0.9 0.1 0.9 0.9", "0 0.1 0.1 inf 0.1 0.9 0.9"]
    {
        folder.file("labels/1.txt", format!("{bad}\n{good}\n"));
        assert!(matches!(Dataset::read(&yaml, None), Err(DataError::BadLine { line: 1, .. })), "{bad}");
        let data = Dataset::read_with(&yaml, &ReadConfig { images: None, lenient: true }).unwrap();
        let to = folder.path().join("out.json");
        assert!(words(&write(&data, "coco", &to)).is_empty());
        assert_eq!(shapes(&to)[&1], [json!([[16.0, 12.0, 48.0, 12.0, 48.0, 36.0]])]);
    }
    for bad in [r#""x""#, r#"[["x"]]"#, "[[1e999, 1, 2, 2, 3, 3]]", r#"{"size": [48, 64], "counts": [-1]}"#] {
        let row = format!(r#"{{"image_id": 1, "category_id": 0, "bbox": [1, 1, 2, 2], "segmentation": {bad}}}"#);
        let json = coco(&[]).replace(r#""annotations":[]"#, &format!(r#""annotations":[{row}]"#));
        let to = folder.path().join("bad.json");
        let written = folder.read(&json).and_then(|data| write_with(&data, "lvis", &to, &MASKS));
        assert!(matches!(written, Err(DataError::Json { .. })) && !to.exists(), "{bad}");
    }
}

#[test]
fn a_source_that_is_gone_is_an_error() {
    let folder = Folder::new();
    let data = folder.read(&coco(&[])).unwrap();
    fs::remove_file(&data.source).unwrap();
    assert!(matches!(write_with(&data, "coco", &folder.path().join("to.json"), &MASKS), Err(DataError::Io { .. })));
}
