//! The data that belong to a run, found by its place: `data/` inside the run directory or beside it, as `demo` lays them out.

use std::path::{Path, PathBuf};

/// Annotations of a data set of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunData {
    /// The training annotations.
    pub train: PathBuf,
    /// The validation annotations.
    pub val: PathBuf,
    /// Whether it is the built-in demo set.
    pub demo: bool,
}

impl RunData {
    /// The data beside or inside `dir`, when they are there.
    pub fn near(dir: &Path) -> Option<Self> {
        let above = dir.canonicalize().ok().and_then(|dir| dir.parent().map(|above| above.join("data")));
        [Some(dir.join("data")), above].into_iter().flatten().find_map(|folder| Self::in_folder(&folder))
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let data = Self {
            train: folder.join("train.json"),
            val: folder.join("val.json"),
            demo: folder.join("demo.json").is_file(),
        };
        (data.train.is_file() && data.val.is_file()).then_some(data)
    }
}
