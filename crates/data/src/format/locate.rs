//! Where the pictures of a data set are: which folder, and which field of an image names them.
//!
//! The first picture decides for all: the first pair of folder and field that leads to an existing file is used. Without any, the
//! first pair is kept and the loader will say which picture is missing; scoring needs no pictures.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::json::JsonImage;

/// The field, or part of it, that names a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// `file_name`.
    File,
    /// The last two parts of `coco_url`: `train2017/000000000009.jpg`.
    UrlTail,
    /// The last part of `coco_url`.
    UrlEnd,
    /// `file_name` by the rule of 2017, where LVIS v0.5 kept that of 2014: `000000000009.jpg` for `COCO_val2014_000000000009.jpg`.
    File2017,
}

/// The order for COCO.
pub const FILE_NAME_FIRST: &[NamedBy] = &[NamedBy::File, NamedBy::UrlTail, NamedBy::UrlEnd, NamedBy::File2017];

impl NamedBy {
    fn name(self, image: &JsonImage) -> Option<String> {
        let parts = match self {
            Self::File => return image.file_name.clone().filter(|name| !name.is_empty()),
            Self::File2017 => {
                let (_, name) = image.file_name.as_deref()?.strip_prefix("COCO_")?.rsplit_once('_')?;
                return (!name.is_empty()).then(|| name.to_owned());
            }
            Self::UrlTail => 2,
            Self::UrlEnd => 1,
        };
        let url = image.coco_url.as_deref()?.split(['?', '#']).next()?;
        let (_, path) = url.split_once("://").unwrap_or(("", url));
        let found: Vec<_> = path.rsplit('/').take(parts).collect();
        let name = found.into_iter().rev().collect::<Vec<_>>().join("/");
        (!name.trim_matches('/').is_empty()).then_some(name)
    }
}

/// A folder and the field to try first.
pub struct Pictures {
    root: PathBuf,
    order: Vec<NamedBy>,
}

impl Pictures {
    /// Finds the pictures of the data set in file `json`, looking only into `images` when it is given.
    pub fn find(json: &Path, images: Option<&Path>, first: Option<&JsonImage>, order: &[NamedBy]) -> Self {
        // A path says more than the end of a URL, which is of the same picture somewhere else.
        let has_path = first.and_then(|image| image.file_name.as_deref()).is_some_and(|name| name.contains('/'));
        let by_path = if has_path { &[NamedBy::File][..] } else { &[] };
        let order = [by_path, order].concat();
        let roots = images.map_or_else(|| folders_around(json), |root| vec![root.to_path_buf()]);
        let leads_to_file = |root: &Path, by: NamedBy| {
            first.and_then(|image| by.name(image)).is_some_and(|name| root.join(name).is_file())
        };
        let found = roots
            .iter()
            .flat_map(|root| order.iter().map(move |&by| (root, by)))
            .find(|&(root, by)| leads_to_file(root, by));
        let (root, best) = found.map_or((&roots[0], None), |(root, by)| (root, Some(by)));
        let rest = order.iter().copied().filter(|&by| Some(by) != best);
        Self { root: root.clone(), order: best.into_iter().chain(rest).collect() }
    }

    /// Path of the picture of `image`; empty when no field names it.
    pub fn path(&self, image: &JsonImage) -> PathBuf {
        let name = self.order.iter().find_map(|by| by.name(image));
        name.map_or_else(PathBuf::new, |name| self.root.join(name))
    }
}

/// The folder of `json`, its subfolders, the folder above, and its subfolders; never empty.
fn folders_around(json: &Path) -> Vec<PathBuf> {
    let folder = match json.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let above = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !folder.ends_with("..") => parent.to_path_buf(),
        _ => folder.join(".."),
    };
    let below = subfolders(&folder);
    let beside = subfolders(&above);
    [vec![folder], below, vec![above], beside].concat()
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|e| e.path()).filter(|p| p.is_dir()).collect();
    found.sort();
    found
}
