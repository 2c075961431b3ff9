//! Prediction on a data set and its scores, as several commands need them.

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use equipoise_data::Dataset;
use equipoise_detect::FasterRcnn;
use equipoise_eval::protocol::{Evaluation, protocol};
use equipoise_eval::record::{RunDir, RunMeta, Timing, write_evaluation};
use equipoise_eval::{Detection, write_detections};
use equipoise_loss::ClassLoss;
use equipoise_train::{Predictor, Recipe};

use crate::progress::Task;

/// A trained detector with all that it needs to predict.
pub struct Model<'a> {
    /// The detector, for inference.
    pub detector: &'a FasterRcnn,
    /// The loss, which makes scores of logits.
    pub loss: &'a dyn ClassLoss,
    /// The recipe it was trained with.
    pub recipe: &'a Recipe,
    /// Where it lives.
    pub device: &'a Device,
}

impl Model<'_> {
    /// Detections on every picture of `dataset`; `None` when the user stopped it.
    pub fn predict(&self, dataset: &Arc<Dataset>, task: &Task) -> anyhow::Result<Option<Vec<Detection>>> {
        let predictor = Predictor::new(self.detector, self.loss, dataset.clone(), self.recipe, self.device)?;
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
        let evaluation = protocol(name)?.evaluate(val, &detections)?;
        timing.score_seconds = started.elapsed().as_secs_f64();
        let mut meta = RunMeta::read(&run.meta())?;
        meta.protocol = name.to_string();
        meta.write(&run.meta())?;
        timing.write(&run.timing())?;
        write_evaluation(run, &evaluation, train)?;
        Ok(Some(evaluation))
    }
}
