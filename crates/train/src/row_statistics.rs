//! What the logits of a trained detector are on the rows that it was trained on: mean, variance, and how often each column was right.

use std::sync::Arc;

use burn::tensor::Device;
use equipoise_data::{Dataset, EpochKey, Loader};
use equipoise_detect::Detector;
use equipoise_detect::weights::host;
use equipoise_loss::calibration::LogitStatistics;

use crate::{Recipe, Result};

/// Statistics of the rows of some training pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct RowStatistics {
    /// Mean and variance of every logit.
    pub logits: LogitStatistics,
    /// Rows of each class, and of background last, `[K + 1]`; ignored rows are left out.
    pub labels: Vec<u64>,
}

impl RowStatistics {
    /// One pass over `dataset` with the sampled rows of a training step, without augmentation; `done` is told how many pictures were seen, and
    /// false from it ends the pass.
    ///
    /// # Errors
    /// When a picture cannot be read or a logit is not finite.
    pub fn of(
        detector: &Detector,
        dataset: &Arc<Dataset>,
        recipe: &Recipe,
        device: &Device,
        mut done: impl FnMut(u64) -> bool,
    ) -> Result<Option<Self>> {
        let device = device.clone().inner();
        let order: Vec<usize> = (0..dataset.images.len()).collect();
        let plan = order.chunks(recipe.batch).map(<[usize]>::to_vec).collect();
        let config = recipe.loader.without_augmentation();
        let loader = Loader::start(dataset.clone(), plan, config, EpochKey::default(), 0)?;
        let mut labels = vec![0; dataset.num_classes() + 1];
        let (mut logits, mut seen) = (None::<LogitStatistics>, 0_u64);
        for (pass, batch) in loader.enumerate() {
            let batch = batch?;
            let output = detector.forward_train(&batch, &device, pass as u64)?;
            let [_, channels] = output.logits.dims();
            let values = host(&output.logits);
            let statistics = logits.get_or_insert_with(|| LogitStatistics::new(channels));
            for (row, values) in values.chunks_exact(channels.max(1)).enumerate() {
                let Some(label) = output.targets.column(row) else { continue };
                labels[label] += 1;
                statistics.add(&values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>())?;
            }
            seen += batch.images.len() as u64;
            if !done(seen) {
                return Ok(None);
            }
        }
        Ok(logits.map(|logits| Self { logits, labels }))
    }
}
