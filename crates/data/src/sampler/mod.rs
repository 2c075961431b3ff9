//! Samplers: in which order, and how often, an epoch shows the images.
//!
//! A sampler has no state. The order of an epoch follows from (seed, epoch) alone, so a run resumes in the middle of an epoch by its
//! position. A sampler is one file with an implementation of [`Sampler`] and one line in [`SAMPLERS`].
//!
//! Two families. `repeat-factor` and `instance-aware-repeat-factor` show every image at least once, so an epoch grows. `class-aware` and
//! `square-root` draw as many images as there are, so an epoch keeps its length and leaves images out.

mod class_aware;
mod draw_by_class;
mod instance_aware;
mod repeat_factor;
mod rounding;
mod square_root;
mod uniform;

pub use class_aware::ClassAware;
pub use draw_by_class::class_chances;
pub use instance_aware::{InstanceAwareRepeatFactor, mean_frequencies};
use rand::seq::SliceRandom;
pub use repeat_factor::{RepeatFactor, category_factors, image_factors};
pub use rounding::Rounding;
pub use square_root::SquareRoot;
pub use uniform::Uniform;

use crate::{
    DataError, Dataset, Result,
    random::{Stream, stream},
};

/// A rule for the order of images in an epoch.
pub trait Sampler: Send + Sync {
    /// Name in recipes.
    fn name(&self) -> &'static str;

    /// What it does, with its parameters, in a sentence.
    fn describe(&self) -> String;

    /// How often an epoch shows each image of `dataset` before the order is shuffled; the draw may depend on (seed, epoch).
    fn repeats(&self, dataset: &Dataset, seed: u64, epoch: u64) -> Vec<usize>;

    /// Why this sampler does no more for `dataset` than `uniform` would, in a sentence; `None` when it does something, and for
    /// `uniform` itself.
    fn changes_nothing(&self, _dataset: &Dataset) -> Option<String> {
        None
    }

    /// The order of epoch `epoch`: indices into [`Dataset::images`], the same for the same (seed, epoch).
    fn epoch(&self, dataset: &Dataset, seed: u64, epoch: u64) -> Vec<usize> {
        let repeats = self.repeats(dataset, seed, epoch);
        let mut order: Vec<_> =
            repeats.into_iter().enumerate().flat_map(|(image, times)| std::iter::repeat_n(image, times)).collect();
        order.shuffle(&mut stream(Stream::Order, seed, epoch, 0));
        order
    }
}

/// Parameters of the samplers; each reads its own.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerConfig {
    /// `t` of `repeat-factor` and `instance-aware-repeat-factor`: classes with a smaller frequency repeat. 0 repeats nothing.
    /// Default 1e-3 (LVIS, arXiv 1908.03195); small sets need more, or nothing happens.
    pub repeat_threshold: f64,
    /// How the same two make whole showings of a factor: `stochastic` or `ceil`. Default `stochastic`, as in detectron2.
    pub rounding: Rounding,
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self { repeat_threshold: 1e-3, rounding: Rounding::default() }
    }
}

/// A sampler that recipes can name.
pub struct SamplerEntry {
    /// Name in recipes.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Makes it.
    pub build: fn(&SamplerConfig) -> Result<Box<dyn Sampler>>,
}

/// The samplers, the default first.
pub const SAMPLERS: &[SamplerEntry] =
    &[uniform::ENTRY, repeat_factor::ENTRY, instance_aware::ENTRY, class_aware::ENTRY, square_root::ENTRY];

/// The sampler called `name`.
///
/// ```
/// use equipoise_data::{SamplerConfig, sampler};
///
/// let sampler = sampler("repeat-factor", &SamplerConfig { repeat_threshold: 0.1, ..Default::default() })?;
/// assert_eq!(sampler.name(), "repeat-factor");
/// # Ok::<(), equipoise_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Option`] when there is no such sampler or a parameter is out of range.
pub fn sampler(name: &str, config: &SamplerConfig) -> Result<Box<dyn Sampler>> {
    match SAMPLERS.iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.build)(config),
        None => Err(DataError::Option {
            option: "sampler",
            got: format!("`{name}`"),
            expected: format!("one of {}", SAMPLERS.iter().map(|s| s.name).collect::<Vec<_>>().join(", ")),
        }),
    }
}
