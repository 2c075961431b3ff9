//! The class hierarchy of Open Images beside healthy tables.
#![no_main]

use std::sync::LazyLock;

use equipoise_data::{Dataset, Hierarchy};
use equipoise_fuzz::Place;
use libfuzzer_sys::fuzz_target;

const BOXES: &[u8] = b"ImageID,LabelName,XMin,XMax,YMin,YMax\na,/m/01,0,1,0,1\na,/m/02,0,1,0,1\n";

static PLACE: LazyLock<(Place, Dataset)> = LazyLock::new(|| {
    let place = Place::default();
    std::fs::copy(place.path("images/a.png"), place.path("a.png")).expect("a picture");
    place.file("classes.csv", b"/m/01,Yak\n/m/02,Emu\n/m/03,Cat\n");
    let dataset = Dataset::read(&place.file("boxes.csv", BOXES), None).expect("healthy tables");
    (place, dataset)
});

fuzz_target!(|bytes: &[u8]| {
    let (place, dataset) = &*PLACE;
    let Ok(hierarchy) = Hierarchy::read(&place.file("tree.json", bytes), &place.path("boxes.csv")) else { return };
    let mut once = dataset.clone();
    hierarchy.expand(&mut once);
    let mut twice = once.clone();
    hierarchy.expand(&mut twice);
    assert_eq!(once, twice);
});
