//! From image indices to normalised, padded batches, on worker threads with bounded memory.
//!
//! What a picture looks like in a batch depends on (seed, epoch, position in the epoch) and nothing else, so any number of workers
//! gives the same bytes, and a run that resumes in the middle of an epoch sees what it would have seen.

mod batch;
mod config;
mod place;
mod prefetch;

use std::sync::Arc;

pub(crate) use batch::decode_checked;
pub use batch::{Batch, BatchImage, load_batch};
pub use config::{IMAGENET_MEAN, IMAGENET_STD, LoaderConfig};
pub(crate) use place::{Map, Placement, place_objects};
use prefetch::Prefetch;

use crate::{Dataset, Masks, Result};

/// Which random numbers augmentation draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpochKey {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the epoch.
    pub epoch: u64,
}

/// The batches of an epoch in order, loaded ahead by worker threads.
///
/// At most `prefetch` batches are finished or being loaded at any time. After an error the iterator ends. Dropping it, early or not,
/// waits for the batches in work and joins all threads.
pub struct Loader {
    batches: Prefetch<Batch>,
}

impl Loader {
    /// Starts loading `plan`, a list of batches of indices into `dataset.images`.
    ///
    /// `first_position` is the place in the epoch of the first image of `plan`: 0 for a whole epoch, the number of images already seen
    /// when a run resumes. `workers = 0` loads each batch in the calling thread when it is asked for.
    ///
    /// # Errors
    /// [`DataError::Option`](crate::DataError::Option) when a value of `config` is out of range.
    pub fn start(
        dataset: Arc<Dataset>,
        plan: Vec<Vec<usize>>,
        config: LoaderConfig,
        key: EpochKey,
        first_position: usize,
    ) -> Result<Self> {
        Self::with_masks(dataset, None, plan, config, key, first_position)
    }

    /// [`Loader::start`] with the masks that copy-paste needs.
    ///
    /// # Errors
    /// As [`Loader::start`], and [`DataError::NoMasks`](crate::DataError::NoMasks) when `config` has copy-paste and there are no masks.
    pub fn with_masks(
        dataset: Arc<Dataset>,
        masks: Option<Arc<Masks>>,
        plan: Vec<Vec<usize>>,
        config: LoaderConfig,
        key: EpochKey,
        first_position: usize,
    ) -> Result<Self> {
        config.check()?;
        batch::check_masks(&dataset, masks.as_deref(), &config)?;
        let positions: Vec<_> = plan
            .iter()
            .scan(first_position, |next, batch| {
                let position = *next;
                *next += batch.len();
                Some(position)
            })
            .collect();
        let (workers, ahead, count) = (config.workers, config.prefetch, plan.len());
        let load = move |batch: usize| {
            let masks = masks.as_deref();
            batch::load_with_masks(&dataset, masks, &plan[batch], &config, key, positions[batch])
        };
        Ok(Self { batches: Prefetch::start(count, workers, ahead, load) })
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}
