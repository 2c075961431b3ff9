//! Files that were healthy before a few bytes of them changed: a data set or an error, never a panic, never much memory.
//!
//! A short form of the fuzz targets that needs no other compiler, from the same seeds. `EQUIPOISE_MUTATIONS=100000 cargo nextest run -E
//! 'test(mutations)'` looks longer.

use std::{fs, path::Path};

use equipoise_data::{Dataset, Hierarchy, ReadConfig, Stats, examine, picture};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{fixture::Folder, hostile::check};

/// Mutations of each seed.
fn rounds() -> usize {
    std::env::var("EQUIPOISE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(150)
}

/// Texts that mean something to one of the parsers.
const WORDS: [&str; 24] = [
    "[",
    "]",
    "{",
    "}",
    "\"",
    ",",
    ":",
    "\\u0000",
    "-1",
    "1e308",
    "NaN",
    "null",
    "18446744073709551616",
    "0.5",
    "\n",
    "/m/01",
    "id",
    "images",
    "annotations",
    "&a *a",
    "~",
    "../",
    "\r",
    "\u{feff}",
];

/// Changes, drops, doubles or inserts something in `bytes` at one to four places.
fn mutate(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..5) {
        let [a, b] = [0, 0].map(|_: usize| random.random_range(0..bytes.len() + 1));
        let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 60));
        match random.random_range(0..6) {
            0 if a < bytes.len() => bytes[a] = random.random(),
            1 if a < bytes.len() => bytes[a] ^= 1 << random.random_range(0..8),
            2 => drop(bytes.drain(from..to)),
            3 => {
                let part = bytes[from..to].to_vec();
                bytes.splice(b..b, part);
            }
            4 => bytes.truncate(a.max(1)),
            _ => drop(bytes.splice(a..a, WORDS[random.random_range(0..WORDS.len())].bytes())),
        }
    }
}

/// Calls `read` with every mutation of every seed of a target.
fn each(target: &str, mut read: impl FnMut(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for seed in seeds {
        let healthy = fs::read(seed).unwrap();
        read(&healthy);
        for _ in 0..rounds() {
            let mut bytes = healthy.clone();
            mutate(&mut bytes, &mut random);
            read(&bytes);
        }
    }
}

/// A data set survives all that is done with it; a lenient reading takes at least what a strict one takes.
fn survive(path: &Path) {
    let lenient = Dataset::read_with(path, &ReadConfig { images: None, lenient: true });
    match Dataset::read(path, None) {
        Ok(data) => {
            check(&data).unwrap();
            Stats::of(&data);
            examine(&data, None, false);
            assert_eq!(lenient.unwrap(), data);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn place() -> Folder {
    let folder = Folder::new();
    for name in ["a.png", "images/a.png", "images/train/a.png"] {
        folder.png(name, 16, 8);
    }
    folder
}

#[test]
fn mutations_of_annotations() {
    let folder = place();
    each("annotations", |bytes| survive(&folder.file("data.json", bytes)));
}

#[test]
fn mutations_of_labels() {
    let folder = place();
    let yaml = folder.file("data.yaml", "train: images/train\nnames: [yak, emu, cat]\n");
    each("yolo_labels", |bytes| {
        folder.file("labels/train/a.txt", bytes);
        survive(&yaml);
    });
}

#[test]
fn mutations_of_tables() {
    let folder = place();
    each("open_images", |bytes| {
        let mut tables = bytes.split(|&byte| byte == 0);
        let [boxes, classes, labels] = [(); 3].map(|()| tables.next().unwrap_or_default());
        folder.file("classes.csv", classes);
        folder.file("labels.csv", labels);
        survive(&folder.file("boxes.csv", boxes));
    });
}

#[test]
fn mutations_of_the_hierarchy() {
    let folder = place();
    folder.file("classes.csv", "/m/01,Yak\n/m/02,Emu\n/m/03,Cat\n");
    let boxes = folder.file("boxes.csv", "ImageID,LabelName,XMin,XMax,YMin,YMax\na,/m/01,0,1,0,1\na,/m/02,0,1,0,1\n");
    let data = Dataset::read(&boxes, None).unwrap();
    each("hierarchy", |bytes| {
        if let Ok(hierarchy) = Hierarchy::read(&folder.file("tree.json", bytes), &boxes) {
            let mut once = data.clone();
            hierarchy.expand(&mut once);
            let mut twice = once.clone();
            hierarchy.expand(&mut twice);
            assert_eq!(once, twice);
        }
    });
}

#[test]
fn mutations_of_pictures() {
    let folder = place();
    each("picture", |bytes| {
        let path = folder.file("picture", bytes);
        let size = picture::dimensions(&path);
        if let Ok(picture) = picture::decode(&path) {
            assert_eq!(size.unwrap(), [picture.width(), picture.height()]);
        }
    });
}
