//! The JSON that COCO and LVIS share, parsed as a stream: masks and unknown fields are skipped, never held in memory.
//!
//! One annotation takes 72 bytes here, so the 1.27 million of LVIS's training set take about 100 MB while the file has a gigabyte.

use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::{DataError, Result};

/// Size of the read buffer.
const BUFFER_BYTES: usize = 1 << 20;

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
    images: Option<Vec<JsonImage>>,
    annotations: Option<Vec<JsonAnnotation>>,
    categories: Option<Vec<JsonCategory>>,
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
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(io)?);
        let start = reader.fill_buf().map_err(io)?;
        let mark = if start.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        if start[mark..].trim_ascii_start().first() == Some(&b'[') {
            let problem = "expected an object with `images`, `annotations` and `categories`, found a list; a list of detections is no data set";
            return Err(DataError::Json { path: path.to_path_buf(), line: 1, column: 1, problem: problem.into() });
        }
        reader.consume(mark);
        let lists: Lists = serde_json::from_reader(reader).map_err(|e| json_error(path, e))?;
        let missing = |key| DataError::MissingKey { path: path.to_path_buf(), key };
        Ok(Self {
            images: lists.images.ok_or_else(|| missing("images"))?,
            annotations: lists.annotations.ok_or_else(|| missing("annotations"))?,
            categories: lists.categories.ok_or_else(|| missing("categories"))?,
        })
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

/// What `serde_json` says, with the file and the way out.
pub fn json_error(path: &Path, error: serde_json::Error) -> DataError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let reason = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let path = path.to_path_buf();
    let problem = match error.classify() {
        serde_json::error::Category::Io => return DataError::Io { action: "read", path, source: error.into() },
        serde_json::error::Category::Eof => {
            format!("the JSON ends too early ({reason}): the file is cut short, get it again")
        }
        serde_json::error::Category::Syntax => format!("not JSON ({reason}); NaN and Infinity are not JSON either"),
        serde_json::error::Category::Data => reason.to_owned(),
    };
    DataError::Json { path, line, column, problem }
}
