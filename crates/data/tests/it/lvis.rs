//! Reading LVIS files, writing them, and taking groups from a training set.

use std::fs;

use equipoise_data::{
    CategoryId, DataError, Dataset, Group, GroupThresholds, ImageId, LvisAnnotation, LvisCategory, LvisFile, LvisImage,
    LvisInfo, Segmentation, write_lvis,
};

use crate::fixture::Folder;

fn file() -> LvisFile {
    let category = |id, name: &str, frequency, image_count| LvisCategory {
        id: CategoryId(id),
        name: name.into(),
        synset: format!("{name}.n.01"),
        synonyms: vec![name.into()],
        def: format!("a {name}"),
        frequency,
        image_count,
        instance_count: image_count * 2,
    };
    let image = |id, name: &str, negative: &[u64], not_exhaustive: &[u64]| LvisImage {
        id: ImageId(id),
        file_name: name.into(),
        width: 100,
        height: 50,
        neg_category_ids: negative.iter().copied().map(CategoryId).collect(),
        not_exhaustive_category_ids: not_exhaustive.iter().copied().map(CategoryId).collect(),
    };
    let annotation = LvisAnnotation {
        id: 1,
        image_id: ImageId(5),
        category_id: CategoryId(2),
        bbox: [10.0, 20.0, 30.5, 10.0],
        area: 99.5,
        iscrowd: 0,
        segmentation: Segmentation::Polygons(vec![vec![10.0, 20.0, 40.5, 20.0, 40.5, 30.0]]),
    };
    LvisFile {
        info: LvisInfo { description: "test".into(), version: "1".into(), license: "none".into() },
        categories: vec![category(2, "yak", Group::Common, 50), category(1, "cat", Group::Frequent, 500)],
        images: vec![image(5, "train/5.png", &[1], &[]), image(3, "train/3.png", &[2, 1], &[2])],
        annotations: vec![annotation],
    }
}

#[test]
fn what_is_written_is_read_back() {
    let folder = Folder::new();
    let path = folder.path().join("lvis.json");
    write_lvis(&file(), &path).unwrap();
    let data = Dataset::read(&path, None).unwrap();
    assert!(data.federated);
    let found: Vec<_> = data.categories.iter().map(|c| (c.name.as_str(), c.group, c.images, c.instances)).collect();
    assert_eq!(found, [("cat", Group::Frequent, 500, 1000), ("yak", Group::Common, 50, 100)]);
    assert_eq!((&data.images[0].negative[..], &data.images[0].not_exhaustive[..]), (&[0, 1][..], &[1][..]));
    assert_eq!((&data.images[1].negative[..], data.images[1].objects.len()), (&[0][..], 1));
    // Class 1 is labelled in part in the first picture, and class 0 is known to be absent from both.
    assert_eq!(data.images[0].exhaustive_classes(), [0]);
    assert_eq!(data.images[1].exhaustive_classes(), [0, 1]);
    let object = &data.images[1].objects[0];
    assert_eq!((object.class, object.bbox, object.area), (1, [10.0, 20.0, 40.5, 30.0], 99.5));
    assert!(data.warnings.is_empty(), "{:?}", data.warnings);
}

#[test]
fn the_same_content_gives_the_same_bytes_and_no_other_files() {
    let folder = Folder::new();
    let [one, two] = ["one.json", "two.json"].map(|name| folder.path().join(name));
    write_lvis(&file(), &one).unwrap();
    write_lvis(&file(), &two).unwrap();
    assert_eq!(fs::read(one).unwrap(), fs::read(two).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_coordinate_that_json_cannot_hold_is_refused_and_the_old_file_stays() {
    let folder = Folder::new();
    let path = folder.file("lvis.json", "old");
    let mut broken = file();
    broken.annotations[0].bbox[2] = f32::NAN;
    let error = write_lvis(&broken, &path).unwrap_err();
    assert!(matches!(&error, DataError::Io { source, .. } if source.to_string().contains("annotation 1")), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn pictures_are_named_by_the_last_two_parts_of_coco_url() {
    let json = r#"{"categories": [{"id": 1, "name": "a", "frequency": "r"}], "annotations": [], "images": [
        {"id": 1, "coco_url": "http://images.example.org/train2017/001.jpg", "width": 4, "height": 4},
        {"id": 2, "coco_url": "http://images.example.org/val2017/002.jpg", "file_name": "COCO_002.jpg", "width": 4, "height": 4}]}"#;
    let folder = Folder::new();
    let path = folder.file("lvis/lvis_v1_val.json", json);
    folder.file("coco/train2017/001.jpg", "");
    let data = Dataset::read(&path, None).unwrap();
    assert_eq!(data.images[0].path, folder.path().join("coco/train2017/001.jpg"));
    assert_eq!(data.images[1].path, folder.path().join("coco/val2017/002.jpg"), "not file_name, and not in train2017");
    let data = Dataset::read(&path, Some(&folder.path().join("coco"))).unwrap();
    assert_eq!(data.images[0].path, folder.path().join("coco/train2017/001.jpg"));
    let data = Dataset::read(&path, Some(&folder.path().join("coco/train2017"))).unwrap();
    assert_eq!(data.images[0].path, folder.path().join("coco/train2017/001.jpg"));
}

#[test]
fn lvis_fields_in_the_middle_of_a_long_file_are_seen_too() {
    let filler = format!(r#""filler": "{}""#, "x".repeat(200_000));
    let json = format!(
        r#"{{{filler}, "categories": [{{"id": 1, "name": "a", "frequency": "c"}}], "annotations": [],
        "images": [{{"id": 1, "coco_url": "http://h/train2017/1.jpg", "file_name": "x.jpg", "width": 4, "height": 4,
        "neg_category_ids": [1], "not_exhaustive_category_ids": []}}], "more_{filler_end}": 0}}"#,
        filler_end = "x".repeat(200_000)
    );
    let data = Folder::new().read(&json).unwrap();
    assert!(data.federated && data.categories[0].group == Group::Common);
    assert!(data.images[0].path.ends_with("train2017/1.jpg"));
}

#[test]
fn frequency_without_federated_lists_is_not_federated() {
    let json = r#"{"categories": [{"id": 1, "name": "a", "frequency": "f"}], "annotations": [],
        "images": [{"id": 1, "file_name": "x.jpg", "width": 4, "height": 4}]}"#;
    let data = Folder::new().read(json).unwrap();
    assert!(!data.federated);
    assert_eq!(data.categories[0].group, Group::Frequent);
}

