//! Where the tail is lost: what becomes of the classes, what their mistakes cost, whose name they get, and whether their scores can be trusted.

use super::{page, text};
use crate::diagnosis::TailRow;
use crate::figure::ink::series;
use crate::figure::{Figure, class_fates, class_or_box, error_costs, reliability, top_confusions};
use crate::record::RunRecord;

/// More names than this are a wall of text; the table of every class has a filter for them.
const MOST_NAMES: usize = 40;

const FATES: &str = "A class that is never predicted cannot be found at any threshold; one that is swallowed is found under the name of a class with more training pictures.";
const ERRORS: &str = "Kinds of mistakes after TIDE: each is mended alone, so that the bars do not add up. “missed” are objects that nothing covers.";
const NAME_OR_BOX: &str =
    "Below the dashed line a class loses more to wrong names than to loose boxes. A click on a mark shows its class.";
const CONFUSIONS: &str = "Who takes the objects of whom. A click on a row shows the class.";
const RELIABILITY: &str = "Below the dashed line scores promise too much, above it too little; a detector whose tail lies apart from its head cannot have one threshold for both. \
The calibration error is the mean distance from the line, weighed by detections, in points.";

/// The figures, in the order of the page, with what stands above each.
pub(super) fn figures(runs: &[RunRecord]) -> Vec<(Figure, &'static str)> {
    let all = [
        (class_fates(runs), FATES),
        (error_costs(runs), ERRORS),
        (class_or_box(runs), NAME_OR_BOX),
        (top_confusions(runs), CONFUSIONS),
        (reliability(runs), RELIABILITY),
    ];
    all.into_iter().filter_map(|(figure, above)| Some((figure?, above))).collect()
}

/// The section; `None` when no run was diagnosed.
pub(super) fn section(runs: &[RunRecord], figures: &[(Figure, &'static str)]) -> Option<String> {
    let diagnosed = runs.iter().filter(|run| run.diagnosis.is_some()).count();
    if diagnosed == 0 {
        return None;
    }
    let mut html = String::new();
    for (at, (figure, above)) in figures.iter().enumerate() {
        html += &page::figure(figure, above);
        if at == 0 {
            html += &silent(runs);
        }
    }
    let more = if diagnosed > 1 {
        " Of several seeds the first is drawn, of more than four methods the first four."
    } else {
        ""
    };
    html += &format!(
        "<p class=\"aside\">Everything at IoU 0.50, on the detections that the protocol judges.{more} All of it is in the files <code>tail.csv</code> and \
         <code>diagnosis.json</code> of each run.</p>\n"
    );
    Some(html)
}

/// Names of the classes that a run never predicts, and of those that the validation set does not have.
fn silent(runs: &[RunRecord]) -> String {
    let mut items = String::new();
    let mut item = |head: String, names: Vec<&TailRow>| {
        if !names.is_empty() {
            items += &format!("<li><b>{head}</b> {}</li>\n", links(&names));
        }
    };
    for (run, series) in runs.iter().zip(series(runs)) {
        let rows = run.diagnosis.iter().flat_map(|diagnosis| &diagnosis.classes);
        item(
            format!("{} never predicts:", text(&series.label)),
            rows.filter(|row| row.never_predicted && !row.never_in_validation).collect(),
        );
    }
    // The validation set is the same for all runs.
    if let Some(diagnosis) = runs.iter().find_map(|run| run.diagnosis.as_ref()) {
        let unseen = diagnosis.classes.iter().filter(|row| row.never_in_validation).collect();
        item("Never in the validation set, so without a score:".into(), unseen);
    }
    if items.is_empty() { items } else { format!("<ul class=\"silent\">\n{items}</ul>\n") }
}

/// The rarest first, each with its class behind a click.
fn links(rows: &[&TailRow]) -> String {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| (row.train_images, row.class_index));
    let shown = rows.iter().take(MOST_NAMES).map(|row| {
        format!(
            "<button type=\"button\" class=\"link\" data-class=\"{}\">{}</button>",
            row.class_index,
            text(&row.name)
        )
    });
    let names = shown.collect::<Vec<_>>().join(", ");
    match rows.len().saturating_sub(MOST_NAMES) {
        0 => names,
        more => format!("{names} and {more} more: the table of every class can show them"),
    }
}
