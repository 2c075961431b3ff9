//! `eval`: scores of any framework's results, or of a run of ours.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use equipoise_data::{Dataset, GroupThresholds};
use equipoise_eval::compare::{ImageComparison, PairedDifference, compare_on_images};
use equipoise_eval::diagnosis::{Thresholds, diagnose};
use equipoise_eval::protocol::{Evaluation, Groups, Hierarchy, LabelledScore, Options, outcomes, protocol};
use equipoise_eval::record::{Metrics, RunDir, RunMeta, final_ledger, read_ledger, write_diagnosis, write_evaluation};
use equipoise_eval::{Case, Shape};
use serde::Serialize;

use self::after::CalibrationJson;
use self::gate::Gate;
use crate::Outcome;
use crate::calibrate::Asked;
use crate::commands::train::warn;
use crate::device::DeviceArgs;
use crate::output::{print, print_json};
use crate::run_data::RunData;

mod after;
mod gate;
mod text;

/// Draws of the bootstrap over pictures, and its seed.
const DRAWS: usize = 500;
const SEED: u64 = 0;

/// Score detections: results of any framework, or those of a run
///
/// Detections are a COCO results file, plain or gzipped: an array of {"image_id", "category_id", "bbox": [x, y, width, height], "score"}.
#[derive(clap::Args)]
pub struct Args {
    /// Truth: a COCO or LVIS JSON file, or a folder that holds one [default with --run: that of the run]
    #[arg(long, value_name = "FILE", required_unless_present = "run")]
    gt: Option<PathBuf>,
    /// Detections [default with --run: those of the run]
    #[arg(long, value_name = "FILE", required_unless_present = "run")]
    dt: Option<PathBuf>,
    /// Training annotations: rare, common and frequent are counted there [default: as the truth has them]
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Most training pictures of a rare and of a common class, such as 10,100 [default: as the annotations have it]
    #[arg(long, value_name = "RARE,COMMON", value_parser = thresholds)]
    groups: Option<GroupThresholds>,
    /// A run directory whose detections are scored anew
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Protocol: lvis, coco or openimages [default: that of the run, else lvis]
    #[arg(long, value_name = "NAME")]
    protocol: Option<String>,
    /// Score masks (`segmentation` of truth and detections) instead of boxes
    #[arg(long)]
    masks: bool,
    /// Add AP-Fixed: the N best detections of each class over the whole set, no cap on a picture [default N: 10000]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10000", value_parser = clap::value_parser!(u32).range(1..))]
    fixed: Option<u32>,
    /// Add AP-Pool: one curve over the detections of all classes
    #[arg(long)]
    pool: bool,
    /// Class hierarchy of Open Images (JSON): boxes count for the classes above theirs too
    #[arg(long, value_name = "FILE")]
    hierarchy: Option<PathBuf>,
    /// Other detections on the same truth: how much do these differ, for each group and class, with intervals over pictures
    #[arg(long, value_name = "FILE", conflicts_with = "masks")]
    against: Option<PathBuf>,
    /// End with 1 when a metric is below a fraction; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = gate::parse)]
    fail_under: Vec<Gate>,
    /// Calibrate the scores of the run, predict anew and compare: norcal, logn, logit-adjustment or tau-norm, with a parameter (norcal=0.6) or one
    /// that is chosen on training pictures; none for the scores as trained
    #[arg(long, value_name = "METHOD[=VALUE]", value_parser = crate::calibrate::parse, conflicts_with_all = ["dt", "masks"])]
    calibrate: Option<Asked>,
    /// Find for each class the score from which on this fraction of its detections is right, for pictures that can be read
    #[arg(long, value_name = "PRECISION", value_parser = after::precision)]
    thresholds: Option<f64>,
    /// Keep calibration and thresholds in the checkpoint of the run, where `predict` uses them
    #[arg(long)]
    store: bool,
    /// Write metrics.json, scores.json and classes.csv into this folder, and for boxes tail.csv and diagnosis.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Reads `RARE,COMMON`.
fn thresholds(text: &str) -> Result<GroupThresholds, String> {
    let pair = text.split_once(',').and_then(|(r, c)| Some((r.trim().parse().ok()?, c.trim().parse().ok()?)));
    match pair {
        Some((rare, common)) if rare < common => Ok(GroupThresholds { rare, common }),
        _ => Err("expected two numbers, the smaller first, such as 10,100".into()),
    }
}

/// What is scored, flags and defaults joined.
struct Inputs {
    truth: PathBuf,
    detections: PathBuf,
    train: Option<PathBuf>,
    protocol: String,
}

impl Args {
    fn inputs(&self) -> anyhow::Result<Inputs> {
        let mut inputs = Inputs {
            truth: self.gt.clone().unwrap_or_default(),
            detections: self.dt.clone().unwrap_or_default(),
            train: self.train.clone(),
            protocol: self.protocol.clone().unwrap_or_else(|| "lvis".into()),
        };
        let Some(run) = &self.run else { return Ok(inputs) };
        let dir = RunDir::new(run);
        let meta = dir.meta();
        if !meta.is_file() {
            bail!("`{}` is not a run directory: it has no `run.json`", run.display());
        }
        let meta = RunMeta::read(&meta)?;
        if self.gt.is_none() {
            let data = RunData::of(run);
            let (train, val) = data.and_then(|data| Some((data.train, data.val?))).ok_or_else(|| {
                anyhow!("the validation data of `{}` are not where they were; name the truth with --gt", run.display())
            })?;
            inputs.truth = val;
            inputs.train = inputs.train.or(Some(train));
        }
        if self.dt.is_none() {
            inputs.detections = dir.detections();
            if !inputs.detections.is_file() {
                bail!(
                    "`{0}` was not scored yet: it has no `detections.json`; make one with `equipoise predict --run {0} --data {1}`",
                    run.display(),
                    inputs.truth.display()
                );
            }
        }
        if self.protocol.is_none() && !meta.protocol.is_empty() {
            inputs.protocol = meta.protocol;
        }
        Ok(inputs)
    }
}

#[derive(Serialize)]
struct EvaluationJson<'a> {
    protocol: &'a str,
    truth: String,
    detections: String,
    metrics: &'a Metrics,
    scores: &'a [LabelledScore],
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<AgainstJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<CalibrationJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thresholds: Option<&'a Thresholds>,
}

