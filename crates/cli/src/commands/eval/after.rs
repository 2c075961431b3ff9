//! What is decided after training: a calibration of the scores, and the score from which on a class is shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use equipoise_data::{Dataset, Group};
use equipoise_eval::diagnosis::Thresholds;
use equipoise_eval::record::RunDir;
use equipoise_eval::table::{Align, Table, percent};
use equipoise_eval::write_detections;
use equipoise_train::Checkpoint;
use serde::Serialize;

use crate::calibrate::{Asked, Calibrator, Chosen, title};
use crate::device::DeviceArgs;
use crate::progress::Progress;
use crate::run_data::RunData;
use crate::scoring::Model;

/// A calibration that was chosen, and the detections that it makes.
pub struct Calibrated {
    /// How it was found.
    pub chosen: Chosen,
    /// The checkpoint with the calibration in it.
    pub checkpoint: Checkpoint,
    /// The folder of its results.
    pub out: PathBuf,
    /// Its detections on the validation set.
    pub detections: PathBuf,
}

/// Chooses a calibration for the run in `run` on its training pictures and predicts on `truth` with it; `None` when the user stopped it.
pub fn calibrate(
    run: &Path,
    asked: Asked,
    truth: &Dataset,
    protocol: &str,
    out: Option<&Path>,
    device: &DeviceArgs,
) -> anyhow::Result<Option<Calibrated>> {
    let data = RunData::of(run).with_context(|| {
        format!(
            "the data of `{}` are not where they were, and a calibration is chosen on training pictures",
            run.display()
        )
    })?;
    let train = data.read_train()?;
    let device_of_run = device.device()?;
    crate::interrupt::listen();
    let progress = Progress::new();
    let checkpoint = Checkpoint::read(run)?;
    let mut calibrator =
        Calibrator { checkpoint, train: &train, protocol, device: &device_of_run, progress: &progress };
    let Some(chosen) = calibrator.choose(asked)? else { return Ok(None) };
    let mut checkpoint = calibrator.checkpoint;
    checkpoint.state.calibration = chosen.calibration.clone();
    // They were made for other scores.
    checkpoint.state.thresholds = None;
    let (detector, loss) = checkpoint.detector(&device_of_run)?;
    let recipe = &checkpoint.state.recipe;
    let model = Model { detector: &detector, loss: &*loss, recipe, device: &device_of_run };
    // As the run reads them: `truth` may lie elsewhere, but its pictures are those of the validation set.
    let mut pictures = truth.clone();
    if let Some(images) = &data.val_images {
        pictures = Dataset::read_validation(&truth.source, Some(images))?;
    }
    let pictures = Arc::new(pictures);
    let task = progress.task("predict", pictures.images.len() as u64);
    let Some(found) = model.predict(&pictures, &task)? else { return Ok(None) };
    let out = out.map_or_else(|| run.join("calibrated"), Path::to_path_buf);
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create `{}`", out.display()))?;
    let detections = RunDir::new(&out).detections();
    write_detections(&detections, &found)?;
    Ok(Some(Calibrated { chosen, checkpoint, out, detections }))
}

impl Calibrated {
    /// What was tried and chosen.
    pub fn text(&self) -> String {
        let name = self.chosen.calibration.as_ref().map_or_else(|| "no calibration".into(), title);
        if self.chosen.tried.is_empty() {
            return format!("scores by {name}\n\n");
        }
        let mut text = format!("chosen by AP on {} training pictures:\n\n", self.chosen.pictures);
        let heads = ["AP", "APr", "APc", "APf"].map(|head| (head, Align::Right));
        let mut table = Table::new(&[&[("parameter", Align::Right)], &heads[..], &[("", Align::Left)]].concat());
        let parameter = self.chosen.calibration.as_ref().and_then(|calibration| calibration.parameter);
        for tried in &self.chosen.tried {
            let first = tried.parameter.map_or_else(|| "none".into(), |parameter| parameter.to_string());
            let [ap, r, c, f] = ["AP", "APr", "APc", "APf"].map(|key| percent(tried.metrics.get(key)));
            let mark = if tried.parameter == parameter { "chosen" } else { "" };
            table.row(&[&first, &ap, &r, &c, &f, mark]);
        }
        text += &table.render();
        text + &format!("\nscores by {name}\n\n")
    }
}

