//! Reading COCO files.

use equipoise_data::{CategoryId, DataError, Dataset, FORMATS, Group, ImageId, Peek, ReadConfig};

use crate::fixture::{Folder, coco};

const GOOD: &str = r#"{"id": 1, "image_id": 2, "category_id": 9, "bbox": [10, 5, 20, 10.5], "area": 150.25, "iscrowd": 0,
                       "segmentation": [[1, 2, 3, 4, 5, 6]], "score": null},
    {"id": 2, "image_id": 2, "category_id": 4, "bbox": [0, 0, 100, 50], "iscrowd": 1, "segmentation": {"counts": "abc", "size": [50, 100]}},
    {"id": 3, "image_id": 2, "category_id": 9, "bbox": [1, 2, 3, 4]}"#;

#[test]
fn classes_images_and_boxes_come_out_dense_and_in_order() {
    let folder = Folder::new();
    let data = folder.read(&coco(GOOD)).unwrap();
    assert_eq!(
        data.categories.iter().map(|c| (c.id, c.name.as_str())).collect::<Vec<_>>(),
        [(CategoryId(4), "cat"), (CategoryId(9), "yak")]
    );
    assert_eq!(data.images.iter().map(|i| i.id).collect::<Vec<_>>(), [ImageId(1), ImageId(2)]);
    assert!(data.images[0].objects.is_empty());
    let objects = &data.images[1].objects;
    assert_eq!((objects[0].class, objects[0].bbox, objects[0].area), (1, [10.0, 5.0, 30.0, 15.5], 150.25));
    assert!(objects[1].crowd && !objects[0].crowd);
    assert_eq!(objects[2].area, 12.0, "the area of the box stands in for a missing one");
    assert!(!data.federated);
}

#[test]
fn counts_and_groups_come_from_the_objects_without_crowds() {
    let data = Folder::new().read(&coco(GOOD)).unwrap();
    let [cat, yak] = &data.categories[..] else { panic!("two categories") };
    assert_eq!((cat.images, cat.instances), (0, 0), "a crowd is no object");
    assert_eq!((yak.images, yak.instances, yak.group), (1, 2, Group::Rare));
    let [warning] = &data.warnings[..] else { panic!("one warning, got {:?}", data.warnings) };
    assert_eq!((warning.what.as_str(), warning.count), ("categories without any object", 1));
    assert_eq!(warning.example, "category 4 (`cat`)");
}