#[derive(Serialize)]
struct AgainstJson {
    detections: String,
    differences: Vec<DifferenceJson>,
}

#[derive(Serialize)]
struct DifferenceJson {
    of: String,
    mean: f64,
    low: f64,
    high: f64,
    clear: bool,
}

impl AgainstJson {
    fn new(path: &Path, truth: &Dataset, compared: &ImageComparison) -> Self {
        let row = |of: &str, d: &Option<PairedDifference>| {
            let d = (*d)?;
            Some(DifferenceJson { of: of.into(), mean: d.mean, low: d.low, high: d.high, clear: d.is_clear() })
        };
        let groups = compared.groups.iter().filter_map(|(name, d)| row(name, d));
        let classes = compared.classes.iter().zip(&truth.categories).filter_map(|(d, c)| row(&c.name, d));
        Self { detections: path.display().to_string(), differences: groups.chain(classes).collect() }
    }
}

/// Runs the command.
pub fn run(mut args: Args) -> anyhow::Result<Outcome> {
    args.device.start_threads()?;
    let mut inputs = args.inputs()?;
    // Before anything large is read: a wrong name should not cost a minute.
    let protocol = protocol(&inputs.protocol)?;
    if args.against.is_some() && protocol.name() == "openimages" {
        bail!("--against compares by the rules of lvis or coco; choose one of them with --protocol");
    }
    let mut truth = Dataset::read_validation(&inputs.truth, None)?;
    let groups = regroup(&mut truth, &inputs, args.groups)?;
    warn(&truth);
    let mut calibrated = None;
    if args.calibrate.is_some() || args.thresholds.is_some() || args.store {
        let run = after::check(args.run.as_deref(), args.masks)?.to_path_buf();
        if args.calibrate.is_none() && args.thresholds.is_none() {
            bail!("--store keeps what --calibrate and --thresholds decide; give one of them");
        }
        if let Some(asked) = args.calibrate {
            let (out, name) = (args.out.as_deref(), protocol.name());
            let Some(made) = after::calibrate(&run, asked, &truth, name, out, &args.device)? else {
                return Ok(Outcome::Stopped);
            };
            args.out = Some(made.out.clone());
            // What there was before is what a calibration is measured by.
            let before = std::mem::replace(&mut inputs.detections, made.detections.clone());
            let comparable = protocol.name() != "openimages" && made.chosen.calibration.is_some();
            args.against = args.against.take().or(comparable.then_some(before));
            calibrated = Some(made);
        }
    }
    let shape = if args.masks { Shape::Masks } else { Shape::Boxes };
    let case = Case::read(&truth, &inputs.detections, shape)?;
    let options = Options {
        fixed: args.fixed.map(|most| most as usize),
        pool: args.pool,
        groups,
        hierarchy: args.hierarchy.as_deref().map(|path| Hierarchy::read(path, &truth)).transpose()?,
    };
    let evaluation = protocol.score(&case, &options)?;
    let failed = gate::failures(&args.fail_under, &evaluation.metrics)?;
    if let Some(out) = &args.out {
        write(&args, out, &case, &evaluation)?;
    }
    let compared = match &args.against {
        Some(path) => {
            let other = Case::read(&truth, path, shape)?;
            let [mine, theirs] = [&case, &other].map(|case| outcomes(evaluation.protocol, case));
            Some((path, compare_on_images(&truth, &theirs, &mine, DRAWS, SEED)))
        }
        None => None,
    };
    let thresholds = args.thresholds.map(|precision| Thresholds::at(precision, &outcomes(evaluation.protocol, &case)));
    if args.store
        && let Some(run) = &args.run
    {
        after::keep(run, calibrated.as_ref(), thresholds.as_ref())?;
    }
    if args.json {
        print_json(&EvaluationJson {
            protocol: evaluation.protocol,
            truth: inputs.truth.display().to_string(),
            detections: inputs.detections.display().to_string(),
            metrics: &evaluation.metrics,
            scores: &evaluation.labels,
            against: compared.as_ref().map(|(path, compared)| AgainstJson::new(path, &truth, compared)),
            calibration: calibrated.as_ref().map(|made| CalibrationJson::new(&made.chosen, args.store)),
            thresholds: thresholds.as_ref(),
        })?;
    } else {
        if let Some(made) = &calibrated {
            print(&made.text())?;
        }
        print(&text::scores(&truth, case.found.len(), &options.groups.to_string(), &evaluation))?;
        if let Some((path, compared)) = &compared {
            print(&text::comparison(&truth, &path.display().to_string(), compared))?;
        }
        if let Some(thresholds) = &thresholds {
            print(&after::thresholds_text(&truth, thresholds))?;
        }
        if let Some(out) = &args.out {
            print(&format!("\nwrote {}\n", out.display()))?;
        }
        if args.store
            && let Some(run) = &args.run
        {
            print(&format!("kept in {}; `predict` uses it\n", RunDir::new(run).last_checkpoint().display()))?;
        }
    }
    failed.iter().for_each(|failure| eprintln!("failed: {failure}"));
    Ok(if failed.is_empty() { Outcome::Fine } else { Outcome::GateFailed })
}

