//! Each finding on a small set with real pictures, and a clean set without any.

use std::{fs, path::PathBuf};

use equipoise_data::{Dataset, Finding, Severity, examine, repair};

use crate::fixture::{Folder, coco, dataset, object};

/// An 8 × 8 PNG in one colour, so that each shade is a file of its own with the length of the others.
fn picture(folder: &Folder, name: &str, shade: u8) -> PathBuf {
    let path = folder.file(name, []);
    image::RgbImage::from_pixel(8, 8, image::Rgb([shade, 1, 2])).save(&path).unwrap();
    path
}

/// A training and a validation set in which nothing is to be found.
fn clean(folder: &Folder) -> [Dataset; 2] {
    [("train", 10), ("val", 20)].map(|(name, shade)| {
        let mut data = dataset(2, &[&[0, 1], &[1]]);
        data.images[0].objects[1].bbox = [2.0, 2.0, 7.0, 7.0];
        for (image, shade) in data.images.iter_mut().zip(shade..) {
            image.path = picture(folder, &format!("{name}/{shade}.png"), shade);
        }
        data
    })
}

/// What was found: how severe, what, how often.
fn kinds(findings: &[Finding]) -> Vec<(Severity, &str, usize)> {
    findings.iter().map(|finding| (finding.severity, finding.what.as_str(), finding.count)).collect()
}

/// The only finding, which must be of this kind, and its example.
fn only(findings: Vec<Finding>, severity: Severity, what: &str, count: usize) -> String {
    assert_eq!(kinds(&findings), [(severity, what, count)], "{findings:?}");
    let finding = &findings[0];
    assert!(finding.why.ends_with('.') && finding.fix.ends_with('.'), "{finding:?}");
    finding.example.clone()
}

#[test]
fn a_clean_set_has_no_findings() {
    let folder = Folder::new();
    let [train, val] = clean(&folder);
    assert_eq!(examine(&train, Some(&val), true), []);
    assert_eq!(examine(&train, None, true), []);
    assert_eq!(examine(&dataset(0, &[]), Some(&dataset(0, &[])), true), []);
}

#[test]
fn what_reading_counted_comes_with_a_reason_and_a_way_out() {
    let folder = Folder::new();
    let annotations = r#"{"id": 1, "image_id": 1, "category_id": 9, "bbox": [5, 5, 0, 9]},
        {"id": 2, "image_id": 1, "category_id": 9, "bbox": [90, 5, 20, 9]}, {"id": 3, "image_id": 2, "category_id": 4, "bbox": [1, 1, 9, 9]},
        {"id": 3, "image_id": 2, "category_id": 4, "bbox": [2, 2, 9, 9], "area": -1}"#;
    let findings = examine(&folder.read(&coco(annotations)).unwrap(), None, false);
    assert_eq!(
        kinds(&findings),
        [
            (Severity::Warning, "boxes with no area", 1),
            (Severity::Warning, "boxes across the border of their picture", 1),
            (Severity::Warning, "areas that are negative or not finite", 1),
            (Severity::Warning, "annotation ids used before", 1),
        ]
    );
    assert_eq!(findings[0].example, "annotation 1 of image 1, bbox [5.0, 5.0, 0.0, 9.0]");
    assert!(findings[0].why.ends_with("is taught background. When read they were dropped."), "{}", findings[0].why);
    assert!(findings[0].fix.contains("not two corners"));
}

#[test]
fn objects_that_are_hard_to_believe() {
    let folder = Folder::new();
    let change = |change: &dyn Fn(&mut Dataset)| {
        let [mut train, _] = clean(&folder);
        change(&mut train);
        examine(&train, None, true)
    };
    let path = folder.path().join("train/10.png");
    let found = change(&|data| data.images[0].objects[1].bbox = [2.0, 2.0, 7.0, 3.9]);
    let example = only(found, Severity::Warning, "boxes less than 2 pixels wide or high", 1);
    assert_eq!(example, format!("image 1 (`{}`), `class 1`, box [2.0, 2.0, 7.0, 3.9]", path.display()));
    let found = change(&|data| data.images[0].objects = vec![data.images[0].objects[0].clone(); 3]);
    only(found, Severity::Warning, "objects with the same image, class and box as another", 2);
    let found = change(&|data| data.images[1].objects[0].bbox = [0.0, 0.5, 8.0, 7.5]);
    only(found, Severity::Note, "boxes that cover the whole picture", 1);
    let found = change(&|data| data.images[1].objects.clear());
    only(found, Severity::Note, "images without objects", 1);
    let found = change(&|data| data.images[1].objects[0].crowd = true);
    only(found, Severity::Note, "images without objects", 1);
    // A box of two pixels is none of these, nor is one that stops a pixel before the border.
    let found =
        change(&|data| data.images[1].objects = vec![object(1, [0.0, 0.0, 2.0, 2.0]), object(1, [0.0, 0.0, 8.0, 7.0])]);
    assert_eq!(found, []);
}

