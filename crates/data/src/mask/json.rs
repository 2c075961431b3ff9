//! The outlines of a JSON file, in a second pass over it.
//!
//! Annotations are taken one by one and never held.

use std::{collections::HashMap, fmt, io::BufRead};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{Found, finder::Finder, outline::Segmentation};
use crate::{
    DataError, Dataset, Result,
    format::{json_error, open},
};

/// Hands on every outline in the file that `dataset` was read from.
pub fn each(dataset: &Dataset, hand_on: &mut dyn FnMut(Found<'_>)) -> Result<()> {
    let path = &dataset.source;
    let io = |source| DataError::Io { action: "read", path: path.clone(), source };
    let mut reader = open(path).map_err(io)?;
    if reader.fill_buf().map_err(io)?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    let images = dataset.images.iter().enumerate().map(|(at, image)| (image.id.0, at)).collect();
    let classes = dataset.categories.iter().enumerate().map(|(class, category)| (category.id.0, class)).collect();
    let mut reading = Reading { images, classes, finder: Finder::new(dataset), hand_on };
    let mut json = serde_json::Deserializer::from_reader(reader);
    (&mut reading).deserialize(&mut json).map_err(|error| json_error(path, &error))
}

struct Reading<'a> {
    images: HashMap<u64, usize>,
    classes: HashMap<u64, usize>,
    finder: Finder<'a>,
    hand_on: &'a mut dyn FnMut(Found<'_>),
}

impl Reading<'_> {
    fn take(&mut self, number: usize, annotation: Annotation) {
        let [x, y, w, h] = annotation.bbox;
        let place = match (self.images.get(&annotation.image_id), self.classes.get(&annotation.category_id)) {
            (Some(&image), Some(&class)) => {
                self.finder.find(image, class, [x, y, x + w, y + h]).map(|object| (image, object))
            }
            _ => None,
        };
        if let Segmentation(Some(outline)) = annotation.segmentation {
            let name = || match annotation.id {
                Some(id) => format!("annotation {id}"),
                None => format!("annotation number {number} of the list"),
            };
            (self.hand_on)(Found { place, outline, name: &name });
        }
    }
}

#[derive(Deserialize)]
struct Annotation {
    id: Option<u64>,
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    #[serde(default)]
    segmentation: Segmentation,
}

impl<'de> DeserializeSeed<'de> for &mut Reading<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> std::result::Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Reading<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with `annotations`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "annotations" {
                map.next_value_seed(List(self))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct List<'a, 'b>(&'a mut Reading<'b>);

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> std::result::Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of annotations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<(), A::Error> {
        let mut number = 0;
        while let Some(annotation) = list.next_element::<Annotation>()? {
            number += 1;
            self.0.take(number, annotation);
        }
        Ok(())
    }
}
