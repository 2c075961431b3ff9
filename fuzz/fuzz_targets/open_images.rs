//! Open Images tables: boxes, class descriptions, image-level labels, with a zero byte between them.
#![no_main]

use std::sync::LazyLock;

use equipoise_fuzz::Place;
use libfuzzer_sys::fuzz_target;

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let place = Place::default();
    std::fs::copy(place.path("images/a.png"), place.path("a.png")).expect("a picture");
    place
});

fuzz_target!(|bytes: &[u8]| {
    let mut tables = bytes.split(|&byte| byte == 0);
    let boxes = PLACE.file("boxes.csv", tables.next().unwrap_or_default());
    for name in ["classes.csv", "labels.csv"] {
        PLACE.file(name, tables.next().unwrap_or_default());
    }
    PLACE.read(&boxes);
});
