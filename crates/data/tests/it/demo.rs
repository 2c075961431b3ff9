//! The built-in demo set: exact counts, honest truth, the same bytes, and a folder that is built once.

use std::{collections::BTreeMap, fs, path::Path};

use equipoise_data::{
    DataError, Dataset, Group, GroupThresholds,
    demo::{CropSet, DemoConfig, RareImages, build},
};
use serde_json::Value;

use crate::fixture::Folder;

/// Smaller than `quick`, and crowded.
fn small() -> DemoConfig {
    DemoConfig { categories: 8, images: 101, side: 64, val_images: 8, val_images_per_class: 3, ..DemoConfig::quick() }
}

/// Every file of a folder and its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for part in ["", "train", "val"] {
        for entry in fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_file() {
                let name = entry.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read(&entry).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_written_counts_are_the_counts() {
    let folder = Folder::new();
    let config = DemoConfig::quick();
    let set = build(folder.path(), &config, 2).unwrap();
    let (train, val) = (Dataset::read(&set.train, None).unwrap(), Dataset::read(&set.val, None).unwrap());
    for dataset in [&train, &val] {
        assert_eq!(dataset.warnings, []);
        assert!(dataset.federated);
        assert_eq!(dataset.num_classes(), config.categories);
    }
    assert_eq!(train.categories, val.categories);
    assert_eq!((train.images.len(), val.images.len()), (config.images, config.val_images));
    assert_eq!(files(folder.path()).len(), config.images + config.val_images + 4);

    let count = |dataset: &Dataset, class: usize| {
        let per_image = dataset.images.iter().map(|image| image.objects.iter().filter(|o| o.class == class).count());
        let per_image: Vec<usize> = per_image.filter(|&n| n > 0).collect();
        (per_image.len(), per_image.iter().sum::<usize>())
    };
    for (class, category) in train.categories.iter().enumerate() {
        let (images, instances) = count(&train, class);
        assert_eq!((images as u64, instances as u64), (category.images, category.instances), "{}", category.name);
        assert_eq!(category.group, GroupThresholds::default().group(category.images));
        assert!(category.group != Group::Rare || instances == images, "a rare class has one object per picture");
        assert_eq!(count(&val, class).0, config.val_images_per_class, "{}", category.name);
    }
    let groups = train.groups();
    let share = |group| groups.iter().filter(|&&g| g == group).count();
    assert_eq!([Group::Rare, Group::Common, Group::Frequent].map(share), [4, 4, 4]);
}

#[test]
fn labels_are_exhaustive_and_fit_the_pictures() {
    let folder = Folder::new();
    let config = small();
    let set = build(folder.path(), &config, 1).unwrap();
    let mut ids = Vec::new();
    for path in [&set.train, &set.val] {
        let dataset = Dataset::read(path, None).unwrap();
        for image in &dataset.images {
            ids.push(image.id);
            let mut judged = image.negative.clone();
            judged.extend(image.objects.iter().map(|object| object.class));
            judged.sort_unstable();
            judged.dedup();
            assert_eq!(judged, (0..config.categories).collect::<Vec<_>>());
            assert_eq!(image.negative.len() + distinct(image), config.categories);
            assert!(image.not_exhaustive.is_empty());
            for object in &image.objects {
                let [x1, y1, x2, y2] = object.bbox;
                assert!(0.0 <= x1 && x1 < x2 && x2 <= 64.0 && 0.0 <= y1 && y1 < y2 && y2 <= 64.0);
                assert!(object.area >= 1.0 && object.area <= f64::from((x2 - x1) * (y2 - y1)));
            }
            let picture = image::open(&image.path).unwrap().to_rgb8();
            assert_eq!(picture.dimensions(), (64, 64));
        }
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), all), (109, 109), "image ids are unique over both splits");
    let credits = fs::read_to_string(folder.path().join("CREDITS.txt")).unwrap();
    assert!(credits.contains("Twemoji") && credits.contains("CC-BY 4.0"));
}

fn distinct(image: &equipoise_data::ImageRecord) -> usize {
    image.objects.iter().map(|object| object.class).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let (one, three, other) = (Folder::new(), Folder::new(), Folder::new());
    build(one.path(), &small(), 1).unwrap();
    build(three.path(), &small(), 3).unwrap();
    build(other.path(), &DemoConfig { seed: 1, ..small() }, 2).unwrap();
    let (one, three, other) = (files(one.path()), files(three.path()), files(other.path()));
    assert_eq!(one.len(), 101 + 8 + 4);
    assert!(one == three, "two builds differ");
    assert!(one["train/0001.png"] != other["train/0001.png"] && one["train.json"] != other["train.json"]);
}

