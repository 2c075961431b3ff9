//! Writing a [`Dataset`] in another format, and saying what that format cannot hold.

use std::{collections::HashSet, fmt, fs, path::Path};

use super::{FORMATS, Format};
use crate::{ClassList, Counts, DataError, Dataset, GroupThresholds, Result};

/// Names of splits.
const SPLITS: [&str; 3] = ["train", "val", "test"];

/// How a data set is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteConfig {
    /// Copies the pictures where a format keeps them in its own folders (YOLO, Open Images, Roboflow). Otherwise they are linked, which takes no space; the
    /// links break when the pictures are moved.
    pub copy_pictures: bool,
    /// Reads the source of the data set once more for its masks and writes them too. Without it boxes are written alone.
    pub masks: bool,
}

/// Something in a data set that the format written cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// What it is, as a plural noun phrase: "crowd regions (left out)".
    pub what: &'static str,
    /// How many there were.
    pub count: usize,
    /// The first of them, where one can be named.
    pub example: Option<String>,
}

impl fmt::Display for Lost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.count, self.what)?;
        self.example.iter().try_for_each(|example| write!(out, ", such as that of {example}"))
    }
}

/// Losses counted one by one.
#[derive(Default)]
pub struct Losses(Vec<Lost>);

impl Losses {
    /// Counts one, keeping the first example of its kind.
    pub fn add(&mut self, what: &'static str, example: impl FnOnce() -> String) {
        match self.0.iter_mut().find(|lost| lost.what == what) {
            Some(lost) => lost.count += 1,
            None => self.0.push(Lost { what, count: 1, example: Some(example()) }),
        }
    }

    /// Counts those of another part of the same data.
    pub fn extend(&mut self, others: &[Lost]) {
        for other in others {
            match self.0.iter_mut().find(|lost| lost.what == other.what) {
                Some(lost) => lost.count += other.count,
                None => self.0.push(other.clone()),
            }
        }
    }
}

impl From<Losses> for Vec<Lost> {
    fn from(losses: Losses) -> Self {
        losses.0
    }
}

/// Writes `dataset` in the format of this name to `to`: a new file, or a new folder for `yolo`, `openimages` and `roboflow`; boxes alone, without masks.
///
/// What comes back is what the format cannot hold; reading gives everything else as it was. Pictures keep their paths, relative to the
/// new file where they lie below its folder; formats that are folders link them.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let (from, to) = (folder.path().join("a.json"), folder.path().join("b.json"));
/// # std::fs::write(&from, r#"{"categories": [{"id": 3, "name": "yak", "frequency": "f"}], "annotations": [],
/// #     "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10, "neg_category_ids": [3]}]}"#)?;
/// let dataset = equipoise_data::Dataset::read(&from, None)?;
/// for lost in equipoise_data::write(&dataset, "coco", &to)? {
///     println!("COCO cannot hold: {lost}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`DataError::Option`] for an unknown format, [`DataError::ReadOnlyFormat`], [`DataError::OverSource`], [`DataError::Occupied`], and
/// [`DataError::Io`] when something cannot be written or holds a value that the format has no way to write. Nothing is changed then.
pub fn write(dataset: &Dataset, format: &str, to: &Path) -> Result<Vec<Lost>> {
    write_with(dataset, format, to, &WriteConfig::default())
}

/// Like [`write`], with options.
///
/// # Errors
/// As [`write`]; with masks also those of reading the source of `dataset`.
pub fn write_with(dataset: &Dataset, format: &str, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
    let found = format_named(format)?;
    require_other_file(dataset, to)?;
    found.write(dataset, to, config)
}

/// Writes data sets with the same classes as the splits ("train", "val", "test") of one, in the new folder `to`.
///
/// # Errors
/// [`DataError::OneSplit`] when a file in this format is one split, [`DataError::Option`] for another or repeated split,
/// [`DataError::ClassMismatch`], else as [`write_with`].
pub fn write_splits(splits: &[(&str, &Dataset)], format: &str, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
    let found = format_named(format)?;
    let mut seen = HashSet::new();
    for (name, dataset) in splits {
        if !SPLITS.contains(name) || !seen.insert(name) {
            let expected = "`train`, `val` or `test`, each once".into();
            return Err(DataError::Option { option: "split", got: format!("`{name}`"), expected });
        }
        let first = splits[0].1;
        if let Some(difference) = ClassList::of(first).difference(&ClassList::of(dataset)) {
            let (first, second) = (first.source.clone(), dataset.source.clone());
            return Err(DataError::ClassMismatch { first, second, difference });
        }
        require_other_file(dataset, to)?;
    }
    found.write_splits(splits, to, config)
}

fn format_named(name: &str) -> Result<&'static dyn Format> {
    FORMATS.iter().find(|format| format.name() == name).copied().ok_or_else(|| {
        let known: Vec<_> = FORMATS.iter().map(|f| f.name()).collect();
        DataError::Option {
            option: "format",
            got: format!("`{name}`"),
            expected: format!("one of {}", known.join(", ")),
        }
    })
}

/// Links are followed: a second name of the source is the source.
fn require_other_file(dataset: &Dataset, to: &Path) -> Result<()> {
    match (fs::canonicalize(&dataset.source), fs::canonicalize(to)) {
        (Ok(source), Ok(target)) if source == target => Err(DataError::OverSource { path: to.to_path_buf() }),
        _ => Ok(()),
    }
}

/// The losses that there are.
pub fn losses(found: impl IntoIterator<Item = (&'static str, usize)>) -> Vec<Lost> {
    let found = found.into_iter().filter(|(_, count)| *count > 0);
    found.map(|(what, count)| Lost { what, count, example: None }).collect()
}

/// Images whose labels are federated, for formats in which every class is labelled everywhere.
pub fn federated_images(dataset: &Dataset) -> (&'static str, usize) {
    let count = if dataset.federated { dataset.images.len() } else { 0 };
    ("images with lists of the classes judged there", count)
}

/// Categories whose group or counts are not those of the objects, for formats that are counted when they are read.
pub fn counts_from_elsewhere(dataset: &Dataset) -> (&'static str, usize) {
    let counts = Counts::of(dataset);
    let differs = |k: usize| {
        let category = &dataset.categories[k];
        let group = GroupThresholds::default().group(counts.images[k]);
        (category.images, category.instances, category.group) != (counts.images[k], counts.instances[k], group)
    };
    ("categories with a group or counts from elsewhere", (0..dataset.num_classes()).filter(|&k| differs(k)).count())
}
