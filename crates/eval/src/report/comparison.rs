//! Runs grouped by title (seeds of one thing), and the table that compares them.

use equipoise_data::Group;

use super::text;
use crate::record::RunRecord;
use crate::table::{percent, points};

/// Metrics of the table.
const COLUMNS: [&str; 8] = ["AP", "AP50", "AP75", "APr", "APc", "APf", "AP50r", "AR"];

/// Runs of one title: the same thing with several seeds, or a single run.
pub(super) struct Contender<'a> {
    pub title: String,
    pub runs: Vec<&'a RunRecord>,
}

/// Groups runs by title, in order of first appearance.
pub(super) fn contenders(runs: &[RunRecord]) -> Vec<Contender<'_>> {
    let mut all: Vec<Contender> = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let named = [&run.meta.title, &run.meta.name].into_iter().find(|t| !t.is_empty());
        let title = named.cloned().unwrap_or(format!("run {}", at + 1));
        match all.iter_mut().find(|c| c.title == title) {
            Some(contender) => contender.runs.push(run),
            None => all.push(Contender { title, runs: vec![run] }),
        }
    }
    all
}

impl Contender<'_> {
    /// Mean over the runs that have the metric.
    pub fn metric(&self, key: &str) -> Option<f64> {
        mean(self.runs.iter().filter_map(|run| run.metric(key)))
    }

    /// Half the range of the metric over seeds; `None` for a single run.
    fn spread(&self, key: &str) -> Option<f64> {
        let values: Vec<f64> = self.runs.iter().filter_map(|run| run.metric(key)).collect();
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        (values.len() > 1).then_some((high - low) / 2.0)
    }

    /// AP of every class of a group, averaged over the runs that were scored, in the order of the classes.
    pub fn class_aps(&self, group: Option<Group>) -> Vec<Option<f64>> {
        let classes = self.runs.iter().map(|run| run.classes.len()).max().unwrap_or(0);
        let of_class = |class: usize| self.runs.iter().filter_map(move |run| run.classes.get(class));
        (0..classes)
            .filter(|&class| group.is_none_or(|g| of_class(class).any(|row| row.group == g)))
            .map(|class| mean(of_class(class).filter_map(|row| row.ap)))
            .collect()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The comparison: a row for each contender, the best of a column bold, differences to the first row below the value.
pub(super) fn table(contenders: &[Contender]) -> String {
    let best: Vec<Option<f64>> =
        COLUMNS.iter().map(|key| contenders.iter().filter_map(|c| c.metric(key)).max_by(f64::total_cmp)).collect();
    let heads: String = COLUMNS.iter().map(|key| format!("<th scope=\"col\">{key}</th>")).collect();
    let mut rows = String::new();
    for (at, contender) in contenders.iter().enumerate() {
        let baseline = contenders.first().filter(|_| at > 0);
        let cells: String =
            COLUMNS.iter().zip(&best).map(|(key, best)| cell(contender, baseline, key, *best)).collect();
        let seeds = match contender.runs.as_slice() {
            [run] => format!("seed {}", run.meta.seed),
            runs => format!("mean of {} runs", runs.len()),
        };
        rows += &format!("<tr><th scope=\"row\">{}<small>{seeds}</small></th>{cells}</tr>\n", text(&contender.title));
    }
    let seeds = contenders.iter().any(|c| c.runs.len() > 1);
    let seeds = if seeds { " ±: half the range over the runs of a row." } else { "" };
    format!(
        "<div class=\"wide\"><table class=\"numbers\"><thead><tr><th scope=\"col\">run</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n\
         <p class=\"aside\">In %, higher is better, best in bold; below it the difference to the first row in points. AP: mean over IoU 0.50 to 0.95 and all \
         classes. APr, APc, APf: the same over rare, common and frequent classes, so AP is not their mean. AP50r: rare classes at IoU 0.50. AR: average recall.{seeds}</p>\n"
    )
}

fn cell(contender: &Contender, baseline: Option<&Contender>, key: &str, best: Option<f64>) -> String {
    let value = contender.metric(key);
    let shown = match contender.spread(key) {
        Some(spread) => format!("{}<small>± {:.1}</small>", percent(value), 100.0 * spread),
        None => percent(value),
    };
    // Best as printed: two rows that look the same are both best.
    let strong = value.is_some() && percent(value) == percent(best);
    let shown = if strong { format!("<b>{shown}</b>") } else { shown };
    let difference = baseline.and_then(|b| Some(value? - b.metric(key)?));
    let below = difference.map_or_else(String::new, |d| {
        let class = if points(Some(d)).starts_with('+') {
            "up"
        } else if points(Some(d)).starts_with('−') {
            "down"
        } else {
            "even"
        };
        format!("<small class=\"{class}\">{}</small>", points(Some(d)))
    });
    format!("<td>{shown}{below}</td>")
}
