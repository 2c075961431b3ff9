//! Writing a data set as LVIS JSON, the superset of COCO that keeps the federated lists and the counts.

use std::{io, path::Path};

use serde::Serialize;

use crate::{CategoryId, Group, ImageId, Result, write_atomically_with};

/// What an LVIS file holds, in the order in which it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LvisFile {
    /// Where the data set comes from, and its licence.
    pub info: LvisInfo,
    /// Categories.
    pub categories: Vec<LvisCategory>,
    /// Images.
    pub images: Vec<LvisImage>,
    /// Labelled objects.
    pub annotations: Vec<LvisAnnotation>,
}

/// Origin of a data set. There is no date in it: the same data set must be the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LvisInfo {
    /// What it is, in a sentence.
    pub description: String,
    /// Version of the data set.
    pub version: String,
    /// Licences and credits of the pictures.
    pub license: String,
}

/// A category of an LVIS file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LvisCategory {
    /// Id, unique in the file.
    pub id: CategoryId,
    /// Name, unique in the file.
    pub name: String,
    /// WordNet synset; another unique word where there is none.
    pub synset: String,
    /// Other names.
    pub synonyms: Vec<String>,
    /// Definition in a sentence.
    pub def: String,
    /// Group by the number of training images.
    pub frequency: Group,
    /// Number of training images that contain the category.
    pub image_count: u64,
    /// Number of training objects.
    pub instance_count: u64,
}

/// An image of an LVIS file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LvisImage {
    /// Id, unique in the file.
    pub id: ImageId,
    /// Path of the picture, relative to the folder of the JSON file or to a folder beside it.
    pub file_name: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Categories verified to be absent.
    pub neg_category_ids: Vec<CategoryId>,
    /// Categories whose objects are not all labelled.
    pub not_exhaustive_category_ids: Vec<CategoryId>,
}

/// A labelled object of an LVIS file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LvisAnnotation {
    /// Id, unique in the file.
    pub id: u64,
    /// Image it is in.
    pub image_id: ImageId,
    /// Category it belongs to.
    pub category_id: CategoryId,
    /// `[x, y, width, height]` in pixels.
    pub bbox: [f32; 4],
    /// Area in square pixels.
    pub area: f64,
    /// 1 for a crowd region, else 0.
    pub iscrowd: u8,
    /// The object's outline or pixels; may be empty.
    pub segmentation: Segmentation,
}

/// The shape of an object, in one of the two ways of COCO and LVIS.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Segmentation {
    /// Polygons `[x0, y0, x1, y1, …]` in pixels.
    Polygons(Vec<Vec<f32>>),
    /// Runs of pixels down the columns, in COCO's compressed text.
    Runs {
        /// `[height, width]` of the picture.
        size: [u32; 2],
        /// The text.
        counts: String,
    },
}

impl Default for Segmentation {
    fn default() -> Self {
        Self::Polygons(Vec::new())
    }
}

/// Writes `file` as LVIS JSON, whole or not at all. The same content gives the same bytes.
///
/// # Errors
/// [`DataError::Io`](crate::DataError::Io) when the file cannot be written, or when a coordinate is not finite, which JSON cannot hold.
pub fn write_lvis(file: &LvisFile, path: &Path) -> Result<()> {
    write_atomically_with(path, |out| {
        require_finite(file)?;
        serde_json::to_writer(&mut *out, file).map_err(io::Error::from)?;
        out.write_all(b"\n")
    })
}

/// `serde_json` writes a number that is not finite as `null`, which no reader takes back.
fn require_finite(file: &LvisFile) -> io::Result<()> {
    let finite = |a: &LvisAnnotation| {
        let outline = match &a.segmentation {
            Segmentation::Polygons(polygons) => polygons.as_slice(),
            Segmentation::Runs { .. } => &[],
        };
        a.area.is_finite() && a.bbox.iter().chain(outline.iter().flatten()).all(|v| v.is_finite())
    };
    match file.annotations.iter().find(|a| !finite(a)) {
        Some(a) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("annotation {} has a coordinate that is not finite", a.id),
        )),
        None => Ok(()),
    }
}
