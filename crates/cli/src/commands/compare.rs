//! `compare`: the same data, schedule and seeds with several losses, samplers or recipes, and a table of what came out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use equipoise_data::{Dataset, sampler};
use equipoise_eval::record::{RunDir, RunRecord, Timing};
use equipoise_eval::report::{ReportInput, Standing, leaderboard, leaderboard_table, write_report};
use equipoise_eval::table::{Align, Table};
use equipoise_loss::registry;
use equipoise_train::{Trainer, training_facts};
use serde::Serialize;

use crate::Outcome;
use crate::cells::{Cell, Experiment, State};
use crate::commands::train::{named_recipe, warn};
use crate::device::DeviceArgs;
use crate::output::{print, print_json};
use crate::progress::{Progress, clock};
use crate::run_data::RunData;

/// Train several methods alike over several seeds, and compare their scores
///
/// Every recipe is combined with every loss, sampler and seed; the first combination is the baseline. A loss may bring options and a sampler of its own, as
/// eql:lambda=0.1 or eqlv2:gamma=10:mu=0.7+repeat-factor. Cells of one seed share initial weights and data order. Started again, finished cells are kept, and one that was stopped goes on.
#[derive(clap::Args)]
pub struct Args {
    /// Annotations to train on
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Folder of the training pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Annotations to score on
    #[arg(long, value_name = "PATH")]
    val: PathBuf,
    /// Folder of the validation pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    val_images: Option<PathBuf>,
    /// Recipes: TOML files or names of built-in ones, as for `train`
    #[arg(long, value_name = "FILE|NAME,...", value_delimiter = ',', default_value = "light")]
    recipe: Vec<PathBuf>,
    /// Losses (see `equipoise losses`), each with options and a sampler where it has them [default: those of the recipe]
    #[arg(long, value_name = "NAME[:OPTION=VALUE][+SAMPLER],...", value_delimiter = ',')]
    loss: Vec<String>,
    /// Samplers [default: that of the recipe]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    sampler: Vec<String>,
    /// Seeds: how many, or a list of them, such as 3 or 5,6,7
    #[arg(long, value_name = "N|LIST", value_delimiter = ',', default_value = "3")]
    seeds: Vec<u64>,
    /// Override a key of every recipe, such as epochs=3; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Folder of the runs, the report and compare.json
    #[arg(long, value_name = "DIR", default_value = "runs/compare")]
    out: PathBuf,
    /// Trainings at a time, each on its share of the threads [default: one for each thread]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Only show the plan and the estimated time
    #[arg(long)]
    list: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Protocol of the scores: lvis or coco
    #[arg(long, value_name = "NAME", default_value = "lvis")]
    protocol: String,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Name of the file with the scores of every method, in the folder of the runs.
pub const COMPARISON: &str = "compare.json";

/// What `compare.json` holds.
#[derive(Serialize)]
struct Comparison<'a> {
    report: String,
    protocol: &'a str,
    methods: &'a [Standing],
}

/// What `--list --json` prints.
#[derive(Serialize)]
struct Plan {
    cells: Vec<Planned>,
    /// Trainings at a time.
    jobs: usize,
    /// Seconds until everything is done; prediction and scores come on top.
    estimated_seconds: f64,
}

#[derive(Serialize)]
struct Planned {
    method: String,
    seed: u64,
    dir: String,
    /// done, begun or new
    state: &'static str,
    steps: u64,
    /// Seconds of training that are left; 0 when it is done.
    estimated_seconds: f64,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    equipoise_eval::protocol::protocol(&args.protocol)?;
    let device = args.device.device()?;
    let cells = args.cells()?;
    let data = RunData {
        train: args.data.clone(),
        train_images: args.images.clone(),
        val: Some(args.val.clone()),
        val_images: args.val_images.clone(),
    };
    let train = Arc::new(data.read_train()?);
    let val = Arc::new(Dataset::read_with_training_counts(&args.val, args.val_images.as_deref(), &train)?);
    warn(&train);
    warn(&val);
    warn_idle_samplers(&cells, &train)?;
    note_losses(&cells, &train)?;
    let jobs = args.jobs.unwrap_or_else(|| args.device.threads()).clamp(1, cells.len());
    let threads = (args.device.threads() / jobs).max(1);
    let progress = Progress::new();
    let experiment = Experiment {
        train: &train,
        val: &val,
        data: &data,
        protocol: &args.protocol,
        device: &device,
        progress: &progress,
    };
    if args.list {
        let plan = plan(&cells, &experiment, jobs, threads)?;
        if args.json {
            print_json(&plan)?
        } else {
            print(&plan.render())?
        }
        return Ok(Outcome::Fine);
    }
    for cell in &cells {
        cell.state()?;
    }
    crate::interrupt::listen();
    if !experiment.run(&cells, jobs, threads)? {
        eprintln!("stopped; the same command goes on");
        return Ok(Outcome::Stopped);
    }
    conclude(&args, &cells, &train, &val)?;
    Ok(Outcome::Fine)
}

