//! `demo`: the whole path on the built-in long-tailed set, with nothing to download.
//!
//! Two detectors that differ in their classification loss alone are trained side by side, each on half of the threads. Started again, the
//! command goes on where it stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use equipoise_data::Dataset;
use equipoise_data::demo::{DemoConfig, build};
use equipoise_eval::record::RunRecord;
use equipoise_eval::report::{DEMO_NOTES, ReportInput, comparison_table, headline, ratio_check, write_report};
use equipoise_loss::registry;
use equipoise_train::Recipe;

use crate::Outcome;
use crate::cells::{Cell, Experiment};
use crate::commands::train::warn;
use crate::device::DeviceArgs;
use crate::output::{print, width, wrap};
use crate::progress::{Progress, clock};
use crate::run_data::RunData;

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
    let cells = cells(text, args.seed, &dir)?;
    let progress = Progress::new();
    progress.say(&format!("data    {}", dir.join("data").display()));
    let set = build(&dir.join("data"), &config, args.device.threads())?;
    let train = Arc::new(Dataset::read(&set.train, None)?);
    let val = Arc::new(Dataset::read_with_training_counts(&set.val, None, &train)?);
    let data = RunData::in_folder(&dir.join("data")).context("the demo set is not where it was built")?;
    warn(&train);
    warn(&val);
    progress.say(&describe(&train, &val));
    crate::interrupt::listen();
    // As many at a time as there are threads, each on its share of them.
    let at_once = args.device.threads().clamp(1, cells.len());
    let experiment =
        Experiment { train: &train, val: &val, data: &data, protocol: "lvis", device: &device, progress: &progress };
    if !experiment.run(&cells, at_once, args.device.threads() / at_once)? {
        let quick = if args.quick { " --quick" } else { "" };
        eprintln!("stopped; go on with: equipoise demo{quick} --seed {} --dir {}", args.seed, dir.display());
        return Ok(Outcome::Stopped);
    }
    let runs = cells.iter().map(|cell| RunRecord::read(&cell.dir)).collect::<Result<Vec<_>, _>>()?;
    conclude(&dir, &runs, &train, &val)?;
    print(&format!("took    {}\n", clock(started.elapsed().as_secs_f64())))?;
    Ok(Outcome::Fine)
}

fn cells(text: &str, seed: u64, dir: &Path) -> anyhow::Result<Vec<Cell>> {
    let cell = |(folder, overrides): &(&'static str, &[&str])| {
        let mut all: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        all.push(format!("seed={seed}"));
        let recipe = Recipe::parse("of the demo", text, &all)?;
        let title = registry::find(&recipe.loss.name)?.card.title.to_string();
        Ok(Cell { dir: dir.join(folder), title, recipe })
    };
    CONTENDERS.iter().map(cell).collect()
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
