//! The event files that TensorBoard reads, and nothing else of it: scalars, histograms and PNG pictures.
//!
//! A file is a row of TFRecords: the length as `u64`, its checksum, the message, its checksum, all little-endian. The checksum is CRC-32C, turned right by 15
//! bits plus `0xa282ead8` (<https://www.tensorflow.org/tutorials/load_data/tfrecord>). A message is a protocol buffer `Event`
//! (`tensorflow/core/util/event.proto`, `tensorflow/core/framework/summary.proto`), of which five kinds of field are needed: written here, for a generator of
//! protocol buffers would be a larger dependency than these lines.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{EvalError, Result};

/// A larger picture is refused: TensorBoard keeps the pictures that it shows in memory.
pub const MOST_IMAGE_BYTES: usize = 16 << 20;
/// What the first message of every file says.
const VERSION: &str = "brain.Event:2";
const MASK: u32 = 0xa282_ead8;
/// `SessionLog.START`: what an earlier file has from this step on is void.
const START: u64 = 1;
const BUCKETS: usize = 30;

/// An event file under construction. Every call is one append, whole in the file before it returns: a run that is killed leaves a file whose last record is at
/// worst cut off, which readers skip. Nothing is kept in memory.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// A new file in a folder, which is made if need be. Files of earlier sessions stay, and readers take all of them in order.
    ///
    /// # Errors
    /// A folder or file that cannot be made or written.
    pub fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(EvalError::io("create", folder))?;
        let mut second = now() as u64;
        loop {
            // Readers find the file by `tfevents` and sort by name, so the second comes first.
            let path = folder.join(format!("events.out.tfevents.{second:010}.equipoise"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut events = Self { path, file };
                    events.append(&event(0, &field_bytes(3, VERSION.as_bytes())))?;
                    return Ok(events);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => second += 1,
                Err(error) => return Err(EvalError::io("create", path)(error)),
            }
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that training starts at `step`: what earlier files have of later steps is void, as after going on from a checkpoint.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn start_at(&mut self, step: u64) -> Result<()> {
        self.append(&event(step, &field_bytes(7, &field_varint(1, START))))
    }

    /// Adds numbers of one step. Those that are not finite are left out: TensorBoard would scale its axis to them.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        let finite = values.iter().filter(|(_, value)| value.is_finite());
        let summary: Vec<u8> = finite
            .flat_map(|(tag, value)| {
                let simple_value = [&[tag_byte(2, 5)], &(*value as f32).to_le_bytes()[..]].concat();
                field_bytes(1, &[field_bytes(1, tag.as_bytes()), simple_value].concat())
            })
            .collect();
        if summary.is_empty() { Ok(()) } else { self.append(&event(step, &field_bytes(5, &summary))) }
    }

    /// Adds one number.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f64) -> Result<()> {
        self.scalars(step, &[(tag, value)])
    }

    /// Adds the distribution of the finite ones of `values`, in 30 equal buckets from the least to the greatest; nothing when there are none.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn histogram(&mut self, tag: &str, step: u64, values: &[f64]) -> Result<()> {
        let Some(histogram) = histogram(values) else { return Ok(()) };
        let value = [field_bytes(1, tag.as_bytes()), field_bytes(5, &histogram)].concat();
        self.append(&event(step, &field_bytes(5, &field_bytes(1, &value))))
    }

    /// Adds a picture as PNG bytes.
    ///
    /// # Errors
    /// A picture that is no PNG or larger than [`MOST_IMAGE_BYTES`]; a file that cannot be written.
    pub fn image(&mut self, tag: &str, step: u64, png: &[u8]) -> Result<()> {
        let refuse = |reason: String| EvalError::Picture { action: "keep", path: tag.into(), reason };
        if png.len() > MOST_IMAGE_BYTES {
            return Err(refuse(format!("{} bytes are more than {MOST_IMAGE_BYTES}; make it smaller", png.len())));
        }
        let reader = image::ImageReader::with_format(std::io::Cursor::new(png), image::ImageFormat::Png);
        let (width, height) = reader.into_dimensions().map_err(|error| refuse(error.to_string()))?;
        let size = [field_varint(1, height.into()), field_varint(2, width.into())].concat();
        let image = [size, field_varint(3, 3), field_bytes(4, png)].concat();
        let value = [field_bytes(1, tag.as_bytes()), field_bytes(4, &image)].concat();
        self.append(&event(step, &field_bytes(5, &field_bytes(1, &value))))
    }

    fn append(&mut self, message: &[u8]) -> Result<()> {
        let length = (message.len() as u64).to_le_bytes();
        let record =
            [&length[..], &masked_crc(&length).to_le_bytes(), message, &masked_crc(message).to_le_bytes()].concat();
        self.file.write_all(&record).map_err(EvalError::io("write", &self.path))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

/// `Event { wall_time = 1, step = 2, … }`
fn event(step: u64, what: &[u8]) -> Vec<u8> {
    [field_double(1, now()), field_varint(2, step), what.to_vec()].concat()
}

/// `HistogramProto { min = 1, max = 2, num = 3, sum = 4, sum_squares = 5, bucket_limit = 6, bucket = 7 }`
fn histogram(values: &[f64]) -> Option<Vec<u8>> {
    let values: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    // A width of nothing would divide by zero.
    let width = ((high - low) / BUCKETS as f64).max(1e-9);
    let mut buckets = [0.0_f64; BUCKETS];
    for value in &values {
        buckets[(((value - low) / width) as usize).min(BUCKETS - 1)] += 1.0;
    }
    let limits: Vec<u8> = (1..=BUCKETS).flat_map(|at| (low + width * at as f64).to_le_bytes()).collect();
    let counts: Vec<u8> = buckets.iter().flat_map(|count| count.to_le_bytes()).collect();
    let squares = values.iter().map(|v| v * v).sum();
    let numbers = [low, high, values.len() as f64, values.iter().sum(), squares];
    let numbers = (1..).zip(numbers).flat_map(|(field, value)| field_double(field, value));
    Some(numbers.chain(field_bytes(6, &limits)).chain(field_bytes(7, &counts)).collect())
}

/// Field number and wire type: 0 a varint, 1 eight bytes, 2 a length and bytes, 5 four bytes. Numbers below 16 take one byte.
const fn tag_byte(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn field_varint(field: u8, value: u64) -> Vec<u8> {
    [vec![tag_byte(field, 0)], varint(value)].concat()
}

fn field_double(field: u8, value: f64) -> Vec<u8> {
    [&[tag_byte(field, 1)], &value.to_le_bytes()[..]].concat()
}

fn field_bytes(field: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag_byte(field, 2)], &varint(bytes.len() as u64)[..], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "123456789" is the check value of CRC-32C; its mask was worked out outside of this code.
    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), 0xc78a_b0e5);
        assert_eq!(varint(300), [0xac, 0x02], "the example of the documentation of protocol buffers");
    }
}
