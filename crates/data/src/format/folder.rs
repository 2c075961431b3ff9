//! Data sets that are folders: written whole or not at all, with the pictures linked or copied into them.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{DataError, ImageRecord, Result, write::temporary_name};

/// Makes the new folder `to`, or fills it when it is there and empty, with what `fill` writes into the folder that it is given.
///
/// # Errors
/// [`DataError::Occupied`], and those of `fill`. Nothing is left then.
pub fn new_folder<T>(to: &Path, fill: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    if fs::symlink_metadata(to).is_ok() {
        let empty = fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_none());
        if !empty {
            return Err(DataError::Occupied { path: to.to_path_buf() });
        }
    }
    let temporary = temporary_name(to);
    let outcome = fs::create_dir_all(&temporary).map_err(|e| written(to, e)).and_then(|()| fill(&temporary));
    let outcome = outcome.and_then(|done| {
        // An empty folder is in the way of the new one on some systems.
        let _ = fs::remove_dir(to);
        fs::rename(&temporary, to).map_err(|e| written(to, e))?;
        Ok(done)
    });
    if outcome.is_err() {
        // The reason for the failure matters more than a left-over folder.
        let _ = fs::remove_dir_all(&temporary);
    }
    outcome
}

/// A name for the picture of each of `images`; `accepts` says which paths the format knows as pictures.
///
/// Labels have the name of their picture without its ending, so that must be unique, on every system.
pub fn file_names(images: &[ImageRecord], accepts: &dyn Fn(&Path) -> bool) -> Result<Vec<String>> {
    let mut taken = HashSet::new();
    let names = images.iter().map(|image| {
        let text = |part: Option<&std::ffi::OsStr>| part.and_then(|p| p.to_str()).map(str::to_owned);
        let (stem, ending) = (text(image.path.file_stem()), text(image.path.extension()));
        let (Some(stem), Some(ending), true) = (stem, ending, accepts(&image.path)) else {
            let text =
                format!("image {} has no picture with a name like `a.jpg`, by which the format finds it", image.id.0);
            return Err(written(&image.path, io::Error::new(io::ErrorKind::InvalidInput, text)));
        };
        let mut unique = stem.clone();
        let mut number = image.id.0;
        while !taken.insert(unique.to_lowercase()) {
            unique = format!("{stem}_{number}");
            number = number.wrapping_add(1);
        }
        Ok(format!("{unique}.{ending}"))
    });
    names.collect()
}

/// Links or copies `picture` to `to`.
pub fn place(picture: &Path, to: &Path, copy: bool) -> Result<()> {
    let read = |source| DataError::Io { action: "read", path: picture.to_path_buf(), source };
    fs::metadata(picture).map_err(read)?;
    if copy {
        return fs::copy(picture, to).map(|_| ()).map_err(|e| written(to, e));
    }
    let full = std::path::absolute(picture).map_err(read)?;
    link(&full, to).map_err(|e| written(to, e))
}

#[cfg(unix)]
fn link(picture: &Path, to: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(picture, to)
}

/// Symbolic links need a privilege on Windows, hard links only the same volume.
#[cfg(not(unix))]
fn link(picture: &Path, to: &Path) -> io::Result<()> {
    let advice = |e: io::Error| io::Error::new(e.kind(), format!("{e}; pictures on another volume must be copied"));
    fs::hard_link(picture, to).map_err(advice)
}

/// The error that `path` could not be written.
pub fn written(path: &Path, source: io::Error) -> DataError {
    DataError::Io { action: "write", path: PathBuf::from(path), source }
}
