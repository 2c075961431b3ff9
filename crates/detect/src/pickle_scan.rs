//! How much a pickle would build, found out without building it.
//!
//! A byte of a pickle can make an object of two hundred, and zip folds a hundred megabytes of them into a hundred kilobytes. `pytorch-reader` bounds the copies that a
//! pickle makes and the depth of its nesting, but not the number of its objects. So every pickle of a file is walked here first: opcode by opcode, with the
//! lengths that protocol 5 gives them (Python's `pickletools`), skipping what they carry.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};

/// Most opcodes of a pickle. A tensor takes about thirty, so this is a model with thirty thousand of them, and 300 MB of objects at worst.
const MOST_OPCODES: u64 = 1 << 20;
/// Pickles at the start of a stream: magic number, protocol, system, the object, the keys of its storages.
const PICKLES_OF_A_STREAM: usize = 5;
/// The magic number of a stream, `0x1950a86a20f9469cfc6c`, as protocol 2 has it.
const STREAM_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Where a tar archive says that it is one.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

/// Refuses a file of `torch.save` that would build too much, and everything that is no such file.
pub(crate) fn check(mut file: File) -> Result<(), String> {
    let mut start = Vec::new();
    file.by_ref().take(512).read_to_end(&mut start).map_err(|error| error.to_string())?;
    file.rewind().map_err(|error| error.to_string())?;
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return check_zip(file);
    }
    if start.get(TAR_MAGIC.0..).is_some_and(|rest| rest.starts_with(TAR_MAGIC.1)) {
        return Err("a tar of PyTorch before 0.1.10 (2017); open it there and save it anew".into());
    }
    // The magic number lies within the first pickle, whatever the protocol.
    let head = &start[..start.len().min(64)];
    if !head.windows(STREAM_MAGIC.len()).any(|bytes| bytes == STREAM_MAGIC) {
        return Err("neither a safetensors file nor one of `torch.save`".into());
    }
    let mut reader = BufReader::new(file);
    (0..PICKLES_OF_A_STREAM).try_for_each(|_| scan(&mut reader))
}

fn check_zip(file: File) -> Result<(), String> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| error.to_string())?;
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).map_err(|error| error.to_string())?;
        let name = entry.name().map_err(|error| error.to_string())?.into_owned();
        if entry.compression() != zip::CompressionMethod::Stored || entry.size() != entry.compressed_size() {
            return Err(format!(
                "its entry `{name}` is compressed, which `torch.save` never does; unpack it and zip it with `zip -0`"
            ));
        }
        drop(entry);
        if name.ends_with("data.pkl") {
            let entry = archive.by_index(at).map_err(|error| error.to_string())?;
            scan(&mut BufReader::new(entry))?;
        }
    }
    Ok(())
}

/// Walks one pickle, to the byte after its end.
fn scan(reader: &mut impl BufRead) -> Result<(), String> {
    let cut = |error: std::io::Error| format!("its pickle is cut short: {error}");
    for _ in 0..MOST_OPCODES {
        let [opcode] = fixed(reader).map_err(cut)?;
        match argument(opcode).ok_or_else(|| format!("its pickle has the unknown opcode {opcode:#04x}"))? {
            Argument::Bytes(count) => skip(reader, count),
            Argument::Lines(count) => (0..count).try_for_each(|_| skip_line(reader)),
            Argument::Counted(1) => fixed(reader).and_then(|[length]| skip(reader, length.into())),
            Argument::Counted(4) => fixed(reader).and_then(|length| skip(reader, u32::from_le_bytes(length).into())),
            Argument::Counted(_) => fixed(reader).and_then(|length| skip(reader, u64::from_le_bytes(length))),
        }
        .map_err(cut)?;
        if opcode == b'.' {
            return Ok(());
        }
    }
    Err(format!("its pickle has more than {MOST_OPCODES} operations; save `model.state_dict()` alone"))
}

/// What follows an opcode.
enum Argument {
    /// So many bytes.
    Bytes(u64),
    /// So many lines of text.
    Lines(usize),
    /// A length of so many bytes, and as many bytes as it says.
    Counted(usize),
}

fn argument(opcode: u8) -> Option<Argument> {
    Some(match opcode {
        b'.'
        | b'('
        | b')'
        | b'0'
        | b'1'
        | b'2'
        | b'N'
        | b'Q'
        | b'R'
        | b']'
        | b'a'
        | b'b'
        | b'd'
        | b'e'
        | b'l'
        | b'o'
        | b's'
        | b't'
        | b'u'
        | b'}'
        | 0x81
        | 0x85..=0x89
        | 0x8f..=0x94
        | 0x97
        | 0x98 => Argument::Bytes(0),
        b'K' | b'h' | b'q' | 0x80 | 0x82 => Argument::Bytes(1),
        b'M' | 0x83 => Argument::Bytes(2),
        b'J' | b'j' | b'r' | 0x84 => Argument::Bytes(4),
        b'G' | 0x95 => Argument::Bytes(8),
        b'F' | b'I' | b'L' | b'P' | b'S' | b'V' | b'g' | b'p' => Argument::Lines(1),
        b'c' | b'i' => Argument::Lines(2),
        b'U' | b'C' | 0x8a | 0x8c => Argument::Counted(1),
        b'X' | b'T' | b'B' | 0x8b => Argument::Counted(4),
        0x8d | 0x8e | 0x96 => Argument::Counted(8),
        _ => return None,
    })
}

fn fixed<const N: usize>(reader: &mut impl Read) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(reader: &mut impl Read, count: u64) -> std::io::Result<()> {
    let skipped = std::io::copy(&mut reader.take(count), &mut std::io::sink())?;
    if skipped == count { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

fn skip_line(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let (used, done) = end.map_or((buffer.len(), false), |at| (at + 1, true));
        reader.consume(used);
        if done {
            return Ok(());
        }
    }
}
