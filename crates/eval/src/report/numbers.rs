//! The numbers inside the page that its script draws from: every class, and of each run its scores and its ratios at every snapshot.

use equipoise_data::{Dataset, Group};
use serde::Serialize;

use super::comparison::contenders;
use super::headline::challenger;
use crate::figure::ink::series;
use crate::figure::spread;
use crate::record::{RunRecord, ledger_steps};

/// More runs than this cannot be told apart in one moving figure.
pub(super) const MOST_RUNS: usize = 4;
/// Snapshots of a run: enough for a smooth slider, and a bound on the page.
const MOST_SNAPSHOTS: usize = 40;
/// Ratios are written in thousandths, and not beyond a thousand.
const UNIT: f64 = 1000.0;
const GREATEST: f64 = 1e6;

#[derive(Serialize)]
struct Numbers<'a> {
    classes: Vec<Class<'a>>,
    runs: Vec<Run>,
}

/// Name, group (0 rare, 1 common, 2 frequent), training pictures, training objects.
#[derive(Serialize)]
struct Class<'a>(&'a str, u8, u64, u64);

/// AP and AP50 in thousandths, and detections.
#[derive(Clone, Copy, Serialize)]
struct Score(Option<u32>, Option<u32>, u64);

#[derive(Serialize)]
struct Run {
    label: String,
    ink: &'static str,
    colour: &'static str,
    dash: Option<&'static str>,
    steps: Vec<u64>,
    /// For each step and class, in thousandths.
    ratios: Vec<Vec<Option<u32>>>,
    /// For each class.
    scores: Vec<Option<Score>>,
    /// For each class at the end: the weights of positives and negatives, in thousandths.
    weights: Vec<Option<(u32, u32)>>,
}

/// Places of the runs that the page can move: first seeds before second ones, baseline and challenger before others.
fn chosen(runs: &[RunRecord]) -> Vec<usize> {
    let contenders = contenders(runs);
    let pair = [contenders.first(), challenger(&contenders)].map(|one| one.map(|one| &one.title));
    let mut places = Vec::new();
    for contender in &contenders {
        for (seed, of) in contender.runs.iter().enumerate() {
            let at = runs.iter().position(|run| std::ptr::eq(run, *of)).expect("a contender's runs are of these");
            places.push((seed, !pair.contains(&Some(&contender.title)), at));
        }
    }
    places.retain(|(.., at)| !runs[*at].ledger.is_empty() || !runs[*at].classes.is_empty());
    places.sort_unstable();
    let mut chosen: Vec<usize> = places.into_iter().take(MOST_RUNS).map(|(.., at)| at).collect();
    chosen.sort_unstable();
    chosen
}

/// The element that holds the numbers.
pub(super) fn element(runs: &[RunRecord], train: &Dataset) -> String {
    let classes = train.categories.iter().map(|c| Class(&c.name, group(c.group), c.images, c.instances)).collect();
    let inks = series(runs);
    let known = train.num_classes();
    let runs = chosen(runs)
        .into_iter()
        .map(|at| {
            let (run, series) = (&runs[at], inks[at].clone());
            let (steps, ratios, weights) = ledger(run, known);
            Run {
                label: series.label,
                ink: series.ink.name,
                colour: series.ink.light,
                dash: series.dash,
                steps,
                ratios,
                scores: scores(run, known),
                weights,
            }
        })
        .collect();
    let json = serde_json::to_string(&Numbers { classes, runs }).unwrap_or_else(|_| "null".into());
    // Inside a script element only `<` could end it or begin a comment.
    format!("<script type=\"application/json\" id=\"numbers\">{}</script>\n", json.replace('<', "\\u003c"))
}

fn group(group: Group) -> u8 {
    match group {
        Group::Rare => 0,
        Group::Common => 1,
        Group::Frequent => 2,
    }
}

fn thousandths(value: f64) -> Option<u32> {
    (!value.is_nan()).then(|| (value * UNIT).round().clamp(0.0, GREATEST) as u32)
}

type Ledger = (Vec<u64>, Vec<Vec<Option<u32>>>, Vec<Option<(u32, u32)>>);

/// Steps, ratios and the last weights. Rows of classes that the training set does not have are left out.
fn ledger(run: &RunRecord, known: usize) -> Ledger {
    let steps = spread(&ledger_steps(&run.ledger), MOST_SNAPSHOTS);
    let mut ratios = vec![vec![None; known]; steps.len()];
    let mut weights = vec![None; known];
    for row in run.ledger.iter().filter(|row| row.class_index < known) {
        let Ok(at) = steps.binary_search(&row.step) else { continue };
        ratios[at][row.class_index] = thousandths(row.ratio);
        if at + 1 == steps.len() {
            weights[row.class_index] = thousandths(row.q).zip(thousandths(row.r));
        }
    }
    (steps, ratios, weights)
}

fn scores(run: &RunRecord, known: usize) -> Vec<Option<Score>> {
    let mut scores = vec![None; if run.classes.is_empty() { 0 } else { known }];
    for row in run.classes.iter().filter(|row| row.class_index < known) {
        scores[row.class_index] =
            Some(Score(row.ap.and_then(thousandths), row.ap50.and_then(thousandths), row.detections));
    }
    scores
}
