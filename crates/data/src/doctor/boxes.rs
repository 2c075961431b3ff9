//! Objects that are hard to believe, and images without any.

use std::collections::HashSet;

use super::{Finding, Kind, Severity, image_name, repair::identity};
use crate::{Dataset, ImageRecord, Object, format};

/// A box narrower or lower than this is tiny, pixels: after the usual stride of 4 less than half a cell of the finest level is left.
const TINY: f32 = 2.0;

/// A box may stay away from the border by this many pixels and still cover the picture: annotation tools round.
const BORDER: f32 = 0.5;

const TINY_BOXES: Kind = Kind {
    severity: Severity::Warning,
    what: "boxes less than 2 pixels wide or high",
    why: "Most are slips of the mouse. No anchor matches them well, and no proposal finds them.",
    fix: "Remove them from the file; if they are real, train with larger pictures.",
};

const WHOLE_PICTURE: Kind = Kind {
    severity: Severity::Note,
    what: "boxes that cover the whole picture",
    why: "They often are labels of pictures that a converter made into boxes; a detector learns nothing about places from them.",
    fix: "Look at some of them, and draw boxes around the objects if they are smaller.",
};

const NO_OBJECTS: Kind = Kind {
    severity: Severity::Note,
    what: "images without objects",
    why: "They train the background only. That is right for pictures that are known to be empty, and wrong for those nobody labelled.",
    fix: "Remove the images that were never labelled.",
};

/// Findings about the objects and images of `dataset`.
pub fn findings(dataset: &Dataset, place: &str) -> Vec<Finding> {
    let objects = || dataset.images.iter().flat_map(|image| image.objects.iter().map(move |object| (image, object)));
    let name = |(image, object): (&ImageRecord, &Object)| {
        let class = dataset.categories.get(object.class).map_or("?", |category| category.name.as_str());
        format!("{}, `{class}`, box {:?}", image_name(image), object.bbox)
    };
    let real = || objects().filter(|(_, object)| !object.crowd);
    let empty = dataset.images.iter().filter(|image| image.objects.iter().all(|object| object.crowd));
    [
        TINY_BOXES.found(place, real().filter(|(_, object)| is_tiny(object)), name),
        repeated_kind().found(place, duplicates(dataset), name),
        WHOLE_PICTURE.found(place, real().filter(|(image, object)| covers(object, image)), name),
        NO_OBJECTS.found(place, empty, image_name),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Objects given twice, in the words of reading.
fn repeated_kind() -> Kind {
    let (why, fix) = format::advice(format::REPEATED_OBJECTS).unwrap_or_default();
    Kind { severity: Severity::Warning, what: format::REPEATED_OBJECTS, why, fix }
}

fn is_tiny(object: &Object) -> bool {
    let [x1, y1, x2, y2] = object.bbox;
    (x2 - x1).min(y2 - y1) < TINY
}

fn covers(object: &Object, image: &ImageRecord) -> bool {
    let [x1, y1, x2, y2] = object.bbox;
    x1 <= BORDER && y1 <= BORDER && x2 >= image.width as f32 - BORDER && y2 >= image.height as f32 - BORDER
}

/// Objects with the class and box of one before in the same image.
fn duplicates(dataset: &Dataset) -> Vec<(&ImageRecord, &Object)> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for image in &dataset.images {
        seen.clear();
        let again = |object: &&Object| !seen.insert(identity(object));
        found.extend(image.objects.iter().filter(again).map(|object| (image, object)));
    }
    found
}
