//! The card of a loss: what a reader needs to choose it.

use crate::{LossError, Result};

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
    /// An error that names the option unless its value is finite and `in_range`.
    pub(crate) fn demand(&self, option: &str, value: f64, in_range: bool, expected: &str) -> Result<()> {
        if value.is_finite() && in_range {
            return Ok(());
        }
        Err(LossError::Option { loss: self.name, reason: format!("`{option}` must be {expected}, but is {value}") })
    }
}