#[test]
fn a_finding_names_its_set_when_there_are_two() {
    let [train, mut val] = clean(&Folder::new());
    val.images[1].objects.clear();
    only(examine(&train, Some(&val), false), Severity::Note, "images without objects in the validation set", 1);
}

#[test]
fn categories_that_nothing_teaches() {
    let [mut train, val] = clean(&Folder::new());
    for image in &mut train.images {
        image.objects.retain(|object| object.class == 0);
        image.objects.push(object(0, [3.0, 3.0, 7.0, 7.0]));
    }
    let example = only(examine(&train, None, false), Severity::Warning, "categories without training objects", 1);
    assert_eq!(example, "category 2 (`class 1`)");
    let findings = examine(&train, Some(&val), false);
    assert_eq!(
        kinds(&findings),
        [
            (Severity::Warning, "categories with objects in the validation set but none in the training set", 1),
            (Severity::Warning, "categories without training objects", 1),
        ]
    );
    assert_eq!(findings[0].example, "category 2 (`class 1`), 2 objects");
}

#[test]
fn lists_of_categories_that_differ() {
    let [train, mut val] = clean(&Folder::new());
    val.categories[1].name = "emu".into();
    let findings = examine(&train, Some(&val), false);
    assert_eq!(
        kinds(&findings),
        [
            (Severity::Error, "categories listed only in the training set", 1),
            (Severity::Error, "categories listed only in the validation set", 1),
        ]
    );
    assert_eq!(findings[1].example, "category 2 (`emu`), which is `class 1` in the other set");
}

#[test]
fn names_that_look_like_one_class() {
    let mut data = dataset(5, &[&[0, 1, 2, 3, 4]]);
    let what = "category names that differ from another one only by case, blanks, hyphens or underscores";
    for (category, name) in
        data.categories.iter_mut().zip(["traffic light", "Straße", "Traffic_Light", "STRAßE", "traffic-light"])
    {
        category.name = name.into();
    }
    let example = only(examine(&data, None, false), Severity::Warning, what, 3);
    assert_eq!(example, "1 `traffic light` and 3 `Traffic_Light`");
    assert_eq!(examine(&data, Some(&data), false).len(), 1, "a list that both sets have is no list of pairs");
    // Between the sets, too: one was exported with other spelling.
    let [train, mut val] = clean(&Folder::new());
    val.categories[0].name = "Class-0".into();
    let findings = examine(&train, Some(&val), false);
    assert_eq!((findings.len(), findings[2].what.as_str(), findings[2].count), (3, what, 1));
}

#[test]
fn pictures_that_are_missing_broken_or_of_another_size() {
    let folder = Folder::new();
    let [mut train, _] = clean(&folder);
    train.images[0].path = folder.path().join("nowhere.png");
    let example = only(examine(&train, None, true), Severity::Error, "missing pictures", 1);
    assert!(example.starts_with("image 1 (`") && example.ends_with("nowhere.png`)"), "{example}");
    assert_eq!(examine(&train, None, false), [], "files are looked at on demand only");
    train.images[0].path = PathBuf::new();
    only(examine(&train, None, true), Severity::Error, "missing pictures", 1);

    let [mut train, _] = clean(&folder);
    let whole = fs::read(&train.images[1].path).unwrap();
    train.images[0].path = folder.file("short.png", &whole[..whole.len() / 2]);
    train.images[1].path = folder.file("text.png", "no picture");
    let example = only(examine(&train, None, true), Severity::Error, "unreadable pictures", 2);
    assert!(example.contains("short.png`): "), "{example}");

    let [mut train, _] = clean(&folder);
    train.images[1].height = 9;
    let example = only(examine(&train, None, true), Severity::Error, "pictures of another size than the file says", 1);
    assert!(example.ends_with("is 8x8, not 8x9"), "{example}");
}

#[test]
fn pictures_that_both_sets_have() {
    let folder = Folder::new();
    let what = "pictures of the validation set that are in the training set too";
    let [train, mut val] = clean(&folder);
    fs::copy(&train.images[1].path, &val.images[0].path).unwrap();
    let example = only(examine(&train, Some(&val), true), Severity::Error, what, 1);
    let [one, two] = [&val.images[0], &train.images[1]].map(|image| image.path.display());
    assert_eq!(example, format!("image 1 (`{one}`) is image 2 (`{two}`) of the training set"));
    assert_eq!(examine(&train, Some(&val), false), []);
    // The same file, and a training set that is validated on itself.
    val.images[1].path = train.images[0].path.clone();
    only(examine(&train, Some(&val), true), Severity::Error, what, 2);
    only(examine(&train, Some(&train), true), Severity::Error, what, 2);
}

