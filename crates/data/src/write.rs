//! Writing files whole or not at all.
//!
//! The bytes go to a new file in the same folder, reach the disk, and only then take the final name. A full disk or a killed
//! program leaves the old file as it was. The folder must be the same because a rename across file systems is a copy.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{DataError, Result};

/// Number of temporary files made by this process, so that two threads never share one.
static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// Writes `bytes` to `path`, replacing an older file only after everything is on the disk.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("metrics.json");
/// equipoise_data::write_atomically(&path, b"{}")?;
/// assert_eq!(std::fs::read(&path)?, b"{}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`DataError::Io`] when the folder is missing or the bytes cannot be written. The older file is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, |out| out.write_all(bytes))
}

/// Like [`write_atomically`], for content that is produced piece by piece through a buffered writer.
///
/// # Errors
/// [`DataError::Io`] when the folder is missing, `write` fails or the disk is full. The older file is then unchanged.
pub fn write_atomically_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let temporary = temporary_name(path);
    let outcome = fill(&temporary, write).and_then(|()| fs::rename(&temporary, path));
    outcome.map_err(|source| {
        // The reason for the failure matters more than a left-over file.
        let _ = fs::remove_file(&temporary);
        DataError::Io { action: "write", path: path.to_path_buf(), source }
    })
}

fn fill(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(File::options().write(true).create_new(true).open(path)?);
    write(&mut out)?;
    out.into_inner().map_err(|e| e.into_error())?.sync_all()
}

/// Like [`write_atomically`], without waiting for the disk: whole after a killed program, not after a power cut. For thousands of files that
/// can be made again.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary_name(path);
    fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path)).map_err(|source| {
        let _ = fs::remove_file(&temporary);
        DataError::Io { action: "write", path: path.to_path_buf(), source }
    })
}

/// A name beside `path` that no file has.
pub(crate) fn temporary_name(path: &Path) -> PathBuf {
    let number = TEMPORARY.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}-{number}.tmp", process::id()));
    path.with_file_name(name)
}
