//! Reading Open Images.

use equipoise_data::{CategoryId, DataError, Dataset, Hierarchy, ImageId, write};

use crate::fixture::Folder;

const BOXES: &str =
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside
00b,xclick,/m/yak,1,0.1,0.5,0.2,0.6,0,0,0,0,0
00a,xclick,/m/ant,1,0,1,0,1,-1,-1,1,-1,-1
00a,xclick,/m/yak,1,0.5,0.9,0.5,1.005,0,0,-1,0,0
";

const LABELS: &str = "ImageID,Source,LabelName,Confidence
00a,verification,/m/bee,0
00a,verification,/m/yak,0
00b,verification,/m/ant,1
00b,machine,/m/bee,0.7
00c,verification,/m/bee,0
00c,verification,/m/rock,1
";

/// Tables and pictures; the boxes as given.
fn set(boxes: impl AsRef<[u8]>, labels: Option<&str>) -> (Folder, std::path::PathBuf) {
    let folder = Folder::new();
    folder.file("class-descriptions-boxable.csv", "/m/yak,Yak\n/m/ant,\"Ant, small\"\n/m/bee,Bee\n");
    if let Some(labels) = labels {
        folder.file("train-annotations-human-imagelabels.csv", labels);
    }
    for name in ["00a", "00b", "00c"] {
        folder.png(&format!("pictures/{name}.png"), 100, 50);
    }
    let path = folder.file("train-annotations-bbox.csv", boxes);
    (folder, path)
}

fn read(boxes: impl AsRef<[u8]>, labels: Option<&str>) -> equipoise_data::Result<Dataset> {
    let (folder, path) = set(boxes, labels);
    Dataset::read(&path, Some(&folder.path().join("pictures")))
}

#[test]
fn tables_become_a_federated_set() {
    let (folder, path) = set(BOXES, Some(LABELS));
    let pictures = folder.path().join("pictures");
    let data = Dataset::read(folder.path(), Some(&pictures)).unwrap();
    assert_eq!(data, Dataset::read(&path, Some(&pictures)).unwrap());
    let names: Vec<_> = data.categories.iter().map(|c| (c.id, c.name.as_str(), c.instances)).collect();
    assert_eq!(names, [(CategoryId(1), "Ant, small", 0), (CategoryId(2), "Bee", 0), (CategoryId(3), "Yak", 2)]);
    let [a, b, c] = &data.images[..] else { panic!("three images, got {:?}", data.images) };
    assert_eq!((a.id, b.id, c.id), (ImageId(1), ImageId(2), ImageId(3)));
    assert_eq!((a.width, a.height, &a.path), (100, 50, &pictures.join("00a.png")));
    let found: Vec<_> = a.objects.iter().map(|o| (o.class, o.bbox, o.crowd)).collect();
    assert_eq!(found, [(0, [0.0, 0.0, 100.0, 50.0], true), (2, [50.0, 25.0, 90.0, 50.0], false)]);
    assert_eq!((&a.negative[..], &a.not_exhaustive[..]), (&[1][..], &[][..]), "a box is stronger than a label");
    assert_eq!(b.objects[0].bbox, [10.0, 10.0, 50.0, 30.0]);
    assert_eq!((&b.negative[..], &b.not_exhaustive[..]), (&[][..], &[0][..]), "present without a box");
    assert_eq!((c.objects.len(), &c.negative[..]), (0, &[1][..]));
    assert!(data.federated);
    let found: Vec<_> = data.warnings.iter().map(|w| (w.count, w.what.as_str())).collect();
    assert_eq!(
        found,
        [
            (1, "image-level labels of classes that are not described"),
            (1, "classes listed as absent beside a box of theirs"),
            (2, "categories without any object"),
        ]
    );
}

#[test]
fn without_image_level_labels_it_is_not_federated() {
    let challenge = "ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\r\n00b,/m/yak,0.1,0.5,0.2,0.6,1\r\n";
    let data = read(challenge, None).unwrap();
    assert!(!data.federated && data.images.len() == 1 && data.images[0].objects[0].crowd);
}

#[test]
fn the_table_with_the_same_beginning_belongs_to_the_boxes() {
    let (folder, path) = set(BOXES, Some(LABELS));
    folder
        .file("validation-annotations-human-imagelabels.csv", "ImageID,Source,LabelName,Confidence\nzzz,v,/m/bee,0\n");
    assert_eq!(Dataset::read(&path, Some(&folder.path().join("pictures"))).unwrap().images.len(), 3);
    folder.file("validation-annotations-bbox.csv", BOXES);
    let error = Dataset::read(folder.path(), None).unwrap_err();
    assert!(matches!(error, DataError::AmbiguousFolder { .. }), "{error}");
}

