//! EmojiVIS: a long-tailed detection benchmark with exact boxes and masks, built on this machine from pinned packages.
//!
//! The same emoji is drawn by several design families. Training pictures have drawings by five of them, validation pictures by two others,
//! on other backgrounds: what is scored is recognition across hands, not memory of drawings. Image counts follow LVIS's curve, labels are
//! exhaustive, and a second, federated file of the same training pictures has labels left out as in LVIS.
//!
//! The packages come through `npm pack`, are checked against their pinned SHA-512, and are read without being unpacked. Nothing of them is
//! part of this crate. The same options, packages and photos give the same bytes, whatever the number of threads, and a build that was
//! killed goes on where it was.

mod catalogue;
mod choice;
mod config;
mod folder;
mod labels;
mod packages;
mod part;
mod photos;
mod plan;
mod render;
mod sheet;
mod store;
#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;
mod truth;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rayon::prelude::*;

pub use config::{Backgrounds, EmojiVisConfig, Preset};

use crate::{
    DataError, Result,
    scene::{Look, Placed, Seen, Style, arrange, stream},
    threads::thread_pool,
};
use catalogue::Catalogue;
use choice::may_mirror;
use folder::Folder;
use packages::{PACKAGES, Package};
use part::Part;
use photos::Photo;
use plan::{Plan, Wanted};
use render::{Rendered, Renderings};
use sheet::write_sheet;
use store::Store;
use truth::{Described, write_truth};

/// Folder in which distributions install wallpapers.
const PHOTO_ROOT: &str = "/usr/share/backgrounds";

/// The package client.
const CLIENT: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// Sizes of objects as a share of the picture's side.
const SIZES: [f32; 2] = [0.07, 0.5];

/// Share of an object's pixels that must be visible.
const LEAST_VISIBLE: f32 = 0.3;

/// Most pieces of unlabelled clutter on a procedural background; photos have clutter of their own.
const CLUTTER: u32 = 6;

/// What a build does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Getting and checking packages.
    Packages,
    /// Rendering drawings.
    Drawings,
    /// Composing pictures.
    Pictures,
}

/// Who is told how far a build is, and may stop it.
pub trait Watch: Sync {
    /// So many of so many are done.
    fn progress(&self, _step: Step, _done: usize, _total: usize) {}

    /// Whether to stop; asked before every drawing and picture.
    fn stopped(&self) -> bool {
        false
    }
}

/// Nobody.
impl Watch for () {}

/// The files of a built set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmojiVis {
    /// LVIS JSON of the training pictures, every object labelled.
    pub train: PathBuf,
    /// The same pictures with federated labels.
    pub train_federated: PathBuf,
    /// Flat validation set.
    pub val: PathBuf,
    /// Validation set with a tail as in training.
    pub val_natural: PathBuf,
    /// Pictures with their boxes.
    pub contact_sheet: PathBuf,
    /// Photos among the backgrounds; 0 when they are procedural.
    pub photos: usize,
}

/// Builds the set in `dir` on `threads` threads (0: one per core), goes on with one that is half-built, or returns at once when it is there.
///
/// Packages and rendered drawings are kept in `cache` for the next build. A package that is not there is fetched by `npm pack`.
///
/// # Errors
/// [`DataError::Package`] when a package cannot be had, [`DataError::Option`] for an option outside its range or a folder that holds
/// something else, [`DataError::Io`] when a file cannot be written, [`DataError::Stopped`] when `watch` said so. The same call goes on.
pub fn build(dir: &Path, config: &EmojiVisConfig, cache: &Path, threads: usize, watch: &dyn Watch) -> Result<EmojiVis> {
    let sources = Sources {
        packages: PACKAGES,
        client: OsStr::new(CLIENT),
        photo_root: Path::new(PHOTO_ROOT),
        store: &cache.join("packages"),
        renderings: &cache.join("drawings"),
    };
    build_from(&sources, dir, config, threads, watch)
}

/// What a set is made from.
struct Sources<'a> {
    packages: &'a [Package],
    client: &'a OsStr,
    photo_root: &'a Path,
    store: &'a Path,
    renderings: &'a Path,
}

fn build_from(
    sources: &Sources,
    dir: &Path,
    config: &EmojiVisConfig,
    threads: usize,
    watch: &dyn Watch,
) -> Result<EmojiVis> {
    config.check()?;
    let photos = photos::find(sources.photo_root, config.backgrounds)?;
    let folder = Folder::new(dir, config, sources.packages, &photos)?;
    let set = EmojiVis {
        train: folder.json(Part::Train),
        train_federated: folder.federated(),
        val: folder.json(Part::Val),
        val_natural: folder.json(Part::Natural),
        contact_sheet: folder.sheet(),
        photos: photos.len(),
    };
    if folder.is_complete() {
        return Ok(set);
    }
    let pool = thread_pool(threads)?;
    let catalogue = read_packages(sources, watch)?;
    folder.begin()?;
    let build = Build { sources, config, folder: &folder, photos: &photos, watch };
    pool.install(|| build.run(&catalogue))?;
    folder.finish(sources.packages, !photos.is_empty())?;
    Ok(set)
}

