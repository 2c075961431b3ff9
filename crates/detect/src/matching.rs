//! Which object an anchor or proposal stands for, and which of them train.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{boxes, ops};

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The ground-truth object of this index.
    Object(usize),
    /// No object.
    Background,
    /// Too close to call, or inside a crowd: no target at all.
    Ignored,
}

/// Thresholds of the matcher.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchConfig {
    /// IoU from which a box stands for an object.
    pub foreground_iou: f32,
    /// IoU below which a box is background.
    pub background_iou: f32,
    /// Whether every object also takes the boxes that overlap it most, however little (the RPN's rule).
    pub best_for_each_object: bool,
}

/// A box of which more than this share lies in a crowd is ignored unless it stands for an object.
const CROWD_SHARE: f32 = 0.5;

/// Matches every box with the object that it overlaps most.
///
/// # Shapes
/// `candidates` `[B]`, `truth` `[G]` → `[B]`
pub fn assign_targets(
    candidates: &[[f32; 4]],
    truth: &[[f32; 4]],
    crowds: &[[f32; 4]],
    config: MatchConfig,
) -> Vec<Match> {
    let overlaps = ops::iou_matrix(truth, candidates);
    let columns = candidates.len();
    let mut matches = vec![Match::Background; columns];
    let mut best = vec![0.0f32; columns];
    let mut best_object = vec![0usize; columns];
    for object in 0..truth.len() {
        let row = &overlaps[object * columns..(object + 1) * columns];
        for (index, &iou) in row.iter().enumerate() {
            if iou > best[index] {
                best[index] = iou;
                best_object[index] = object;
            }
        }
    }
    for (index, found) in matches.iter_mut().enumerate() {
        if best[index] >= config.foreground_iou {
            *found = Match::Object(best_object[index]);
        } else if best[index] >= config.background_iou {
            *found = Match::Ignored;
        }
    }
    if config.best_for_each_object {
        for object in 0..truth.len() {
            let row = &overlaps[object * columns..(object + 1) * columns];
            let highest = row.iter().copied().fold(0.0, f32::max);
            for index in (0..columns).filter(|&index| highest > 0.0 && row[index] == highest) {
                matches[index] = Match::Object(best_object[index]);
            }
        }
    }
    for (found, candidate) in matches.iter_mut().zip(candidates) {
        let crowded = || crowds.iter().any(|&crowd| boxes::share_inside(*candidate, crowd) > CROWD_SHARE);
        if *found == Match::Background && crowded() {
            *found = Match::Ignored;
        }
    }
    matches
}

/// How many boxes of a picture train.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubsampleConfig {
    /// Boxes for each picture.
    pub per_image: usize,
    /// Largest share of foreground among them.
    pub foreground_fraction: f64,
}

/// Draws the boxes that train: up to the share of foreground, the rest background. Foreground comes first.
pub fn subsample(matches: &[Match], config: SubsampleConfig, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let of =
        |wanted: fn(&Match) -> bool| (0..matches.len()).filter(|&index| wanted(&matches[index])).collect::<Vec<_>>();
    let mut foreground = of(|found| matches!(found, Match::Object(_)));
    let mut background = of(|found| *found == Match::Background);
    let most = (config.per_image as f64 * config.foreground_fraction) as usize;
    draw(&mut foreground, most, rng);
    let rest = config.per_image.saturating_sub(foreground.len());
    draw(&mut background, rest, rng);
    foreground.extend(background);
    foreground
}

/// Keeps `count` random entries, in ascending order so that memory is read forward.
fn draw(indices: &mut Vec<usize>, count: usize, rng: &mut ChaCha8Rng) {
    if indices.len() > count {
        let (drawn, _) = indices.partial_shuffle(rng, count);
        *indices = drawn.to_vec();
        indices.sort_unstable();
    }
}
