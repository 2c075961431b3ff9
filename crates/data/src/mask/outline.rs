//! The outline of an object as COCO and LVIS write it, number for number.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::rle;

/// Outlines with so many polygons, and polygons with so many numbers, are taken for damaged.
const MOST: usize = 1 << 16;

/// Fewest numbers of a polygon: three corners.
const LEAST: usize = 6;

/// The outline of an object as written.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Outline {
    /// Polygons, `[x0, y0, x1, y1, …]` in pixels.
    Polygons(Vec<Vec<f64>>),
    /// Run lengths over the whole picture, column by column.
    Runs {
        /// `[height, width]` of the picture; `[0, 0]` when the file has none.
        size: [u32; 2],
        /// The lengths.
        counts: Counts,
    },
}

/// Run lengths in one of COCO's two ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Counts {
    /// Numbers.
    Plain(Vec<u32>),
    /// Text; see `rle.rs`.
    Packed(String),
}

impl Counts {
    /// The numbers; `None` when the text is damaged.
    pub fn plain(&self) -> Option<Cow<'_, [u32]>> {
        match self {
            Self::Plain(counts) => Some(counts.into()),
            Self::Packed(text) => rle::unpack(text).map(Cow::from),
        }
    }
}

impl Outline {
    /// Whether every polygon has three corners and whole pairs of finite numbers, and run lengths make the picture, `[width, height]`.
    pub fn is_whole(&self, [width, height]: [u32; 2]) -> bool {
        match self {
            Self::Polygons(polygons) => is_whole(polygons),
            Self::Runs { size, counts } => {
                let sum = |counts: Cow<'_, [u32]>| counts.iter().map(|&count| u64::from(count)).sum::<u64>();
                *size == [height, width] && counts.plain().map(sum) == Some(u64::from(width) * u64::from(height))
            }
        }
    }
}

/// Whether there are polygons, and each has at least three corners, whole pairs and finite numbers.
pub fn is_whole(polygons: &[Vec<f64>]) -> bool {
    let good = |p: &Vec<f64>| {
        (LEAST..MOST).contains(&p.len()) && p.len().is_multiple_of(2) && p.iter().all(|v| (*v as f32).is_finite())
    };
    (1..MOST).contains(&polygons.len()) && polygons.iter().all(good)
}

/// An outline or none: null and an empty list are none.
#[derive(Default)]
pub struct Segmentation(pub Option<Outline>);

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
        while let Some(polygon) = list.next_element::<Vec<f64>>()? {
            polygons.push(polygon);
        }
        Ok(Segmentation((!polygons.is_empty()).then_some(Outline::Polygons(polygons))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Segmentation, A::Error> {
        let (mut size, mut counts) = ([0; 2], Counts::Plain(Vec::new()));
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "size" => size = map.next_value::<[f64; 2]>()?.map(|side| side as u32),
                "counts" => counts = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Segmentation(Some(Outline::Runs { size, counts })))
    }
}