#[test]
fn a_bad_row_names_file_line_and_column() {
    let header = BOXES.lines().next().unwrap();
    for (row, words) in [
        ("00a,x,/m/cat,1,0,1,0,1,0,0,0,0,0", "`LabelName` is `/m/cat`: expected a label of the class descriptions"),
        ("00a,x,/m/yak,1,NaN,1,0,1,0,0,0,0,0", "`XMin` is `NaN`: expected a number from -0.01 to 1.01"),
        ("00a,x,/m/yak,1,0,640,0,1,0,0,0,0,0", "`XMax` is `640`"),
        ("00a,x,/m/yak,1,0,1,0,-1,0,0,0,0,0", "`YMax` is `-1`"),
        ("00a,x,/m/yak,1,0,1,0,1,0,0,yes,0,0", "`IsGroupOf` is `yes`"),
        ("00a,x,/m/yak,1,0", "`YMin` is missing"),
        (",x,/m/yak,1,0,1,0,1,0,0,0,0,0", "`ImageID` is ``: expected a value"),
    ] {
        let error = read(format!("{header}\n{row}\n"), None).expect_err(row).to_string();
        // A short row lacks several columns; the first one in the order of the corners is named.
        let words = if row.len() < 20 { "is missing" } else { words };
        assert!(error.contains("bbox.csv`, line 2: ") && error.contains(words), "{row}: {error}");
    }
    let error = read([header.as_bytes(), b"\n00a,\xff,/m/yak"].concat(), None).unwrap_err().to_string();
    assert!(error.contains("line 2: the text is not UTF-8"), "{error}");
    let error = read(BOXES.replace("YMax", "Y2"), None).unwrap_err().to_string();
    assert!(error.contains("the header is without `YMax`"), "{error}");
    let error = read(BOXES, Some(&LABELS.replace("bee,0.7", "bee,7"))).unwrap_err().to_string();
    assert!(error.contains("imagelabels.csv`, line 5: `Confidence` is `7`"), "{error}");
    let error = read(BOXES.replace("00b", "gone"), None).unwrap_err();
    assert!(matches!(&error, DataError::Io { path, .. } if path.ends_with("gone.jpg")), "{error}");
}

#[test]
fn class_descriptions_are_needed_and_unique() {
    let folder = Folder::new();
    let path = folder.file("boxes.csv", BOXES);
    let error = Dataset::read(&path, None).unwrap_err().to_string();
    assert!(error.contains("without class descriptions in its folder"), "{error}");
    folder.file("classes.csv", "LabelName,DisplayName\n/m/yak,Yak\n/m/yak,Ox\n");
    let error = Dataset::read(&path, None).unwrap_err().to_string();
    assert!(error.contains("classes.csv`, line 3: `LabelName` is `/m/yak`: expected each label once"), "{error}");
}

#[test]
fn what_is_written_comes_back() {
    let mut data = read(BOXES, Some(LABELS)).unwrap();
    let (folder, _keep) = set(BOXES, Some(LABELS));
    for image in &mut data.images {
        image.path = folder.path().join("pictures").join(image.path.file_name().unwrap());
    }
    data.images[1].objects[0].bbox = [10.1, 3.3, 33.3, 17.7];
    data.images[1].objects[0].area = f64::from(33.3f32 - 10.1) * f64::from(17.7f32 - 3.3);
    let to = folder.path().join("out");
    assert_eq!(write(&data, "openimages", &to).unwrap(), []);
    let back = Dataset::read(&to, None).unwrap();
    assert_eq!((&back.categories, back.federated), (&data.categories, true));
    for (back, data) in back.images.iter().zip(&data.images) {
        assert_eq!((back.id, &back.objects), (data.id, &data.objects));
        assert_eq!((&back.negative, &back.not_exhaustive), (&data.negative, &data.not_exhaustive));
        assert!(back.path.starts_with(&to));
    }
    assert!(matches!(write(&data, "openimages", &to), Err(DataError::Occupied { .. })));
    // Without its labels an image that has no box is nowhere in the tables.
    data.federated = false;
    let lost = write(&data, "openimages", &folder.path().join("plain")).unwrap();
    assert!(lost.iter().any(|l| l.count == 1 && l.what.contains("neither an object nor a label")), "{lost:?}");
}

#[test]
fn a_hierarchy_makes_every_box_one_of_the_classes_above() {
    let (folder, path) = set(BOXES, Some(LABELS));
    let tree = r#"{"LabelName": "/m/root", "Subcategory": [{"LabelName": "/m/bee", "Subcategory": [{"LabelName": "/m/yak",
        "Part": [{"LabelName": "/m/ant"}]}]}, {"LabelName": "/m/yak"}]}"#;
    let tree = folder.file("hierarchy.json", tree);
    let hierarchy = Hierarchy::read(&tree, &path).unwrap();
    assert_eq!(hierarchy, Hierarchy::read(&tree, folder.path()).unwrap());
    let [ant, bee, yak] = [0, 1, 2];
    assert_eq!([ant, bee, yak].map(|class| hierarchy.above(class).to_vec()), [vec![], vec![], vec![bee]]);
    assert!(hierarchy.above(9).is_empty());
    let mut data = Dataset::read(&path, Some(&folder.path().join("pictures"))).unwrap();
    hierarchy.expand(&mut data);
    let classes = |at: usize| data.images[at].objects.iter().map(|o| o.class).collect::<Vec<_>>();
    assert_eq!((classes(0), classes(1)), (vec![ant, yak, bee], vec![yak, bee]));
    assert!(data.images[0].negative.is_empty(), "a bee is there now");
    assert_eq!(data.images[2].negative, [bee, yak], "without bees no yaks");
    assert_eq!((data.categories[bee].images, data.categories[bee].instances), (2, 2));
    let once = data.clone();
    hierarchy.expand(&mut data);
    assert_eq!(data, once);
    let error = Hierarchy::read(&folder.file("bad.json", "[]"), &path).unwrap_err();
    assert!(error.to_string().contains("LabelName"), "{error}");
    let deep = "{\"LabelName\":\"x\",\"Subcategory\":[".repeat(5000);
    assert!(matches!(Hierarchy::read(&folder.file("deep.json", deep), &path), Err(DataError::Json { .. })));
}
