//! The endless order of images: epoch after epoch of a sampler, in batches, from any point on.
//!
//! Samplers and augmentation depend on (seed, epoch, position) alone, so that a run that stopped goes on with the very images
//! and pixels it would have seen. A sampler that repeats images has longer epochs; the number of steps is the recipe's.

use std::sync::Arc;

use equipoise_data::{Batch, Dataset, EpochKey, Loader, LoaderConfig, Masks, Sampler, read_masks};

use crate::Result;

/// Batches of a training, without end.
pub struct Stream {
    dataset: Arc<Dataset>,
    masks: Option<Arc<Masks>>,
    sampler: Box<dyn Sampler>,
    config: LoaderConfig,
    seed: u64,
    batch: usize,
    epoch: u64,
    loader: Option<Loader>,
}

impl Stream {
    /// A stream that has already handed out `batches` batches.
    ///
    /// # Errors
    /// When the loader's configuration is out of range, or asks for copy-paste or masks and the data set has no masks.
    pub fn new(
        dataset: Arc<Dataset>,
        sampler: Box<dyn Sampler>,
        config: LoaderConfig,
        seed: u64,
        batch: usize,
        batches: u64,
    ) -> Result<Self> {
        // First: a wrong key must not wait for the masks of a large file.
        config.check()?;
        let masks = config.needs_masks().then(|| read_masks(&dataset)).transpose()?.map(Arc::new);
        let mut stream = Self { dataset, masks, sampler, config, seed, batch, epoch: 0, loader: None };
        let mut skip = batches as usize;
        loop {
            let plan = stream.plan();
            if skip < plan.len() {
                stream.start(plan, skip)?;
                return Ok(stream);
            }
            skip -= plan.len();
            stream.epoch += 1;
        }
    }

    /// The whole batches of an epoch; images that do not fill one wait for another epoch's order.
    fn plan(&self) -> Vec<Vec<usize>> {
        let order = self.sampler.epoch(&self.dataset, self.seed, self.epoch);
        order.chunks_exact(self.batch).map(<[usize]>::to_vec).collect()
    }

    fn start(&mut self, mut plan: Vec<Vec<usize>>, skip: usize) -> Result<()> {
        plan.drain(..skip);
        let key = EpochKey { seed: self.seed, epoch: self.epoch };
        let (dataset, masks) = (self.dataset.clone(), self.masks.clone());
        self.loader = Some(Loader::with_masks(dataset, masks, plan, self.config, key, skip * self.batch)?);
        Ok(())
    }

    /// The next batch.
    ///
    /// # Errors
    /// When a picture cannot be read.
    pub fn next_batch(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.loader.as_mut().and_then(Iterator::next) {
                return Ok(batch?);
            }
            self.epoch += 1;
            let plan = self.plan();
            self.start(plan, 0)?;
        }
    }
}
