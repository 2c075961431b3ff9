//! What the fuzz targets share: a folder to put hostile files into, and what is done with a data set that comes out of them.
//!
//! The targets go through [`Dataset::read`], as a user's file does. See `README.md` for how to run them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use equipoise_data::{Dataset, Stats, examine, write};
use tempfile::TempDir;

/// A folder with a small picture, `images/a.png` of 16 × 8.
pub struct Place(TempDir);

impl Default for Place {
    fn default() -> Self {
        // In memory where there is such a folder: a target writes thousands of files in a second.
        let memory = Path::new("/dev/shm");
        let around = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let place = Self(around.expect("a temporary folder"));
        for picture in ["images/a.png", "images/train/a.png"] {
            fs::create_dir_all(place.path(picture).parent().expect("a folder")).expect("a folder");
            image::RgbImage::new(16, 8).save(place.path(picture)).expect("a picture");
        }
        place
    }
}

impl Place {
    /// Path of `name` in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes `bytes` to `name` and returns its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// Reads the data set at `path`. One that is accepted must survive everything that is done with data sets, and come back from LVIS
    /// JSON as it was; an error must have words.
    pub fn read(&self, path: &Path) {
        let dataset = match Dataset::read(path, None) {
            Ok(dataset) => dataset,
            Err(error) => return assert!(!error.to_string().is_empty()),
        };
        Stats::of(&dataset);
        examine(&dataset, Some(&dataset), false);
        // Names of pictures that have no UTF-8 cannot be written.
        let copy = self.path("copy.json");
        if write(&dataset, "lvis", &copy).is_ok() {
            let again = Dataset::read(&copy, None).expect("what was written can be read");
            let objects = |d: &Dataset| d.images.iter().map(|i| i.objects.clone()).collect::<Vec<_>>();
            assert_eq!(objects(&again), objects(&dataset));
            assert_eq!(again.categories, dataset.categories);
        }
    }
}
