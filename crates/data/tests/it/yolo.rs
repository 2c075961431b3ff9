//! Reading YOLO data sets.

use equipoise_data::{CategoryId, DataError, Dataset, Group, ImageId, Object};
use proptest::prelude::*;

use crate::fixture::Folder;

const YAML: &str =
    "path: .\ntrain: images/train\nval: images/val\ntest:  # optional\n\nnames:\n  0: yak\n  1: 'cat: big'\n";

/// Two training pictures, the second without labels, and one for validation.
fn set(yaml: &str, labels: impl AsRef<[u8]>) -> Folder {
    let folder = Folder::new();
    folder.file("data.yaml", yaml);
    folder.png("images/train/a.png", 100, 50);
    folder.png("images/train/b.png", 40, 20);
    folder.png("images/val/c.png", 10, 10);
    folder.file("labels/train/a.txt", labels);
    folder.file("labels/val/c.txt", "1 0.5 0.5 1 1");
    folder
}

fn refuse(yaml: &str, labels: impl AsRef<[u8]>) -> String {
    Dataset::read(set(yaml, labels).path(), None).expect_err("this data set is wrong").to_string()
}

fn objects(labels: &str) -> Vec<Object> {
    Dataset::read(set(YAML, labels).path(), None).unwrap().images[0].objects.clone()
}

#[test]
fn boxes_outlines_names_and_sizes() {
    let labels = "0 0.5 0.5 0.2 0.4\r\n\n1.0 0.1 0.2  0.3 0.2 0.2 0.6\n";
    let folder = set(YAML, labels);
    let data = Dataset::read(folder.path(), None).unwrap();
    assert_eq!(data, Dataset::read(&folder.path().join("data.yaml"), None).unwrap());
    let names: Vec<_> = data.categories.iter().map(|c| (c.id, c.name.as_str(), c.group, c.instances)).collect();
    assert_eq!(names, [(CategoryId(0), "yak", Group::Rare, 1), (CategoryId(1), "cat: big", Group::Rare, 1)]);
    let [a, b] = &data.images[..] else { panic!("two images, got {:?}", data.images) };
    assert_eq!((a.id, a.width, a.height, b.id, b.width, b.height), (ImageId(1), 100, 50, ImageId(2), 40, 20));
    assert_eq!(a.path, folder.path().join("images/train/a.png"));
    assert_eq!((a.objects[0].class, a.objects[0].bbox, a.objects[0].area), (0, [40.0, 15.0, 60.0, 35.0], 400.0));
    assert_eq!((a.objects[1].class, a.objects[1].bbox), (1, [10.0, 10.0, 30.0, 30.0]), "the extent of the outline");
    assert!(b.objects.is_empty() && !data.federated);
    let found: Vec<_> = data.warnings.iter().map(|w| (w.count, w.what.as_str())).collect();
    assert_eq!(found, [(1, "pictures without a label file")]);
}

#[test]
fn a_split_is_named_and_training_is_the_one_without_a_name() {
    let folder = set(YAML, "");
    let val = Dataset::read_split(folder.path(), None, "val").unwrap();
    assert_eq!((val.images.len(), val.images[0].objects[0].class), (1, 1));
    assert_eq!(val, Dataset::read_split(folder.path(), None, "valid").unwrap());
    assert_eq!(Dataset::read_split(folder.path(), None, "train").unwrap(), Dataset::read(folder.path(), None).unwrap());
    let error = Dataset::read_split(folder.path(), None, "test").unwrap_err().to_string();
    assert!(error.contains("has no split `test`") && error.contains("`train`, `val`"), "{error}");
    let json = folder.file("x/y.json", crate::fixture::coco(""));
    let error = Dataset::read_split(&json, None, "val").unwrap_err().to_string();
    assert!(error.contains("y.json") && error.contains("name the file of the split"), "{error}");
}

#[test]
fn exports_of_roboflow_point_beside_their_folder() {
    let folder = Folder::new();
    folder.file(
        "data.yaml",
        "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['yak', \"cat\"]\nroboflow:\n  license: CC BY 4.0\n",
    );
    for part in ["train", "valid"] {
        folder.png(&format!("{part}/images/a.rf.12.png"), 10, 10);
        folder.file(&format!("{part}/labels/a.rf.12.txt"), "1 0.5 0.5 0.2 0.2");
    }
    for split in ["train", "val"] {
        let data = Dataset::read_split(folder.path(), None, split).unwrap();
        assert_eq!(data.images[0].objects[0].bbox, [4.0, 4.0, 6.0, 6.0]);
    }
}

