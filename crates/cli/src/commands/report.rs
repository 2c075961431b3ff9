//! `report`: the page and the figures of runs, made anew from their files.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use equipoise_data::Dataset;
use equipoise_eval::record::{Metrics, RunDir, RunMeta, RunRecord};
use equipoise_eval::report::{DEMO_NOTES, ReportInput, comparison_table, headline, ratio_check, write_report};
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::commands::compare::COMPARISON;
use crate::commands::demo::CREDITS;
use crate::output::{print, print_json, width, wrap};
use crate::run_data::RunData;

/// Write the report of one or several runs anew
///
/// The first run is the baseline that the others are compared to. A folder of runs, such as that of `demo`, stands for all of them.
#[derive(clap::Args)]
pub struct Args {
    /// Run directories, or folders that hold them
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Training annotations [default: those of the first run]
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Validation annotations, for the pictures [default: those of the first run]
    #[arg(long, value_name = "FILE")]
    val: Option<PathBuf>,
    /// Where to put report.html and figures/ [default: the folder, when only one is named]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Title of the page
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct ReportJson<'a> {
    report: String,
    runs: Vec<RunJson<'a>>,
}

#[derive(Serialize)]
struct RunJson<'a> {
    name: &'a str,
    title: &'a str,
    loss: &'a str,
    seed: u64,
    metrics: Option<&'a Metrics>,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let out = match (&args.out, args.runs.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [only]) => only.clone(),
        (None, _) => bail!("several folders are named; say with --out where the report goes"),
    };
    let dirs = run_dirs(&args.runs)?;
    let runs = dirs.iter().map(|dir| RunRecord::read(dir)).collect::<Result<Vec<_>, _>>()?;
    let data = RunData::of(&dirs[0]);
    let missing = |name: &str| {
        let run = dirs[0].display();
        anyhow!("the {name} data of `{run}` are not where they were; name the annotations with --{name}")
    };
    let train = match (&args.train, &data) {
        (Some(path), _) => Dataset::read(path, None)?,
        (None, Some(data)) => data.read_train()?,
        (None, None) => return Err(missing("train")),
    };
    let (val, images) = match (&args.val, &data) {
        (Some(path), _) => (path.clone(), None),
        (None, Some(RunData { val: Some(val), val_images, .. })) => (val.clone(), val_images.clone()),
        (None, _) => return Err(missing("val")),
    };
    let val = Dataset::read_with_training_counts(&val, images.as_deref(), &train)?;
    let demo = args.train.is_none() && data.is_some_and(|data| data.is_demo());
    let (title, notes, credits) =
        if demo { ("equipoise demo", DEMO_NOTES, CREDITS) } else { ("equipoise report", "", "") };
    let title = args.title.as_deref().unwrap_or(title);
    let input = ReportInput { title, runs: &runs, train: &train, val: &val, checks: &[], notes, credits };
    let page = write_report(&out, &input)?;
    if args.json {
        print_json(&ReportJson { report: page.display().to_string(), runs: runs.iter().map(json).collect() })?;
        return Ok(Outcome::Fine);
    }
    let checks = runs.iter().filter(|run| run.meta.loss == "eqlv2").filter_map(ratio_check).map(|check| check.text);
    let mut text = format!("{}\n", comparison_table(&runs).render());
    for sentence in std::iter::once(headline(&runs)).chain(checks) {
        text += &format!("{}\n", wrap(&sentence, width()).join("\n"));
    }
    for warning in runs.iter().flat_map(|run| &run.warnings) {
        eprintln!("warning: {warning}");
    }
    print(&format!("{text}\nreport  {}\n", page.display()))?;
    Ok(Outcome::Fine)
}

fn json(run: &RunRecord) -> RunJson<'_> {
    let meta = &run.meta;
    RunJson { name: &meta.name, title: &meta.title, loss: &meta.loss, seed: meta.seed, metrics: run.metrics.as_ref() }
}

/// What is read of `compare.json`.
#[derive(Deserialize)]
struct Comparison {
    methods: Vec<Method>,
}

#[derive(Deserialize)]
struct Method {
    title: String,
}

/// Titles of the methods of a comparison, its baseline first; none where the folder holds no comparison.
fn compared_methods(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(COMPARISON)).unwrap_or_default();
    let comparison = serde_json::from_str::<Comparison>(&text);
    comparison.map_or(Vec::new(), |comparison| comparison.methods.into_iter().map(|method| method.title).collect())
}

/// The run directories that the folders are or hold: those of a comparison in its order, others by name.
fn run_dirs(folders: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let is_run = |dir: &Path| dir.join("run.json").is_file();
    let mut found = Vec::new();
    for folder in folders {
        if is_run(folder) {
            found.push(folder.clone());
            continue;
        }
        let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
        let mut inside: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_run(path)).collect();
        if inside.is_empty() {
            bail!("`{}` is not a run directory and holds none: there is no `run.json`", folder.display());
        }
        inside.sort();
        let methods = compared_methods(folder);
        // Runs of no method of the comparison come last.
        let place = |dir: &PathBuf| {
            let title = RunMeta::read(&RunDir::new(dir).meta()).map(|meta| meta.title).unwrap_or_default();
            methods.iter().position(|method| *method == title).unwrap_or(methods.len())
        };
        if !methods.is_empty() {
            inside.sort_by_cached_key(place);
        }
        found.append(&mut inside);
    }
    Ok(found)
}