fn read_packages(sources: &Sources, watch: &dyn Watch) -> Result<Catalogue> {
    let store = Store { dir: sources.store, client: sources.client };
    for (done, package) in sources.packages.iter().enumerate() {
        watch.progress(Step::Packages, done, sources.packages.len());
        if watch.stopped() {
            return Err(DataError::Stopped);
        }
        // Ctrl-C also ends the client.
        store.fetch(package).map_err(|e| if watch.stopped() { DataError::Stopped } else { e })?;
    }
    watch.progress(Step::Packages, sources.packages.len(), sources.packages.len());
    Catalogue::read(&store, sources.packages)
}

/// A build under way.
struct Build<'a> {
    sources: &'a Sources<'a>,
    config: &'a EmojiVisConfig,
    folder: &'a Folder,
    photos: &'a [Photo],
    watch: &'a dyn Watch,
}

impl Build<'_> {
    fn run(&self, catalogue: &Catalogue) -> Result<()> {
        let plan = Plan::new(catalogue, self.config)?;
        let drawings = self.render(catalogue, &plan)?;
        let done = Count::new(self.watch, Step::Pictures, plan.pictures.iter().map(Vec::len).sum());
        let mut parts = [const { Vec::new() }; 3];
        for part in Part::ALL {
            parts[part as usize] = self.compose(catalogue, &plan, &drawings, part, &done)?;
        }
        write_truth(self.folder, self.config.side, catalogue, &plan, &parts)?;
        write_sheet(self.folder, self.config.side, &plan, &parts)
    }

    /// Renders what the plan needs; the rest of the list stays empty.
    fn render(&self, catalogue: &Catalogue, plan: &Plan) -> Result<Vec<Option<Rendered>>> {
        // An object has at most half the picture's side, and the visible part of a drawing nearly all of the drawing's.
        let renderings = Renderings { dir: self.sources.renderings, size: self.config.side * 5 / 8 };
        let needed = plan.drawings();
        let done = Count::new(self.watch, Step::Drawings, needed.len());
        let render = |index: usize| {
            let drawing = &catalogue.drawings[index];
            done.one(|| Ok((index, renderings.get(drawing, &self.sources.packages[drawing.package])?)))
        };
        let rendered: Vec<(usize, Rendered)> = needed.into_par_iter().map(render).collect::<Result<_>>()?;
        let mut all: Vec<Option<Rendered>> = catalogue.drawings.iter().map(|_| None).collect();
        rendered.into_iter().for_each(|(index, rendered)| all[index] = Some(rendered));
        Ok(all)
    }

    /// Composes the pictures of a part that are not there yet; what is in the others follows without painting.
    fn compose(
        &self,
        catalogue: &Catalogue,
        plan: &Plan,
        drawings: &[Option<Rendered>],
        part: Part,
        done: &Count,
    ) -> Result<Vec<Described>> {
        let photos = photos::load(self.sources.photo_root, self.photos, part.split())?;
        let clutter = if photos.is_empty() { CLUTTER } else { 0 };
        let look = Look { split: part.split(), clutter, photos: &photos };
        let style = Style { side: self.config.side as usize, sizes: SIZES, least_visible: LEAST_VISIBLE };
        let mirror: Vec<bool> = plan.chosen.iter().map(|chosen| may_mirror(&catalogue.classes[chosen.class])).collect();
        let draw = |(index, wanted): (usize, &Vec<Wanted>)| {
            done.one(|| {
                let sprite = |wanted: &Wanted| {
                    let rendered = drawings[wanted.drawing].as_ref().expect("the plan's drawings are rendered");
                    rendered.sprite(&catalogue.drawings[wanted.drawing].name)
                };
                let sprites = wanted.iter().map(sprite).collect::<Result<Vec<_>>>()?;
                let place = |(wanted, sprite)| {
                    let &Wanted { class, .. } = wanted;
                    Placed { class, sprite, mirror: mirror[class] }
                };
                let placed: Vec<Placed> = wanted.iter().zip(&sprites).map(place).collect();
                let rng = &mut stream(self.config.seed, part.purpose(), index as u64);
                let scene = arrange(rng, &placed, &style)?;
                if !self.folder.has(part, index) {
                    self.folder.write_picture(part, index, self.config.side, &scene.paint(rng, &look))?;
                }
                let texts = scene.masks().into_iter().map(|mask| mask.text());
                Ok(scene.seen().into_iter().zip(texts).collect::<Vec<(Seen, String)>>())
            })
        };
        plan.pictures[part as usize].par_iter().enumerate().map(draw).collect()
    }
}

/// Counts what is done over threads, and tells it in order.
struct Count<'a> {
    watch: &'a dyn Watch,
    step: Step,
    done: Mutex<usize>,
    total: usize,
}

impl<'a> Count<'a> {
    fn new(watch: &'a dyn Watch, step: Step, total: usize) -> Self {
        Self { watch, step, done: Mutex::new(0), total }
    }

    /// Does one piece of work unless the build is to stop.
    fn one<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.watch.stopped() {
            return Err(DataError::Stopped);
        }
        let outcome = work()?;
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done += 1;
        self.watch.progress(self.step, *done, self.total);
        Ok(outcome)
    }
}