#[test]
fn pictures_may_be_listed_lie_in_several_folders_or_beside_their_labels() {
    let folder = set("train: [train.txt, more]\nnames: [yak, cat]\n", "0 0.5 0.5 0.2 0.4");
    folder.file("train.txt", "./images/train/a.png\n\nimages/train/a.png\r\n");
    folder.png("more/deep/d.png", 10, 10);
    folder.file("more/deep/d.txt", "1 0.5 0.5 0.2 0.2");
    folder.file("more/notes.md", "no picture");
    let data = Dataset::read(folder.path(), None).unwrap();
    assert_eq!(data.images.iter().map(|i| i.objects.len()).collect::<Vec<_>>(), [1, 1]);
    let data = Dataset::read(folder.path(), Some(&folder.path().join("images/val"))).unwrap();
    assert_eq!((data.images.len(), data.images[0].objects.len()), (1, 1), "a given folder is the only one");
    folder.file("train.txt", "images/gone.png");
    let error = Dataset::read(folder.path(), None).unwrap_err();
    assert!(matches!(&error, DataError::Io { path, .. } if path.ends_with("images/gone.png")), "{error}");
}

#[test]
fn names_may_be_missing_and_key_points_are_passed_over() {
    let folder = set("train: images/train\nnc: 3\nkpt_shape: [2, 2]\n", "2 0.5 0.5 0.2 0.4 0.1 0.1 0.9 0.9");
    let data = Dataset::read(folder.path(), None).unwrap();
    assert_eq!(data.categories[2].name, "class_2");
    assert_eq!(data.images[0].objects[0].bbox, [40.0, 15.0, 60.0, 35.0]);
}

#[test]
fn untidy_boxes_are_counted_and_survived() {
    assert!(objects("0 0.5 0.5 0 0.4").is_empty());
    assert_eq!(objects("0 1.0 0.5 0.2 0.4")[0].bbox, [90.0, 15.0, 100.0, 35.0]);
    let data = Dataset::read(set(YAML, "0 0.5 0.5 0 0.4\n1 1 0.5 0.2 0.4\n1 1 0.5 0.2 0.4").path(), None).unwrap();
    let found: Vec<_> = data.warnings.iter().map(|w| (w.count, w.what.as_str())).collect();
    assert_eq!(
        found,
        [
            (1, "boxes with no area"),
            (2, "boxes across the border of their picture"),
            (1, "objects with the same image, class and box as another"),
            (1, "pictures without a label file"),
            (1, "categories without any object"),
        ]
    );
    assert!(data.warnings[0].example.ends_with("a.txt`, line 1"), "{}", data.warnings[0].example);
}

#[test]
fn a_bad_label_names_file_line_and_field() {
    for (labels, words) in [
        ("0 0.5 0.5 0.2", "the number of fields is 4: expected 5"),
        ("0 0.5 0.5 0.2 0.2 0.9", "the number of fields is 6"),
        ("2 0.5 0.5 0.2 0.2", "field 1, the class, is `2`: expected a whole number from 0 to 1"),
        ("-1 0.5 0.5 0.2 0.2", "field 1, the class, is `-1`"),
        ("0.5 0.5 0.5 0.2 0.2", "field 1, the class, is `0.5`"),
        ("NaN 0.5 0.5 0.2 0.2", "field 1, the class, is `NaN`"),
        ("1e300 0.5 0.5 0.2 0.2", "field 1, the class,"),
        ("0 NaN 0.5 0.2 0.2", "field 2 is `NaN`: expected a number from 0 to 1"),
        ("0 0.5 inf 0.2 0.2", "field 3 is `inf`"),
        ("0 0.5 0.5 -0.2 0.2", "field 4 is `-0.2`"),
        ("0 0.5 0.5 0.2 64", "field 5 is `64`"),
        ("0 0.5 0.5 0.2 0,2", "field 5 is `0,2`"),
        ("0 0.1 0.2 0.3 0.2 0.2 x", "field 7 is `x`"),
    ] {
        let error = refuse(YAML, format!("\n{labels}\n"));
        assert!(error.contains("a.txt`, line 2: ") && error.contains(words), "{labels}: {error}");
    }
    let error = refuse(YAML, b"0 0.5 0.5 0.1 0.1\n0 0.5 \xff\xfe");
    assert!(error.contains("a.txt`, line 2: the text is not UTF-8"), "{error}");
    let error = refuse(YAML, "0 0.5 0.5 0.1 0.1\n".repeat(1_000_000));
    assert!(error.contains("a.txt`, line ") && error.contains("longer than"), "{error}");
    let error = refuse(YAML, format!("0 0.5 0.5 0.1 {}", "9".repeat(10_000)));
    assert!(error.len() < 500 && error.contains('…'), "{error}");
}