impl Args {
    /// All combinations, by seed first, so that an early stop leaves whole seeds.
    fn cells(&self) -> anyhow::Result<Vec<Cell>> {
        let seeds = match self.seeds.as_slice() {
            [0] => bail!("--seeds 0 leaves nothing to train"),
            [count] => (0..*count).collect(),
            list => list.to_vec(),
        };
        let or_own = |names: &[String]| {
            if names.is_empty() { vec![None] } else { names.iter().cloned().map(Some).collect::<Vec<_>>() }
        };
        let mut cells: Vec<Cell> = Vec::new();
        for seed in seeds {
            for path in &self.recipe {
                for loss in or_own(&self.loss) {
                    let (loss, own) = with_sampler(loss.as_deref());
                    let (loss, options) = with_options(loss);
                    if own.is_some() && !self.sampler.is_empty() {
                        bail!(
                            "--loss {} names a sampler, and so does --sampler; leave one of them out",
                            self.loss.join(",")
                        );
                    }
                    let samplers = if own.is_some() { vec![own] } else { or_own(&self.sampler) };
                    for sampler in samplers {
                        let cell = self.cell(path, (loss, &options), sampler.as_deref(), seed)?;
                        if cells.iter().any(|other| other.dir == cell.dir) {
                            bail!("`{} seed {seed}` is in the comparison twice", cell.title);
                        }
                        cells.push(cell);
                    }
                }
            }
        }
        Ok(cells)
    }

    fn cell(
        &self,
        path: &Path,
        (loss, options): (Option<&str>, &[&str]),
        sampler: Option<&str>,
        seed: u64,
    ) -> anyhow::Result<Cell> {
        let mut overrides = self.overrides.clone();
        overrides.extend(loss.map(|name| format!("loss.name={name:?}")));
        overrides.extend(options.iter().map(|option| format!("loss.{option}")));
        overrides.extend(sampler.map(|name| format!("sampler.name={name:?}")));
        overrides.push(format!("seed={seed}"));
        let recipe = named_recipe(path, &overrides)?;
        // What is varied names the method; recipes of the same name in two folders are found out by the folder of the run.
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut parts = Vec::new();
        if self.recipe.len() > 1 {
            parts.push(stem);
        }
        if loss.is_some() || self.recipe.len() == 1 {
            parts.push(registry::find(&recipe.loss.name)?.card.title.to_string());
        }
        parts.extend(options.iter().map(ToString::to_string));
        if sampler.is_some() && (self.sampler.len() > 1 || recipe.sampler.name != "uniform") {
            parts.push(recipe.sampler.name.clone());
        }
        let title = parts.join(", ");
        let dir = self.out.join(format!("{}-s{seed}", slug(&title)));
        Ok(Cell { dir, title, recipe })
    }
}

/// `NAME+SAMPLER` in its parts.
fn with_sampler(loss: Option<&str>) -> (Option<&str>, Option<String>) {
    match loss.and_then(|loss| loss.split_once('+')) {
        Some((name, sampler)) => (Some(name), Some(sampler.to_string())),
        None => (loss, None),
    }
}

/// `NAME:OPTION=VALUE:…` in its parts.
fn with_options(loss: Option<&str>) -> (Option<&str>, Vec<&str>) {
    let mut parts = loss.into_iter().flat_map(|loss| loss.split(':'));
    (parts.next(), parts.collect())
}

