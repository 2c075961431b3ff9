//! Writing data sets: what comes back is what was written, the rest is named.

use std::{fs, path::Path};

use equipoise_data::{
    Category, CategoryId, Counts, DataError, Dataset, FORMATS, Group, GroupThresholds, ImageId, ImageRecord, Lost,
    Object, WriteConfig, format_name, write, write_splits, write_with,
};
use proptest::prelude::*;

use crate::fixture::{Folder, coco, dataset, object};

/// Lengths that a box may have, in parts of what is left of the picture.
const PARTS: std::ops::Range<f32> = 0.01..1.0;

/// Coordinates near 0 lose bits in YOLO's centres: below this the start of a box is 0.
const SMALLEST: f32 = 1e-3;

/// Groups and counts as a reader without better knowledge finds them.
fn count(data: &mut Dataset) {
    let counts = Counts::of(data);
    for (k, category) in data.categories.iter_mut().enumerate() {
        (category.images, category.instances) = (counts.images[k], counts.instances[k]);
        category.group = GroupThresholds::default().group(counts.images[k]);
    }
}

fn bboxes(width: u32, height: u32) -> impl Strategy<Value = [f32; 4]> {
    let side = |length: u32| {
        let length = length as f32;
        (0.0..0.99f32, PARTS, any::<bool>()).prop_map(move |(start, part, whole)| {
            let start = if start * length < SMALLEST { 0.0 } else { start * length };
            (start, if whole { length } else { start + (length - start) * part })
        })
    };
    (side(width), side(height)).prop_map(|((x1, x2), (y1, y2))| [x1, y1, x2, y2])
}

fn objects(num_classes: usize, width: u32, height: u32) -> impl Strategy<Value = Vec<Object>> {
    let one = (0..num_classes, bboxes(width, height), any::<bool>(), 0.0..1e4f64)
        .prop_map(|(class, bbox, crowd, area)| Object { class, bbox, area, crowd });
    prop::collection::vec(one, 0..5)
}

fn images(num_classes: usize) -> impl Strategy<Value = Vec<ImageRecord>> {
    let lists = move || prop::collection::btree_set(0..num_classes, 0..=num_classes);
    let one = (1u32..40, 1u32..40, 1u64..9)
        .prop_flat_map(move |(w, h, gap)| (Just((w, h, gap)), objects(num_classes, w, h), lists(), lists()));
    prop::collection::vec(one, 1..4).prop_map(|all| {
        let mut id = 0;
        let records = all.into_iter().map(|((width, height, gap), objects, negative, not_exhaustive)| {
            id += gap;
            let [negative, not_exhaustive] = [negative, not_exhaustive].map(|list| list.into_iter().collect());
            let path = format!("{id:05}.png").into();
            ImageRecord { id: ImageId(id), path, width, height, objects, negative, not_exhaustive }
        });
        records.collect()
    })
}

fn categories() -> impl Strategy<Value = Vec<Category>> {
    let group = prop::sample::select(vec![Group::Rare, Group::Common, Group::Frequent]);
    let one = (1u64..1000, "(?s).{0,8}", group, any::<u32>(), any::<u32>());
    prop::collection::vec(one, 1..5).prop_map(|all| {
        let mut id = 0;
        let categories = all.into_iter().map(|(gap, name, group, images, instances)| {
            id += gap;
            Category { id: CategoryId(id), name, group, images: images.into(), instances: instances.into() }
        });
        categories.collect()
    })
}

/// Federated, with counts from elsewhere: everything that LVIS holds.
fn datasets() -> impl Strategy<Value = Dataset> {
    categories().prop_flat_map(|c| (Just(c.clone()), images(c.len()))).prop_map(|(categories, images)| Dataset {
        source: "memory".into(),
        categories,
        images,
        federated: true,
        warnings: Vec::new(),
    })
}

/// Takes away what COCO has no field for.
fn leave_to_coco(data: &mut Dataset) {
    data.federated = false;
    data.images.iter_mut().for_each(|image| (image.negative, image.not_exhaustive) = Default::default());
    count(data);
}

/// Draws the pictures of `data` into `folder`.
fn draw(folder: &Folder, data: &mut Dataset) {
    for image in &mut data.images {
        image.path = folder.png(&format!("pictures/{}", image.path.display()), image.width, image.height);
    }
}

