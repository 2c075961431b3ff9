//! Picture files.
#![no_main]

use std::sync::LazyLock;

use equipoise_data::picture::{decode, dimensions};
use equipoise_fuzz::Place;
use libfuzzer_sys::fuzz_target;

static PLACE: LazyLock<Place> = LazyLock::new(Place::default);

fuzz_target!(|bytes: &[u8]| {
    let path = PLACE.file("picture", bytes);
    let size = dimensions(&path);
    if let Ok(picture) = decode(&path) {
        assert_eq!(size.expect("a picture that decodes has a size"), [picture.width(), picture.height()]);
    }
});
