//! Weight files: safetensors and what `torch.save` writes.
#![no_main]

use std::sync::LazyLock;

use equipoise_detect::{WeightFile, naming};
use equipoise_fuzz::Place;
use libfuzzer_sys::fuzz_target;

static PLACE: LazyLock<Place> = LazyLock::new(Place::default);

fuzz_target!(|bytes: &[u8]| {
    match WeightFile::open(&PLACE.file("weights", bytes)).and_then(WeightFile::read) {
        Ok(weights) => {
            for weight in weights.values() {
                assert_eq!(weight.values.len(), weight.shape.iter().product::<usize>());
            }
            naming::to_ours(weights);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
