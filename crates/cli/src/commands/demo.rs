//! `demo`: the whole path on the built-in long-tailed set, with nothing to download.
//!
//! Two detectors that differ in their classification loss alone are trained side by side, each on half of the threads: two
//! small networks keep two cores busier than one network on both. Started again, the command goes on where it stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use burn::tensor::Device;
use equipoise_data::Dataset;
use equipoise_data::demo::{DemoConfig, build};
use equipoise_eval::record::{Metrics, RunDir, RunRecord};
use equipoise_eval::report::{DEMO_NOTES, ReportInput, comparison_table, headline, ratio_check, write_report};
use equipoise_loss::registry;
use equipoise_train::{Checkpoint, Recipe, Trainer};

use crate::Outcome;
use crate::commands::train::{steps, warn};
use crate::device::DeviceArgs;
use crate::output::{print, width, wrap};
use crate::progress::{Progress, clock};
use crate::run_data::RunData;
use crate::scoring::Model;

/// Train, score and explain two detectors on a built-in long-tailed set
#[derive(clap::Args)]
pub struct Args {
    /// The whole path on a tiny set, in seconds: to see that everything works, not to see good detectors
    #[arg(long)]
    quick: bool,
    /// Where to put data, runs and report [default: runs/demo, or runs/demo-quick with --quick]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Seed of weights, order and augmentation; the data set stays the same
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A detector of the demo.
struct Contender {
    folder: &'static str,
    recipe: Recipe,
}

/// The recipe of the demo.
pub const RECIPE: &str = include_str!("../../recipes/demo.toml");
const QUICK_RECIPE: &str = include_str!("../../recipes/demo-quick.toml");

/// Folder and recipe overrides of the two contenders, the baseline first.
///
/// The prior is that of the focal loss (arXiv 1708.02002): ten times the 0.001 of LVIS recipes, since so small a set has
/// a larger share of positives and fewer steps to leave a prior that is too low.
const CONTENDERS: [(&str, &[&str]); 2] = [
    ("baseline", &["loss.name=\"sigmoid_bce\"", "loss.prior=0.01"]),
    ("eqlv2", &["loss.name=\"eqlv2\"", "loss.prior=0.01"]),
];

/// Credit that the art of the demo set asks for.
pub const CREDITS: &str = "Drawings: Twemoji, copyright Twitter, Inc and other contributors, CC BY 4.0 \
    (https://creativecommons.org/licenses/by/4.0/); changed: scaled, turned, coloured and pasted together.";

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let started = std::time::Instant::now();
    let (config, text, folder) = if args.quick {
        (DemoConfig::quick(), QUICK_RECIPE, "runs/demo-quick")
    } else {
        (DemoConfig::default(), RECIPE, "runs/demo")
    };
    let dir = args.dir.clone().unwrap_or_else(|| folder.into());
    let device = args.device.device()?;
    let contenders = contenders(text, args.seed)?;
    let progress = Progress::new();
    progress.say(&format!("data    {}", dir.join("data").display()));
    let set = build(&dir.join("data"), &config, args.device.threads())?;
    let train = Arc::new(Dataset::read(&set.train, None)?);
    let val = Arc::new(Dataset::read_with_training_counts(&set.val, None, &train)?);
    warn(&train);
    warn(&val);
    progress.say(&describe(&train, &val));
    crate::interrupt::listen();
    // As many at a time as there are threads, each on its share of them.
    let at_once = args.device.threads().clamp(1, contenders.len());
    let threads = args.device.threads() / at_once;
    let stage = Stage { dir: &dir, train: &train, val: &val, device: &device, progress: &progress };
    let mut finished = true;
    for together in contenders.chunks(at_once) {
        for outcome in side_by_side(together, threads, &stage) {
            finished &= outcome?;
        }
    }
    if !finished {
        let quick = if args.quick { " --quick" } else { "" };
        eprintln!("stopped; go on with: equipoise demo{quick} --seed {} --dir {}", args.seed, dir.display());
        return Ok(Outcome::Stopped);
    }
    let runs = contenders.iter().map(|c| RunRecord::read(&dir.join(c.folder))).collect::<Result<Vec<_>, _>>()?;
    conclude(&dir, &runs, &train, &val)?;
    print(&format!("took    {}\n", clock(started.elapsed().as_secs_f64())))?;
    Ok(Outcome::Fine)
}