/// The first cell with each value of `key`.
fn unlike<K: PartialEq>(cells: &[Cell], key: impl Fn(&Cell) -> &K) -> Vec<&Cell> {
    let first = |(at, cell): &(usize, &Cell)| !cells[..*at].iter().any(|other| key(other) == key(cell));
    cells.iter().enumerate().filter(first).map(|(_, cell)| cell).collect()
}

/// What each loss says about itself on these data, such as that none of its options does anything here.
fn note_losses(cells: &[Cell], train: &Dataset) -> anyhow::Result<()> {
    for cell in unlike(cells, |cell| &cell.title) {
        for note in cell.recipe.loss.build(&training_facts(&cell.recipe, train))?.notes() {
            eprintln!("note: `{}`: {note}", cell.title);
        }
    }
    Ok(())
}

/// Says which samplers do no more for the data than none would: their rows would only show the noise of another order.
fn warn_idle_samplers(cells: &[Cell], train: &Dataset) -> anyhow::Result<()> {
    for cell in unlike(cells, |cell| &cell.recipe.sampler) {
        let config = &cell.recipe.sampler;
        if let Some(reason) = sampler(&config.name, &config.options)?.changes_nothing(train) {
            eprintln!("warning: the sampler of `{}`, {}, changes nothing: {reason}", cell.title, config.name);
        }
    }
    Ok(())
}

/// A title as the name of a folder.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// Time of a training step that is measured for a plan.
const MEASURE_SECONDS: f64 = 4.0;

fn plan(cells: &[Cell], experiment: &Experiment, jobs: usize, threads: usize) -> anyhow::Result<Plan> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut speeds: Vec<(String, f64)> = Vec::new();
    let mut planned = Vec::new();
    for cell in cells {
        let state = cell.state()?;
        let recipe = &cell.recipe;
        let images = recipe.epochs * experiment.train.images.len() as f64;
        let done = match state {
            State::Begun => Timing::read(&RunDir::new(&cell.dir).timing()).map_or(0.0, |t| t.train_images as f64),
            State::New | State::Done => 0.0,
        };
        let seconds = match state {
            State::Done => 0.0,
            State::New | State::Begun => {
                let known = speeds.iter().find(|(title, _)| *title == cell.title).map(|(_, speed)| *speed);
                let speed = known.map_or_else(|| pool.install(|| speed(cell, cells, experiment)), Ok)?;
                if known.is_none() {
                    speeds.push((cell.title.clone(), speed));
                }
                (images - done).max(0.0) / speed
            }
        };
        planned.push(Planned {
            method: cell.title.clone(),
            seed: recipe.seed,
            dir: cell.dir.display().to_string(),
            state: match state {
                State::Done => "done",
                State::New => "new",
                State::Begun => "begun",
            },
            steps: (images / recipe.images_of_a_step() as f64) as u64,
            estimated_seconds: seconds,
        });
    }
    let estimated_seconds = makespan(planned.iter().map(|cell| cell.estimated_seconds), jobs);
    Ok(Plan { cells: planned, jobs, estimated_seconds })
}

