//! The built-in demo set: a small long-tailed detection set, drawn on this machine in seconds, without a network.
//!
//! Drawings from Twemoji are pasted onto procedural backgrounds and written as PNG files plus LVIS JSON, so that everything downstream
//! reads ordinary files. Image counts follow LVIS's curve; labels are exhaustive; the validation set is flat and has backgrounds of its own.
//! Train and val share drawings: the set shows a mechanism and is no benchmark.
//! The same seed gives the same bytes, whatever the number of threads.

pub(crate) mod art;
mod config;
mod crops;
mod folder;
mod plan;
mod truth;

use std::path::{Path, PathBuf};

use rand::{RngExt, seq::SliceRandom};
use rayon::prelude::*;

pub use config::{DemoConfig, RareImages};
pub use crops::CropSet;

use crate::{
    ClassIndex, Group, Result,
    scene::{Look, Placed, Purpose, Split, Sprite, Style, arrange, chance, stream},
    threads::thread_pool,
};
use folder::Folder;
use plan::Plan;
use truth::{Annotated, annotate};

/// The files of a built set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoSet {
    /// LVIS JSON of the training pictures.
    pub train: PathBuf,
    /// LVIS JSON of the validation pictures.
    pub val: PathBuf,
}

/// Builds the set in `dir` on `threads` threads (0: one per core), or returns at once when it is there already.
///
/// A half-built set, or one of other options, is built anew.
///
/// ```
/// use equipoise_data::{Dataset, demo};
/// # let folder = tempfile::tempdir()?;
/// # let dir = folder.path();
/// let set = demo::build(dir, &demo::DemoConfig::quick(), 2)?;
/// let val = Dataset::read(&set.val, None)?;
/// assert_eq!((val.num_classes(), val.images.len()), (12, 24));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`DataError::Option`](crate::DataError::Option) for an option outside its range or a folder that holds something else,
/// [`DataError::Io`](crate::DataError::Io) when a file cannot be written.
pub fn build(dir: &Path, config: &DemoConfig, threads: usize) -> Result<DemoSet> {
    config.check()?;
    let folder = Folder::new(dir, config)?;
    let set = DemoSet { train: folder.json(Split::Train), val: folder.json(Split::Val) };
    if folder.is_complete() {
        return Ok(set);
    }
    let pool = thread_pool(threads)?;
    folder.begin()?;
    let plan = Plan::new(config);
    pool.install(|| {
        let size = (config.side * 4 / 5).clamp(64, 512);
        let icons = &art::CLASSES[..config.categories];
        let sprites: Vec<Sprite> =
            icons.par_iter().map(|icon| Sprite::render(icon.name, icon.svg, size)).collect::<Result<_>>()?;
        let train = draw_split(&folder, config, &plan, &sprites, Split::Train)?;
        let val = draw_split(&folder, config, &plan, &sprites, Split::Val)?;
        annotate(&folder, config, &plan, &train, &val)
    })?;
    folder.finish()?;
    Ok(set)
}

/// Draws and writes the pictures of a split; returns what is visible in each.
fn draw_split(
    folder: &Folder,
    config: &DemoConfig,
    plan: &Plan,
    sprites: &[Sprite],
    split: Split,
) -> Result<Vec<Annotated>> {
    let (pictures, purpose) = match split {
        Split::Train => (&plan.train, Purpose::Train),
        Split::Val => (&plan.val, Purpose::Val),
    };
    let style = Style { side: config.side as usize, sizes: [0.18, 0.5], least_visible: 0.35 };
    let look = Look { split, clutter: config.clutter, photos: &[] };
    let draw = |(index, classes): (usize, &Vec<ClassIndex>)| {
        let rng = &mut stream(config.seed, purpose, index as u64);
        let wanted = instances(rng, classes, &plan.groups, split);
        let placed = |class| Placed { class, sprite: &sprites[class], mirror: true };
        let scene = arrange(rng, &wanted.into_iter().map(placed).collect::<Vec<_>>(), &style)?;
        folder.write_picture(split, index, config.side, &scene.paint(rng, &look))?;
        Ok(scene.seen())
    };
    pictures.par_iter().enumerate().map(draw).collect()
}

/// Decides how many objects of each class there are and in which order they are pasted. A rare class has one object per training picture.
fn instances(
    rng: &mut rand_chacha::ChaCha8Rng,
    classes: &[ClassIndex],
    groups: &[Group],
    split: Split,
) -> Vec<ClassIndex> {
    let mut wanted = Vec::new();
    for &class in classes {
        let single = (split == Split::Train && groups[class] == Group::Rare) || chance(rng, 60);
        let count = if single { 1 } else { rng.random_range(2..=4) };
        wanted.extend(std::iter::repeat_n(class, count));
    }
    wanted.shuffle(rng);
    wanted
}