fn contenders(text: &str, seed: u64) -> anyhow::Result<Vec<Contender>> {
    let contender = |(folder, overrides): &(&'static str, &[&str])| {
        let mut all: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        all.push(format!("seed={seed}"));
        Ok(Contender { folder, recipe: Recipe::parse("of the demo", text, &all)? })
    };
    CONTENDERS.iter().map(contender).collect()
}

/// What the contenders share.
struct Stage<'a> {
    dir: &'a Path,
    train: &'a Arc<Dataset>,
    val: &'a Arc<Dataset>,
    device: &'a Device,
    progress: &'a Progress,
}

/// Trains and scores detectors at the same time, on `threads` threads each.
fn side_by_side(contenders: &[Contender], threads: usize, stage: &Stage) -> Vec<anyhow::Result<bool>> {
    std::thread::scope(|scope| {
        let start = |contender| {
            scope.spawn(move || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
                pool.install(|| contend(contender, stage))
            })
        };
        let running: Vec<_> = contenders.iter().map(start).collect();
        let ended =
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a training panicked"))));
        ended.collect()
    })
}

/// Trains and scores one detector; false when the user stopped it.
fn contend(contender: &Contender, stage: &Stage) -> anyhow::Result<bool> {
    let Stage { dir, train, val, device, progress } = stage;
    if crate::interrupt::asked() {
        return Ok(false);
    }
    let run = RunDir::new(dir.join(contender.folder));
    let title = registry::find(&contender.recipe.loss.name)?.card.title;
    let Some(mut trainer) = open(contender, title, &run, train, device)? else {
        progress.say(&format!("{title}: done before, in {}", run.root().display()));
        return Ok(true);
    };
    RunData::in_folder(&dir.join("data")).context("the demo set is not where it was built")?.note(&run)?;
    let task = progress.task(title, trainer.total_steps());
    let trained = steps(&mut trainer, &run, &task, |_| Ok(())).with_context(|| format!("training of {title}"))?;
    let Some(mut timing) = trained else { return Ok(false) };
    let detector = trainer.detector()?;
    let model = Model { detector: &detector, loss: trainer.loss(), recipe: trainer.recipe(), device };
    let task = progress.task(&format!("{title} scores"), val.images.len() as u64);
    Ok(model.score(&run, "lvis", train, val, &task, &mut timing)?.is_some())
}

/// The training in a run directory: new, or where it stopped, or nothing when it is done and scored.
fn open(
    contender: &Contender,
    title: &str,
    run: &RunDir,
    train: &Arc<Dataset>,
    device: &Device,
) -> anyhow::Result<Option<Trainer>> {
    let checkpoint = run.last_checkpoint();
    if !Checkpoint::file(&checkpoint).exists() {
        return Ok(Some(Trainer::start(contender.recipe.clone(), title, train.clone(), run.clone(), device)?));
    }
    let trainer = Trainer::resume(train.clone(), run.clone(), device)?;
    if *trainer.recipe() != contender.recipe {
        bail!(
            "`{}` holds a run of another seed or version; choose another --dir, or delete the folder",
            run.root().display()
        );
    }
    let done = trainer.steps_done() == trainer.total_steps() && Metrics::read(&run.metrics()).is_ok();
    Ok((!done).then_some(trainer))
}

fn describe(train: &Dataset, val: &Dataset) -> String {
    let of = |group| train.categories.iter().filter(|category| category.group == group).count();
    use equipoise_data::Group::{Common, Frequent, Rare};
    format!(
        "train   {} pictures, {} classes: {} rare, {} common, {} frequent\nval     {} pictures",
        train.images.len(),
        train.num_classes(),
        of(Rare),
        of(Common),
        of(Frequent),
        val.images.len()
    )
}

fn conclude(dir: &Path, runs: &[RunRecord], train: &Dataset, val: &Dataset) -> anyhow::Result<()> {
    let input =
        ReportInput { title: "equipoise demo", runs, train, val, checks: &[], notes: DEMO_NOTES, credits: CREDITS };
    let report = write_report(dir, &input)?;
    let checks = runs.iter().filter(|run| run.meta.loss == "eqlv2").filter_map(ratio_check).map(|check| check.text);
    let mut text = format!("\n{}\n", comparison_table(runs).render());
    for sentence in std::iter::once(headline(runs)).chain(checks) {
        text += &format!("{}\n", wrap(&sentence, width()).join("\n"));
    }
    print(&format!("{text}\nreport  {}\n", report.display()))
}