#[test]
fn long_files_are_compared_to_their_end() {
    let folder = Folder::new();
    let [mut train, mut val] = clean(&folder);
    let mut bytes = vec![7; 200_000];
    train.images[0].path = folder.file("one.bin", &bytes);
    val.images[0].path = folder.file("two.bin", &bytes);
    let shared = |train, val| examine(train, Some(val), true).iter().filter(|f| f.what.contains("too")).count();
    assert_eq!(shared(&train, &val), 1);
    bytes[199_999] = 8;
    folder.file("two.bin", &bytes);
    assert_eq!(shared(&train, &val), 0);
}

#[test]
fn errors_come_first_and_the_order_is_always_the_same() {
    let folder = Folder::new();
    let [mut train, mut val] = clean(&folder);
    train.images[0].objects.clear();
    val.images[0].objects[0].bbox = [1.0, 1.0, 2.0, 2.0];
    val.images[1].path = train.images[1].path.clone();
    let findings = examine(&train, Some(&val), true);
    assert!(findings.len() == 5 && findings.is_sorted_by_key(|finding| finding.severity), "{findings:?}");
    assert!((0..5).all(|_| examine(&train, Some(&val), true) == findings));
    let json = serde_json::to_value(&findings).unwrap();
    assert_eq!((json[0]["severity"].as_str(), json[4]["severity"].as_str()), (Some("error"), Some("note")));
}

#[test]
fn a_picture_twice_in_a_set_is_found() {
    let folder = Folder::new();
    let [mut train, _] = clean(&folder);
    train.images[1].path = picture(&folder, "train/again.png", 10);
    let example =
        only(examine(&train, None, true), Severity::Warning, "pictures that are the same as another of the set", 1);
    assert!(example.contains("again.png") && example.contains("10.png"), "{example}");
}

/// LVIS's sets mix COCO's folders, and people give one of them.
#[test]
fn pictures_in_the_other_folder_of_coco_are_explained() {
    let folder = Folder::new();
    let [mut train, _] = clean(&folder);
    for (image, shade) in train.images.iter_mut().zip(50..) {
        picture(&folder, &format!("coco/train2017/{shade}.png"), shade);
        image.path = folder.path().join(format!("coco/val2017/{shade}.png"));
    }
    train.images[1].path = folder.path().join("coco/val2017/train2017/51.png");
    let findings = examine(&train, None, true);
    let found = kinds(&findings);
    let other = (Severity::Note, "missing pictures that belong to another of COCO's folders", 2);
    assert_eq!(found, [(Severity::Error, "missing pictures", 2), other]);
    assert!(
        findings[1].example.contains("it is at") && findings[1].example.contains("train2017/50.png"),
        "{findings:?}"
    );
}

#[test]
fn a_repair_leaves_nothing_that_it_can_mend() {
    let folder = Folder::new();
    let [mut train, _] = clean(&folder);
    let template = train.images[0].clone();
    let add = |data: &mut Dataset, path: PathBuf, objects| {
        let id = equipoise_data::ImageId(data.images.len() as u64 + 1);
        data.images.push(equipoise_data::ImageRecord { id, path, objects, ..template.clone() });
    };
    let twice = object(1, [1.0, 1.0, 5.0, 5.0]);
    add(&mut train, picture(&folder, "train/double.png", 30), vec![twice.clone(), twice.clone()]);
    add(&mut train, folder.path().join("train/gone.png"), vec![twice.clone()]);
    add(&mut train, folder.file("train/broken.png", "text"), vec![twice]);
    add(&mut train, picture(&folder, "train/twin.png", 10), template.objects.clone());
    let small = folder.png("train/small.png", 4, 4);
    add(&mut train, small, vec![object(0, [1.0, 1.0, 6.0, 6.0]), object(0, [5.0, 5.0, 7.0, 7.0])]);
    train.categories[0].name = " class 0 ".into();
    assert!(
        examine(&train, None, false).iter().any(|f| f.what == "category names with blanks around them" && f.count == 1)
    );
    let done: Vec<_> = repair(&mut train, true).into_iter().map(|r| (r.what, r.count)).collect();
    let expected = [
        ("category names with blanks around them", 1),
        ("images whose picture is missing or unreadable", 2),
        ("sizes that are not those of the pictures", 1),
        ("boxes outside the pictures of corrected size", 1),
        ("objects with the same image, class and box as another", 1),
        ("pictures that are there twice with the same objects", 1),
    ];
    assert_eq!(done, expected.map(|(what, count)| (what.to_owned(), count)));
    assert_eq!(examine(&train, None, true), []);
    assert_eq!((train.images.len(), train.images[3].width), (4, 4));
    assert_eq!(train.images[3].objects[0].bbox, [1.0, 1.0, 4.0, 4.0]);
    assert_eq!(repair(&mut train, true), []);
}