#[test]
fn a_bad_yaml_names_line_and_key() {
    for (yaml, words) in [
        ("", "line 1: the file is nothing: expected a map"),
        ("- a\n- b", "the file is a list of 2"),
        ("train: x\ntrain: y", "line 2: the key is `train` again"),
        ("train: images/train\n", "`names` is missing"),
        ("train: images/train\nnames: 7", "line 2: `names` is `7`"),
        ("train: images/train\nnames: [a, [b]]", "a class of `names` is a list of 1"),
        ("train: images/train\nnames: {0: a, 2: b}", "a key of `names` is `2`: expected each number from 0 to 1 once"),
        ("train: images/train\nnames: {0: a, 00: b}", "a key of `names` is `00`"),
        ("train: images/train\nnames: {-1: a}", "a key of `names` is `-1`"),
        ("train: images/train\nnames: [a, b]\nnc: 3", "line 3: `nc` is `3`: expected 2, the number of `names`"),
        ("train: images/train\nnc: 1e9", "`nc` is `1e9`"),
        ("train: images/train\nnc: 99999999999", "`nc` is `99999999999`: expected the number of classes"),
        ("train: images/train\nnames: &a [x, *a]", "an alias"),
        ("train: [images/train, {a: b}]\nnames: [a]", "`train` is a map of 1"),
        ("train: nowhere\nnames: [a]", "line 1: `train` is `nowhere`: expected a folder or list that exists"),
        ("train: labels\nnames: [a]", "`train` is without any picture in"),
        ("path: [a]\ntrain: images/train\nnames: [a]", "`path` is a list of 1"),
        ("train: \"a", "not YAML"),
    ] {
        let error = refuse(yaml, "");
        assert!(error.contains("data.yaml`, line ") && error.contains(words), "{yaml}: {error}");
    }
    for (depth, words) in [(30, "nested too deep"), (100_000, "data.yaml`, line 1: ")] {
        let error = refuse(&format!("names: {}", "[".repeat(depth)), "");
        assert!(error.contains(words), "{error}");
    }
    let error = Dataset::read(set("names: [a]", "").path(), None).unwrap_err();
    assert!(matches!(&error, DataError::NoSplit { known, .. } if known == "none"), "{error}");
}

#[test]
fn a_picture_that_is_none_is_named_and_the_first_one_is_reported() {
    let folder = set(YAML, "");
    folder.file("images/train/0.jpg", "no picture");
    folder.file("images/train/z.webp", "RIFF");
    let error = Dataset::read(folder.path(), None).unwrap_err().to_string();
    assert!(error.contains("0.jpg"), "{error}");
}

#[test]
fn a_folder_with_two_kinds_of_data_sets_is_not_decided() {
    let folder = set(YAML, "");
    folder.file("annotations/instances.json", crate::fixture::coco(""));
    let error = Dataset::read(folder.path(), None).unwrap_err().to_string();
    assert!(error.contains("data.yaml") && error.contains("instances.json"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_change_of_a_byte_gives_a_data_set_or_an_error(at in 0usize..700, byte: u8, in_yaml: bool) {
        let mut yaml = YAML.as_bytes().to_vec();
        let mut labels = b"0 0.5 0.5 0.2 0.4\n1.0 0.1 0.2  0.3 0.2 0.2 0.6\n".to_vec();
        let text = if in_yaml { &mut yaml } else { &mut labels };
        let at = at % text.len();
        text[at] = byte;
        let folder = set("", labels);
        folder.file("data.yaml", yaml);
        if let Ok(data) = Dataset::read(folder.path(), None) {
            crate::hostile::check(&data)?;
        }
    }

    #[test]
    fn any_text_as_yaml_gives_a_data_set_or_an_error(text in "[a-z0-9:,\\[\\]{}&*!|>'\"%#?@ \n\t-]{0,60}") {
        let folder = Folder::new();
        folder.file("data.yaml", text);
        prop_assert!(Dataset::read(folder.path(), None).is_err());
    }
}
