//! Opening a file that may be compressed with gzip: its content decides, not its name.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

/// Size of the read buffers.
const BUFFER_BYTES: usize = 1 << 18;

/// First bytes of a gzip file.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// A compressed file may always become this large, in bytes.
const ALWAYS: u64 = 64 << 20;

/// Beyond [`ALWAYS`] it may become so many times its size. Annotations shrink to a third or a tenth, and gzip can claim a thousand.
const MOST_TIMES: u64 = 200;

/// The bytes of the file at `path`, unpacked when it is gzip.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut packed = BufReader::with_capacity(BUFFER_BYTES, file);
    if !packed.fill_buf()?.starts_with(GZIP) {
        return Ok(Box::new(packed));
    }
    let left = length.saturating_mul(MOST_TIMES).max(ALWAYS);
    let unpacked = Unpacked { decoder: MultiGzDecoder::new(packed), left };
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked)))
}

/// Unpacks, but not without a limit.
struct Unpacked<R> {
    decoder: MultiGzDecoder<R>,
    left: u64,
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(to).map_err(|e| {
            let text = format!("the gzip data are damaged or cut short ({e}): get the file again");
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        let Some(left) = self.left.checked_sub(read as u64) else {
            let text = format!(
                "the gzip data grow more than {MOST_TIMES}-fold, which no annotations do; unpack the file if it is healthy"
            );
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        };
        self.left = left;
        Ok(read)
    }
}
