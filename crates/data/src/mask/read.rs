//! Reading masks out of the JSON that a data set came from, in a second pass, so that those who need boxes alone do not pay for them.
//!
//! Annotations are taken one by one and never held; an annotation belongs to the object of its image with its class and box.

use std::{collections::HashMap, fmt, io::BufRead};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{Masks, Outline, rle};
use crate::{
    DataError, Dataset, Result,
    format::{json_error, open},
};

/// The masks of the objects of `dataset`, from the file that it was read from.
///
/// Memory: about as many bytes as the file has characters, divided by four.
///
/// # Errors
/// [`DataError::Io`] and [`DataError::Json`] when the file cannot be read, [`DataError::NoMasks`] when it holds no mask of an object.
pub fn read_masks(dataset: &Dataset) -> Result<Masks> {
    let path = &dataset.source;
    let io = |source| DataError::Io { action: "read", path: path.clone(), source };
    let mut reader = open(path).map_err(io)?;
    if reader.fill_buf().map_err(io)?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    let start = reader.fill_buf().map_err(io)?;
    if start.trim_ascii_start().first() != Some(&b'{') {
        return Err(DataError::NoMasks { path: path.clone() });
    }
    let images = dataset.images.iter().enumerate().map(|(at, image)| (image.id.0, at)).collect();
    let classes = dataset.categories.iter().enumerate().map(|(class, category)| (category.id.0, class)).collect();
    let mut masks = Masks::empty(dataset);
    let taken = dataset.images.iter().map(|image| vec![false; image.objects.len()]).collect();
    let mut reading = Reading { dataset, images, classes, taken, masks: &mut masks };
    let mut json = serde_json::Deserializer::from_reader(reader);
    (&mut reading).deserialize(&mut json).map_err(|error| json_error(path, &error))?;
    masks.finish();
    if masks.is_empty() { Err(DataError::NoMasks { path: path.clone() }) } else { Ok(masks) }
}

struct Reading<'a> {
    dataset: &'a Dataset,
    images: HashMap<u64, usize>,
    classes: HashMap<u64, usize>,
    /// Objects that have had their annotation.
    taken: Vec<Vec<bool>>,
    masks: &'a mut Masks,
}

impl Reading<'_> {
    fn take(&mut self, annotation: &Annotation) {
        let (Some(&image), Some(&class)) =
            (self.images.get(&annotation.image_id), self.classes.get(&annotation.category_id))
        else {
            return;
        };
        let record = &self.dataset.images[image];
        let [x, y, w, h] = annotation.bbox;
        let limit = [record.width, record.height].map(f64::from);
        let corners = [x, y, x + w, y + h];
        let bbox: [f32; 4] = std::array::from_fn(|i| corners[i].clamp(0.0, limit[i % 2]) as f32);
        let taken = &mut self.taken[image];
        let same = |(at, object): &(usize, &crate::Object)| object.class == class && object.bbox == bbox && !taken[*at];
        let Some((object, _)) = record.objects.iter().enumerate().find(same) else { return };
        taken[object] = true;
        if let Segmentation(Some(outline)) = &annotation.segmentation {
            self.masks.add(self.dataset, image, object, outline);
        }
    }
}

#[derive(Deserialize)]
struct Annotation {
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
        while let Some(annotation) = list.next_element::<Annotation>()? {
            self.0.take(&annotation);
        }
        Ok(())
    }
}

/// Polygons or run lengths; anything else counts as no mask.
#[derive(Default)]
struct Segmentation(Option<Outline>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Counts {
    Plain(Vec<u32>),
    Packed(String),
}

impl<'de> Deserialize<'de> for Segmentation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_any(SegmentationVisitor)
    }
}

struct SegmentationVisitor;

impl<'de> Visitor<'de> for SegmentationVisitor {
    type Value = Segmentation;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("polygons, run lengths or null")
    }

    fn visit_unit<E>(self) -> std::result::Result<Segmentation, E> {
        Ok(Segmentation(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Segmentation, A::Error> {
        let mut polygons = Vec::new();
        while let Some(polygon) = list.next_element::<Vec<f32>>()? {
            polygons.push(polygon);
        }
        Ok(Segmentation(Some(Outline::Polygons(polygons))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Segmentation, A::Error> {
        let mut counts = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == "counts" {
                counts = match map.next_value::<Counts>()? {
                    Counts::Plain(counts) => Some(counts),
                    Counts::Packed(text) => rle::unpack(&text),
                };
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Segmentation(counts.map(Outline::Runs)))
    }
}
