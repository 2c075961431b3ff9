//! Instance-aware repeat-factor sampling (IRFS; Yaman, Mahmud and Liu 2023, arXiv 2305.08069).
//!
//! Two classes in equally many images may differ a hundredfold in objects, which `repeat-factor` does not see. IRFS puts the geometric
//! mean of two frequencies in the place of `f_c`. With `f_c` the share of images that contain class c and `b_c` its share of all objects:
//! `r_c = max(1, sqrt(t / sqrt(f_c b_c)))`. The rest is `repeat-factor`.
//!
//! Trap. `b_c` is divided by all objects and `f_c` by all images, so with many objects in each image the mean is far below `f_c`: the same
//! `t` repeats more classes, and more often, than it does in `repeat-factor`. Crowd regions count as no object.

use super::{
    Rounding, Sampler, SamplerEntry,
    repeat_factor::{check_threshold, factors_of, no_class_repeats},
};
use crate::{Counts, Dataset, Result};

/// Line of the registry.
pub const ENTRY: SamplerEntry = SamplerEntry {
    name: "instance-aware-repeat-factor",
    summary: "images with rare classes more often, by sqrt(t / sqrt(share of images x share of objects))",
    build: |config| Ok(Box::new(InstanceAwareRepeatFactor::new(config.repeat_threshold, config.rounding)?)),
};

/// Shows images more often whose classes are rare by images and objects.
#[derive(Clone, Copy, Debug)]
pub struct InstanceAwareRepeatFactor {
    threshold: f64,
    rounding: Rounding,
}

impl InstanceAwareRepeatFactor {
    /// A sampler that repeats classes whose mean frequency is below `threshold`.
    ///
    /// # Errors
    /// [`DataError::Option`](crate::DataError::Option) unless `threshold` is between 0 and 1.
    pub fn new(threshold: f64, rounding: Rounding) -> Result<Self> {
        Ok(Self { threshold: check_threshold(threshold)?, rounding })
    }

    /// The repeat factor of every image of `dataset`, `[N]`, at least 1.
    pub fn factors(&self, dataset: &Dataset) -> Vec<f64> {
        factors_of(dataset, &Self::frequencies(dataset), self.threshold)
    }

    fn frequencies(dataset: &Dataset) -> Vec<f64> {
        mean_frequencies(&Counts::of(dataset), dataset.images.len() as u64)
    }
}

/// `sqrt(f_c b_c)` of every class, `[K]`: the geometric mean of its shares of `images` images and of all objects.
pub fn mean_frequencies(counts: &Counts, images: u64) -> Vec<f64> {
    // Neither total may be 0: without images or objects every share is 0.
    let images = images.max(1) as f64;
    let objects = counts.instances.iter().sum::<u64>().max(1) as f64;
    let mean = |(&n, &b): (&u64, &u64)| (n as f64 / images * (b as f64 / objects)).sqrt();
    counts.images.iter().zip(&counts.instances).map(mean).collect()
}

impl Sampler for InstanceAwareRepeatFactor {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn describe(&self) -> String {
        format!("{}, t = {}, {} rounding", ENTRY.summary, self.threshold, self.rounding.name())
    }

    fn repeats(&self, dataset: &Dataset, seed: u64, epoch: u64) -> Vec<usize> {
        self.rounding.showings(&self.factors(dataset), seed, epoch)
    }

    fn changes_nothing(&self, dataset: &Dataset) -> Option<String> {
        no_class_repeats(dataset, &Self::frequencies(dataset), self.threshold)
    }
}
