//! `eval`: scores of any framework's results, or of a run of ours.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use equipoise_data::{Dataset, Group};
use equipoise_eval::protocol::{Evaluation, PROTOCOLS, protocol};
use equipoise_eval::read_detections;
use equipoise_eval::record::{Metrics, RunDir, RunMeta, write_evaluation};
use equipoise_eval::table::{Align, Table, percent};
use serde::Serialize;

use crate::Outcome;
use crate::commands::train::warn;
use crate::output::{print, print_json};
use crate::run_data::RunData;

/// Score detections: results of any framework, or those of a run
///
/// Detections are a COCO results file: an array of {"image_id", "category_id", "bbox": [x, y, width, height], "score"}.
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
    /// A run directory whose detections are scored anew
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Protocol: lvis or coco [default: that of the run, else lvis]
    #[arg(long, value_name = "NAME")]
    protocol: Option<String>,
    /// Write metrics.json and classes.csv into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
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
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let inputs = args.inputs()?;
    // Before anything large is read: a wrong name should not cost a minute.
    let protocol = protocol(&inputs.protocol)?;
    let mut truth = Dataset::read_validation(&inputs.truth, None)?;
    if let Some(train) = &inputs.train {
        truth.adopt_counts_from(&Dataset::read(train, None)?)?;
    }
    warn(&truth);
    let detections = read_detections(&inputs.detections, &truth)?;
    let evaluation = protocol.evaluate(&truth, &detections)?;
    if let Some(out) = &args.out {
        write_evaluation(&RunDir::new(out), &evaluation, &truth)?;
    }
    if args.json {
        print_json(&EvaluationJson {
            protocol: evaluation.protocol,
            truth: inputs.truth.display().to_string(),
            detections: inputs.detections.display().to_string(),
            metrics: &evaluation.metrics,
        })?;
        return Ok(Outcome::Fine);
    }
    print(&text(&inputs, &truth, detections.len(), &evaluation))?;
    if let Some(out) = &args.out {
        print(&format!("\nwrote {}\n", out.display()))?;
    }
    Ok(Outcome::Fine)
}

fn text(inputs: &Inputs, truth: &Dataset, detections: usize, evaluation: &Evaluation) -> String {
    let title = PROTOCOLS.iter().find(|p| p.name() == evaluation.protocol).map_or("", |p| p.title());
    let of = |group| truth.categories.iter().filter(|c| c.group == group).count();
    let source = match &inputs.train {
        Some(train) => format!("by the pictures of `{}`", train.display()),
        None => "as in the truth; --train FILE counts training pictures".into(),
    };
    let mut out = format!("{title}\n{detections} detections on {} pictures\n", truth.images.len());
    out += &format!(
        "{} rare, {} common, {} frequent classes, {source}\n\n",
        of(Group::Rare),
        of(Group::Common),
        of(Group::Frequent)
    );
    let mut table = Table::new(&[("metric", Align::Left), ("%", Align::Right), ("over", Align::Left)]);
    for (key, value) in evaluation.metrics.iter() {
        table.row(&[key, &percent(value), &meaning(key)]);
    }
    out + &table.render()
}

/// What a metric is taken over, read from its name.
fn meaning(key: &str) -> String {
    let (kind, rest) = if let Some(rest) = key.strip_prefix("AP") {
        ("precision", rest)
    } else if let Some(rest) = key.strip_prefix("AR") {
        ("recall", rest)
    } else {
        return String::new();
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let objects = match &rest[digits.len()..] {
        "" => "all classes",
        "s" => "small objects",
        "m" => "medium objects",
        "l" => "large objects",
        "r" => "rare classes",
        "c" => "common classes",
        "f" => "frequent classes",
        _ => return String::new(),
    };
    match (kind, digits.as_str()) {
        (kind, "") => format!("average {kind}, IoU 0.50 to 0.95, {objects}"),
        ("recall", most) => format!("average recall of the {most} best detections of a picture, {objects}"),
        (kind, iou) => format!("average {kind} at IoU 0.{iou}, {objects}"),
    }
}
