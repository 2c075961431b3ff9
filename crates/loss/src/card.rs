//! The card of a loss: what a reader needs to choose it.

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
