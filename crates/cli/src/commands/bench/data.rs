//! Pictures from disk to normalised batches, and annotation files to data sets.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use burn::tensor::Device;
use equipoise_data::demo::{DemoConfig, build};
use equipoise_data::{Dataset, EpochKey, Loader, LoaderConfig};

use super::measure::Case;

/// Pictures of a batch.
const BATCH: usize = 8;

/// A folder that goes when the cases are done.
pub struct Folder(pub PathBuf);

impl Folder {
    /// An empty one among the temporary files.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("equipoise-bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The cases.
pub fn cases(_device: &Device) -> anyhow::Result<Vec<Case>> {
    let folder = Folder::new("data")?;
    let config = DemoConfig { side: 320, images: 160, ..DemoConfig::quick() };
    let set = build(&folder.0, &config, 0)?;
    let dataset = Arc::new(Dataset::read(&set.train, None)?);
    let images = dataset.images.len();
    let train = set.train;
    let mut cases = vec![
        Case::new("reading annotations", &format!("LVIS JSON, {images} pictures"), move || {
            let _keep = &folder;
            Dataset::read(&train, None)?;
            Ok(())
        })
        .with_units(images, "pictures"),
    ];
    for workers in [1, 2] {
        let dataset = dataset.clone();
        let config = LoaderConfig { image_size: 320, flip: 0.5, workers, ..LoaderConfig::default() };
        let plan: Vec<Vec<usize>> = (0..images).collect::<Vec<_>>().chunks(BATCH).map(<[usize]>::to_vec).collect();
        let work = move || {
            for batch in Loader::start(dataset.clone(), plan.clone(), config, EpochKey { seed: 0, epoch: 0 }, 0)? {
                std::hint::black_box(batch?);
            }
            Ok(())
        };
        let shape = format!("PNG of 320 px, {workers} worker{}", if workers == 1 { "" } else { "s" });
        cases.push(Case::new("batches of 8", &shape, work).with_units(images, "pictures"));
    }
    Ok(cases)
}
