//! Prediction: a data set in, detections in pixels of the original pictures out.

use std::sync::Arc;

use burn::tensor::Device;
use equipoise_data::{Batch, Dataset, EpochKey, Loader};
use equipoise_detect::{BoxMask, Detector};
use equipoise_eval::{Detection, RunLengths};
use equipoise_loss::ClassLoss;
use rayon::prelude::*;

use crate::{Recipe, Result};

/// Detections on a data set, batch by batch, in the order of its images.
pub struct Predictor<'a> {
    detector: &'a Detector,
    loss: &'a dyn ClassLoss,
    dataset: Arc<Dataset>,
    recipe: &'a Recipe,
    device: Device,
    loader: Loader,
}

impl<'a> Predictor<'a> {
    /// Pictures of a forward pass where nobody says otherwise: few, since all of them are padded to the largest.
    pub const BATCH: usize = 8;

    /// Starts to load the pictures of `dataset`, `batch` for each forward pass.
    ///
    /// # Errors
    /// When the recipe's loader is out of range.
    pub fn new(
        detector: &'a Detector,
        loss: &'a dyn ClassLoss,
        dataset: Arc<Dataset>,
        recipe: &'a Recipe,
        batch: usize,
        device: &Device,
    ) -> Result<Self> {
        let order: Vec<usize> = (0..dataset.images.len()).collect();
        let plan = order.chunks(batch.max(1)).map(<[usize]>::to_vec).collect();
        let config = recipe.loader.without_augmentation();
        let loader = Loader::start(dataset.clone(), plan, config, EpochKey::default(), 0)?;
        Ok(Self { detector, loss, dataset, recipe, device: device.clone().inner(), loader })
    }

    fn detect(&self, batch: &Batch) -> Vec<Detection> {
        let found = self.detector.detect(batch, &self.device, self.loss, &self.recipe.detect);
        let mut detections = Vec::new();
        for (image, found) in batch.images.iter().zip(found) {
            // Pasting is host work over every pixel of every box.
            let found: Vec<Detection> = found
                .into_par_iter()
                .map(|found| {
                    let bbox = image.restore_box(found.bbox);
                    let run_lengths = |mask: BoxMask| RunLengths {
                        size: image.original,
                        counts: mask.paste(bbox, image.original).packed(image.original),
                    };
                    Detection {
                        image: image.id,
                        category: self.dataset.categories[found.class].id,
                        bbox,
                        score: found.score,
                        mask: found.mask.map(|mask| Box::new(run_lengths(mask))),
                    }
                })
                .collect();
            detections.extend(found);
        }
        detections
    }
}

impl Iterator for Predictor<'_> {
    /// Detections of a batch and its number of pictures.
    type Item = Result<(Vec<Detection>, usize)>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.loader.next()?;
        Some(batch.map(|batch| (self.detect(&batch), batch.images.len())).map_err(Into::into))
    }
}
