//! Results files of any framework: the array of COCO and LVIS, plain or gzipped, read entry by entry.
//!
//! The file is never held whole: what stays of an entry is its [`Found`](crate::case::Found), 56 bytes, or one [`Detection`](crate::Detection).
//! Gzip is known by its first two bytes, not by the name of the file.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use hotcoco::types::Segmentation;
use serde::Deserialize;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use crate::error::{EvalError, Result};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// An entry of a results file as it is written there, masks left out.
#[derive(Deserialize)]
pub(crate) struct BoxEntry {
    pub image_id: u64,
    pub category_id: u64,
    pub bbox: [f64; 4],
    pub score: f64,
}

/// An entry with its mask; the box may be missing.
#[derive(Deserialize)]
pub(crate) struct MaskEntry {
    pub image_id: u64,
    pub category_id: u64,
    pub bbox: Option<[f64; 4]>,
    pub score: f64,
    pub segmentation: Segmentation,
}

/// What makes a box `[x, y, width, height]` or a score unusable, if anything does.
pub(crate) fn entry_defect(bbox: Option<[f64; 4]>, score: f64) -> Option<String> {
    if let Some(bbox) = bbox {
        if !bbox.iter().all(|v| v.is_finite()) {
            return Some(format!("`bbox` {bbox:?} is not finite"));
        }
        if bbox[2] < 0.0 || bbox[3] < 0.0 {
            return Some(format!("`bbox` {bbox:?} has a negative width or height"));
        }
    }
    score_defect(score)
}

/// What makes a score unusable, if anything does.
pub(crate) fn score_defect(score: f64) -> Option<String> {
    if !score.is_finite() {
        return Some(format!("the score {score} is not finite"));
    }
    (score < 0.0).then(|| format!("the score {score} is negative: results hold probabilities, not logits"))
}

/// The bytes of a file, unpacked where it is gzipped, and whether it is.
pub(crate) fn open(path: &Path) -> Result<(Box<dyn Read>, bool)> {
    let file = File::open(path).map_err(EvalError::io("read", path))?;
    let mut reader = BufReader::with_capacity(CHUNK, file);
    let zipped = reader.fill_buf().map_err(EvalError::io("read", path))?.starts_with(&GZIP);
    let reader: Box<dyn Read> =
        if zipped { Box::new(BufReader::with_capacity(CHUNK, MultiGzDecoder::new(reader))) } else { Box::new(reader) };
    Ok((reader, zipped))
}

/// Hands every entry of the file at `path` to `take`, with its position counted from 0.
///
/// # Errors
/// A file that cannot be read or is truncated, an entry that is not a `T`, and what `take` refuses; with the path and the entry's position.
pub(crate) fn each_entry<T: for<'de> Deserialize<'de>>(
    path: &Path,
    mut take: impl FnMut(usize, T) -> std::result::Result<(), String>,
) -> Result<()> {
    let (reader, _) = open(path)?;
    let index = Cell::new(0);
    let mut parser = serde_json::Deserializer::from_reader(reader);
    Entries { index: &index, take: &mut take, kind: std::marker::PhantomData::<T> }
        .deserialize(&mut parser)
        .and_then(|()| parser.end())
        .map_err(|error| EvalError::ResultsEntry { path: path.into(), index: index.get(), reason: error.to_string() })
}

/// Streams the array so that an error knows which entry it is about.
struct Entries<'a, T, F> {
    index: &'a Cell<usize>,
    take: &'a mut F,
    kind: std::marker::PhantomData<T>,
}

impl<'de, T, F> DeserializeSeed<'de> for Entries<'_, T, F>
where
    T: Deserialize<'de>,
    F: FnMut(usize, T) -> std::result::Result<(), String>,
{
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T, F> Visitor<'de> for Entries<'_, T, F>
where
    T: Deserialize<'de>,
    F: FnMut(usize, T) -> std::result::Result<(), String>,
{
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an array of detections")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> std::result::Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<T>()? {
            (self.take)(self.index.get(), entry).map_err(serde::de::Error::custom)?;
            self.index.set(self.index.get() + 1);
        }
        Ok(())
    }
}
