//! The pictures of a split: all in a folder and the folders below, or those of a list, one path a line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::config::DataYaml;
use crate::{
    DataError, Result,
    format::text::{bad_line, read_text},
};

/// Endings of pictures. Those that cannot be decoded are errors later; to pass over them would make the set smaller in silence.
const ENDINGS: &[&str] =
    &["jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff", "gif", "heic", "avif", "mpo", "dng", "pfm"];

/// Largest list read, in bytes.
const MOST_LIST_BYTES: u64 = 256 << 20;

/// Deepest folder looked into.
const DEEPEST: usize = 16;

/// Paths of the pictures of `split`, ascending, each once; those under `images` instead when it is given.
pub fn pictures_of(yaml: &DataYaml, split: &str, images: Option<&Path>) -> Result<Vec<PathBuf>> {
    let places = yaml.split(split)?;
    let places = images.map_or(places, |folder| vec![folder.to_path_buf()]);
    let mut found = Vec::new();
    for place in &places {
        if place.extension().is_some_and(|e| e == "txt") {
            listed(yaml, place, &mut found)?;
        } else {
            walk(place, 0, &mut found)?;
        }
    }
    if found.is_empty() {
        let looked: Vec<_> = places.iter().map(|p| format!("`{}`", p.display())).collect();
        let got = format!("without any picture in {}", looked.join(", "));
        return Err(bad_line(&yaml.path, 1, &format!("`{split}`"), &got, "a folder or a list with pictures"));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Whether the name of `path` is that of a picture.
pub fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|e| ENDINGS.iter().any(|ending| e.eq_ignore_ascii_case(ending)))
}

/// The label file of a picture: the last folder `images` of its path becomes `labels`; without one, it lies beside the picture.
pub fn label_file(picture: &Path) -> PathBuf {
    let parts: Vec<_> = picture.components().collect();
    let folders = &parts[..parts.len().saturating_sub(1)];
    let Some(at) = folders.iter().rposition(|part| part.as_os_str() == "images") else {
        return picture.with_extension("txt");
    };
    let mut path: PathBuf = parts[..at].iter().collect();
    path.push("labels");
    path.extend(&parts[at + 1..]);
    path.with_extension("txt")
}

fn listed(yaml: &DataYaml, list: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let text = read_text(list, MOST_LIST_BYTES)?;
    let folder = list.parent().unwrap_or(Path::new(""));
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let beside = folder.join(line.strip_prefix("./").unwrap_or(line));
        // Some tools write paths relative to the root; where neither exists, the error shall name the usual place.
        let path = if beside.exists() { beside } else { yaml.find(line).unwrap_or(beside) };
        found.push(path);
    }
    Ok(())
}

/// Linked folders are passed over: they can lead in circles. Linked pictures are not.
fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let io = |source| DataError::Io { action: "read", path: folder.to_path_buf(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        if entry.file_type().map_err(io)?.is_dir() {
            if depth < DEEPEST {
                walk(&path, depth + 1, found)?;
            }
        } else if is_picture(&path) {
            found.push(path);
        }
    }
    Ok(())
}