/// What `--json` says of a calibration.
#[derive(Serialize)]
pub struct CalibrationJson {
    method: Option<String>,
    parameter: Option<f64>,
    tried: Vec<TriedJson>,
    stored: bool,
}

#[derive(Serialize)]
struct TriedJson {
    parameter: Option<f64>,
    metrics: equipoise_eval::record::Metrics,
}

impl CalibrationJson {
    /// Of what was chosen.
    pub fn new(chosen: &Chosen, stored: bool) -> Self {
        let tried =
            |tried: &crate::calibrate::Tried| TriedJson { parameter: tried.parameter, metrics: tried.metrics.clone() };
        Self {
            method: chosen.calibration.as_ref().map(|calibration| calibration.method.clone()),
            parameter: chosen.calibration.as_ref().and_then(|calibration| calibration.parameter),
            tried: chosen.tried.iter().map(tried).collect(),
            stored,
        }
    }
}

/// How many classes are shown from which score on.
pub fn thresholds_text(truth: &Dataset, thresholds: &Thresholds) -> String {
    let mut text =
        format!("\nscores from which on {} of what is shown is right\n\n", percent(Some(thresholds.precision)) + " %");
    let columns = [
        ("group", Align::Left),
        ("classes", Align::Right),
        ("shown", Align::Right),
        ("lowest", Align::Right),
        ("median", Align::Right),
        ("highest", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for (name, group) in [("rare", Group::Rare), ("common", Group::Common), ("frequent", Group::Frequent)] {
        let of: Vec<Option<f64>> = thresholds
            .classes
            .iter()
            .zip(&truth.categories)
            .filter(|(_, category)| category.group == group)
            .map(|(threshold, _)| *threshold)
            .collect();
        let mut shown: Vec<f64> = of.iter().flatten().copied().collect();
        shown.sort_by(f64::total_cmp);
        let at = |index: usize| shown.get(index).map_or_else(|| "–".into(), |score| format!("{score:.3}"));
        let last = shown.len().saturating_sub(1);
        table.row(&[name, &of.len().to_string(), &shown.len().to_string(), &at(0), &at(shown.len() / 2), &at(last)]);
    }
    text += &table.render();
    text += "a class that is not shown never reaches this precision on the validation pictures\n";
    if !thresholds.pooled.is_empty() {
        let count = thresholds.pooled.len();
        text += &format!("{count} classes without validation objects have the threshold of all classes together\n");
    }
    text
}

/// Puts what was decided into the checkpoint of the run.
pub fn keep(run: &Path, calibrated: Option<&Calibrated>, thresholds: Option<&Thresholds>) -> anyhow::Result<()> {
    let dir = RunDir::new(run).last_checkpoint();
    let mut checkpoint = match calibrated {
        Some(calibrated) => calibrated.checkpoint.clone(),
        None => Checkpoint::read(&dir)?,
    };
    if let Some(thresholds) = thresholds {
        checkpoint.state.thresholds = Some(thresholds.clone());
    }
    Ok(checkpoint.write(&dir)?)
}

/// Reads a precision above 0 and up to 1.
pub fn precision(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("expected a fraction above 0, such as 0.8".into()),
    }
}

/// Refuses flags that need a run without one.
pub fn check(run: Option<&Path>, masks: bool) -> anyhow::Result<&Path> {
    let Some(run) = run else {
        bail!("--calibrate, --thresholds and --store work on a trained detector: name its run with --run")
    };
    if masks {
        bail!("--calibrate and --thresholds go by boxes; leave --masks out");
    }
    Ok(run)
}
