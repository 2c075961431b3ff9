//! Repeat-factor sampling (LVIS, arXiv 1908.03195): images with rare classes are shown more often.
//!
//! With `f_c` the share of images that contain class c: `r_c = max(1, sqrt(t / f_c))`, and the factor of an image is the largest of
//! its classes. A factor of 2.3 gives two showings and a third with chance 0.3, drawn anew each epoch, so that the mean is exact.
//!
//! Traps. An image without labels has factor 1 and must keep its place: leaving it out of the list shifts all later indices.
//! With the default `t` of 1e-3 a set of a few thousand images has factors of 1 everywhere, and nothing happens.

use rand::RngExt;

use super::{Sampler, SamplerEntry};
use crate::{
    ClassIndex, Counts, DataError, Dataset, Result,
    random::{Stream, stream},
};

/// Line of the registry.
pub const ENTRY: SamplerEntry = SamplerEntry {
    name: "repeat-factor",
    summary: "images with rare classes more often, by sqrt(t / share of images with the class)",
    build: |config| Ok(Box::new(RepeatFactor::new(config.repeat_threshold)?)),
};

/// Shows images with rare classes more often.
#[derive(Clone, Copy, Debug)]
pub struct RepeatFactor {
    threshold: f64,
}

impl RepeatFactor {
    /// A sampler that repeats classes in less than the share `threshold` of the images.
    ///
    /// # Errors
    /// [`DataError::Option`] unless `threshold` is between 0 and 1.
    pub fn new(threshold: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&threshold) {
            return Ok(Self { threshold });
        }
        Err(DataError::Option {
            option: "repeat_threshold",
            got: threshold.to_string(),
            expected: "a share of the images, 0 to 1".into(),
        })
    }

    /// The repeat factor of every image of `dataset`, `[N]`, at least 1.
    pub fn factors(&self, dataset: &Dataset) -> Vec<f64> {
        let images = dataset.images.len() as f64;
        let frequencies: Vec<_> = Counts::of(dataset).images.iter().map(|&n| n as f64 / images).collect();
        let factors = category_factors(&frequencies, self.threshold);
        image_factors(&factors, dataset.images.iter().map(|image| image.classes()))
    }
}

/// `max(1, sqrt(threshold / f))` of every class, `[K]`. A class in no image repeats nothing and gets 1.
pub fn category_factors(frequencies: &[f64], threshold: f64) -> Vec<f64> {
    let factor = |&f: &f64| if f > 0.0 { (threshold / f).sqrt().max(1.0) } else { 1.0 };
    frequencies.iter().map(factor).collect()
}

/// The largest factor among the classes of every image, 1 for an image without classes, `[N]`.
///
/// # Panics
/// When a class index is not below the number of factors.
pub fn image_factors(factors: &[f64], images: impl Iterator<Item = Vec<ClassIndex>>) -> Vec<f64> {
    images.map(|classes| classes.iter().map(|&c| factors[c]).fold(1.0, f64::max)).collect()
}

impl Sampler for RepeatFactor {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn describe(&self) -> String {
        format!("{}, t = {}", ENTRY.summary, self.threshold)
    }

    fn repeats(&self, dataset: &Dataset, seed: u64, epoch: u64) -> Vec<usize> {
        let mut random = stream(Stream::Repeat, seed, epoch, 0);
        let times = |factor: f64| factor as usize + usize::from(random.random::<f64>() < factor.fract());
        self.factors(dataset).into_iter().map(times).collect()
    }
}