#[test]
fn unknown_frequency_and_unknown_listed_categories() {
    let json = r#"{"categories": [{"id": 1, "name": "a", "frequency": "f"}], "annotations": [],
        "images": [{"id": 8, "file_name": "x.jpg", "width": 4, "height": 4, "neg_category_ids": [1, 77, 1, 78]}]}"#;
    let folder = Folder::new();
    let data = folder.read(json).unwrap();
    assert_eq!(data.images[0].negative, [0]);
    assert_eq!((data.warnings[0].count, data.warnings[0].example.as_str()), (2, "image 8 lists category 77"));
    let error = folder.refuse(&json.replace(r#""f""#, r#""x""#)).to_string();
    assert!(error.contains("category 1 has frequency `x`: expected `r`, `c` or `f`"), "{error}");
}

fn plain(names: [&str; 2], objects: usize) -> String {
    let images: Vec<_> =
        (1..=20).map(|id| format!(r#"{{"id": {id}, "file_name": "x", "width": 9, "height": 9}}"#)).collect();
    let annotations: Vec<_> = (1..=objects)
        .map(|image| format!(r#"{{"image_id": {image}, "category_id": 1, "bbox": [1, 1, 2, 2]}}"#))
        .collect();
    let [one, two] = names;
    format!(
        r#"{{"categories": [{{"id": 1, "name": "{one}"}}, {{"id": 2, "name": "{two}"}}],
        "images": [{}], "annotations": [{}]}}"#,
        images.join(","),
        annotations.join(",")
    )
}

#[test]
fn a_validation_set_takes_groups_and_counts_from_training() {
    let folder = Folder::new();
    let training = Dataset::read(&folder.file("train.json", plain(["cat", "yak"], 15)), None).unwrap();
    let path = folder.file("val.json", plain(["cat", "yak"], 3));
    let alone = Dataset::read(&path, None).unwrap();
    assert_eq!((alone.categories[0].group, alone.categories[0].images), (Group::Rare, 3));
    assert_eq!(alone.warnings.len(), 1);
    let mut val = Dataset::read_with_training_counts(&path, None, &training).unwrap();
    assert_eq!(val.categories, training.categories);
    assert_eq!((val.categories[0].group, val.categories[0].images), (Group::Common, 15));
    assert!(val.warnings.is_empty(), "whether a class has objects is a question to the training set");
    val.regroup(GroupThresholds { rare: 1, common: 14 });
    assert_eq!(val.groups(), [Group::Frequent, Group::Rare]);
}

#[test]
fn a_validation_set_with_other_classes_is_refused() {
    let folder = Folder::new();
    let training = Dataset::read(&folder.file("train.json", plain(["cat", "yak"], 1)), None).unwrap();
    let path = folder.file("val.json", plain(["cat", "emu"], 1));
    let error = Dataset::read_with_training_counts(&path, None, &training).unwrap_err().to_string();
    for part in ["val.json", "train.json", "2 `emu` in the first", "2 `yak` in the second"] {
        assert!(error.contains(part), "{error}");
    }
}

/// A file in the manner of LVIS v0.5: `file_name` by the rule of COCO 2014, without `coco_url`.
const V05: &str = r#"{"info": {"version": "0.5"}, "licenses": [], "categories": [
        {"id": 1, "name": "acorn", "synset": "acorn.n.01", "synonyms": ["acorn"], "def": "a nut", "image_count": 4,
         "instance_count": 20, "frequency": "r"},
        {"id": 2, "name": "yak", "synset": "yak.n.01", "image_count": 40, "instance_count": 41}],
    "images": [{"id": 9, "file_name": "COCO_val2014_000000000009.jpg", "width": 9, "height": 8,
        "not_exhaustive_category_ids": [2], "neg_category_ids": [1]}],
    "annotations": [{"id": 1, "image_id": 9, "category_id": 2, "bbox": [1, 1, 2, 2], "area": 3.5, "segmentation": [[1, 1, 3, 1, 3, 3]]}]}"#;

#[test]
fn version_0_5_names_pictures_by_file_name() {
    // Beside the pictures of COCO 2014 as well as beside those of 2017, which are the same under shorter names.
    for picture in ["val2014/COCO_val2014_000000000009.jpg", "val2017/000000000009.jpg"] {
        let folder = Folder::new();
        let path = folder.file("annotations/lvis_v0.5_val.json", V05);
        folder.file(picture, "");
        let data = Dataset::read(&path, None).unwrap();
        assert!(data.federated && data.images[0].path == folder.path().join(picture), "{:?}", data.images[0].path);
        assert_eq!((&data.images[0].negative[..], &data.images[0].not_exhaustive[..]), (&[0][..], &[1][..]));
        let found: Vec<_> = data.categories.iter().map(|c| (c.group, c.images, c.instances)).collect();
        let expected = [(Group::Rare, 4, 20), (Group::Common, 40, 41)];
        assert_eq!(found, expected, "a group that is missing follows from image_count");
    }
}
