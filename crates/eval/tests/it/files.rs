//! Scoring files: numbers as they are written, gzip, masks, and everything that a results file can have wrong.

use std::io::Write;
use std::path::{Path, PathBuf};

use equipoise_data::Dataset;
use equipoise_eval::protocol::{Options, protocol};
use equipoise_eval::record::{RunDir, read_scores, write_evaluation};
use equipoise_eval::{Case, EvalError, Shape};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn truth(&self, bbox: [f64; 4]) -> Dataset {
        let [x, y, w, h] = bbox;
        let file = json!({
            "images": [{"id": 7, "width": 100, "height": 100, "file_name": "7.jpg"}],
            "annotations": [{
                "id": 1, "image_id": 7, "category_id": 3, "bbox": bbox, "area": w * h, "iscrowd": 0,
                "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
            }],
            "categories": [{"id": 3, "name": "owl"}],
        });
        let path = self.write("truth.json", file.to_string().as_bytes());
        Dataset::read_validation(&path, None).unwrap()
    }
}

fn found(bbox: [f64; 4]) -> Value {
    json!([{"image_id": 7, "category_id": 3, "bbox": bbox, "score": 0.5}])
}

fn ap(truth: &Dataset, path: &Path, shape: Shape, key: &str) -> Option<f64> {
    let case = Case::read(truth, path, shape).unwrap();
    protocol("coco").unwrap().score(&case, &Options::default()).unwrap().metrics.get(key)
}

#[test]
fn numbers_count_as_they_are_written() {
    // Exactly half of the object, which passes 0.50; as corners in f32 it is 0.49999997 of it, which does not.
    let folder = Folder::new();
    let truth = folder.truth([0.2, 0.0, 20.0, 16.0]);
    let path = folder.write("half.json", found([0.2, 0.0, 10.0, 16.0]).to_string().as_bytes());
    assert!(ap(&truth, &path, Shape::Boxes, "AP50").unwrap() > 0.999);
    let rounded = equipoise_eval::read_detections(&path, &truth).unwrap();
    assert_eq!(protocol("coco").unwrap().evaluate(&truth, &rounded).unwrap().metrics.get("AP50"), Some(0.0));
    // A truth that leaves the picture is not clipped: a box as large as it is right at all thresholds.
    let truth = folder.truth([-50.0, 0.0, 100.0, 50.0]);
    let path = folder.write("same.json", found([-50.0, 0.0, 100.0, 50.0]).to_string().as_bytes());
    assert_eq!(ap(&truth, &path, Shape::Boxes, "AP").map(|ap| ap > 0.999), Some(true));
}

#[test]
fn gzip_is_read_by_its_content() {
    let folder = Folder::new();
    let truth = folder.truth([10.0, 10.0, 20.0, 20.0]);
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(found([10.0, 10.0, 20.0, 20.0]).to_string().as_bytes()).unwrap();
    let bytes = zip.finish().unwrap();
    let path = folder.write("any.name", &bytes);
    assert!(ap(&truth, &path, Shape::Boxes, "AP").unwrap() > 0.999);
    assert_eq!(equipoise_eval::read_detections(&path, &truth).unwrap().len(), 1);
    let cut = folder.write("cut.json.gz", &bytes[..bytes.len() - 9]);
    let error = Case::read(&truth, &cut, Shape::Boxes).err().unwrap();
    assert!(error.to_string().contains("cut.json.gz"), "{error}");
}

