//! Reading masks out of the file that a data set came from, in a second pass, so that those who need boxes alone do not pay for them.

use super::{Masks, Outline, json};
use crate::{
    DataError, Dataset, Result,
    format::{format_name, yolo_outlines},
};

/// An outline met in the file that a data set was read from.
pub struct Found<'a> {
    /// Image and object; `None` when the data set has no such object.
    pub place: Option<(usize, usize)>,
    /// The outline as written.
    pub outline: Outline,
    /// What it belongs to, for messages.
    pub name: &'a dyn Fn() -> String,
}

/// Hands on every outline of the objects of `dataset` in the order of the file; formats without outlines have none.
pub fn each_outline(dataset: &Dataset, hand_on: &mut dyn FnMut(Found<'_>)) -> Result<()> {
    match format_name(&dataset.source)? {
        "coco" | "lvis" | "lvis-v0.5" => json::each(dataset, hand_on),
        "yolo" => yolo_outlines(dataset, hand_on),
        _ => Ok(()),
    }
}

/// The masks of the objects of `dataset`, from the file that it was read from: COCO or LVIS JSON, or the label files of YOLO.
///
/// Memory: about as many bytes as the file has characters, divided by four.
///
/// # Errors
/// [`DataError::Io`], [`DataError::Json`] and [`DataError::BadLine`] when the file cannot be read, [`DataError::NoMasks`] when it holds
/// no mask of an object.
pub fn read_masks(dataset: &Dataset) -> Result<Masks> {
    let mut masks = Masks::empty(dataset);
    each_outline(dataset, &mut |found| {
        if let Some((image, object)) = found.place {
            masks.add(dataset, image, object, &found.outline);
        }
    })?;
    masks.finish();
    if masks.is_empty() { Err(DataError::NoMasks { path: dataset.source.clone() }) } else { Ok(masks) }
}
