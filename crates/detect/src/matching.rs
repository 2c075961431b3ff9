//! Which object an anchor or proposal stands for, and which of them train.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::boxes;
use crate::ops::overlap::{BoxColumns, LANES};

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

/// Candidates that one task compares with all objects.
const PIECE: usize = 4096;

/// Candidates of a task, with the object that each overlaps most.
struct Piece {
    columns: BoxColumns,
    best: Vec<[f32; LANES]>,
    best_object: Vec<[u32; LANES]>,
    /// The largest overlap of every object, `[G]`.
    highest: Vec<f32>,
}

impl Piece {
    fn new(boxes: &[[f32; 4]], truth: &[[f32; 4]]) -> Self {
        let columns = BoxColumns::new(boxes.iter().copied());
        let (mut best, mut best_object) = (vec![[0.0; LANES]; columns.blocks()], vec![[0; LANES]; columns.blocks()]);
        let highest = truth.iter().enumerate().map(|(object, bbox)| {
            let mut highest = [0.0_f32; LANES];
            columns.visit(0, *bbox, |block, overlaps| {
                let (best, best_object) = (&mut best[block], &mut best_object[block]);
                for i in 0..LANES {
                    let better = overlaps[i] > best[i];
                    best_object[i] = if better { object as u32 } else { best_object[i] };
                    best[i] = if better { overlaps[i] } else { best[i] };
                    highest[i] = if overlaps[i] > highest[i] { overlaps[i] } else { highest[i] };
                }
            });
            highest.into_iter().fold(0.0, f32::max)
        });
        let highest = highest.collect();
        Self { columns, best, best_object, highest }
    }

    /// Overlap of a candidate with its best object, and which object that is; the first of several.
    fn best(&self, index: usize) -> (f32, usize) {
        let (block, lane) = (index / LANES, index % LANES);
        (self.best[block][lane], self.best_object[block][lane] as usize)
    }
}

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
    let pieces: Vec<Piece> = candidates.par_chunks(PIECE).map(|boxes| Piece::new(boxes, truth)).collect();
    let mut matches = vec![Match::Background; candidates.len()];
    for (piece, matches) in pieces.iter().zip(matches.chunks_mut(PIECE)) {
        for (index, found) in matches.iter_mut().enumerate() {
            let (iou, object) = piece.best(index);
            if iou >= config.foreground_iou {
                *found = Match::Object(object);
            } else if iou >= config.background_iou {
                *found = Match::Ignored;
            }
        }
    }
    if config.best_for_each_object {
        for (object, bbox) in truth.iter().enumerate() {
            let highest = pieces.iter().fold(0.0, |highest: f32, piece| highest.max(piece.highest[object]));
            if highest <= 0.0 {
                continue;
            }
            for (piece, matches) in pieces.iter().zip(matches.chunks_mut(PIECE)) {
                // The same bits come out again, so that only pieces with a best box have to be looked through.
                if piece.highest[object] == highest {
                    piece.columns.visit(0, *bbox, |block, overlaps| {
                        let found = matches.iter_mut().enumerate().skip(block * LANES);
                        for ((index, found), _) in found.zip(overlaps).filter(|(_, iou)| **iou == highest) {
                            *found = Match::Object(piece.best(index).1);
                        }
                    });
                }
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
