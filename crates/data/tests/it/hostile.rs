//! Damaged and malicious files: a clear error, never a panic.

use std::io::Write as _;

use equipoise_data::{DataError, Dataset, ReadConfig, Severity, examine, picture};
use flate2::{Compression, Crc, write::GzEncoder};
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

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn compressed_annotations_are_read_and_cut_ones_refused() {
    let folder = Folder::new();
    let json = annotation(r#""image_id": 1, "category_id": 4, "bbox": [1, 1, 2, 2]"#);
    let plain = folder.read(&json).unwrap();
    let packed = gzip(json.as_bytes());
    for name in ["data.json.gz", "annotations"] {
        let read = Dataset::read(&folder.file(name, &packed), None).unwrap();
        assert_eq!((read.categories, read.images), (plain.categories.clone(), plain.images.clone()));
    }
    let alone = Folder::new();
    alone.file("data.json.gz", &packed);
    assert_eq!(Dataset::read(alone.path(), None).unwrap().images, {
        let json = alone.file("other/data.json", &json);
        let mut images = Dataset::read(&json, None).unwrap().images;
        images.iter_mut().for_each(|i| i.path = alone.path().join(i.path.file_name().unwrap()));
        images
    });
    for cut in [5, packed.len() / 2, packed.len() - 4] {
        let error = Dataset::read(&folder.file("cut.json.gz", &packed[..cut]), None).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.to_string().contains("cut.json.gz") && cause.contains("cut short"), "{error}: {cause}");
    }
    // The place of an error is that in the unpacked text.
    let error = Dataset::read(&folder.file("bad.json.gz", gzip(b"{\"images\": [\n{\"id\": -4}]}")), None).unwrap_err();
    assert!(matches!(error, DataError::Json { line: 2, .. }), "{error}");
}

#[test]
fn a_file_that_unpacks_without_end_is_refused() {
    let mut json = b"{\"images\": [".to_vec();
    json.resize(80 << 20, b' ');
    let path = Folder::new();
    let path = path.file("bomb.json.gz", gzip(&json));
    let error = Dataset::read(&path, None).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("200-fold"), "{error}: {cause}");
}

#[test]
fn an_entry_without_end_is_refused() {
    let folder = Folder::new();
    for start in ["{\"images\": [\"", "{\"info\": \""] {
        let mut json = start.as_bytes().to_vec();
        json.resize(66 << 20, b'x');
        let error = Dataset::read(&folder.file("data.json", json), None).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("64 MiB"), "{error}: {cause}");
    }
}

#[test]
fn large_ids_names_that_are_no_text_and_odd_outlines() {
    let folder = Folder::new();
    let large = coco(
        r#"{"image_id": 1, "category_id": 9007199254740993, "bbox": [1, 1, 2, 2], "segmentation": [[1, 2, 3, 4]]}"#,
    );
    let data = folder.read(&large.replace("\"id\": 9,", "\"id\": 9007199254740993,")).unwrap();
    assert_eq!((data.categories[1].id.0, data.images[0].objects[0].class), (9_007_199_254_740_993, 1));
    let mut json = coco("").into_bytes();
    let at = json.windows(3).position(|w| w == b"yak").unwrap();
    json[at] = 0xff;
    let error = Dataset::read(&folder.file("data.json", json), None).unwrap_err();
    assert!(matches!(&error, DataError::Json { line: 2, problem, .. } if problem.contains("unicode")), "{error}");
    let error = folder.refuse(&coco("").replace("\"width\": 100", "\"width\": 1000000000")).to_string();
    assert!(error.contains("image 1 has width 1000000000"), "{error}");
}

