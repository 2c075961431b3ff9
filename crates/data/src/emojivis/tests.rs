//! Whole builds from synthetic packages: counts, truth, the same bytes, and going on after a stop.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{
    Backgrounds, EmojiVis, EmojiVisConfig, Sources, Step, Watch, build_from, packages::Package, synthetic::packages,
};
use crate::{DataError, Dataset, Group, Result, Severity, examine};

/// Small pictures of few categories; the cap cannot be lower.
fn config() -> EmojiVisConfig {
    EmojiVisConfig {
        categories: 12,
        frequent_images: 101,
        side: 64,
        val_images_per_class: 3,
        backgrounds: Backgrounds::Procedural,
        ..EmojiVisConfig::default()
    }
}

struct World {
    cache: tempfile::TempDir,
    packages: Vec<Package>,
}

impl World {
    fn new() -> Self {
        let cache = tempfile::tempdir().unwrap();
        let packages = packages(&cache.path().join("packages"));
        Self { cache, packages }
    }

    fn build(&self, dir: &Path, config: &EmojiVisConfig, threads: usize, watch: &dyn Watch) -> Result<EmojiVis> {
        let sources = Sources {
            packages: &self.packages,
            client: OsStr::new("no-such-program"),
            photo_root: Path::new("no-such-folder"),
            store: &self.cache.path().join("packages"),
            renderings: &self.cache.path().join("drawings"),
        };
        build_from(&sources, dir, config, threads, watch)
    }
}

/// Every file below a folder and its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for part in ["", "train", "val", "val_natural"] {
        for entry in fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_file() {
                found.insert(entry.strip_prefix(folder).unwrap().display().to_string(), fs::read(&entry).unwrap());
            }
        }
    }
    found
}

/// Stops a build after so many pictures.
struct StopAfter(usize, AtomicUsize);

impl Watch for StopAfter {
    fn progress(&self, step: Step, done: usize, _total: usize) {
        if step == Step::Pictures {
            self.1.fetch_max(done, Ordering::Relaxed);
        }
    }

    fn stopped(&self) -> bool {
        self.1.load(Ordering::Relaxed) >= self.0
    }
}

#[test]
fn the_set_is_what_its_files_say() {
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    let set = world.build(dir.path(), &config(), 2, &()).unwrap();
    let read = |path: &Path| Dataset::read(path, None).unwrap();
    let [train, federated, val, natural] =
        [&set.train, &set.train_federated, &set.val, &set.val_natural].map(|path| read(path));
    assert_eq!([&train, &val, &natural].map(|dataset| dataset.images.len()), config().pictures());
    for dataset in [&train, &val, &natural] {
        assert_eq!(dataset.categories, train.categories);
        for image in &dataset.images {
            assert!(image.path.is_file());
            let present: std::collections::BTreeSet<_> = image.objects.iter().map(|o| o.class).collect();
            assert_eq!(present.len() + image.negative.len(), 12);
            assert!(image.not_exhaustive.is_empty());
        }
    }
    let images = |dataset: &Dataset, class| {
        dataset.images.iter().filter(|image| image.objects.iter().any(|o| o.class == class)).count() as u64
    };
    for (class, category) in train.categories.iter().enumerate() {
        assert_eq!(images(&train, class), category.images, "{}", category.name);
        assert_eq!(images(&val, class), 3);
        assert_eq!(images(&federated, class), federated.categories[class].images);
        assert_eq!(federated.categories[class].group, category.group);
    }
    let groups = train.groups();
    assert!([Group::Rare, Group::Common, Group::Frequent].iter().all(|group| groups.contains(group)));

    assert_eq!(train.images.len(), federated.images.len());
    let mut missing = 0;
    for (full, part) in train.images.iter().zip(&federated.images) {
        let left_out = |class| part.not_exhaustive.contains(&class);
        let kept: Vec<_> = full.objects.iter().filter(|object| !left_out(object.class)).cloned().collect();
        assert_eq!(kept, part.objects, "only what is said to be left out is left out");
        missing += full.objects.len() - kept.len();
        assert!(part.negative.iter().all(|class| full.negative.contains(class)));
    }
    assert!(missing > 0);

    let errors: Vec<_> =
        examine(&train, Some(&val), true).into_iter().filter(|f| f.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let credits = fs::read_to_string(dir.path().join("CREDITS.txt")).unwrap();
    assert!(credits.contains("made for a test") && !credits.contains("photos"));
}

#[test]
fn masks_are_text_of_the_whole_picture() {
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    let set = world.build(dir.path(), &config(), 2, &()).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&fs::read(set.val).unwrap()).unwrap();
    let annotations = file["annotations"].as_array().unwrap();
    assert!(!annotations.is_empty());
    for annotation in annotations {
        let shape = &annotation["segmentation"];
        assert_eq!(shape["size"], serde_json::json!([64, 64]));
        assert!(shape["counts"].as_str().unwrap().len() > 2);
    }
}

#[test]
fn a_stopped_build_goes_on_to_the_same_bytes() {
    let world = World::new();
    let (whole, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    world.build(whole.path(), &config(), 3, &()).unwrap();
    let watch = StopAfter(40, AtomicUsize::new(0));
    assert!(matches!(world.build(stopped.path(), &config(), 1, &watch), Err(DataError::Stopped)));
    assert_eq!(fs::read_dir(stopped.path().join("train")).unwrap().count(), 40);

    // What a kill may leave: a temporary file, and after a power cut a picture that is not whole.
    let train = stopped.path().join("train");
    fs::write(train.join(".00041.jpg.1-1.tmp"), "half").unwrap();
    fs::write(train.join("00002.jpg"), [0xff, 0xd8, 0]).unwrap();
    let kept = train.join("00001.jpg");
    let before = fs::metadata(&kept).unwrap().modified().unwrap();
    world.build(stopped.path(), &config(), 2, &()).unwrap();
    assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), before, "a whole picture is not made again");
    assert!(files(stopped.path()) == files(whole.path()), "the two builds differ");
    assert_eq!(files(whole.path()).len(), config().pictures().iter().sum::<usize>() + 7);
}

#[test]
fn other_options_do_not_touch_a_folder() {
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    world.build(dir.path(), &config(), 2, &()).unwrap();
    let before = files(dir.path());
    let other = EmojiVisConfig { seed: 1, ..config() };
    let error = world.build(dir.path(), &other, 2, &()).unwrap_err();
    assert!(matches!(error, DataError::Option { option: "dir", .. }), "{error}");
    assert!(files(dir.path()) == before);
    let elsewhere = tempfile::tempdir().unwrap();
    world.build(elsewhere.path(), &other, 2, &()).unwrap();
    assert!(files(elsewhere.path())["train/00001.jpg"] != before["train/00001.jpg"]);
    let mine = tempfile::tempdir().unwrap();
    fs::create_dir(mine.path().join("train")).unwrap();
    assert!(matches!(world.build(mine.path(), &config(), 1, &()), Err(DataError::Option { option: "dir", .. })));
}

#[test]
fn a_missing_package_says_how_to_get_it() {
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    fs::remove_file(world.cache.path().join("packages").join(world.packages[2].file())).unwrap();
    let error = world.build(&dir.path().join("set"), &config(), 1, &()).unwrap_err().to_string();
    assert!(error.contains("npm pack @made/circle@1.0.0"), "{error}");
    assert!(!dir.path().join("set").exists(), "nothing is begun");
}
