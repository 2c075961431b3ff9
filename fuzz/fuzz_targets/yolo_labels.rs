//! A YOLO label file beside a healthy `data.yaml`.
#![no_main]

use std::sync::LazyLock;

use equipoise_fuzz::Place;
use libfuzzer_sys::fuzz_target;

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let place = Place::default();
    std::fs::create_dir_all(place.path("labels/train")).expect("a folder");
    place.file("data.yaml", b"train: images/train\nnames: [yak, emu, cat]\n");
    place
});

fuzz_target!(|bytes: &[u8]| {
    PLACE.file("labels/train/a.txt", bytes);
    PLACE.read(&PLACE.path("data.yaml"));
});