/// Puts the groups of the training set, or those at chosen thresholds, into the truth.
fn regroup(truth: &mut Dataset, inputs: &Inputs, chosen: Option<GroupThresholds>) -> anyhow::Result<Groups> {
    let mut groups = Groups::Truth;
    let mut counted = truth.source.display().to_string();
    if let Some(train) = &inputs.train {
        truth.adopt_counts_from(&Dataset::read(train, None)?)?;
        counted = train.display().to_string();
        groups = Groups::Training(counted.clone());
    }
    if let Some(chosen) = chosen {
        truth.regroup(chosen);
        groups = Groups::Thresholds(chosen, counted);
    }
    Ok(groups)
}

/// Writes the scores and, for boxes, where the tail is lost, with the gradient ratios of the run where there is one.
fn write(args: &Args, out: &Path, case: &Case, evaluation: &Evaluation) -> anyhow::Result<()> {
    let dir = RunDir::new(out);
    if case.shape == Shape::Boxes {
        let ledger = args.run.as_ref().map(|run| RunDir::new(run).ledger()).filter(|path| path.is_file());
        let rows = ledger.map(|path| read_ledger(&path, &mut Vec::new())).transpose()?.unwrap_or_default();
        let outcomes = outcomes(evaluation.protocol, case);
        write_diagnosis(&dir, &diagnose(case, evaluation, &outcomes, &final_ledger(&rows)))?;
    }
    // Last: a run that has its metrics is whole.
    write_evaluation(&dir, evaluation, case.truth)?;
    Ok(())
}
