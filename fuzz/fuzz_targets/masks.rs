//! Polygons and run lengths in COCO and LVIS JSON.
#![no_main]

use std::sync::LazyLock;

use equipoise_data::{Dataset, read_masks};
use equipoise_fuzz::Place;
use libfuzzer_sys::fuzz_target;

static PLACE: LazyLock<Place> = LazyLock::new(Place::default);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(dataset) = Dataset::read(&PLACE.file("data.json", bytes), None) {
        let _ = read_masks(&dataset);
    }
});
