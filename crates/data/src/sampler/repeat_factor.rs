//! Repeat-factor sampling (LVIS, arXiv 1908.03195): images with rare classes are shown more often.
//!
//! With `f_c` the share of images that contain class c: `r_c = max(1, sqrt(t / f_c))`, and the factor of an image is the largest of
//! its classes. A factor of 2.3 gives two showings and a third with chance 0.3, drawn anew each epoch, so that the mean is exact; or
//! three with [`Rounding::Ceil`].
//!
//! Traps. An image without labels has factor 1 and must keep its place: leaving it out of the list shifts all later indices.
//! With the default `t` of 1e-3 a set of a few thousand images has factors of 1 everywhere, and nothing happens:
//! [`changes_nothing`](Sampler::changes_nothing) says so.

use super::{Rounding, Sampler, SamplerEntry};
use crate::{ClassIndex, Counts, DataError, Dataset, Result};

/// Line of the registry.
pub const ENTRY: SamplerEntry = SamplerEntry {
    name: "repeat-factor",
    summary: "images with rare classes more often, by sqrt(t / share of images with the class)",
    build: |config| Ok(Box::new(RepeatFactor::new(config.repeat_threshold)?.rounded(config.rounding))),
};

/// Shows images with rare classes more often.
#[derive(Clone, Copy, Debug)]
pub struct RepeatFactor {
    threshold: f64,
    rounding: Rounding,
}

impl RepeatFactor {
    /// A sampler that repeats classes in less than the share `threshold` of the images, with stochastic rounding.
    ///
    /// # Errors
    /// [`DataError::Option`] unless `threshold` is between 0 and 1.
    pub fn new(threshold: f64) -> Result<Self> {
        Ok(Self { threshold: check_threshold(threshold)?, rounding: Rounding::default() })
    }

    /// The same with another rounding.
    pub fn rounded(self, rounding: Rounding) -> Self {
        Self { rounding, ..self }
    }

    /// The repeat factor of every image of `dataset`, `[N]`, at least 1.
    pub fn factors(&self, dataset: &Dataset) -> Vec<f64> {
        factors_of(dataset, &image_frequencies(dataset), self.threshold)
    }
}

/// `threshold` itself when it is a share.
pub fn check_threshold(threshold: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&threshold) {
        return Ok(threshold);
    }
    Err(DataError::Option {
        option: "repeat_threshold",
        got: threshold.to_string(),
        expected: "a share of the images, 0 to 1".into(),
    })
}

/// Share of the images of `dataset` that contain each class, `[K]`.
fn image_frequencies(dataset: &Dataset) -> Vec<f64> {
    let images = dataset.images.len() as f64;
    Counts::of(dataset).images.iter().map(|&n| n as f64 / images).collect()
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

/// The factor of every image of `dataset`, `[N]`, from the frequencies of its classes, `[K]`.
pub fn factors_of(dataset: &Dataset, frequencies: &[f64], threshold: f64) -> Vec<f64> {
    let factors = category_factors(frequencies, threshold);
    image_factors(&factors, dataset.images.iter().map(|image| image.classes()))
}

/// Why no class of `dataset` repeats when its `frequencies`, `[K]`, meet `threshold`; `None` when one does.
pub fn no_class_repeats(dataset: &Dataset, frequencies: &[f64], threshold: f64) -> Option<String> {
    let seen = frequencies.iter().zip(&dataset.categories).filter(|&(&f, _)| f > 0.0);
    let Some((&rarest, category)) = seen.min_by(|(a, _), (b, _)| a.total_cmp(b)) else {
        return Some("no image has an object, so no class can repeat".into());
    };
    (category_factors(&[rarest], threshold) == [1.0]).then(|| {
        format!(
            "every factor is 1: the rarest class, `{}`, has a frequency of {rarest:.3e}, not below t = {threshold}; \
             a larger `repeat_threshold` is needed",
            category.name
        )
    })
}

impl Sampler for RepeatFactor {
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
        no_class_repeats(dataset, &image_frequencies(dataset), self.threshold)
    }
}
