//! The comparison as a terminal shows it.

use super::comparison::{Contender, contenders};
use crate::record::RunRecord;
use crate::table::{Align, Table, percent, points};

const COLUMNS: [&str; 7] = ["AP", "AP50", "AP75", "APr", "APc", "APf", "AR"];

/// Scores in %, a row for each run title (means where several runs share one), and under every row but the first its difference to the first in points.
pub fn comparison_table(runs: &[RunRecord]) -> Table {
    let contenders = contenders(runs);
    let heads: Vec<(&str, Align)> =
        std::iter::once(("run", Align::Left)).chain(COLUMNS.map(|key| (key, Align::Right))).collect();
    let mut table = Table::new(&heads);
    for (at, contender) in contenders.iter().enumerate() {
        table.row(&cells(name(contender), |key| percent(contender.metric(key))));
        if let Some(baseline) = contenders.first().filter(|_| at > 0) {
            let difference = |key: &str| Some(contender.metric(key)? - baseline.metric(key)?);
            table.row(&cells(format!("  vs {}", baseline.title), |key| points(difference(key))));
        }
    }
    table
}

fn cells(name: String, value: impl Fn(&str) -> String) -> Vec<String> {
    std::iter::once(name).chain(COLUMNS.map(value)).collect()
}

fn name(contender: &Contender) -> String {
    match contender.runs.len() {
        1 => contender.title.clone(),
        n => format!("{} (mean of {n})", contender.title),
    }
}
