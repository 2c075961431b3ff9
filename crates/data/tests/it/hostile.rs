//! Damaged and malicious files: a clear error, never a panic.

use equipoise_data::{DataError, Dataset};
use proptest::prelude::*;

use crate::fixture::{Folder, coco};

fn annotation(fields: &str) -> String {
    coco(&format!(r#"{{"id": 31, {fields}}}"#))
}

#[test]
fn a_missing_file_is_named() {
    let error = Dataset::read("no/such/file.json".as_ref(), None).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `no/such/file.json`");
}

#[test]
fn damaged_json_names_file_line_column_and_reason() {
    let folder = Folder::new();
    for (json, line, words) in [
        ("", 1, "cut short"),
        ("{\"images\": [\n{\"id\": 1", 2, "cut short"),
        ("{\"images\":\n\n [}", 3, "not JSON"),
        ("{\"images\": [{\"id\": -4}]}", 1, "integer `-4`"),
        ("{\"images\": [{\"id\": \"x\"}]}", 1, "string \"x\""),
        ("{\"annotations\": [{\"image_id\": 1, \"category_id\": 2}]}", 1, "missing field `bbox`"),
        ("{\"annotations\": [{\"image_id\": 1, \"category_id\": 2, \"bbox\": [1, 2, 3]}]}", 1, "invalid length 3"),
        ("{\"annotations\": [{\"image_id\": 1, \"category_id\": 2, \"bbox\": [1, 2, 3, NaN]}]}", 1, "NaN"),
        ("{\"annotations\": [{\"image_id\": 1, \"category_id\": 2, \"bbox\": [1, 2, 3, 1e999]}]}", 1, "out of range"),
        ("{\"annotations\": [{\"image_id\": 1, \"category_id\": 2, \"bbox\": [1, 2, 3, null]}]}", 1, "null"),
        ("[{\"image_id\": 1, \"score\": 0.5}]", 1, "a list of detections is no data set"),
        ("\"text\"", 1, "an object with `images`"),
    ] {
        let error = folder.refuse(json);
        let DataError::Json { line: found, problem, .. } = &error else { panic!("{json}: {error}") };
        assert!(*found == line && problem.contains(words), "{json}: {error}");
        assert!(error.to_string().contains("data.json"), "{error}");
    }
}

#[test]
fn each_list_must_be_there() {
    let folder = Folder::new();
    for key in ["images", "annotations", "categories"] {
        let error = folder.refuse(&coco("").replace(&format!("\"{key}\""), "\"other\""));
        assert!(matches!(&error, DataError::MissingKey { key: found, .. } if *found == key), "{error}");
    }
}

#[test]
fn a_file_of_another_kind_is_not_guessed_at() {
    let folder = Folder::new();
    let error = Dataset::read(&folder.file("notes.txt", "hello"), None).unwrap_err();
    assert!(matches!(error, DataError::UnknownFormat { .. }), "{error}");
}

#[test]
fn ids_must_be_unique_and_lead_somewhere() {
    let folder = Folder::new();
    let error = folder.refuse(&coco("").replace("\"id\": 4", "\"id\": 9")).to_string();
    assert!(error.contains("category id 9 is used twice"), "{error}");
    let error = folder.refuse(&coco("").replace("\"id\": 2,", "\"id\": 1,")).to_string();
    assert!(error.contains("image id 1 is used twice"), "{error}");
    let error = folder.refuse(&annotation(r#""image_id": 1, "category_id": 5, "bbox": [1, 1, 2, 2]"#)).to_string();
    assert!(error.contains("annotation 31 has category_id 5, but no category has this id: add"), "{error}");
    let error = folder.refuse(&annotation(r#""image_id": 6, "category_id": 4, "bbox": [1, 1, 2, 2]"#)).to_string();
    assert!(error.contains("annotation 31 has image_id 6, but no image has this id: add"), "{error}");
    let error = folder.refuse(&coco(r#"{"image_id": 6, "category_id": 4, "bbox": [1, 1, 2, 2]}"#)).to_string();
    assert!(error.contains("annotation number 1 of the list"), "{error}");
}

#[test]
fn boxes_and_sizes_that_are_no_numbers_are_refused() {
    let folder = Folder::new();
    let error = folder.refuse(&annotation(r#""image_id": 1, "category_id": 4, "bbox": [1e308, 1, 1e308, 2]"#));
    assert!(matches!(error, DataError::NonFiniteBox { .. }), "{error}");
    for size in ["-100", "1e300", "0.5"] {
        let error = folder.refuse(&coco("").replace("\"width\": 100", &format!("\"width\": {size}"))).to_string();
        assert!(error.contains("image 1 has width") && error.contains("expected 1 to 1000000"), "{error}");
    }
}

#[test]
fn no_categories_and_no_images_are_an_empty_data_set() {
    let data = Folder::new().read(r#"{"images": [], "annotations": [], "categories": []}"#).unwrap();
    assert_eq!((data.num_classes(), data.images.len(), data.warnings.len()), (0, 0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_file_cut_anywhere_is_an_error(cut in 0usize..700) {
        let text = annotation(r#""image_id": 1, "category_id": 4, "bbox": [1, 1, 2, 2], "iscrowd": 0, "area": 4.5"#);
        let cut = cut.min(text.len() - 1);
        let error = Folder::new().refuse(&text[..cut]);
        prop_assert!(matches!(error, DataError::Json { .. }), "cut at {}: {}", cut, error);
    }

    #[test]
    fn any_change_of_a_byte_gives_a_data_set_or_an_error(at in 0usize..700, byte: u8) {
        let mut text = annotation(r#""image_id": 1, "category_id": 4, "bbox": [1, 1, 2, 2], "iscrowd": 0"#).into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let folder = Folder::new();
        if let Ok(data) = Dataset::read(&folder.file("data.json", text), None) {
            check(&data)?;
        }
    }

    #[test]
    fn any_box_is_dropped_refused_or_inside(bbox in prop::array::uniform4(any::<f64>()), area: f64) {
        let numbers = bbox.map(|v| if v.is_finite() { v } else { 0.0 });
        let area = if area.is_finite() { area } else { -1.0 };
        let text = annotation(&format!(r#""image_id": 1, "category_id": 4, "bbox": {numbers:?}, "area": {area:?}"#));
        match Folder::new().read(&text) {
            Ok(data) => check(&data)?,
            Err(error) => prop_assert!(matches!(error, DataError::NonFiniteBox { .. }), "{}", error),
        }
    }

    #[test]
    fn boxes_near_the_border_are_inside(bbox in prop::array::uniform4(-200.0f64..200.0)) {
        let text = annotation(&format!(r#""image_id": 1, "category_id": 4, "bbox": {bbox:?}"#));
        check(&Folder::new().read(&text).unwrap())?;
    }
}

/// What every part relies on.
pub fn check(data: &Dataset) -> Result<(), TestCaseError> {
    for image in &data.images {
        prop_assert!(image.width > 0 && image.height > 0);
        for object in &image.objects {
            let [x1, y1, x2, y2] = object.bbox;
            prop_assert!(0.0 <= x1 && x1 < x2 && x2 <= image.width as f32, "{:?}", object);
            prop_assert!(0.0 <= y1 && y1 < y2 && y2 <= image.height as f32, "{:?}", object);
            prop_assert!(object.class < data.num_classes() && object.area >= 0.0 && object.area.is_finite());
        }
    }
    Ok(())
}
