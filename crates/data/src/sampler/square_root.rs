//! Square-root sampling: a class is drawn by the square root of its number of images, then one of its images.
//!
//! Half way between the data as they are and `class-aware` (q = 1/2 in Kang et al. 2020, arXiv 1910.09217): a class with a hundred times
//! the images of another is drawn ten times as often.

use super::{
    Sampler, SamplerEntry,
    draw_by_class::{draw_by_class, nothing_to_draw},
};
use crate::Dataset;

/// Line of the registry.
pub const ENTRY: SamplerEntry = SamplerEntry {
    name: "square-root",
    summary: "as many draws as images: a class by the square root of its number of images, then an image with it",
    build: |_| Ok(Box::new(SquareRoot)),
};

/// Draws classes by the square root of their number of images, then an image.
#[derive(Clone, Copy, Debug)]
pub struct SquareRoot;

impl Sampler for SquareRoot {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn describe(&self) -> String {
        ENTRY.summary.into()
    }

    fn repeats(&self, dataset: &Dataset, seed: u64, epoch: u64) -> Vec<usize> {
        draw_by_class(dataset, 0.5, seed, epoch)
    }

    fn changes_nothing(&self, dataset: &Dataset) -> Option<String> {
        nothing_to_draw(dataset)
    }
}
