//! Are scores probabilities? Reliability bins and the expected calibration error (Guo et al., arXiv 1706.04599), with a detection right at IoU 0.50.

use equipoise_data::ClassIndex;
use serde::{Deserialize, Serialize};

use crate::outcome::Outcomes;

/// Bins of equal width over scores from 0 to 1.
pub const BINS: usize = 15;

/// The detections whose scores fall into a bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Smallest score.
    pub low: f64,
    /// Largest score, which belongs to the next bin; to the last one where it is 1.
    pub high: f64,
    /// Judged detections.
    pub detections: u64,
    /// Their mean score; 0 without detections.
    pub confidence: f64,
    /// The part of them that is right; 0 without detections.
    pub precision: f64,
}

/// The reliability bins of the detections of `classes`. A score above 1 falls into the last bin.
pub fn reliability(outcomes: &Outcomes, classes: &[ClassIndex]) -> Vec<Bin> {
    let mut sums = [(0_u64, 0.0, 0_u64); BINS];
    for outcome in classes.iter().flat_map(|&k| &outcomes.classes[k].found).filter(|o| o.ignored & 1 == 0) {
        let at = ((outcome.score * BINS as f64) as usize).min(BINS - 1);
        sums[at].0 += 1;
        sums[at].1 += outcome.score;
        sums[at].2 += u64::from(outcome.hits & 1);
    }
    let bin = |(at, (detections, score, right)): (usize, (u64, f64, u64))| {
        let mean = |sum: f64| if detections == 0 { 0.0 } else { sum / detections as f64 };
        let edge = |at: usize| at as f64 / BINS as f64;
        let (confidence, precision) = (mean(score), mean(right as f64));
        Bin { low: edge(at), high: edge(at + 1), detections, confidence, precision }
    };
    sums.into_iter().enumerate().map(bin).collect()
}

/// Expected calibration error: the mean distance of precision from confidence, each detection counted once. `None` without detections.
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let all: u64 = bins.iter().map(|b| b.detections).sum();
    let sum: f64 = bins.iter().map(|b| b.detections as f64 * (b.precision - b.confidence).abs()).sum();
    (all > 0).then(|| sum / all as f64)
}
