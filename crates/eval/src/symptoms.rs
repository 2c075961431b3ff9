//! What a run's own numbers say is wrong with it, while it goes on and afterwards.
//!
//! People who port EQL v2 and its relatives meet two silent failures: ratios that never move, since the ledger is fed from the wrong tensor or not at all, and
//! ratios that are saturated for all classes, so that the loss is another one in disguise. Both are visible in the ledger long before the scores are.

use std::fmt;

use crate::record::{LedgerRow, RunRecord, final_ledger, ledger_steps, snapshot};

/// Before so many steps a ratio is still that of the start, and nothing is said about it.
pub const FEW_STEPS: u64 = 300;
/// A ratio that changed by less than this share of itself has not moved.
const STILL: f64 = 0.01;
/// `r` of EQL v2 (arXiv 2012.08548, equation 8) beyond these is as good as 1 or 0.
const SATURATED: (f64, f64) = (0.05, 0.95);
/// Logged steps that a rise of the loss needs, and the share of them at either end that is compared.
const LEAST_ROWS: usize = 40;
const ENDS: usize = 8;
const RISE: f64 = 1.1;
/// Names that a sentence lists.
const NAMES: usize = 3;

/// Something that is wrong with a run, or very likely so. `Display` gives a sentence with its numbers and what to look at.
#[derive(Clone, Debug, PartialEq)]
pub enum Symptom {
    /// A logged loss is no number.
    NotFinite {
        /// The first step of it.
        step: u64,
    },
    /// No class of the ledger ever got a gradient.
    NoGradients {
        /// The last snapshot.
        step: u64,
    },
    /// No ratio changed between the first and the last snapshot.
    NeverMoved {
        /// The first and the last snapshot.
        steps: (u64, u64),
        /// Classes.
        classes: usize,
        /// The largest change, as a share.
        largest: f64,
    },
    /// A loss that weighs by the ratio weighs every class as if it were in balance: it does nothing.
    SaturatedHigh {
        /// The last snapshot.
        step: u64,
        /// Classes.
        classes: usize,
        /// The least ratio.
        least: f64,
    },
    /// A loss that weighs by the ratio has switched the negatives of every class off, frequent ones included.
    SaturatedLow {
        /// The last snapshot.
        step: u64,
        /// Classes.
        classes: usize,
        /// The greatest ratio.
        greatest: f64,
    },
    /// Classes with training objects that never gave a positive gradient.
    NeverPositive {
        /// The last snapshot.
        step: u64,
        /// Their names, those with most instances first.
        names: Vec<String>,
    },
    /// The loss is higher at the end than it was at the start.
    LossRose {
        /// Mean of the first logged steps.
        from: f64,
        /// Mean of the last logged steps.
        to: f64,
    },
}

/// What is wrong with a run, the worst first; empty for a run that looks well or has only begun.
pub fn symptoms(run: &RunRecord) -> Vec<Symptom> {
    let broken = run.history.iter().find(|row| !row.loss.is_finite()).map(|row| Symptom::NotFinite { step: row.step });
    let mut found: Vec<Symptom> = broken.into_iter().collect();
    found.extend(of_the_ledger(&run.ledger));
    found.extend(of_the_loss(run));
    found
}

fn of_the_ledger(ledger: &[LedgerRow]) -> Vec<Symptom> {
    let (steps, last) = (ledger_steps(ledger), final_ledger(ledger));
    let (Some(&first), Some(&step)) = (steps.first(), steps.last()) else { return Vec::new() };
    if step < FEW_STEPS {
        return Vec::new();
    }
    let fed: Vec<&LedgerRow> = last.iter().copied().filter(|row| row.positive > 0.0 || row.negative > 0.0).collect();
    if fed.is_empty() {
        return vec![Symptom::NoGradients { step }];
    }
    let mut found = Vec::new();
    if step >= 2 * first {
        found.extend(never_moved(&snapshot(ledger, first), &fed, (first, step)));
    }
    found.extend(saturated(&fed, step));
    let mut unseen: Vec<&LedgerRow> =
        last.iter().copied().filter(|row| row.instances > 0 && row.positive == 0.0).collect();
    unseen.sort_by_key(|row| (std::cmp::Reverse(row.instances), row.class_index));
    if !unseen.is_empty() {
        found.push(Symptom::NeverPositive { step, names: unseen.iter().map(|row| row.name.clone()).collect() });
    }
    found
}