/// Whatever a file calls its pictures, nothing is written outside the new folder.
#[test]
fn names_of_pictures_lead_nowhere_outside_when_written() {
    let folder = Folder::new();
    folder.png("deep/down/a.png", 100, 50);
    folder.png("b.png", 100, 50);
    let json = coco("").replace("\"a.png", "\"down/../../deep/down/a.png").replace("\"b.png", "\"../b.png");
    let data = Dataset::read(&folder.file("deep/data.json", json), None).unwrap();
    for format in ["yolo", "openimages"] {
        let to = folder.path().join(format!("around/{format}"));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        equipoise_data::write(&data, format, &to).unwrap();
    }
    let listed = |path: &str| {
        let entries = std::fs::read_dir(folder.path().join(path)).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(listed(""), ["around", "b.png", "deep"]);
    assert_eq!(listed("around"), ["openimages", "yolo"]);
    assert_eq!(listed("around/yolo/images/train"), ["a.png", "b.png"]);
    assert!(listed("around/openimages").contains(&"a.png".to_owned()));
}

/// A PNG of 37 bytes that claims 10^9 × 10^9 pixels.
#[test]
fn a_picture_that_claims_any_size_is_refused() {
    let folder = Folder::new();
    let mut header = b"IHDR".to_vec();
    header.extend([1_000_000_000u32.to_be_bytes(), 1_000_000_000u32.to_be_bytes()].concat());
    header.extend([8, 2, 0, 0, 0]);
    let mut crc = Crc::new();
    crc.update(&header);
    let png = [b"\x89PNG\r\n\x1a\n\0\0\0\x0d", &header[..], &crc.sum().to_be_bytes()].concat();
    let path = folder.file("huge.png", png);
    assert!(matches!(picture::decode(&path), Err(DataError::Picture { .. })));
    // Its size alone may be asked for, and is refused as that of an image.
    let json = coco("").replace("a.png\", \"width\": 100, \"height\": 50", "huge.png\"");
    let _ = folder.read(&json).map(|data| assert!(data.images.iter().all(|i| i.width <= 1_000_000)));
}

/// What a training is refused for is counted, with an example each, and the rest is there.
#[test]
fn a_lenient_reading_counts_what_is_refused() {
    let folder = Folder::new();
    let json = coco(
        r#"{"id": 1, "image_id": 1, "category_id": 5, "bbox": [1, 1, 2, 2]}, {"id": 2, "image_id": 7, "category_id": 4, "bbox": [1, 1, 2, 2]},
        {"id": 3, "image_id": 8, "category_id": 4, "bbox": [1, 1, 2, 2]}, {"id": 4, "image_id": 1, "category_id": 4, "bbox": [1e308, 1, 1e308, 2]},
        {"id": 5, "image_id": 3, "category_id": 4, "bbox": [1, 1, 2, 2]}, {"id": 6, "image_id": 1, "category_id": 4, "bbox": [1, 1, 2, 2]}"#,
    );
    let json = json.replace(
        "\"images\": [",
        "\"images\": [{\"id\": 1, \"width\": 5, \"height\": 5}, {\"id\": 3, \"width\": -1, \"height\": 5},",
    );
    let json =
        json.replace("\"categories\": [", "\"categories\": [{\"id\": 4, \"name\": \"cow\", \"frequency\": \"x\"},");
    folder.refuse(&json);
    let config = ReadConfig { images: None, lenient: true };
    let data = Dataset::read_with(&folder.path().join("data.json"), &config).unwrap();
    let findings = examine(&data, None, false);
    let errors: Vec<_> =
        findings.iter().filter(|f| f.severity == Severity::Error).map(|f| (f.what.as_str(), f.count)).collect();
    assert_eq!(
        errors,
        [
            ("categories with the id of another", 1),
            ("images with the id of another", 1),
            ("objects of images that are not listed", 2),
            ("objects of categories that are not listed", 1),
            ("boxes that are not finite", 1),
            ("categories whose frequency is not r, c or f", 1),
            ("images without a size that makes sense", 1),
        ]
    );
    let example = &findings.iter().find(|f| f.what.contains("images that are not")).unwrap().example;
    assert!(example.contains("annotation 2 has image_id 7"), "{example}");
    assert_eq!(data.images.iter().map(|i| i.objects.len()).sum::<usize>(), 1);
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
