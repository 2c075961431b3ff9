//! From repeat factors to whole numbers of showings.
//!
//! LVIS (arXiv 1908.03195) leaves this open, and the two code bases that made repeat factors common differ. detectron2 takes the whole
//! part and one more showing with the chance of the rest, drawn anew each epoch, so that the mean is exact. mmdetection takes `ceil` once
//! and for all: the list never changes, but a factor of 1.01 already doubles an image, and epochs are longer than the factors say.

use rand::RngExt;

use crate::random::{Stream, stream};

/// How a repeat factor becomes a number of showings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rounding {
    /// The whole part, and one more with the chance of the rest (detectron2).
    #[default]
    Stochastic,
    /// The next whole number (mmdetection).
    Ceil,
}

impl Rounding {
    /// Name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stochastic => "stochastic",
            Self::Ceil => "ceil",
        }
    }

    /// Showings of every image in an epoch.
    ///
    /// # Shapes
    /// `factors` and the result `[N]`.
    pub fn showings(self, factors: &[f64], seed: u64, epoch: u64) -> Vec<usize> {
        let mut random = stream(Stream::Repeat, seed, epoch, 0);
        let times = |&factor: &f64| match self {
            Self::Stochastic => factor as usize + usize::from(random.random::<f64>() < factor.fract()),
            Self::Ceil => factor.ceil() as usize,
        };
        factors.iter().map(times).collect()
    }
}
