//! Results files: there and back, and everything that other programs get wrong in them.

use equipoise_data::Group;
use equipoise_eval::{Detection, EvalError, read_detections, results_json, write_detections};
use proptest::prelude::*;

use crate::world::{detection, object, truth};

const BOX: [f32; 4] = [10.0, 20.0, 40.5, 60.0];

fn read(text: &str) -> Result<Vec<Detection>, EvalError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.json");
    std::fs::write(&path, text).unwrap();
    read_detections(&path, &truth(&[Group::Rare], &[&[object(0, BOX)]]))
}

fn refusal(text: &str) -> String {
    let error = read(text).unwrap_err();
    assert!(error.to_string().contains("results.json"), "{error}");
    error.to_string()
}

#[test]
fn a_file_of_any_framework_is_read() {
    let text = r#"[ {"image_id": 1, "category_id": 10, "bbox": [10, 20, 30.5, 40], "score": 0.75, "segmentation": [], "id": 3} ]"#;
    assert_eq!(read(text).unwrap(), [detection(1, 0, BOX, 0.75)]);
    assert_eq!(read("[]").unwrap(), []);
}

#[test]
fn errors_name_the_entry() {
    let good = r#"{"image_id":1,"category_id":10,"bbox":[1,2,3,4],"score":0.5}"#;
    let after = |entry: &str| refusal(&format!("[{good},{good},{entry}]"));
    assert!(refusal("").contains("detection 0"));
    assert!(refusal("{}").contains("an array of detections"));
    assert!(refusal(&format!("[{good},{good}")).contains("detection 2 (counted from 0): EOF"));
    assert!(refusal(&format!("[{good}] x")).contains("trailing"));
    assert!(after(&good.replace("0.5", "NaN")).contains("detection 2"));
    assert!(after(&good.replace("0.5", "1e400")).contains("detection 2"));
    assert!(after(&good.replace("0.5", "1e300")).contains("score inf is not finite"));
    assert!(after(&good.replace("[1,2,3,4]", "[1,2,3]")).contains("detection 2"));
    assert!(after(&good.replace("[1,2,3,4]", "[1,2,-3,4]")).contains("negative width or height"));
    assert!(after(r#"{"image_id":1,"category_id":10,"score":0.5}"#).contains("missing field `bbox`"));
    assert!(after(&good.replace(":1,", ":\"a.jpg\",")).contains("invalid type: string"));
    let other_split = after(&good.replace("\"image_id\":1", "\"image_id\":4"));
    assert!(other_split.contains("detection 2 is on image 4, which `truth.json` does not have"), "{other_split}");
    assert!(after(&good.replace(":10", ":0")).contains("not class indices"));
}

#[test]
fn a_missing_file_is_named() {
    let error = read_detections("nowhere/results.json".as_ref(), &truth(&[], &[])).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `nowhere/results.json`");
}

#[test]
fn what_is_not_finite_is_not_written() {
    let error = results_json(&[detection(1, 0, BOX, 0.5), detection(1, 0, BOX, f32::NAN)]).unwrap_err();
    assert_eq!(error.to_string(), "detection 1 on image 1: the score NaN is not finite");
}

#[test]
fn short_decimals_stay_short() {
    let text = String::from_utf8(results_json(&[detection(1, 0, [0.1, 0.2, 1.1, 2.2], 0.3)]).unwrap()).unwrap();
    assert!(text.contains(r#""bbox":[0.1,0.2,"#) && text.contains(r#""score":0.3}"#), "{text}");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_exactly(
        boxes in prop::collection::vec((0.0_f32..4000.0, 0.0_f32..4000.0, 0.0_f32..4000.0, 0.0_f32..4000.0, 0.0_f32..1.0), 0..20),
    ) {
        let found: Vec<Detection> =
            boxes.iter().map(|&(x, y, w, h, score)| detection(1, 0, [x, y, x + w, y + h], score)).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        write_detections(&path, &found).unwrap();
        prop_assert_eq!(read_detections(&path, &truth(&[Group::Rare], &[&[]])).unwrap(), found);
    }
}
