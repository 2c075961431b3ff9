//! Prediction on a data set and its scores, as several commands need them.

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use equipoise_data::Dataset;
use equipoise_detect::Detector;
use equipoise_eval::diagnosis::diagnose;
use equipoise_eval::protocol::{Evaluation, Options, outcomes, protocol};
use equipoise_eval::record::{
    Metrics, RunDir, RunMeta, RunRecord, Timing, ValidationRow, ValidationWriter, final_ledger, read_ledger,
    write_diagnosis, write_evaluation, write_results,
};
use equipoise_eval::table::percent;
use equipoise_eval::{Case, Detection, Shape, write_detections};
use equipoise_loss::ClassLoss;
use equipoise_train::{Predictor, Recipe, Trainer};

use crate::progress::{Progress, Task};

/// A trained detector with all that it needs to predict.
pub struct Model<'a> {
    /// The detector, for inference.
    pub detector: &'a Detector,
    /// The loss, which makes scores of logits.
    pub loss: &'a dyn ClassLoss,
    /// The recipe it was trained with.
    pub recipe: &'a Recipe,
    /// Where it lives.
    pub device: &'a Device,
}

/// Scores while a training goes on.
pub struct Validation<'a> {
    /// The pictures.
    pub val: &'a Arc<Dataset>,
    /// Name of the protocol.
    pub protocol: &'a str,
    /// Where tensors live.
    pub device: &'a Device,
    /// Steps from one to the next.
    pub every: u64,
    /// The record.
    pub rows: ValidationWriter,
}

impl<'a> Validation<'a> {
    /// For a run whose recipe asks for it.
    pub fn of(
        trainer: &Trainer,
        run: &RunDir,
        val: &'a Arc<Dataset>,
        protocol: &'a str,
        device: &'a Device,
    ) -> anyhow::Result<Option<Self>> {
        let Some(every) = trainer.validate_every() else { return Ok(None) };
        let rows = ValidationWriter::resume(&run.validation(), trainer.steps_done())?;
        Ok(Some(Self { val, protocol, device, every, rows }))
    }

    /// Scores when it is time to, but not at the end, where the run is scored anyhow.
    pub fn after(&mut self, trainer: &Trainer, progress: &Progress) -> anyhow::Result<()> {
        let step = trainer.steps_done();
        if !step.is_multiple_of(self.every) || step == trainer.total_steps() {
            return Ok(());
        }
        let detector = trainer.detector()?;
        let model = Model { detector: &detector, loss: trainer.loss(), recipe: trainer.recipe(), device: self.device };
        let task = progress.task("validate", self.val.images.len() as u64);
        let Some(detections) = model.predict(self.val, &task)? else { return Ok(()) };
        let evaluation = protocol(self.protocol)?.evaluate(self.val, &detections)?;
        self.add(trainer, &evaluation.metrics, progress)
    }

    /// Adds a row, and keeps the checkpoint when it is the best so far.
    pub fn add(&mut self, trainer: &Trainer, metrics: &Metrics, progress: &Progress) -> anyhow::Result<()> {
        let row = ValidationRow::new(trainer.steps_done(), trainer.epoch(), metrics);
        let better = self.rows.add(&row)?;
        if better {
            trainer.save_best()?;
        }
        let scores = ["AP", "APr", "APc", "APf"].map(|key| format!("{key} {}", percent(metrics.get(key)))).join(" ");
        progress.say(&format!("step {}: {scores}{}", row.step, if better { ", the best so far" } else { "" }));
        Ok(())
    }
}

impl Model<'_> {
    /// Detections on every picture of `dataset`; `None` when the user stopped it.
    pub fn predict(&self, dataset: &Arc<Dataset>, task: &Task) -> anyhow::Result<Option<Vec<Detection>>> {
        self.predict_by(Predictor::BATCH, dataset, task)
    }

    /// [`Model::predict`] with `batch` pictures in each forward pass.
    pub fn predict_by(
        &self,
        batch: usize,
        dataset: &Arc<Dataset>,
        task: &Task,
    ) -> anyhow::Result<Option<Vec<Detection>>> {
        let predictor = Predictor::new(self.detector, self.loss, dataset.clone(), self.recipe, batch, self.device)?;
        let (mut detections, mut done) = (Vec::new(), 0);
        for batch in predictor {
            let (found, images) = batch?;
            detections.extend(found);
            done += images as u64;
            task.units(done, "pictures");
            if crate::interrupt::asked() {
                task.finish();
                return Ok(None);
            }
        }
        task.finish();
        Ok(Some(detections))
    }

    /// Predicts on `val`, scores by `name`, and writes detections and scores into the run; `None` when the user stopped it.
    pub fn score(
        &self,
        run: &RunDir,
        name: &str,
        train: &Dataset,
        val: &Arc<Dataset>,
        task: &Task,
        timing: &mut Timing,
    ) -> anyhow::Result<Option<Evaluation>> {
        let started = Instant::now();
        let Some(detections) = self.predict(val, task)? else { return Ok(None) };
        timing.predict_seconds = started.elapsed().as_secs_f64();
        // First, so that nothing that goes wrong in scoring loses them.
        write_detections(&run.detections(), &detections)?;
        let started = Instant::now();
        // From the file, so that `eval` gives the same numbers to the last digit.
        let case = Case::read(val, &run.detections(), Shape::Boxes)?;
        let mut evaluation = protocol(name)?.score(&case, &Options::default())?;
        if self.recipe.detector.masks() {
            match Case::read(val, &run.detections(), Shape::Masks) {
                Ok(case) if case.has_masks() => {
                    evaluation.add_masks(&protocol(name)?.score(&case, &Options::default())?);
                }
                // The run is done: what cannot be scored must not take its boxes' scores with it.
                Ok(_) => eprintln!("note: `{}` has no masks to score against", val.source.display()),
                Err(error) => eprintln!("warning: masks are not scored: {error}"),
            }
        }
        let ledger = if run.ledger().is_file() { read_ledger(&run.ledger(), &mut Vec::new())? } else { Vec::new() };
        let diagnosis = diagnose(&case, &evaluation, &outcomes(name, &case), &final_ledger(&ledger));
        timing.score_seconds = started.elapsed().as_secs_f64();
        let mut meta = RunMeta::read(&run.meta())?;
        meta.protocol = name.to_string();
        meta.write(&run.meta())?;
        timing.write(&run.timing())?;
        write_diagnosis(run, &diagnosis)?;
        write_evaluation(run, &evaluation, train)?;
        write_results(run, &RunRecord::read_progress(run.root())?)?;
        Ok(Some(evaluation))
    }
}
