//! The table of every class, rarest first: it is searched, filtered and sorted in place.

use super::text;
use crate::figure::ink::{group_name, series};
use crate::record::{ClassRow, RunRecord, final_ledger};
use crate::table::percent;

/// More runs than this would make the table wider than a page; the others are in their `classes.csv`.
const MOST_RUNS: usize = 4;

/// What the script of the page makes work; hidden without it.
const CONTROLS: &str = "<form class=\"controls\" role=\"search\" aria-label=\"Classes\"><label>Search <input type=\"search\" id=\"find\" placeholder=\"part of a name\" \
autocomplete=\"off\"></label><label>Group <select id=\"of-group\"><option value=\"\">all</option><option>rare</option><option>common</option><option>frequent</option></select>\
</label><label>Show <select id=\"only\"><option value=\"\">all classes</option><option value=\"never\">never claimed by a run</option><option value=\"zero\">AP 0 in a run</option>\
<option value=\"unseen\">without validation objects</option></select></label><output id=\"shown\" for=\"find of-group only\"></output></form>\n";

/// The table; `None` when no run was scored.
pub(super) fn table(runs: &[RunRecord]) -> Option<String> {
    let labels = series(runs);
    let scored: Vec<(&RunRecord, &str)> = runs
        .iter()
        .zip(&labels)
        .filter(|(run, _)| !run.classes.is_empty())
        .map(|(run, series)| (run, series.label.as_str()))
        .take(MOST_RUNS)
        .collect();
    let mut order: Vec<&ClassRow> = scored.first()?.0.classes.iter().collect();
    order.sort_by_key(|c| (c.train_images, c.train_instances, c.class_index));
    let groups: String =
        scored.iter().map(|(_, label)| format!("<th colspan=\"4\" scope=\"colgroup\">{}</th>", text(label))).collect();
    let fixed = ["class", "group", "pictures", "objects", "val objects"];
    let each = ["AP", "AP50", "claims", "g"];
    let heads: String = fixed
        .into_iter()
        .chain(scored.iter().flat_map(|_| each))
        .map(|name| format!("<th scope=\"col\" data-name=\"{name}\"><button type=\"button\">{name}</button></th>"))
        .collect();
    let ratios: Vec<Vec<Option<f64>>> = scored.iter().map(|(run, _)| ratios(run)).collect();
    let rows: String = order.iter().map(|class| row(class, &scored, &ratios)).collect();
    Some(format!(
        "<p>Rarest first. “pictures” and “objects” are of the training set, “claims” counts the detections of the class on the validation set, g is the \
         gradient ratio at the end. A class that a detector never claims is marked. A click on a column sorts by it, a click on a name shows the class.</p>\n{CONTROLS}\
         <div class=\"wide tall\" tabindex=\"0\" role=\"region\" aria-label=\"Table of every class\"><table class=\"classes\"><caption class=\"hidden\">Every class with its \
         counts and scores</caption><thead><tr><td colspan=\"5\"></td>{groups}</tr><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    ))
}

fn ratios(run: &RunRecord) -> Vec<Option<f64>> {
    let ledger = final_ledger(&run.ledger);
    let of = |class| ledger.binary_search_by_key(&class, |row| row.class_index).ok().map(|at| ledger[at].ratio);
    run.classes.iter().map(|c| of(c.class_index)).collect()
}

fn row(class: &ClassRow, scored: &[(&RunRecord, &str)], ratios: &[Vec<Option<f64>>]) -> String {
    let group = group_name(class.group);
    let mut cells = format!(
        "<th scope=\"row\"><button type=\"button\" class=\"link\" data-class=\"{}\">{}</button></th><td><span class=\"chip {group}\">{group}</span></td>\
         <td>{}</td><td>{}</td><td>{}</td>",
        class.class_index,
        text(&class.name),
        class.train_images,
        class.train_instances,
        class.val_objects
    );
    for ((run, _), ratios) in scored.iter().zip(ratios) {
        let at = run.classes.iter().position(|other| other.class_index == class.class_index);
        let (Some(own), Some(ratio)) = (at.map(|at| &run.classes[at]), at.map(|at| ratios[at])) else {
            cells += "<td></td><td></td><td></td><td></td>";
            continue;
        };
        let claims =
            if own.detections == 0 { "<span class=\"missed\">never</span>".into() } else { own.detections.to_string() };
        let ratio = ratio.map_or_else(|| "–".into(), |g| format!("{g:.2}"));
        cells +=
            &format!("<td>{}</td><td>{}</td><td>{claims}</td><td>{ratio}</td>", percent(own.ap), percent(own.ap50));
    }
    format!("<tr>{cells}</tr>\n")
}
