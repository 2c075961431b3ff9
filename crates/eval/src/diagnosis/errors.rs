//! What kind of mistake costs a class its AP: the error types of TIDE (Bolya et al., arXiv 2008.08115), for each class, so that they can be split by group.
//!
//! A false positive at IoU 0.50 is, in this order (that of the authors' `tidecv`): *location* when it overlaps an object of its class by 0.1 to 0.5; *class* when it
//! overlaps an object of another class by 0.5; *duplicate* when its object is found already; *background* when it overlaps nothing by more
//! than 0.1; else *both* wrong. An object that nothing found and no mended location or class would find is *missed*. What a kind costs is AP50 with it mended
//! minus AP50: the best wrong box of an object becomes right, all others of the kind vanish, missed objects leave the count.
//!
//! Differs from `tidecv`: a class of which every object is missed scores 1 without its misses, not 0. In a long tail these are the classes in question.

use std::collections::HashMap;

use equipoise_data::ClassIndex;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::outcome::{ClassOutcomes, Outcome, Outcomes, ap_101, overlap};

/// Overlap that makes a detection right, and the largest that is still background.
const RIGHT: f64 = 0.5;
const BACKGROUND: f64 = 0.1;

/// A kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Right place, wrong class.
    Class,
    /// Right class, loose box.
    Location,
    /// Loose box and wrong class.
    Both,
    /// The object was found already.
    Duplicate,
    /// Nothing is there.
    Background,
    /// An object that nothing found.
    Missed,
}

/// Every kind, in the order of the paper; `kind as usize` is its position.
pub const ERROR_KINDS: [ErrorKind; 6] = [
    ErrorKind::Class,
    ErrorKind::Location,
    ErrorKind::Both,
    ErrorKind::Duplicate,
    ErrorKind::Background,
    ErrorKind::Missed,
];

/// The mistakes of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassErrors {
    /// How often each kind occurs, by [`ERROR_KINDS`].
    pub counts: [u64; 6],
    /// AP50 that each kind costs; `None` for a class without objects.
    pub cost: Option<[f64; 6]>,
}

/// A picture and the position of an object in it.
type ObjectAt = (u32, u32);

/// A false positive, what it is, and the object that mending it would find.
#[derive(Clone, Copy)]
struct Mistake {
    kind: ErrorKind,
    target: Option<ObjectAt>,
}

/// The mistakes of every class, `[K]`.
pub fn class_errors(case: &Case, outcomes: &Outcomes) -> Vec<ClassErrors> {
    let hits: HashMap<ObjectAt, u32> =
        each(outcomes).filter_map(|(_, o)| Some(((o.image, o.object.filter(|_| o.hits & 1 == 1)?), o.found))).collect();
    let mistakes: HashMap<u32, Mistake> = each(outcomes)
        .filter(|(_, o)| (o.hits | o.ignored) & 1 == 0)
        .map(|(class, o)| (o.found, mistake(case, class, o, &hits)))
        .collect();
    let winners = winners(outcomes, &mistakes);
    let mut errors = vec![ClassErrors::default(); outcomes.classes.len()];
    for (class, outcome) in each(outcomes) {
        if let Some(mistake) = mistakes.get(&outcome.found) {
            errors[class].counts[mistake.kind as usize] += 1;
        }
    }
    for (image, objects) in case.objects.iter().enumerate() {
        for (at, object) in objects.iter().enumerate().filter(|(_, o)| !o.crowd) {
            let key = (image as u32, at as u32);
            let missed = !hits.contains_key(&key) && !winners.contains_key(&key);
            errors[object.class as usize].counts[ErrorKind::Missed as usize] += u64::from(missed);
        }
    }
    let incoming = incoming(case, outcomes, &mistakes, &winners);
    for (class, result) in errors.iter_mut().enumerate() {
        result.cost = cost(&outcomes.classes[class], result.counts, &incoming[class], &mistakes, &winners);
    }
    errors
}

fn each(outcomes: &Outcomes) -> impl Iterator<Item = (ClassIndex, &Outcome)> {
    outcomes.classes.iter().enumerate().flat_map(|(class, c)| c.found.iter().map(move |o| (class, o)))
}

