//! The masks of a data set on their way into another file.
//!
//! A file has its annotations in any order and another is written in the order of the objects. LVIS has a gigabyte of outlines, so they wait
//! in a temporary file, and memory holds where each of them lies: 16 bytes an object.

use std::{
    cell::RefCell,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    path::Path,
};

use tempfile::SpooledTempFile;

use super::{Outline, each_outline, outline::Segmentation};
use crate::{DataError, Dataset, Lost, Result, format::Losses};

/// Outlines stay in memory up to so many bytes of text.
const MOST_MEMORY: usize = 64 << 20;

/// Outlines by image and object.
pub struct CarriedMasks {
    /// Where the objects of each image begin in `places`, `[N + 1]`.
    images: Vec<usize>,
    /// Start and length of each object's outline as JSON; length 0 without one.
    places: Vec<(u64, u32)>,
    /// The texts, and where its next byte lies.
    file: RefCell<(BufReader<SpooledTempFile>, u64)>,
    lost: Vec<Lost>,
}

impl CarriedMasks {
    /// Reads the source of `dataset` once more. What does not fit into memory waits in `folder`, in a file that has no name.
    pub fn read(dataset: &Dataset, folder: &Path) -> Result<Self> {
        let io = |source| DataError::Io { action: "write", path: folder.to_path_buf(), source };
        let mut images = vec![0];
        for record in &dataset.images {
            images.push(images[images.len() - 1] + record.objects.len());
        }
        let mut places = vec![(0, 0); images[images.len() - 1]];
        let mut file = BufWriter::new(tempfile::spooled_tempfile_in(MOST_MEMORY, folder));
        let (mut end, mut losses, mut outcome) = (0, Losses::default(), Ok(()));
        each_outline(dataset, &mut |found| {
            let Some((image, object)) = found.place else {
                return losses.add("masks without an object of theirs here (left out)", found.name);
            };
            let record = &dataset.images[image];
            if !found.outline.is_whole([record.width, record.height]) {
                return losses
                    .add("masks that are damaged or of another size than their picture (left out)", found.name);
            }
            let text = serde_json::to_vec(&found.outline).unwrap_or_default();
            places[images[image] + object] = (end, text.len() as u32);
            end += text.len() as u64;
            if outcome.is_ok() {
                outcome = file.write_all(&text);
            }
        })?;
        outcome.map_err(io)?;
        let mut file = file.into_inner().map_err(|error| io(error.into_error()))?;
        file.rewind().map_err(io)?;
        Ok(Self { images, places, file: RefCell::new((BufReader::new(file), 0)), lost: losses.into() })
    }

    /// What could not be carried.
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// The outline of an object.
    pub fn get(&self, image: usize, object: usize) -> io::Result<Option<Outline>> {
        let (start, length) = self.places[self.images[image] + object];
        if length == 0 {
            return Ok(None);
        }
        let (file, at) = &mut *self.file.borrow_mut();
        file.seek_relative(start as i64 - *at as i64)?;
        let mut text = vec![0; length as usize];
        file.read_exact(&mut text)?;
        *at = start + u64::from(length);
        let Segmentation(outline) = serde_json::from_slice(&text)?;
        Ok(outline)
    }
}