fn never_moved(first: &[&LedgerRow], last: &[&LedgerRow], steps: (u64, u64)) -> Option<Symptom> {
    let change = |row: &&LedgerRow| {
        let at = first.binary_search_by_key(&row.class_index, |other| other.class_index).ok()?;
        let before = first[at].ratio;
        Some(if before == row.ratio { 0.0 } else { (row.ratio - before).abs() / before.abs().max(1e-12) })
    };
    let changes: Vec<f64> = last.iter().filter_map(change).collect();
    let largest = changes.iter().copied().reduce(f64::max)?;
    (largest < STILL).then_some(Symptom::NeverMoved { steps, classes: changes.len(), largest })
}

/// Only a loss that weighs can be saturated: for any other both weights are 1 throughout.
fn saturated(rows: &[&LedgerRow], step: u64) -> Option<Symptom> {
    if rows.len() < 2 || rows.iter().all(|row| row.q == 1.0 && row.r == 1.0) {
        return None;
    }
    let classes = rows.len();
    let ratios = || rows.iter().map(|row| row.ratio);
    if rows.iter().all(|row| row.r > SATURATED.1) {
        return Some(Symptom::SaturatedHigh { step, classes, least: ratios().fold(f64::INFINITY, f64::min) });
    }
    let low = rows.iter().all(|row| row.r < SATURATED.0);
    low.then(|| Symptom::SaturatedLow { step, classes, greatest: ratios().fold(0.0, f64::max) })
}

fn of_the_loss(run: &RunRecord) -> Option<Symptom> {
    let rows = &run.history;
    if rows.len() < LEAST_ROWS {
        return None;
    }
    let part = rows.len() / ENDS;
    let mean = |rows: &[crate::record::HistoryRow]| rows.iter().map(|row| row.loss).sum::<f64>() / rows.len() as f64;
    let (from, to) = (mean(&rows[..part]), mean(&rows[rows.len() - part..]));
    (to > RISE * from).then_some(Symptom::LossRose { from, to })
}

impl fmt::Display for Symptom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { step } => write!(
                f,
                "The loss of step {step} is not a number: lower the learning rate, lengthen the warm-up, or look for boxes without area with `data doctor`."
            ),
            Self::NoGradients { step } => write!(
                f,
                "No class had a gradient in {step} steps: the ledger is not fed, or no proposal reaches the classification loss."
            ),
            Self::NeverMoved { steps: (first, last), classes, largest } => write!(
                f,
                "Ratio never moved: between steps {first} and {last} no ratio of {classes} classes changed by 1 % (the most: {:.2} %). \
                 The ledger is fed from the wrong tensor, or its sums are not committed.",
                100.0 * largest
            ),
            Self::SaturatedHigh { step, classes, least } => write!(
                f,
                "Saturated for all classes: at step {step} each of {classes} ratios is at least {least:.2}, so the loss weighs every class as one in balance and acts \
                 like the loss it is built on. More proposals for each object, or a longer training, bring the tail out of balance."
            ),
            Self::SaturatedLow { step, classes, greatest } => write!(
                f,
                "Saturated for all classes: at step {step} none of {classes} ratios is above {greatest:.2}, so the negatives of frequent classes are switched off too. \
                 A lower `mu` or an initial bias of a higher prior keeps them."
            ),
            Self::NeverPositive { step, names } => write!(
                f,
                "{} with training objects had no positive gradient in {step} steps ({}): their pictures have not come up, or no proposal is matched to their boxes.",
                if names.len() == 1 { "1 class".to_string() } else { format!("{} classes", names.len()) },
                listed(names)
            ),
            Self::LossRose { from, to } => write!(
                f,
                "The loss rose from {from:.3} to {to:.3} over the run: lower the learning rate, or lengthen the warm-up."
            ),
        }
    }
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES { format!("{shown} and {} more", names.len() - NAMES) } else { shown }
}
