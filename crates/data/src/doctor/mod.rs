//! What is wrong, odd or worth knowing about a data set before a training spends hours on it.
//!
//! Reading a data set refuses what no training could survive. [`examine`] looks for what a training survives and what then costs accuracy,
//! or makes the scores mean something else. Every finding says why it matters and what to do.
//!
//! | file | looks at |
//! |---|---|
//! | `untidy.rs` | what reading already counted in [`Dataset::warnings`] |
//! | `labels.rs` | categories: their names, and which set has them |
//! | `boxes.rs` | objects and images |
//! | `pictures.rs` | picture files: there, whole, each once, and whether training and validation share any |
//! | `repair.rs` | a copy without what is certainly wrong |
//!
//! The order of the findings is fixed: errors, warnings, notes, and within each the order above. Threads change nothing.

mod boxes;
mod labels;
mod pictures;
mod repair;
mod untidy;

pub use repair::{Repair, repair};

use crate::{Dataset, ImageRecord};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Training stops there, or its scores mean nothing.
    Error,
    /// Costs accuracy.
    Warning,
    /// Worth knowing; often intended.
    Note,
}

/// Something found in a data set, counted by kind.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What was found, as a plural noun phrase, with the set when two are examined: "boxes with no area in the validation set".
    pub what: String,
    /// How often.
    pub count: usize,
    /// The first one, with its ids.
    pub example: String,
    /// Why it matters, a sentence.
    pub why: String,
    /// What to do about it, a sentence.
    pub fix: String,
}

/// Examines a training set, and a validation set and what the two have in common when there is one.
///
/// Picture files are read, each in full, only when `pictures` is set: that takes as long as an epoch of loading. It uses rayon's threads.
pub fn examine(train: &Dataset, val: Option<&Dataset>, pictures: bool) -> Vec<Finding> {
    let places: &[(&Dataset, &str)] = match val {
        Some(val) => &[(train, " in the training set"), (val, " in the validation set")],
        None => &[(train, "")],
    };
    let mut findings = Vec::new();
    for &(dataset, place) in places {
        findings.extend(untidy::findings(dataset, place));
    }
    findings.extend(labels::findings(train, val));
    for &(dataset, place) in places {
        findings.extend(boxes::findings(dataset, place));
    }
    if pictures {
        for &(dataset, place) in places {
            findings.extend(pictures::findings(dataset, place));
        }
        findings.extend(val.and_then(|val| pictures::shared(train, val)));
    }
    // The sort is stable: within a severity the order stays.
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// A kind of finding.
struct Kind {
    severity: Severity,
    what: &'static str,
    why: &'static str,
    fix: &'static str,
}

impl Kind {
    /// The finding for `hits`, with `place` after the noun phrase and the first hit as example; `None` without a hit.
    fn found<T>(
        &self,
        place: &str,
        hits: impl IntoIterator<Item = T>,
        example: impl FnOnce(T) -> String,
    ) -> Option<Finding> {
        let mut hits = hits.into_iter();
        let example = example(hits.next()?);
        Some(Finding {
            severity: self.severity,
            what: format!("{}{place}", self.what),
            count: 1 + hits.count(),
            example,
            why: self.why.into(),
            fix: self.fix.into(),
        })
    }
}

/// Names an image by id and path.
fn image_name(image: &ImageRecord) -> String {
    format!("image {} (`{}`)", image.id.0, image.path.display())
}
