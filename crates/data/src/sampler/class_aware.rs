//! Class-aware sampling: a class is drawn uniformly, then one of its images.
//!
//! The class-balanced sampling (q = 0) of Kang et al. 2020 (arXiv 1910.09217) that re-training of classifiers uses. Shen, Lin and Huang
//! 2016 (arXiv 1512.05830), who named it, walk through shuffled lists of classes and of images instead of drawing: the same shares, with
//! less variance within an epoch.
//!
//! Trap. An image of a class with a single image comes `N / K` times an epoch on average: the detector soon knows it by heart.

use super::{
    Sampler, SamplerEntry,
    draw_by_class::{draw_by_class, nothing_to_draw},
};
use crate::Dataset;

/// Line of the registry.
pub const ENTRY: SamplerEntry = SamplerEntry {
    name: "class-aware",
    summary: "as many draws as images: a class uniformly, then an image with it",
    build: |_| Ok(Box::new(ClassAware)),
};

/// Draws classes uniformly, then an image.
#[derive(Clone, Copy, Debug)]
pub struct ClassAware;

impl Sampler for ClassAware {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn describe(&self) -> String {
        ENTRY.summary.into()
    }

    fn repeats(&self, dataset: &Dataset, seed: u64, epoch: u64) -> Vec<usize> {
        draw_by_class(dataset, 0.0, seed, epoch)
    }

    fn changes_nothing(&self, dataset: &Dataset) -> Option<String> {
        nothing_to_draw(dataset)
    }
}
