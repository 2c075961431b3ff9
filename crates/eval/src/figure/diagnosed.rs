//! The runs whose diagnosis is drawn: the first of every title, so that seeds of one method do not crowd out the others.

use super::ink::{Series, series};
use crate::diagnosis::{Diagnosis, GroupDiagnosis};
use crate::record::RunRecord;

use equipoise_data::Group;

/// More runs than this would make figures that nobody reads; the others are in their `diagnosis.json`.
pub(super) const MOST_RUNS: usize = 4;

/// The groups, from the tail to the head.
pub(super) const GROUPS: [Group; 3] = [Group::Rare, Group::Common, Group::Frequent];

/// A run with its diagnosis and its colour.
pub(super) struct Diagnosed<'a> {
    pub run: &'a RunRecord,
    pub diagnosis: &'a Diagnosis,
    pub series: Series,
}

impl<'a> Diagnosed<'a> {
    /// What is known about a group; `None` for all classes.
    pub fn group(&self, group: Option<Group>) -> Option<&'a GroupDiagnosis> {
        self.diagnosis.groups.iter().find(|g| g.group == group)
    }
}

/// The diagnosed runs that are drawn.
pub(super) fn diagnosed(runs: &[RunRecord]) -> Vec<Diagnosed<'_>> {
    let mut found: Vec<Diagnosed> = Vec::new();
    for (run, series) in runs.iter().zip(series(runs)) {
        let Some(diagnosis) = &run.diagnosis else { continue };
        let again = |d: &Diagnosed| !run.meta.title.is_empty() && d.run.meta.title == run.meta.title;
        if found.len() < MOST_RUNS && !found.iter().any(again) {
            found.push(Diagnosed { run, diagnosis, series });
        }
    }
    found
}
