//! Is the difference between two runs more than luck with the classes? A paired bootstrap over classes answers that for one training each.
//!
//! APr is a mean over the rare classes. Drawing those classes again with replacement, keeping each class's pair of scores together, shows how much the
//! difference of two means depends on which classes happen to be in the set. It says nothing about the luck of the seed: that needs more trainings.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws of the bootstrap; the ends of a 95 % interval then rest on 50 draws each.
const DRAWS: usize = 2000;

/// The mean of `b - a` over classes, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// Classes that both runs have a score for.
    pub classes: usize,
    /// Mean of `b - a`.
    pub mean: f64,
    /// Standard error of the mean: deviation of the bootstrap draws.
    pub standard_error: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

impl PairedDifference {
    /// Whether the interval leaves zero out.
    pub fn is_clear(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// Mean difference `b - a` over the classes that both have a score for, with a bootstrap over classes. The same seed gives the same bits.
///
/// `None` when no class has both scores. With one class the interval is a point and means nothing.
pub fn paired_difference(a: &[Option<f64>], b: &[Option<f64>], seed: u64) -> Option<PairedDifference> {
    let differences: Vec<f64> =
        a.iter().zip(b).filter_map(|(a, b)| Some((*b)? - (*a)?)).filter(|d| d.is_finite()).collect();
    let n = differences.len();
    if n == 0 {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / n as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draws: Vec<f64> =
        (0..DRAWS).map(|_| (0..n).map(|_| differences[rng.random_range(0..n)]).sum::<f64>() / n as f64).collect();
    draws.sort_by(f64::total_cmp);
    let centre = draws.iter().sum::<f64>() / DRAWS as f64;
    let variance = draws.iter().map(|d| (d - centre).powi(2)).sum::<f64>() / (DRAWS - 1) as f64;
    Some(PairedDifference {
        classes: n,
        mean,
        standard_error: variance.sqrt(),
        low: draws[DRAWS / 40],
        high: draws[DRAWS - 1 - DRAWS / 40],
    })
}
