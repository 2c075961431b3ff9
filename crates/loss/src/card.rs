//! The card of a loss: what a reader needs to choose it.

use crate::{LossError, Result};

/// A kind of head, by what its rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Proposals of a two-stage detector: a few hundred for each picture, most of them not quite background.
    Proposals,
    /// Anchors or points of a one-stage detector: ten thousands for each picture, nearly all of them easy background.
    Dense,
    /// Whole pictures of a classifier, each of one class.
    Pictures,
}

impl Head {
    /// As it stands in cards.
    pub fn name(self) -> &'static str {
        match self {
            Head::Proposals => "two-stage detectors",
            Head::Dense => "one-stage detectors",
            Head::Pictures => "plain classification",
        }
    }
}

/// Title, source, formula, state and defaults of a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Name in recipes and on the command line.
    pub name: &'static str,
    /// Title in tables and figures.
    pub title: &'static str,
    /// One sentence: what it does and for whom.
    pub summary: &'static str,
    /// Paper with venue and arXiv id.
    pub paper: &'static str,
    /// The heads it is made for.
    pub heads: &'static [Head],
    /// What it must know of the training set.
    pub needs: &'static str,
    /// The formula in plain text.
    pub formula: &'static str,
    /// How class scores are made at inference.
    pub scores: &'static str,
    /// What it remembers between steps.
    pub state: &'static str,
    /// Options: name, default, meaning with source.
    pub options: &'static [(&'static str, &'static str, &'static str)],
    /// What goes wrong easily.
    pub traps: &'static str,
}

impl Card {
    /// The heads it is made for, as text.
    pub fn heads_text(&self) -> String {
        self.heads.iter().map(|head| head.name()).collect::<Vec<_>>().join(", ")
    }

    /// An error unless the option is a probability strictly between 0 and 1.
    pub(crate) fn demand_probability(&self, option: &str, value: f64) -> Result<()> {
        self.demand(option, value, value > 0.0 && value < 1.0, "a probability strictly between 0 and 1")
    }

    /// An error unless the option is at least 0.
    pub(crate) fn demand_least(&self, option: &str, value: f64) -> Result<()> {
        self.demand(option, value, value >= 0.0, "at least 0")
    }

    /// An error unless the option is above 0.
    pub(crate) fn demand_above(&self, option: &str, value: f64) -> Result<()> {
        self.demand(option, value, value > 0.0, "above 0")
    }

    /// An error that names the option unless its value is finite and `in_range`.
    pub(crate) fn demand(&self, option: &str, value: f64, in_range: bool, expected: &str) -> Result<()> {
        if value.is_finite() && in_range {
            return Ok(());
        }
        Err(LossError::Option { loss: self.name, reason: format!("`{option}` must be {expected}, but is {value}") })
    }
}
