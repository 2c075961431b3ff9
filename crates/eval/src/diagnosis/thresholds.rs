//! From which score on the detections of a class are worth showing: the lowest that keeps the precision asked for.
//!
//! A detector for long tails keeps detections that score far below 0.5, since a rare class seldom scores higher; a picture with all of them is unreadable, and
//! one threshold for all classes shows frequent ones only.

use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, Outcomes};

/// A threshold for each class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// The precision at IoU 0.50 that was asked for.
    pub precision: f64,
    /// By class, the lowest score that is shown; `None` where no score reaches the precision.
    pub classes: Vec<Option<f64>>,
    /// Classes without validation objects, or none of whose detections was judged: they have the threshold of all classes together.
    pub pooled: Vec<usize>,
}

impl Thresholds {
    /// Of the judged detections of a validation set.
    pub fn at(precision: f64, outcomes: &Outcomes) -> Self {
        let mut all: Vec<&Outcome> = outcomes.classes.iter().flat_map(|class| &class.found).collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        let shared = lowest(precision, all.into_iter());
        let mut pooled = Vec::new();
        let classes = outcomes
            .classes
            .iter()
            .enumerate()
            .map(|(class, found)| {
                let judged = found.found.iter().any(|outcome| outcome.ignored & 1 == 0);
                if found.num_objects() == 0 || !judged {
                    pooled.push(class);
                    return shared;
                }
                lowest(precision, found.found.iter())
            })
            .collect();
        Self { precision, classes, pooled }
    }

    /// Whether a detection of `class` is shown.
    pub fn shows(&self, class: usize, score: f64) -> bool {
        self.classes.get(class).is_some_and(|threshold| threshold.is_some_and(|least| score >= least))
    }
}

/// The lowest score whose detections, with all above it, are right as often as asked for; they come best first.
fn lowest<'a>(precision: f64, found: impl Iterator<Item = &'a Outcome>) -> Option<f64> {
    let (mut right, mut all, mut least) = (0_u64, 0_u64, None);
    let mut found = found.filter(|outcome| outcome.ignored & 1 == 0).peekable();
    while let Some(outcome) = found.next() {
        right += u64::from(outcome.hits & 1);
        all += 1;
        // Detections of one score are shown together or not at all.
        let last_of_score = found.peek().is_none_or(|next| next.score < outcome.score);
        if last_of_score && right as f64 >= precision * all as f64 {
            least = Some(outcome.score);
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::{Thresholds, lowest};
    use crate::outcome::{ClassOutcomes, Outcome, Outcomes};

    fn outcome(score: f64, hit: bool) -> Outcome {
        Outcome { found: 0, image: 0, score, hits: u16::from(hit), ignored: 0, object: None }
    }

    #[test]
    fn the_lowest_score_that_keeps_the_precision() {
        let found = [(0.9, true), (0.8, false), (0.7, true), (0.6, true), (0.5, false)].map(|(s, h)| outcome(s, h));
        let at = |precision| lowest(precision, found.iter());
        assert_eq!([at(1.0), at(0.75), at(0.6), at(0.0)], [Some(0.9), Some(0.6), Some(0.5), Some(0.5)]);
        // Of two equal scores neither is shown alone.
        let tied = [outcome(0.9, true), outcome(0.9, false)];
        assert_eq!([lowest(1.0, tied.iter()), lowest(0.5, tied.iter())], [None, Some(0.9)]);
        let ignored = [Outcome { ignored: 1, ..outcome(0.9, false) }, outcome(0.4, true)];
        assert_eq!(lowest(1.0, ignored.iter()), Some(0.4));
    }

    #[test]
    fn a_class_that_nothing_is_known_of_has_the_threshold_of_all() {
        let found = vec![outcome(0.9, true), outcome(0.2, false)];
        let known = ClassOutcomes { found, objects: vec![(0, 1)] };
        let hopeless = ClassOutcomes { found: vec![outcome(0.1, false)], objects: vec![(0, 1)] };
        let outcomes = Outcomes { classes: vec![known, ClassOutcomes::default(), hopeless], ..Outcomes::default() };
        let thresholds = Thresholds::at(0.9, &outcomes);
        assert_eq!(thresholds.classes, [Some(0.9), Some(0.9), None]);
        assert_eq!(thresholds.pooled, [1]);
        assert!(thresholds.shows(0, 0.9) && !thresholds.shows(0, 0.8) && !thresholds.shows(2, 1.0));
    }
}