fn mistake(case: &Case, class: ClassIndex, outcome: &Outcome, hits: &HashMap<ObjectAt, u32>) -> Mistake {
    let bbox = case.found[outcome.found as usize].bbox;
    // The largest overlap with an object of the class, and of any other.
    let (mut own, mut other) = ((0.0, None), (0.0, None));
    let mut twice = false;
    for (at, object) in case.objects[outcome.image as usize].iter().enumerate().filter(|(_, o)| !o.crowd) {
        let value = overlap(bbox, object.bbox, false);
        let key = (outcome.image, at as u32);
        let is_own = object.class as usize == class;
        let best = if is_own { &mut own } else { &mut other };
        if value > best.0 {
            *best = (value, Some(key));
        }
        twice |= is_own && value >= RIGHT && hits.contains_key(&key);
    }
    let (kind, target) = if (BACKGROUND..=RIGHT).contains(&own.0) {
        (ErrorKind::Location, own.1)
    } else if other.0 >= RIGHT {
        (ErrorKind::Class, other.1)
    } else if twice {
        (ErrorKind::Duplicate, None)
    } else if other.0 <= BACKGROUND {
        (ErrorKind::Background, None)
    } else {
        (ErrorKind::Both, None)
    };
    Mistake { kind, target: target.filter(|key| !hits.contains_key(key)) }
}

/// The best mistake of each object that mending would find: its score and detection.
fn winners(outcomes: &Outcomes, mistakes: &HashMap<u32, Mistake>) -> HashMap<ObjectAt, (f64, u32)> {
    let mut winners: HashMap<ObjectAt, (f64, u32)> = HashMap::new();
    for (_, outcome) in each(outcomes) {
        let Some(target) = mistakes.get(&outcome.found).and_then(|m| m.target) else { continue };
        let mine = (outcome.score, outcome.found);
        let best = winners.entry(target).or_insert(mine);
        if mine.0 > best.0 || (mine.0 == best.0 && mine.1 < best.1) {
            *best = mine;
        }
    }
    winners
}

/// Scores of the detections that would come to each class from others, falling.
fn incoming(
    case: &Case,
    outcomes: &Outcomes,
    mistakes: &HashMap<u32, Mistake>,
    winners: &HashMap<ObjectAt, (f64, u32)>,
) -> Vec<Vec<f64>> {
    let mut incoming = vec![Vec::new(); outcomes.classes.len()];
    for (&(image, at), &(score, found)) in winners {
        if mistakes.get(&found).is_some_and(|m| m.kind == ErrorKind::Class) {
            incoming[case.objects[image as usize][at as usize].class as usize].push(score);
        }
    }
    incoming.iter_mut().for_each(|scores| scores.sort_by(|a, b| b.total_cmp(a)));
    incoming
}

/// AP50 with each kind mended, minus AP50.
fn cost(
    class: &ClassOutcomes,
    counts: [u64; 6],
    incoming: &[f64],
    mistakes: &HashMap<u32, Mistake>,
    winners: &HashMap<ObjectAt, (f64, u32)>,
) -> Option<[f64; 6]> {
    let objects = class.num_objects();
    let base = class.ap_at(0)?;
    let judged = || class.found.iter().filter(|o| o.ignored & 1 == 0);
    let mended = |kind: ErrorKind| {
        let mut list: Vec<(f64, bool)> = Vec::new();
        for outcome in judged() {
            match mistakes.get(&outcome.found).filter(|m| m.kind == kind) {
                None => list.push((outcome.score, outcome.hits & 1 == 1)),
                Some(Mistake { kind: ErrorKind::Location, target: Some(target) })
                    if winners.get(target).is_some_and(|(_, found)| *found == outcome.found) =>
                {
                    list.push((outcome.score, true));
                }
                Some(_) => {}
            }
        }
        if kind == ErrorKind::Class {
            list.extend(incoming.iter().map(|score| (*score, true)));
            list.sort_by(|a, b| b.0.total_cmp(&a.0));
        }
        ap_101(list.into_iter().map(|(_, hit)| (hit, 1.0)), objects as f64)
    };
    let mut cost = [0.0; 6];
    for kind in ERROR_KINDS {
        let without = match kind {
            ErrorKind::Missed => {
                let left = objects - counts[ErrorKind::Missed as usize];
                ap_101(judged().map(|o| (o.hits & 1 == 1, 1.0)), left as f64).unwrap_or(1.0)
            }
            kind => mended(kind)?,
        };
        cost[kind as usize] = without - base;
    }
    Some(cost)
}
