//! The JSON that COCO and LVIS share, parsed as a stream by several threads: masks and unknown fields are skipped, never held in memory.
//!
//! One annotation takes 88 bytes here, so the 1.27 million of LVIS's training set take about 110 MB while the file has a gigabyte. The
//! order of what is read, and which error is reported when there are several, do not depend on the threads.

use std::{
    fmt,
    io::{self, BufRead, Read},
    path::Path,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, Visitor},
};

use super::{
    input::open,
    json_split::{Batch, Frame, split},
};
use crate::{DataError, Result};

/// Bytes that a thread parses at once.
const BATCH_BYTES: usize = 1 << 20;

/// Byte order mark that some Windows programs put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file as written: nothing is checked but the types.
pub struct JsonFile {
    pub images: Vec<JsonImage>,
    pub annotations: Vec<JsonAnnotation>,
    pub categories: Vec<JsonCategory>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `images`, `annotations` and `categories`")]
struct Lists {
    images: Option<Vec<IgnoredAny>>,
    annotations: Option<Vec<IgnoredAny>>,
    categories: Option<Vec<IgnoredAny>>,
}

/// What a batch held.
enum Part {
    Images(Vec<JsonImage>),
    Annotations(Vec<JsonAnnotation>),
    Categories(Vec<JsonCategory>),
    Other,
}

/// What is no JSON of the right types, and at which byte of the file.
struct Damage {
    offset: u64,
    error: serde_json::Error,
}

#[derive(Deserialize)]
pub struct JsonImage {
    pub id: u64,
    pub file_name: Option<String>,
    pub coco_url: Option<String>,
    pub width: Option<f64>,
    pub height: Option<f64>,
    pub neg_category_ids: Option<Vec<u64>>,
    pub not_exhaustive_category_ids: Option<Vec<u64>>,
}

#[derive(Deserialize)]
pub struct JsonAnnotation {
    pub id: Option<u64>,
    pub image_id: u64,
    pub category_id: u64,
    pub bbox: [f64; 4],
    pub area: Option<f64>,
    #[serde(default)]
    pub iscrowd: Flag,
}

#[derive(Deserialize)]
pub struct JsonCategory {
    pub id: u64,
    pub name: String,
    pub frequency: Option<String>,
    pub image_count: Option<u64>,
    pub instance_count: Option<u64>,
}

/// `iscrowd` as found in the wild: 0 or 1, a boolean, or null.
#[derive(Clone, Copy, Default)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct FlagVisitor;
        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("0, 1, true, false or null")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> std::result::Result<Flag, E> {
                Ok(Flag(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> std::result::Result<Flag, E> {
                Ok(Flag(value != 0))
            }

            fn visit_unit<E: de::Error>(self) -> std::result::Result<Flag, E> {
                Ok(Flag(false))
            }
        }
        from.deserialize_any(FlagVisitor)
    }
}

impl JsonFile {
    /// Parses the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let io = |source| DataError::Io { action: "read", path: path.to_path_buf(), source };
        let mut input = open(path).map_err(io)?;
        let start = input.fill_buf().map_err(io)?;
        let mark = if start.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        if start[mark..].trim_ascii_start().first() == Some(&b'[') {
            let problem = "expected an object with `images`, `annotations` and `categories`, found a list; a list of detections is no data set";
            return Err(DataError::Json { path: path.to_path_buf(), line: 1, column: 1, problem: problem.into() });
        }
        input.consume(mark);
        let (frame, parts) = parse_parts(input, mark as u64).map_err(io)?;
        let lists = parse_frame(&frame);
        let mut file = Self { images: Vec::new(), annotations: Vec::new(), categories: Vec::new() };
        let mut damage = lists.as_ref().err().map(|damage| damage.offset);
        let mut first = None;
        for part in parts {
            match part {
                Ok(Part::Images(rows)) => file.images.extend(rows),
                Ok(Part::Annotations(rows)) => file.annotations.extend(rows),
                Ok(Part::Categories(rows)) => file.categories.extend(rows),
                Ok(Part::Other) => {}
                // On a file that is cut short the list knows better than the frame what is missing.
                Err(found) if damage.is_none_or(|offset| found.offset <= offset) => {
                    damage = Some(found.offset);
                    first = Some(found);
                }
                Err(_) => {}
            }
        }
        let lists = match (first, lists) {
            (Some(damage), _) | (None, Err(damage)) => return Err(damage_error(path, damage)),
            (None, Ok(lists)) => lists,
        };
        let missing = |key| DataError::MissingKey { path: path.to_path_buf(), key };
        lists.images.ok_or_else(|| missing("images"))?;
        lists.annotations.ok_or_else(|| missing("annotations"))?;
        lists.categories.ok_or_else(|| missing("categories"))?;
        Ok(file)
    }

    /// Whether any category or image has a field that LVIS adds to COCO.
    pub fn has_lvis_fields(&self) -> bool {
        self.categories.iter().any(|c| c.frequency.is_some() || c.image_count.is_some()) || self.is_federated()
    }

