//! What reading the file already counted, with a reason and a way out.
//!
//! Objects given twice and categories without objects are counted anew in `boxes.rs` and `labels.rs`: those counts also hold for a data
//! set that was changed after reading.

use super::{Finding, Severity};
use crate::{Dataset, format};

/// Findings from the warnings of `dataset`.
pub fn findings(dataset: &Dataset, place: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for warning in dataset.warnings.iter().filter(|warning| !format::is_counted_elsewhere(&warning.what)) {
        let (why, fix) = format::advice(&warning.what)
            .unwrap_or(("The file is not what its format asks for.", "Correct the file, or export it anew."));
        findings.push(Finding {
            severity: if format::is_refused(&warning.what) { Severity::Error } else { Severity::Warning },
            what: format!("{}{place}", warning.what),
            count: warning.count,
            example: warning.example.clone(),
            why: format!("{why} When read they were {}.", warning.action),
            fix: fix.into(),
        });
    }
    findings
}
