//! `data.yaml` of a YOLO data set.
#![no_main]

use std::sync::LazyLock;

use equipoise_fuzz::Place;
use libfuzzer_sys::fuzz_target;

static PLACE: LazyLock<Place> = LazyLock::new(Place::default);

fuzz_target!(|bytes: &[u8]| {
    // A path of the file can lead out of the folder, into a walk over the whole machine.
    if !bytes.contains(&b'/') || bytes.windows(6).any(|w| w == b"images") && !bytes.windows(2).any(|w| w == b"..") {
        PLACE.read(&PLACE.file("data.yaml", bytes));
    }
});