/// Writes and reads `data`; without what belongs to the file and not to the data.
fn there_and_back(data: &Dataset, format: &str, to: &Path) -> (Dataset, Vec<Lost>) {
    let lost = write(data, format, to).unwrap();
    let mut found = Dataset::read(to, None).unwrap();
    found.source.clone_from(&data.source);
    found.warnings.clear();
    (found, lost)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn both_versions_of_lvis_give_back_everything(mut data in datasets(), of_coco in any::<bool>()) {
        let folder = Folder::new();
        for image in &mut data.images {
            let picture = if of_coco { format!("train2017/{:012}.jpg", image.id.0) } else { image.path.display().to_string() };
            image.path = folder.path().join("some/where").join(picture);
        }
        for version in ["lvis", "lvis-v0.5"] {
            // Beside the pictures, above them, and far from them: the pictures need not exist.
            for to in ["some/where", "", "some/other"] {
                let to = folder.path().join(to);
                fs::create_dir_all(&to).unwrap();
                let (found, lost) = there_and_back(&data, version, &to.join("out.json"));
                prop_assert_eq!(&found, &data, "{} in {}", version, to.display());
                prop_assert!(lost.is_empty(), "{:?}", lost);
            }
        }
    }

    #[test]
    fn coco_gives_back_what_is_not_federated(mut data in datasets()) {
        let folder = Folder::new();
        leave_to_coco(&mut data);
        data.images.iter_mut().for_each(|image| image.path = folder.path().join("../elsewhere").join(&image.path));
        let (found, lost) = there_and_back(&data, "coco", &folder.path().join("out.json"));
        prop_assert_eq!(found, data);
        prop_assert!(lost.is_empty(), "{:?}", lost);
    }

    #[test]
    fn roboflow_gives_back_what_coco_does(mut data in datasets()) {
        let folder = Folder::new();
        leave_to_coco(&mut data);
        draw(&folder, &mut data);
        let (mut found, lost) = there_and_back(&data, "roboflow", &folder.path().join("out"));
        for image in &mut found.images {
            prop_assert!(image.path.starts_with(folder.path().join("out/train")) && image.path.is_file());
            image.path = folder.path().join("pictures").join(image.path.file_name().unwrap());
        }
        prop_assert_eq!(found, data);
        prop_assert!(lost.is_empty(), "{:?}", lost);
    }

    #[test]
    fn yolo_gives_back_names_pictures_and_boxes(mut data in datasets()) {
        let folder = Folder::new();
        data.federated = false;
        data.categories.iter_mut().zip(0..).for_each(|(category, k)| category.id = CategoryId(k));
        for (image, id) in data.images.iter_mut().zip(1..) {
            (image.negative, image.not_exhaustive) = Default::default();
            image.id = ImageId(id);
            image.objects.iter_mut().for_each(|o| *o = object(o.class, o.bbox));
            for object in &mut image.objects {
                let [x1, y1, x2, y2] = object.bbox;
                object.area = f64::from(x2 - x1) * f64::from(y2 - y1);
            }
        }
        count(&mut data);
        draw(&folder, &mut data);
        let (mut found, lost) = there_and_back(&data, "yolo", &folder.path().join("out"));
        for image in &mut found.images {
            image.path = folder.path().join("pictures").join(image.path.file_name().unwrap());
        }
        prop_assert_eq!(found, data);
        prop_assert!(lost.is_empty(), "{:?}", lost);
    }
}

/// A data set of two classes and one picture on disk with a crowd, a mask area, federated lists and counts from elsewhere.
fn rich(folder: &Folder) -> Dataset {
    let mut data = dataset(2, &[&[0, 1, 1]]);
    data.images[0].path = folder.png("pictures/a.png", 8, 8);
    data.images[0].id = ImageId(7);
    data.images[0].objects[0].area = 3.0;
    data.images[0].objects[1].crowd = true;
    data.images[0].not_exhaustive = vec![1];
    data.federated = true;
    data.categories[1].images = 500;
    data
}

#[test]
fn what_a_format_cannot_hold_is_named_and_counted() {
    let folder = Folder::new();
    let data = rich(&folder);
    let lost = |format, to: &str| -> Vec<_> {
        let lost = write(&data, format, &folder.path().join(to)).unwrap();
        lost.into_iter().map(|l| (l.what, l.count)).collect()
    };
    assert_eq!(lost("lvis", "lvis.json"), []);
    let (lists, counts) =
        ("images with lists of the classes judged there", "categories with a group or counts from elsewhere");
    assert_eq!(lost("coco", "coco.json"), [(lists, 1), (counts, 2)]);
    assert_eq!(
        lost("yolo", "yolo"),
        [
            ("crowd regions (left out)", 1),
            ("areas other than that of the box", 1),
            (lists, 1),
            ("category ids (counted from 0)", 2),
            ("image ids (counted from 1 by name)", 1),
            (counts, 2),
        ]
    );
    let found = Dataset::read(&folder.path().join("yolo"), None).unwrap();
    assert_eq!(found.images[0].objects, [0, 1].map(|class| object(class, [1.0, 1.0, 5.0, 5.0])));
    let labels = fs::read_to_string(folder.path().join("yolo/labels/train/a.txt")).unwrap();
    assert_eq!(labels.lines().next().unwrap(), "0 0.375000 0.375000 0.500000 0.500000");
}