#[test]
fn a_finished_set_is_left_alone_and_a_damaged_one_is_rebuilt() {
    let folder = Folder::new();
    let set = build(folder.path(), &small(), 2).unwrap();
    let fresh = files(folder.path());

    let picture = folder.file("train/0002.png", "changed by hand");
    assert_eq!(build(folder.path(), &small(), 2).unwrap(), set);
    assert_eq!(fs::read(&picture).unwrap(), b"changed by hand", "a finished set is not drawn again");

    fs::remove_file(folder.path().join("val/0003.png")).unwrap();
    build(folder.path(), &small(), 2).unwrap();
    assert!(files(folder.path()) == fresh, "a missing picture is noticed");

    let manifest = fs::read_to_string(folder.path().join("demo.json")).unwrap();
    folder.file("demo.json", manifest.replace("\"complete\": true", "\"complete\": false"));
    folder.file("train/9999.png", "left over");
    fs::remove_file(&set.val).unwrap();
    build(folder.path(), &small(), 2).unwrap();
    assert!(files(folder.path()) == fresh, "a half-built folder is built anew");

    build(folder.path(), &DemoConfig { categories: 7, ..small() }, 2).unwrap();
    assert_eq!(Dataset::read(&set.train, None).unwrap().num_classes(), 7);
}

#[test]
fn a_folder_of_somebody_else_is_not_touched() {
    let folder = Folder::new();
    let mine = folder.file("train/holiday.png", "mine");
    let error = build(folder.path(), &small(), 1).unwrap_err();
    assert!(matches!(error, DataError::Option { option: "dir", .. }), "{error}");
    assert_eq!(fs::read(mine).unwrap(), b"mine");
    assert!(!folder.path().join("demo.json").exists());

    let folder = Folder::new();
    let file = folder.file("blocked", "a file where a folder is wanted");
    assert!(matches!(build(&file, &small(), 1), Err(DataError::Io { .. })));
}

#[test]
fn options_out_of_range_are_named() {
    let folder = Folder::new();
    let with = |change: fn(&mut DemoConfig)| {
        let mut config = small();
        change(&mut config);
        match build(&folder.path().join("set"), &config, 1) {
            Err(DataError::Option { option, .. }) => option,
            other => panic!("expected an option error, got {other:?}"),
        }
    };
    assert_eq!(with(|c| c.categories = 0), "categories");
    assert_eq!(with(|c| c.categories = 100_000), "categories");
    assert_eq!(with(|c| c.images = 50), "images");
    assert_eq!(with(|c| c.side = 8), "side");
    assert_eq!(with(|c| c.frequent_images = 100), "frequent_images");
    assert_eq!(with(|c| c.val_images = 2), "val_images");
    assert_eq!(with(|c| c.val_images_per_class = 0), "val_images_per_class");
    assert_eq!(with(|c| c.rare_images = RareImages::Fixed(0)), "rare_images");
    assert!(!folder.path().join("set").exists());
}

#[test]
fn the_manifest_holds_the_options() {
    let folder = Folder::new();
    let config = DemoConfig { rare_images: RareImages::Fixed(2), ..small() };
    build(folder.path(), &config, 2).unwrap();
    let bytes = fs::read(folder.path().join("demo.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(manifest["complete"], true);
    assert_eq!(serde_json::from_value::<DemoConfig>(manifest["config"].clone()).unwrap(), config);
    let rare = Dataset::read(&folder.path().join("train.json"), None).unwrap();
    assert!(rare.categories.iter().all(|c| c.group != Group::Rare || c.images == 2));
}

#[test]
fn crops_are_keyed_and_cover_the_classes() {
    let crops = CropSet::new(32).unwrap();
    assert!(crops.num_classes() >= 250);
    let mut seen = vec![false; crops.num_classes()];
    for index in 0..600 {
        let (rgb, class) = crops.crop(4, index);
        assert_eq!(rgb.len(), 3 * 32 * 32);
        seen[class] = true;
    }
    assert!(seen.iter().filter(|&&s| s).count() > crops.num_classes() / 2);
    assert_eq!(crops.class_name(crops.num_classes()), None);
    assert_eq!(crops.class_name(0), Some("rat"));

    let here: Vec<_> = (0..20).map(|index| crops.crop(9, index)).collect();
    let there = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..20)
            .rev()
            .map(|index| {
                scope.spawn({
                    let crops = &crops;
                    move || crops.crop(9, index)
                })
            })
            .collect();
        handles.into_iter().rev().map(|handle| handle.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(here == there, "a crop depends on the thread or the order");
    assert!(crops.crop(9, 0) != crops.crop(10, 0));
}

#[test]
fn crops_of_an_impossible_size_are_an_error() {
    for side in [0, 15, 513] {
        assert!(matches!(CropSet::new(side), Err(DataError::Option { option: "side", .. })));
    }
}
