//! COCO and LVIS JSON.
#![no_main]

use std::sync::LazyLock;

use equipoise_fuzz::Place;
use libfuzzer_sys::fuzz_target;

static PLACE: LazyLock<Place> = LazyLock::new(Place::default);

fuzz_target!(|bytes: &[u8]| {
    PLACE.read(&PLACE.file("data.json", bytes));
});