/// Pictures a second of a method: as a finished run of it took, else by a few steps in a folder that is thrown away.
fn speed(cell: &Cell, cells: &[Cell], experiment: &Experiment) -> anyhow::Result<f64> {
    let timed = |other: &Cell| Timing::read(&RunDir::new(&other.dir).timing()).ok().map(|t| t.images_per_second);
    let before = cells.iter().filter(|other| other.title == cell.title).find_map(timed);
    if let Some(speed) = before.filter(|speed| *speed > 0.0) {
        return Ok(speed);
    }
    experiment.progress.say(&format!("timing  {}", cell.title));
    let folder = std::env::temp_dir().join(format!("equipoise-plan-{}", std::process::id()));
    let measured = (|| {
        let run = RunDir::new(&folder);
        let mut trainer =
            Trainer::start(cell.recipe.clone(), &cell.title, experiment.train.clone(), run, experiment.device)?;
        // The first step warms up.
        trainer.step()?;
        let (started, mut images) = (Instant::now(), 0);
        while started.elapsed().as_secs_f64() < MEASURE_SECONDS {
            let Some(report) = trainer.step()? else { break };
            images += report.images;
        }
        Ok(images.max(1) as f64 / started.elapsed().as_secs_f64().max(1e-9))
    })();
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

/// When the last of some tasks ends that `jobs` workers take in turn.
fn makespan(seconds: impl Iterator<Item = f64>, jobs: usize) -> f64 {
    let mut workers = vec![0.0_f64; jobs.max(1)];
    for seconds in seconds {
        if let Some(first) = workers.iter_mut().min_by(|a, b| a.total_cmp(b)) {
            *first += seconds;
        }
    }
    workers.into_iter().fold(0.0, f64::max)
}

impl Plan {
    fn render(&self) -> String {
        use Align::{Left, Right};
        let heads = [("method", Left), ("seed", Right), ("steps", Right), ("state", Left), ("time left", Right)];
        let mut table = Table::new(&[&heads[..], &[("folder", Left)]].concat());
        for cell in &self.cells {
            let (seed, steps) = (cell.seed.to_string(), cell.steps.to_string());
            table.row(&[&cell.method, &seed, &steps, cell.state, &clock(cell.estimated_seconds), &cell.dir]);
        }
        let at_once = if self.jobs == 1 { "one at a time".into() } else { format!("{} at a time", self.jobs) };
        let total = clock(self.estimated_seconds);
        format!("{}\nabout {total} of training, {at_once}; prediction and scores come on top\n", table.render())
    }
}

fn conclude(args: &Args, cells: &[Cell], train: &Dataset, val: &Dataset) -> anyhow::Result<()> {
    let read = |cell: &Cell| RunRecord::read(&cell.dir);
    let mut runs = cells.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    // By method: the first seed's order, which a stable sort by place keeps.
    let place = |title: &str| cells.iter().position(|cell| cell.title == title).unwrap_or(usize::MAX);
    runs.sort_by_key(|run| place(&run.meta.title));
    let title = args.out.file_name().map_or_else(|| "comparison".into(), |name| name.to_string_lossy().into_owned());
    let input = ReportInput { title: &title, runs: &runs, train, val, checks: &[], notes: "", credits: "" };
    let report = write_report(&args.out, &input)?;
    let standings = leaderboard(&runs);
    let comparison = Comparison { report: report.display().to_string(), protocol: &args.protocol, methods: &standings };
    let path = args.out.join(COMPARISON);
    let text = serde_json::to_string_pretty(&comparison)? + "\n";
    equipoise_data::write_atomically(&path, text.as_bytes()).context("the comparison could not be written")?;
    if args.json {
        return print(&text);
    }
    let legend = "In %: mean over seeds ± deviation; below it the difference to the first method in points, with the 95 % interval\n\
                  of a paired bootstrap over classes.";
    print(&format!("\n{}\n{legend}\n\nreport  {}\n", leaderboard_table(&standings).render(), report.display()))
}

#[cfg(test)]
mod tests {
    use super::{makespan, slug, with_options, with_sampler};

    #[test]
    fn a_loss_may_bring_options() {
        assert_eq!(with_options(Some("eql:lambda=0.1:prior=0.01")), (Some("eql"), vec!["lambda=0.1", "prior=0.01"]));
        assert_eq!(with_options(Some("eql")), (Some("eql"), vec![]));
        assert_eq!(with_options(None), (None, vec![]));
    }

    #[test]
    fn a_loss_may_bring_a_sampler() {
        assert_eq!(with_sampler(Some("eqlv2+repeat-factor")), (Some("eqlv2"), Some("repeat-factor".into())));
        assert_eq!(with_sampler(Some("eqlv2")), (Some("eqlv2"), None));
        assert_eq!(with_sampler(None), (None, None));
    }

    #[test]
    fn titles_become_folders() {
        assert_eq!(slug("EQL v2, repeat-factor"), "eql-v2-repeat-factor");
    }

    #[test]
    fn workers_take_what_is_next() {
        assert_eq!(makespan([3.0, 1.0, 1.0, 2.0].into_iter(), 2), 4.0);
        assert_eq!(makespan(std::iter::empty(), 0), 0.0);
    }
}
