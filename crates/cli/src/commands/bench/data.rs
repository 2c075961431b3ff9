//! Pictures from disk to normalised batches, with each augmentation, and annotation files to data sets.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context;
use burn::tensor::Device;
use equipoise_data::demo::{DemoConfig, build};
use equipoise_data::{
    CopyPasteConfig, CropConfig, Dataset, EpochKey, JitterConfig, Loader, LoaderConfig, Masks, MosaicConfig,
    ShortSideConfig, picture, read_masks,
};

use super::measure::Case;
use super::photos::photographs;

/// Pictures of a batch.
const BATCH: usize = 8;

/// Photographs.
const PHOTOGRAPHS: usize = 48;

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
    let folder = Rc::new(Folder::new("data")?);
    let config = DemoConfig { side: 320, images: 160, ..DemoConfig::quick() };
    let set = build(&folder.0, &config, 0)?;
    let drawn = Arc::new(Dataset::read(&set.train, None)?);
    let photographs = photographs(&drawn, PHOTOGRAPHS, &folder.0.join("photographs"))?;
    let (train, keep) = (set.train, folder.clone());
    let mut cases = vec![
        Case::new("reading annotations", &format!("LVIS JSON, {} pictures", drawn.images.len()), move || {
            let _keep = &keep;
            Dataset::read(&train, None)?;
            Ok(())
        })
        .with_units(drawn.images.len(), "pictures"),
    ];
    for workers in [1, 2] {
        let config = LoaderConfig { image_size: 320, flip: 0.5, workers, ..LoaderConfig::default() };
        let shape = format!("PNG of 320 px, {workers} worker{}", if workers == 1 { "" } else { "s" });
        cases.push(batches("batches of 8", &shape, &drawn, None, config, &folder));
    }
    cases.extend(photograph_cases(&Arc::new(Dataset::read(&photographs, None)?), &folder)?);
    Ok(cases)
}

/// JPEG files on one core: decoded alone, and all the way to batches with one augmentation after the other.
fn photograph_cases(dataset: &Arc<Dataset>, folder: &Rc<Folder>) -> anyhow::Result<Vec<Case>> {
    const SHAPE: &str = "JPEG 640x480, one core";
    let masks = Arc::new(read_masks(dataset)?);
    let (all, keep) = (dataset.clone(), folder.clone());
    let decode = move || {
        let _keep = &keep;
        for record in &all.images {
            std::hint::black_box(picture::decode(&record.path)?);
        }
        Ok(())
    };
    let mut cases = vec![Case::new("decode alone", SHAPE, decode).with_units(dataset.images.len(), "pictures")];
    let plain = LoaderConfig { image_size: 640, workers: 0, ..LoaderConfig::default() };
    let short_side = ShortSideConfig { from: 640, to: 800, step: 32 };
    let jitter = JitterConfig { brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.03 };
    let crop = CropConfig { chance: 1.0, smallest: 0.5 };
    let mosaic = MosaicConfig { chance: 1.0 };
    let copy_paste = CopyPasteConfig { chance: 1.0, ..CopyPasteConfig::default() };
    let usual = LoaderConfig { flip: 0.5, jitter, scale_range: (0.75, 1.25), ..plain };
    let settings = [
        ("whole path", plain),
        ("… mirror, flip 0.5", LoaderConfig { flip: 0.5, ..plain }),
        ("… scale 0.75–1.25", LoaderConfig { scale_range: (0.75, 1.25), ..plain }),
        ("… short side 640–800", LoaderConfig { image_size: 1333, short_side, ..plain }),
        ("… crop, always", LoaderConfig { crop, ..plain }),
        ("… colour", LoaderConfig { jitter, ..plain }),
        ("… mosaic, always", LoaderConfig { mosaic, ..plain }),
        ("… copy-paste, always", LoaderConfig { copy_paste, ..plain }),
        ("… mirror, scale, colour", usual),
        ("… all of them, half the time", {
            let (crop, mosaic) = (CropConfig { chance: 0.5, ..crop }, MosaicConfig { chance: 0.5 });
            LoaderConfig { crop, mosaic, copy_paste: CopyPasteConfig { chance: 0.5, ..copy_paste }, ..usual }
        }),
    ];
    for (name, config) in settings {
        cases.push(batches(name, SHAPE, dataset, Some(&masks), config, folder));
    }
    Ok(cases)
}

/// An epoch of `dataset` in batches.
fn batches(
    name: &str,
    shape: &str,
    dataset: &Arc<Dataset>,
    masks: Option<&Arc<Masks>>,
    config: LoaderConfig,
    folder: &Rc<Folder>,
) -> Case {
    let images = dataset.images.len();
    let plan: Vec<Vec<usize>> = (0..images).collect::<Vec<_>>().chunks(BATCH).map(<[usize]>::to_vec).collect();
    let (dataset, masks, keep) = (dataset.clone(), masks.cloned(), folder.clone());
    let work = move || {
        let _keep = &keep;
        let key = EpochKey { seed: 0, epoch: 0 };
        for batch in Loader::with_masks(dataset.clone(), masks.clone(), plan.clone(), config, key, 0)? {
            std::hint::black_box(batch?);
        }
        Ok(())
    };
    Case::new(name, shape, work).with_units(images, "pictures")
}
