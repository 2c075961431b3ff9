//! Is the difference between two runs more than luck? A paired bootstrap answers that for one training each: over classes, or over pictures.
//!
//! *Over classes*: APr is a mean over the rare classes. Drawing those classes again with replacement, keeping each class's pair of scores together, shows how much the
//! difference of two means depends on which classes happen to be in the set. It says nothing about the luck of the seed: that needs more trainings.
//!
//! *Over pictures* (Efron and Tibshirani, 1993): the validation pictures are drawn again with replacement, both runs are scored on the same draw, and the AP of every class and
//! the mean of every group is compared. It says how much the difference depends on which pictures happen to be in the set, and works for a single class.

use equipoise_data::{ClassIndex, Dataset, Group};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::outcome::{ClassOutcomes, Outcomes, THRESHOLDS, ap_101};

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
    Some(summary(n, mean, &mut draws))
}

/// Error and interval of `mean` from the draws of a bootstrap, at least two.
fn summary(classes: usize, mean: f64, draws: &mut [f64]) -> PairedDifference {
    draws.sort_by(f64::total_cmp);
    let count = draws.len();
    let centre = draws.iter().sum::<f64>() / count as f64;
    let variance = draws.iter().map(|d| (d - centre).powi(2)).sum::<f64>() / (count - 1).max(1) as f64;
    PairedDifference {
        classes,
        mean,
        standard_error: variance.sqrt(),
        low: draws[count / 40],
        high: draws[count - 1 - count / 40],
    }
}

/// How two runs differ on the same pictures; `None` where both have nothing to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageComparison {
    /// AP over all classes, then APr, APc, APf.
    pub groups: [(&'static str, Option<PairedDifference>); 4],
    /// AP of every class, `[K]`.
    pub classes: Vec<Option<PairedDifference>>,
}

const GROUPS: [(&str, Option<Group>); 4] =
    [("AP", None), ("APr", Some(Group::Rare)), ("APc", Some(Group::Common)), ("APf", Some(Group::Frequent))];

/// Compares `b` with `a`, outcomes of two runs on `truth`, by `draws` sets of pictures. The same seed gives the same bits, on any number of threads.
///
/// In a draw without an object of a class that class is left out, as everywhere. Fewer than 200 draws make a poor interval.
pub fn compare_on_images(truth: &Dataset, a: &Outcomes, b: &Outcomes, draws: usize, seed: u64) -> ImageComparison {
    let images = a.images.max(b.images);
    let once = differences(a, b, &vec![1; images]);
    let drawn: Vec<Vec<Option<f64>>> = (0..draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(draw);
            let mut weights = vec![0_u32; images];
            (0..images).for_each(|_| weights[rng.random_range(0..images)] += 1);
            differences(a, b, &weights)
        })
        .collect();
    let of = |classes: &[ClassIndex]| {
        let mean = |values: &[Option<f64>]| {
            let some: Vec<f64> = classes.iter().filter_map(|&k| values[k]).collect();
            (!some.is_empty()).then(|| some.iter().sum::<f64>() / some.len() as f64)
        };
        let mut values: Vec<f64> = drawn.iter().filter_map(|draw| mean(draw)).collect();
        let defined = classes.iter().filter(|&&k| once[k].is_some()).count();
        let mean = mean(&once).filter(|_| !values.is_empty())?;
        Some(summary(defined, mean, &mut values))
    };
    let members = |group: Option<Group>| -> Vec<ClassIndex> {
        (0..once.len()).filter(|&k| group.is_none_or(|g| truth.categories[k].group == g)).collect()
    };
    ImageComparison {
        groups: GROUPS.map(|(name, group)| (name, of(&members(group)))),
        classes: (0..once.len()).map(|class| of(&[class])).collect(),
    }
}

/// `b - a` of every class, each picture counted as often as it was drawn.
fn differences(a: &Outcomes, b: &Outcomes, weights: &[u32]) -> Vec<Option<f64>> {
    a.classes.iter().zip(&b.classes).map(|(a, b)| Some(weighted_ap(b, weights)? - weighted_ap(a, weights)?)).collect()
}

fn weighted_ap(class: &ClassOutcomes, weights: &[u32]) -> Option<f64> {
    let weight = |image: u32| f64::from(weights[image as usize]);
    let objects: f64 = class.objects.iter().map(|&(image, n)| weight(image) * f64::from(n)).sum();
    let at = |t: usize| {
        let judged = class.found.iter().filter(|o| o.ignored >> t & 1 == 0 && weights[o.image as usize] > 0);
        ap_101(judged.map(|o| (o.hits >> t & 1 == 1, weight(o.image))), objects)
    };
    let sum: Option<f64> = (0..THRESHOLDS).map(at).sum();
    sum.map(|sum| sum / THRESHOLDS as f64)
}
