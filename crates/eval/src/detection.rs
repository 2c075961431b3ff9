//! Detections, and the results JSON of COCO that every framework can write.
//!
//! The file is an array of `{"image_id", "category_id", "bbox": [x, y, width, height], "score"}`, and of detectors with masks
//! `"segmentation": {"size": [height, width], "counts"}` too. The trap is in the ids: `category_id` is the
//! id of the annotation file, and results written with class indices look right and score near zero; so an unknown id is an error here.
//! Boxes are held as corners in f32, as a detector makes them. Scoring a file reads it again in f64 ([`Case::read`](crate::case::Case::read)): a rounded
//! box can pass a threshold that the written one misses.

use std::collections::HashSet;
use std::path::Path;

use equipoise_data::{CategoryId, Dataset, ImageId};
use serde::Serialize;

use crate::error::{EvalError, Result};
use crate::record::write_file;
use crate::results::{BoxEntry, each_entry, entry_defect, score_defect};

/// A box that a detector claims to hold an object of a category.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The picture.
    pub image: ImageId,
    /// The category by its id in the annotation file.
    pub category: CategoryId,
    /// `[x1, y1, x2, y2]` in pixels of the original picture.
    pub bbox: [f32; 4],
    /// Confidence; only its order matters to the protocols.
    pub score: f32,
    /// Its mask, where the detector makes masks. A results file that is read as boxes has none.
    pub mask: Option<Box<RunLengths>>,
}

/// A mask as a results file has it: packed run lengths over the whole picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunLengths {
    /// `[height, width]` of the picture.
    pub size: [usize; 2],
    /// The lengths, column by column, as COCO packs them ([`Bitmap::packed`](equipoise_data::Bitmap::packed)).
    pub counts: String,
}

/// An entry as it is written.
#[derive(Serialize)]
struct Entry<'a> {
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    segmentation: Option<&'a RunLengths>,
}

impl<'a> Entry<'a> {
    fn of(detection: &'a Detection) -> Self {
        let [x1, y1, x2, y2] = detection.bbox;
        // Shortest decimal form of the f32, read back as f64: 0.1 stays "0.1" in the file and not "0.10000000149011612".
        let short = |v: f32| v.to_string().parse::<f64>().unwrap_or(f64::from(v));
        Self {
            image_id: detection.image.0,
            category_id: detection.category.0,
            bbox: [short(x1), short(y1), f64::from(x2) - f64::from(x1), f64::from(y2) - f64::from(y1)],
            score: short(detection.score),
            segmentation: detection.mask.as_deref(),
        }
    }
}

fn detection(entry: &BoxEntry) -> std::result::Result<Detection, String> {
    if let Some(reason) = entry_defect(Some(entry.bbox), entry.score) {
        return Err(reason);
    }
    let [x, y, w, h] = entry.bbox;
    let detection = Detection {
        image: ImageId(entry.image_id),
        category: CategoryId(entry.category_id),
        bbox: [x as f32, y as f32, (x + w) as f32, (y + h) as f32],
        score: entry.score as f32,
        mask: None,
    };
    defect(&detection).map_or(Ok(detection), Err)
}

/// What makes a detection unusable, if anything does.
pub(crate) fn defect(detection: &Detection) -> Option<String> {
    let [x1, y1, x2, y2] = detection.bbox;
    if !detection.bbox.iter().all(|v| v.is_finite()) {
        return Some(format!("the box {:?} is not finite", detection.bbox));
    }
    if let Some(reason) = score_defect(f64::from(detection.score)) {
        return Some(reason);
    }
    (x2 < x1 || y2 < y1).then(|| format!("the box {:?} has x2 < x1 or y2 < y1", detection.bbox))
}

/// Reads a results file and checks every id against the truth.
///
/// # Errors
/// A file that cannot be read, is truncated, has an entry that is not a detection, a number that is not finite, or an unknown id; always with
/// the path and the entry's index.
pub fn read_detections(path: &Path, truth: &Dataset) -> Result<Vec<Detection>> {
    let detections = parse_detections(path)?;
    check_detections(path, &detections, truth)?;
    Ok(detections)
}

/// Reads a results file without looking at its ids.
pub(crate) fn parse_detections(path: &Path) -> Result<Vec<Detection>> {
    let mut detections = Vec::new();
    each_entry(path, |_, entry: BoxEntry| {
        detections.push(detection(&entry)?);
        Ok(())
    })?;
    Ok(detections)
}

/// Checks that the truth has every image and category of a results file.
///
/// # Errors
/// The first detection on an unknown image or of an unknown category.
pub fn check_detections(path: &Path, detections: &[Detection], truth: &Dataset) -> Result<()> {
    let images: HashSet<u64> = truth.images.iter().map(|i| i.id.0).collect();
    let categories: HashSet<u64> = truth.categories.iter().map(|c| c.id.0).collect();
    for (index, detection) in detections.iter().enumerate() {
        let (image, category) = (detection.image.0, detection.category.0);
        if !images.contains(&image) {
            return Err(EvalError::UnknownImage { path: path.into(), index, image, truth: truth.source.clone() });
        }
        if !categories.contains(&category) {
            return Err(EvalError::UnknownCategory { path: path.into(), index, category, truth: truth.source.clone() });
        }
    }
    Ok(())
}

/// The results JSON of these detections, one entry a line.
///
/// # Errors
/// A detection with a number that is not finite.
pub fn results_json(detections: &[Detection]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(detections.len() * 100 + 4);
    out.push(b'[');
    for (index, detection) in detections.iter().enumerate() {
        if let Some(reason) = defect(detection) {
            return Err(EvalError::Detection { index, image: detection.image.0, reason });
        }
        out.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut out, &Entry::of(detection)).map_err(|error| EvalError::Detection {
            index,
            image: detection.image.0,
            reason: error.to_string(),
        })?;
    }
    out.extend_from_slice(b"\n]\n");
    Ok(out)
}

/// Writes a results file, whole or not at all.
///
/// # Errors
/// A detection with a number that is not finite; a file that cannot be written.
pub fn write_detections(path: &Path, detections: &[Detection]) -> Result<()> {
    write_file(path, &results_json(detections)?)
}