/// The truth is read twice, for boxes and for masks; packed it gives the same scores.
#[test]
fn a_packed_truth_scores_like_the_plain_one() {
    let folder = Folder::new();
    let plain = folder.truth([10.0, 10.0, 20.0, 20.0]);
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(&std::fs::read(&plain.source).unwrap()).unwrap();
    let bytes = zip.finish().unwrap();
    let packed = Dataset::read_validation(&folder.write("truth.json.gz", &bytes), None).unwrap();
    let segmentation = json!([[10.0, 10.0, 29.0, 10.0, 29.0, 28.0, 10.0, 28.0]]);
    let mut found = found([10.0, 10.0, 19.0, 18.0]);
    found[0]["segmentation"] = segmentation;
    let path = folder.write("found.json", found.to_string().as_bytes());
    for shape in [Shape::Boxes, Shape::Masks] {
        let expected = ap(&plain, &path, shape, "AP").unwrap();
        // 342 of 400 pixels: right at the thresholds up to 0.85.
        assert!((expected - 0.8).abs() < 1e-9, "{expected}");
        assert_eq!(ap(&packed, &path, shape, "AP"), Some(expected));
    }
    let error = Dataset::read_validation(&folder.write("cut.json.gz", &bytes[..bytes.len() - 9]), None).unwrap_err();
    assert!(error.to_string().contains("cut.json.gz"), "{error}");
}

#[test]
fn masks_are_scored_as_masks() {
    let folder = Folder::new();
    let truth = folder.truth([10.0, 10.0, 40.0, 40.0]);
    // The lower left triangle of the object: its box is the object's, its mask half of it.
    let triangle = json!([{
        "image_id": 7, "category_id": 3, "score": 0.5, "bbox": [10.0, 10.0, 40.0, 40.0],
        "segmentation": [[10.0, 10.0, 50.0, 50.0, 10.0, 50.0]],
    }]);
    let path = folder.write("masks.json", triangle.to_string().as_bytes());
    assert!(ap(&truth, &path, Shape::Boxes, "AP").unwrap() > 0.999);
    assert!(ap(&truth, &path, Shape::Masks, "AP").unwrap() < 0.2);
    let boxes = folder.write("boxes.json", found([10.0, 10.0, 40.0, 40.0]).to_string().as_bytes());
    let error = Case::read(&truth, &boxes, Shape::Masks).err().unwrap();
    assert!(error.to_string().contains("detection 0 (counted from 0): missing field `segmentation`"), "{error}");
}

#[test]
fn errors_name_the_record() {
    let folder = Folder::new();
    let truth = folder.truth([10.0, 10.0, 20.0, 20.0]);
    let good = r#"{"image_id":7,"category_id":3,"bbox":[1,2,3,4],"score":0.5}"#;
    let error = |entry: &str| {
        let path = folder.write("results.json", format!("[{good},{entry}]").as_bytes());
        Case::read(&truth, &path, Shape::Boxes).err().unwrap()
    };
    assert!(matches!(error(&good.replace(":7", ":8")), EvalError::UnknownImage { index: 1, image: 8, .. }));
    assert!(matches!(error(&good.replace(":3,", ":0,")), EvalError::UnknownCategory { index: 1, category: 0, .. }));
    for (entry, reason) in [
        (good.replace("0.5", "NaN"), "detection 1"),
        (good.replace("0.5", "-0.25"), "the score -0.25 is negative"),
        (good.replace(r#""bbox":[1,2,3,4],"#, ""), "missing field `bbox`"),
        (good.replace("[1,2,3,4]", "[1,2,3,-4]"), "negative width or height"),
        (good.replace("[1,2,3,4]", "null"), "detection 1"),
        (good.replace(r#","score":0.5"#, ""), "missing field `score`"),
    ] {
        let error = error(&entry).to_string();
        assert!(error.contains(reason) && error.contains("detection 1"), "{error}");
    }
}

#[test]
fn labels_are_left_in_the_run() {
    let folder = Folder::new();
    let truth = folder.truth([10.0, 10.0, 20.0, 20.0]);
    let evaluation = protocol("lvis").unwrap().evaluate(&truth, &[]).unwrap();
    let dir = RunDir::new(folder.folder.path());
    write_evaluation(&dir, &evaluation, &truth).unwrap();
    assert_eq!(read_scores(&dir.scores()).unwrap(), evaluation.labels);
}