#[test]
fn lvis_from_a_set_without_lists_says_that_all_classes_were_judged() {
    let folder = Folder::new();
    let data = dataset(3, &[&[1], &[], &[0, 1, 2]]);
    let to = folder.path().join("out.json");
    assert!(write(&data, "lvis", &to).unwrap().is_empty());
    let found = Dataset::read(&to, None).unwrap();
    assert!(found.federated && found.images.iter().all(|image| image.exhaustive_classes() == [0, 1, 2]));
}

#[test]
fn boxes_are_written_in_few_digits() {
    let folder = Folder::new();
    let mut data = dataset(1, &[&[]]);
    data.images[0].objects = vec![object(0, [0.1, 2.0, 6.4, 7.0])];
    let to = folder.path().join("out.json");
    write(&data, "coco", &to).unwrap();
    let text = fs::read_to_string(&to).unwrap();
    assert!(text.contains(r#""bbox":[0.1,2.0,6.3,5.0]"#), "{text}");
}

#[test]
fn every_format_writes_or_says_that_it_does_not() {
    let folder = Folder::new();
    let mut data = dataset(2, &[&[0, 1]]);
    data.images[0].path = folder.png("pictures/a.png", 8, 8);
    for format in FORMATS {
        match write(&data, format.name(), &folder.path().join(format.name())) {
            Ok(_) => {
                let found = Dataset::read(&folder.path().join(format.name()), None).unwrap();
                assert_eq!(found.images[0].objects, data.images[0].objects, "{}", format.name());
            }
            Err(DataError::ReadOnlyFormat { format: name }) => assert_eq!(name, format.name()),
            Err(error) => panic!("{}: {error}", format.name()),
        }
    }
    let error = write(&data, "voc", folder.path()).unwrap_err().to_string();
    assert!(error.contains("option `format` is `voc`: expected one of ") && error.contains("coco"), "{error}");
}

#[test]
fn the_source_is_never_written_over() {
    let folder = Folder::new();
    let source = folder.file("data.json", coco(""));
    let data = Dataset::read(&source, None).unwrap();
    let around = folder.path().join("../folder/data.json");
    for to in [&source, &around] {
        for format in ["coco", "lvis", "yolo"] {
            let error = write(&data, format, to).unwrap_err();
            assert!(matches!(error, DataError::OverSource { .. }), "{error}");
        }
    }
    assert_eq!(fs::read_to_string(&source).unwrap(), coco(""));
}

#[test]
fn what_json_cannot_hold_is_refused_and_the_old_file_stays() {
    let folder = Folder::new();
    let to = folder.file("out.json", "old");
    let mut data = dataset(1, &[&[0]]);
    data.images[0].objects[0].area = f64::NAN;
    let error = write(&data, "coco", &to).unwrap_err();
    assert!(matches!(&error, DataError::Io { source, .. } if source.to_string().contains("image 1")), "{error:?}");
    assert_eq!(fs::read(&to).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_is_written_whole_or_not_at_all() {
    let folder = Folder::new();
    let mut data = rich(&folder);
    let to = folder.path().join("out");
    data.images.push(ImageRecord { path: folder.path().join("gone.png"), ..data.images[0].clone() });
    let error = write(&data, "yolo", &to).unwrap_err();
    assert!(matches!(&error, DataError::Io { path, .. } if path.ends_with("gone.png")), "{error}");
    data.images[1].path = "nothing".into();
    let error = write(&data, "yolo", &to).unwrap_err();
    assert!(matches!(&error, DataError::Io { source, .. } if source.to_string().contains("image 7")), "{error:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the pictures");
    data.images.pop();
    folder.file("out/mine.txt", "text");
    let error = write(&data, "yolo", &to).unwrap_err().to_string();
    assert!(error.contains("out`") && error.contains("is in the way"), "{error}");
    fs::remove_file(to.join("mine.txt")).unwrap();
    write(&data, "yolo", &to).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn pictures_are_linked_or_copied_and_get_names_of_their_own() {
    let folder = Folder::new();
    let mut data = dataset(1, &[&[0], &[], &[0]]);
    for (image, name) in data.images.iter_mut().zip(["x/a.png", "y/A.png", "z/b.png"]) {
        image.path = folder.png(name, 8, 8);
    }
    for copy_pictures in [false, true] {
        let to = folder.path().join(format!("out-{copy_pictures}"));
        write_with(&data, "yolo", &to, &WriteConfig { copy_pictures, ..Default::default() }).unwrap();
        let found = Dataset::read(&to, None).unwrap();
        let names: Vec<_> = found.images.iter().map(|i| i.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["A_2.png", "a.png", "b.png"]);
        assert_eq!(found.images.iter().map(|i| i.objects.len()).collect::<Vec<_>>(), [0, 1, 1]);
        assert!(found.warnings.is_empty(), "a picture without objects has an empty label file: {:?}", found.warnings);
        let kind = fs::symlink_metadata(&found.images[1].path).unwrap().file_type();
        assert_eq!(kind.is_symlink(), cfg!(unix) && !copy_pictures);
    }
}

#[test]
fn several_splits_make_one_set_when_their_classes_are_the_same() {
    let folder = Folder::new();
    let [train, val] = ["t.png", "v.png"].map(|name| {
        let mut data = dataset(2, &[&[0, 1]]);
        data.images[0].path = folder.png(name, 8, 8);
        data
    });
    let to = folder.path().join("out");
    let both = [("train", &train), ("val", &val)];
    for format in ["yolo", "roboflow"] {
        write_splits(&both, format, &to.join(format), &WriteConfig::default()).unwrap();
        for (split, name) in [("train", "t.png"), ("val", "v.png")] {
            let found = Dataset::read_split(&to.join(format), None, split).unwrap();
            assert!(found.images.len() == 1 && found.images[0].path.ends_with(name));
        }
    }
    for format in ["coco", "lvis", "lvis-v0.5", "openimages"] {
        let error = write_splits(&both, format, &to.join(format), &WriteConfig::default()).unwrap_err();
        assert!(matches!(error, DataError::OneSplit { .. }) && !to.join(format).exists(), "{error}");
    }
    let other = dataset(3, &[]);
    let refuse = |splits: &[(&str, &Dataset)]| {
        write_splits(splits, "yolo", &folder.path().join("no"), &WriteConfig::default()).unwrap_err()
    };
    assert!(matches!(refuse(&[("train", &train), ("val", &other)]), DataError::ClassMismatch { .. }));
    assert!(matches!(refuse(&[("train", &train), ("train", &val)]), DataError::Option { option: "split", .. }));
    assert!(matches!(refuse(&[("../x", &train)]), DataError::Option { option: "split", .. }));
}

#[test]
fn each_version_of_lvis_names_pictures_as_its_programs_look_for_them() {
    let folder = Folder::new();
    let mut data = dataset(1, &[&[0], &[0]]);
    data.images[0].path = folder.path().join("coco/val2017/000000000139.jpg");
    data.images[1].path = folder.path().join("coco/val2017/139.jpg");
    for (version, url) in
        [("lvis", Some("http://images.cocodataset.org/val2017/000000000139.jpg")), ("lvis-v0.5", None)]
    {
        let to = folder.file(&format!("coco/{version}.json"), "");
        write(&data, version, &to).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&to).unwrap()).unwrap();
        let names = ["val2017/000000000139.jpg", "val2017/139.jpg"];
        for (image, (name, url)) in json["images"].as_array().unwrap().iter().zip(names.iter().zip([url, None])) {
            assert_eq!(image["file_name"], *name);
            assert_eq!(image.get("coco_url").and_then(|url| url.as_str()), url, "{name} is not COCO's");
        }
        for field in ["frequency", "image_count", "instance_count", "synset", "synonyms", "def", "name"] {
            assert!(json["categories"][0].get(field).is_some(), "{field}");
        }
    }
}

#[test]
fn an_export_of_roboflow_has_a_folder_for_each_split_and_names_what_is_lost() {
    let folder = Folder::new();
    let data = rich(&folder);
    let to = folder.path().join("out");
    let lost = write(&data, "roboflow", &to).unwrap();
    let found: Vec<_> = lost.iter().map(|lost| lost.what).collect();
    let expected =
        ["images with lists of the classes judged there", "categories with a group or counts from elsewhere"];
    assert_eq!(found, expected);
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(to.join("train/_annotations.coco.json")).unwrap()).unwrap();
    assert_eq!(json["categories"][0]["supercategory"], "objects");
    assert!(
        json["images"]
            .as_array()
            .unwrap()
            .iter()
            .all(|i| to.join("train").join(i["file_name"].as_str().unwrap()).is_file())
    );
    assert_eq!(format_name(&to).unwrap(), "roboflow");
    let error = Dataset::read_validation(&to, None).unwrap_err();
    assert!(matches!(&error, DataError::NoSplit { known, .. } if known == "`train`"), "{error}");
}