#[test]
fn untidy_boxes_are_counted_and_survived() {
    let boxes = [
        "[5, 5, 0, 10]",
        "[5, 5, -3, 10]",
        "[200, 5, 10, 10]",
        "[-20, -20, 10, 10]",
        "[90, 40, 20, 20]",
        "[99.7, 0, 0.6, 50]",
        "[1, 1, 2, 2]",
        "[1, 1, 2, 2]",
    ];
    let annotations: Vec<_> = boxes
        .iter()
        .map(|b| format!(r#"{{"id": 7, "image_id": 1, "category_id": 4, "bbox": {b}, "area": -1}}"#))
        .collect();
    let data = Folder::new().read(&coco(&annotations.join(","))).unwrap();
    let boxes: Vec<_> = data.images[0].objects.iter().map(|o| o.bbox).collect();
    let kept = [[90.0, 40.0, 100.0, 50.0], [99.7, 0.0, 100.0, 50.0], [1.0, 1.0, 3.0, 3.0], [1.0, 1.0, 3.0, 3.0]];
    assert_eq!(boxes, kept);
    assert_eq!(data.images[0].objects[0].area, 100.0);
    let found: Vec<_> = data.warnings.iter().map(|w| (w.count, w.what.as_str(), w.action.as_str())).collect();
    assert_eq!(
        found,
        [
            (2, "boxes with no area", "dropped"),
            (2, "boxes outside their picture", "dropped"),
            (1, "boxes across the border of their picture", "clipped"),
            (4, "areas that are negative or not finite", "replaced by the area of the box"),
            (1, "objects with the same image, class and box as another", "kept"),
            (7, "annotation ids used before", "kept, ids of annotations are not needed"),
            (1, "categories without any object", "kept, but a detector cannot learn them from this file"),
        ]
    );
    assert_eq!(data.warnings[0].example, "annotation 7 of image 1, bbox [5.0, 5.0, 0.0, 10.0]");
}

#[test]
fn iscrowd_may_be_a_number_a_boolean_or_null() {
    let annotation = |crowd| format!(r#"{{"image_id": 1, "category_id": 4, "bbox": [1,1,2,2], "iscrowd": {crowd}}}"#);
    let data = Folder::new().read(&coco(&["0", "1", "true", "false", "null"].map(annotation).join(","))).unwrap();
    let crowds: Vec<_> = data.images[0].objects.iter().map(|o| o.crowd).collect();
    assert_eq!(crowds, [false, true, true, false, false]);
}

#[test]
fn missing_sizes_are_read_from_the_picture() {
    let folder = Folder::new();
    folder.png("a.png", 31, 17);
    let json = r#"{"categories": [{"id": 1, "name": "a"}], "images": [{"id": 1, "file_name": "a.png", "width": 0}], "annotations": []}"#;
    let data = folder.read(json).unwrap();
    assert_eq!((data.images[0].width, data.images[0].height), (31, 17));
    let error = folder.refuse(&json.replace("a.png", "gone.png"));
    assert!(matches!(&error, DataError::Io { path, .. } if path.ends_with("gone.png")), "{error}");
    let error = folder.refuse(&json.replace("file_name", "title"));
    assert!(matches!(error, DataError::NoPicture { id: 1, .. }), "{error}");
}

#[test]
fn pictures_are_found_beside_the_file_and_in_folders_around_it() {
    let annotations = coco("");
    for picture in ["set/annotations/a.png", "set/annotations/images/a.png", "set/a.png", "set/train2017/a.png"] {
        let folder = Folder::new();
        let expected = folder.png(picture, 4, 4);
        let data = Dataset::read(&folder.file("set/annotations/instances.json", &annotations), None).unwrap();
        assert_eq!(data.images[0].path.canonicalize().unwrap(), expected.canonicalize().unwrap());
        assert_eq!(data.images[1].path.parent(), data.images[0].path.parent());
    }
    let folder = Folder::new();
    folder.png("set/annotations/a.png", 4, 4);
    let json = folder.file("set/annotations/instances.json", &annotations);
    let data = Dataset::read(&json, Some(&folder.path().join("elsewhere"))).unwrap();
    assert_eq!(data.images[0].path, folder.path().join("elsewhere/a.png"), "a given folder is the only one");
    let data = Dataset::read(&folder.file("alone.json", &annotations), None).unwrap();
    assert_eq!(data.images[0].path, folder.path().join("a.png"), "without any picture, the folder of the file");
}

#[test]
fn a_folder_stands_for_the_one_file_in_it() {
    let folder = Folder::new();
    folder.file("one/annotations/instances.json", coco(GOOD));
    folder.file("two/_annotations.coco.json", coco(GOOD));
    folder.file("two/other.json", "{}");
    for name in ["one", "two"] {
        assert_eq!(Dataset::read(&folder.path().join(name), None).unwrap().images.len(), 2);
    }
    folder.file("one/annotations/more.json", coco(GOOD));
    let error = Dataset::read(&folder.path().join("one"), None).unwrap_err().to_string();
    assert!(error.contains("instances.json") && error.contains("more.json"), "{error}");
    folder.file("empty/readme.txt", "nothing");
    let error = Dataset::read(&folder.path().join("empty"), None).unwrap_err();
    assert!(
        matches!(&error, DataError::UnknownFormat { known, .. } if known == "yolo, openimages, roboflow, lvis-v0.5, lvis, coco"),
        "{error}"
    );
}

#[test]
fn a_byte_order_mark_and_white_space_do_no_harm() {
    let text = format!("\u{feff}  \n{}\n", coco(GOOD));
    assert_eq!(Folder::new().read(&text).unwrap().images.len(), 2);
}

#[test]
fn peeking_sees_both_ends_of_a_long_file() {
    let folder = Folder::new();
    let path = folder.file("long", format!("head{}tail", " ".repeat(300_000)));
    let peek = Peek::at(&path).unwrap();
    assert!(peek.contains("head") && peek.contains("tail") && !peek.contains("body"));
}

#[test]
fn every_format_has_a_name_of_its_own_and_keeps_off_other_files() {
    let folder = Folder::new();
    let other = Peek::at(&folder.file("picture.jpg", b"\xff\xd8\xff\xe0 \"frequency\"")).unwrap();
    for (i, format) in FORMATS.iter().enumerate() {
        assert!(format.name().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b)));
        assert!(FORMATS[..i].iter().all(|f| f.name() != format.name()));
        assert!(!format.detects(&other), "{} takes a picture for a data set", format.name());
        let error = format.read(&folder.path().join("gone"), &ReadConfig::default()).unwrap_err();
        assert!(matches!(&error, DataError::Io { path, .. } if path.ends_with("gone")), "{error}");
    }
}

/// An export of Roboflow: a folder with a file and its pictures for each split.
#[test]
fn an_export_with_folders_is_one_data_set_with_splits() {
    let folder = Folder::new();
    for (split, id) in [("train", 1), ("valid", 2)] {
        let json = coco("")
            .replace("\"id\": 2, \"file_name\": \"b.png\"", &format!("\"id\": {}, \"file_name\": \"b.png\"", id + 5));
        folder.file(&format!("{split}/_annotations.coco.json"), json);
        folder.png(&format!("{split}/a.png"), 100, 50);
    }
    let train = Dataset::read(folder.path(), None).unwrap();
    assert_eq!((train.images[1].id, &train.images[0].path), (ImageId(6), &folder.path().join("train/a.png")));
    for val in [Dataset::read_validation(folder.path(), None), Dataset::read_split(folder.path(), None, "valid")] {
        let val = val.unwrap();
        assert_eq!((val.images[1].id, &val.images[0].path), (ImageId(7), &folder.path().join("valid/a.png")));
    }
    let error = Dataset::read_split(folder.path(), None, "test").unwrap_err().to_string();
    assert!(error.contains("`train`, `val`"), "{error}");
    // A file that is named is read, whatever lies beside its folder.
    let named = Dataset::read_validation(&folder.path().join("train/_annotations.coco.json"), None).unwrap();
    assert_eq!(named.images[1].id, ImageId(6));
}
