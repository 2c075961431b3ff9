//! The data that belong to a run: as its `run.json` has them, or found by their place as `demo` lays them out.

use std::path::{Path, PathBuf};

use equipoise_data::Dataset;
use equipoise_eval::record::{DataPaths, RunDir, RunMeta};

/// Annotations and pictures of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunData {
    /// The training annotations.
    pub train: PathBuf,
    /// The folder of the training pictures, where it is not found by itself.
    pub train_images: Option<PathBuf>,
    /// The validation annotations.
    pub val: Option<PathBuf>,
    /// The folder of the validation pictures, where it is not found by itself.
    pub val_images: Option<PathBuf>,
}

impl RunData {
    /// The data of the run in `dir`: those that its `run.json` names, else those in `data/` inside the folder or beside it.
    pub fn of(dir: &Path) -> Option<Self> {
        Self::noted(dir).or_else(|| {
            let above = dir.canonicalize().ok().and_then(|dir| dir.parent().map(|above| above.join("data")));
            [Some(dir.join("data")), above].into_iter().flatten().find_map(|folder| Self::in_folder(&folder))
        })
    }

    fn noted(dir: &Path) -> Option<Self> {
        let data = RunMeta::read(&RunDir::new(dir).meta()).ok()?.data;
        let from_run = |path: PathBuf| plain(&dir.join(path));
        let found = Self {
            train: from_run(data.train.clone()),
            train_images: data.train_images.map(from_run),
            val: data.val.map(from_run),
            val_images: data.val_images.map(from_run),
        };
        (!data.train.as_os_str().is_empty() && found.train.exists()).then_some(found)
    }

    /// The data in `folder`, when they lie there as `demo` lays them out.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        let (train, val) = (folder.join("train.json"), folder.join("val.json"));
        let there = train.is_file() && val.is_file();
        there.then_some(Self { train, train_images: None, val: Some(val), val_images: None })
    }

    /// Writes down in the `run.json` of `dir` where the data are.
    pub fn note(&self, dir: &RunDir) -> anyhow::Result<()> {
        let from_run = |path: &Path| {
            // A path that has no way from the run (another drive) stays what it is.
            let (path, root) = (path.canonicalize().ok()?, dir.root().canonicalize().ok()?);
            Some(pathdiff::diff_paths(&path, root).unwrap_or(path))
        };
        let optional = |path: &Option<PathBuf>| path.as_deref().and_then(from_run);
        let mut meta = RunMeta::read(&dir.meta())?;
        meta.data = DataPaths {
            train: from_run(&self.train).unwrap_or_default(),
            train_images: optional(&self.train_images),
            val: optional(&self.val),
            val_images: optional(&self.val_images),
        };
        Ok(meta.write(&dir.meta())?)
    }

    /// The training set.
    pub fn read_train(&self) -> anyhow::Result<Dataset> {
        Ok(Dataset::read(&self.train, self.train_images.as_deref())?)
    }

    /// Whether it is the built-in demo set.
    pub fn is_demo(&self) -> bool {
        let folder = if self.train.is_dir() { Some(self.train.as_path()) } else { self.train.parent() };
        folder.is_some_and(|folder| folder.join("demo.json").is_file())
    }
}

/// `a/b/../c` as `a/c`, for messages; as it stands where that leads nowhere.
fn plain(path: &Path) -> PathBuf {
    let Ok(whole) = path.canonicalize() else { return path.to_path_buf() };
    let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok());
    here.and_then(|here| whole.strip_prefix(here).ok().map(Path::to_path_buf)).unwrap_or(whole)
}