    /// Whether any image says which classes were verified there.
    pub fn is_federated(&self) -> bool {
        self.images.iter().any(|i| i.neg_category_ids.is_some() || i.not_exhaustive_category_ids.is_some())
    }
}

/// The frame of `input` and what its batches hold, in their order. This thread cuts, others parse.
fn parse_parts(input: impl BufRead, start: u64) -> io::Result<(Frame, Vec<std::result::Result<Part, Damage>>)> {
    let workers = rayon::current_num_threads().max(1);
    let (send, receive) = mpsc::sync_channel::<(usize, Batch)>(workers);
    let receive = Mutex::new(receive);
    let work = || {
        let mut parts = Vec::new();
        loop {
            let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((number, batch)) = next else { return parts };
            parts.push((number, parse_batch(&batch)));
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut number = 0;
        let frame = split(input, start, BATCH_BYTES, &mut |batch| {
            // Fails only when all workers are gone, and joining them says why.
            let _ = send.send((number, batch));
            number += 1;
        });
        drop(send);
        let joined = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        let mut parts: Vec<_> = joined.flatten().collect();
        parts.sort_by_key(|(number, _)| *number);
        Ok((frame?, parts.into_iter().map(|(_, part)| part).collect()))
    })
}

fn parse_batch(batch: &Batch) -> std::result::Result<Part, Damage> {
    let json = batch.json.as_slice();
    let part = match batch.key.as_str() {
        "images" => serde_json::from_slice(json).map(Part::Images),
        "annotations" => serde_json::from_slice(json).map(Part::Annotations),
        "categories" => serde_json::from_slice(json).map(Part::Categories),
        _ => serde_json::from_slice::<Vec<IgnoredAny>>(json).map(|_| Part::Other),
    };
    // The bracket is not the file's, unless the batch is the first of its list.
    part.map_err(|error| Damage { offset: (batch.start + place(json, &error) as u64).saturating_sub(1), error })
}

fn parse_frame(frame: &Frame) -> std::result::Result<Lists, Damage> {
    serde_json::from_slice(&frame.json).map_err(|error| {
        let place = place(&frame.json, &error);
        let known = frame.places.partition_point(|(from, _)| *from <= place).saturating_sub(1);
        let (from, offset) = frame.places[known];
        let offset = if error.is_eof() { frame.end } else { offset + (place - from) as u64 };
        Damage { offset, error }
    })
}

/// The byte of `json` at which `error` was met.
fn place(json: &[u8], error: &serde_json::Error) -> usize {
    let lines_before = error.line().saturating_sub(1);
    let start = json.split_inclusive(|&byte| byte == b'\n').take(lines_before).map(<[u8]>::len).sum::<usize>();
    (start + error.column().saturating_sub(1)).min(json.len())
}

/// Line and column of a byte of the file, which is read once more up to there.
fn line_and_column(path: &Path, offset: u64) -> io::Result<(usize, usize)> {
    let mut input = open(path)?.take(offset);
    let (mut line, mut column) = (1, 1);
    loop {
        let block = input.fill_buf()?;
        if block.is_empty() {
            return Ok((line, column));
        }
        line += block.iter().filter(|&&byte| byte == b'\n').count();
        column = match block.iter().rposition(|&byte| byte == b'\n') {
            Some(at) => block.len() - at,
            None => column + block.len(),
        };
        let read = block.len();
        input.consume(read);
    }
}

/// What `serde_json` says about a file that it was given alone, with the file and the way out.
pub fn json_error(path: &Path, error: &serde_json::Error) -> DataError {
    explain(path, (error.line(), error.column()), error)
}

/// The same for a part that was cut out of the file.
fn damage_error(path: &Path, Damage { offset, error }: Damage) -> DataError {
    match line_and_column(path, offset) {
        Ok(place) => explain(path, place, &error),
        Err(source) => DataError::Io { action: "read", path: path.to_path_buf(), source },
    }
}

fn explain(path: &Path, (line, column): (usize, usize), error: &serde_json::Error) -> DataError {
    let text = error.to_string();
    let reason = text.strip_suffix(&format!(" at line {} column {}", error.line(), error.column())).unwrap_or(&text);
    let path = path.to_path_buf();
    let problem = match error.classify() {
        serde_json::error::Category::Io => {
            let kind = error.io_error_kind().unwrap_or(io::ErrorKind::Other);
            return DataError::Io { action: "read", path, source: io::Error::new(kind, reason.to_owned()) };
        }
        serde_json::error::Category::Eof => {
            format!("the JSON ends too early ({reason}): the file is cut short, get it again")
        }
        serde_json::error::Category::Syntax => format!("not JSON ({reason}); NaN and Infinity are not JSON either"),
        serde_json::error::Category::Data => reason.to_owned(),
    };
    DataError::Json { path, line, column, problem }
}
