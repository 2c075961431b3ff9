//! Every image once per epoch.

use super::{Sampler, SamplerEntry};
use crate::Dataset;

/// Line of the registry.
pub const ENTRY: SamplerEntry =
    SamplerEntry { name: "uniform", summary: "every image once per epoch", build: |_| Ok(Box::new(Uniform)) };

/// Shows every image once per epoch.
#[derive(Clone, Copy, Debug)]
pub struct Uniform;

impl Sampler for Uniform {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn describe(&self) -> String {
        ENTRY.summary.into()
    }

    fn repeats(&self, dataset: &Dataset, _seed: u64, _epoch: u64) -> Vec<usize> {
        vec![1; dataset.images.len()]
    }
}
