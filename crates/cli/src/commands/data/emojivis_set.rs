//! `data build emojivis`: the long-tailed benchmark made of emoji by several design families.

use std::path::PathBuf;
use std::sync::Mutex;

use equipoise_data::DataError;
use equipoise_data::emojivis::{Backgrounds, EmojiVis, EmojiVisConfig, Preset, Step, Watch, build};

use crate::Outcome;
use crate::interrupt;
use crate::output::print;
use crate::progress::{Progress, Task};

/// EmojiVIS: emoji by several design families, pasted onto photos or made-up backgrounds; JPEG and LVIS JSON with masks
///
/// Training and validation have different families and backgrounds. The drawings come from pinned packages, 37 MB, fetched once by
/// `npm pack`; on a machine without npm put the packed files into the cache by hand. A build that was stopped goes on where it was.
#[derive(clap::Args)]
pub struct Args {
    /// Folder to build in
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Size: mini (60 categories), small (300), objects (861) or full (1203, people and smileys besides)
    #[arg(long, value_name = "NAME", default_value = "small", value_parser = preset)]
    preset: Preset,
    /// Seed: another one gives other pictures, and other classes at the tail
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Side of a picture in pixels
    #[arg(long, default_value_t = EmojiVisConfig::default().side, value_name = "PIXELS")]
    side: u32,
    /// Most training pictures of a class, above 100 [default: as the preset has it]
    #[arg(long, value_name = "N")]
    frequent_images: Option<u64>,
    /// Most drawings of a class in training [default: all, 2 to 6 of most classes]
    #[arg(long, value_name = "N")]
    limit_drawings: Option<usize>,
    /// Backgrounds: photos (from packages of wallpapers), procedural, or auto: photos where enough are installed
    #[arg(long, value_name = "KIND", default_value = "auto", value_parser = backgrounds)]
    backgrounds: Backgrounds,
    /// Folder that keeps packages and rendered drawings [default: `EQUIPOISE_CACHE`, else the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Threads, 0 for all cores; the set does not depend on it
    #[arg(long, default_value_t = 0, value_name = "N")]
    threads: usize,
}

fn preset(name: &str) -> Result<Preset, String> {
    let known = || Preset::ALL.map(Preset::name).join(", ");
    Preset::ALL.into_iter().find(|preset| preset.name() == name).ok_or_else(|| format!("known: {}", known()))
}

fn backgrounds(name: &str) -> Result<Backgrounds, String> {
    match name {
        "auto" => Ok(Backgrounds::Auto),
        "photos" => Ok(Backgrounds::Photos),
        "procedural" => Ok(Backgrounds::Procedural),
        _ => Err("known: auto, photos, procedural".into()),
    }
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let preset = args.preset.config();
    let config = EmojiVisConfig {
        seed: args.seed,
        side: args.side,
        frequent_images: args.frequent_images.unwrap_or(preset.frequent_images),
        limit_drawings: args.limit_drawings,
        backgrounds: args.backgrounds,
        ..preset
    };
    let cache = args.cache.or_else(default_cache).ok_or_else(|| {
        anyhow::anyhow!("no folder to keep packages in: name one with --cache or in the variable EQUIPOISE_CACHE")
    })?;
    interrupt::listen();
    match build(&args.dir, &config, &cache, args.threads, &Reporter::new()) {
        Ok(set) => {
            print(&text(&config, &set))?;
            Ok(Outcome::Fine)
        }
        Err(stopped @ DataError::Stopped) => {
            eprintln!("{stopped}");
            Ok(Outcome::Stopped)
        }
        Err(error) => Err(error.into()),
    }
}

/// Where things are kept that can be fetched again.
fn default_cache() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || {
        if cfg!(windows) {
            named("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            named("HOME").map(|home| home.join("Library/Caches"))
        } else {
            named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")))
        }
    };
    named("EQUIPOISE_CACHE").or_else(|| user().map(|user| user.join("equipoise")))
}

fn text(config: &EmojiVisConfig, set: &EmojiVis) -> String {
    let ([train, val, natural], [rare, common, frequent]) = (config.pictures(), config.groups());
    let behind = match set.photos {
        0 => "procedural backgrounds".to_string(),
        count => format!("cut-outs of {count} photos as backgrounds"),
    };
    format!(
        "{} categories ({rare} rare, {common} common, {frequent} frequent), {behind}\n\
         train            {} ({train} pictures)\n\
         train, federated {}\n\
         val, flat        {} ({val} pictures)\n\
         val, natural     {} ({natural} pictures)\n\
         contact sheet    {} (rare red, common yellow, frequent white)\n",
        config.categories,
        set.train.display(),
        set.train_federated.display(),
        set.val.display(),
        set.val_natural.display(),
        set.contact_sheet.display(),
    )
}

/// Shows how far the build is, one bar for each step.
struct Reporter {
    progress: Progress,
    now: Mutex<Option<(Step, Task)>>,
}

impl Reporter {
    fn new() -> Self {
        Self { progress: Progress::new(), now: Mutex::new(None) }
    }
}

impl Watch for Reporter {
    fn progress(&self, step: Step, done: usize, total: usize) {
        let unit = match step {
            Step::Packages => "packages",
            Step::Drawings => "drawings",
            Step::Pictures => "pictures",
        };
        let mut now = self.now.lock().expect("nothing panics while it reports");
        if now.as_ref().is_none_or(|(running, _)| *running != step) {
            if let Some((_, task)) = &*now {
                task.finish();
            }
            *now = Some((step, self.progress.task(unit, total as u64)));
        }
        if let Some((_, task)) = &*now {
            task.units(done as u64, unit);
            if done == total {
                task.finish();
            }
        }
    }

    fn stopped(&self) -> bool {
        interrupt::asked()
    }
}
