//! Runs grouped by title (seeds of one thing), and the leaderboard of the page.

use std::borrow::Cow;

use equipoise_data::Group;

use super::leaderboard::{Column, Difference, MetricStanding, metric};
use super::text;
use crate::record::RunRecord;
use crate::table::{percent, points};

/// Metrics of the table.
const COLUMNS: [Column; 8] = [
    ("AP", Some(None)),
    ("APr", Some(Some(Group::Rare))),
    ("APc", Some(Some(Group::Common))),
    ("APf", Some(Some(Group::Frequent))),
    ("AP50", None),
    ("AP75", None),
    ("AP50r", None),
    ("AR", None),
];

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

/// More curves than this cannot be told apart when several are of one thing.
const MOST_CURVES: usize = 8;

/// The runs that figures with a curve for each run draw: of many runs only the first seed of each contender.
pub(super) fn drawn<'a>(runs: &'a [RunRecord], contenders: &[Contender]) -> Cow<'a, [RunRecord]> {
    if runs.len() <= MOST_CURVES || contenders.len() == runs.len() {
        return Cow::Borrowed(runs);
    }
    contenders.iter().map(|contender| contender.runs[0].clone()).collect()
}

impl Contender<'_> {
    /// Mean over the runs that have the metric.
    pub fn metric(&self, key: &str) -> Option<f64> {
        mean(self.runs.iter().filter_map(|run| run.metric(key)))
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

/// A row for each contender, the best AP first, the best of a column bold; below each value how far it is from the first contender, the
/// baseline. The script of the page sorts it by other columns.
pub(super) fn table(contenders: &[Contender]) -> String {
    let mut rows: Vec<(&Contender, Vec<MetricStanding>)> = contenders
        .iter()
        .enumerate()
        .map(|(at, contender)| {
            let baseline = contenders.first().filter(|_| at > 0);
            (contender, COLUMNS.iter().map(|column| metric(contender, baseline, *column)).collect())
        })
        .collect();
    // Unscored ones last; equals in the order in which they were named.
    rows.sort_by(|(_, a), (_, b)| b[0].mean.unwrap_or(-1.0).total_cmp(&a[0].mean.unwrap_or(-1.0)));
    let best: Vec<Option<f64>> =
        (0..COLUMNS.len()).map(|at| rows.iter().filter_map(|(_, m)| m[at].mean).max_by(f64::total_cmp)).collect();
    let sortable = contenders.len() > 1;
    let heads: String =
        std::iter::once("method").chain(COLUMNS.map(|(name, _)| name)).map(|name| head(name, sortable)).collect();
    let body: String = rows.iter().map(|(contender, metrics)| row(contender, metrics, &best, contenders)).collect();
    let class = if sortable { "numbers leaders" } else { "numbers" };
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Leaderboard\"><table class=\"{class}\"><thead><tr>{heads}</tr></thead>\n\
         <tbody>\n{body}</tbody></table></div>\n<p class=\"aside\">{}</p>\n",
        key(contenders, &rows)
    )
}

fn head(name: &str, sortable: bool) -> String {
    if !sortable {
        return format!("<th scope=\"col\">{name}</th>");
    }
    let sorted = if name == "AP" { " aria-sort=\"descending\"" } else { "" };
    format!("<th scope=\"col\" data-name=\"{name}\"{sorted}><button type=\"button\">{name}</button></th>")
}

fn row(contender: &Contender, metrics: &[MetricStanding], best: &[Option<f64>], contenders: &[Contender]) -> String {
    let seeds = match contender.runs.as_slice() {
        [run] => format!("seed {}", run.meta.seed),
        runs => format!("mean of {} runs", runs.len()),
    };
    let baseline = contenders.len() > 1 && contenders[0].title == contender.title;
    let baseline = if baseline { ", baseline" } else { "" };
    let cells: String = metrics.iter().zip(best).map(|(metric, best)| cell(metric, *best)).collect();
    format!("<tr><th scope=\"row\">{}<small>{seeds}{baseline}</small></th>{cells}</tr>\n", text(&contender.title))
}

fn cell(metric: &MetricStanding, best: Option<f64>) -> String {
    let shown = match metric.deviation {
        Some(deviation) => format!("{}<small>± {:.1}</small>", percent(metric.mean), 100.0 * deviation),
        None => percent(metric.mean),
    };
    // Best as printed: two rows that look the same are both best.
    let strong = metric.mean.is_some() && percent(metric.mean) == percent(best);
    let shown = if strong { format!("<b>{shown}</b>") } else { shown };
    format!("<td>{shown}{}</td>", metric.difference.map_or_else(String::new, difference))
}

/// In points, and below it where 95 of 100 draws of the classes put it.
fn difference(difference: Difference) -> String {
    let told = points(Some(difference.mean));
    let class = match told.chars().next() {
        Some('+') => "up",
        Some('−') => "down",
        _ => "even",
    };
    let interval = difference.interval.map_or_else(String::new, |ends| {
        format!("<small class=\"interval\">{}</small>", ends.map(|end| points(Some(end))).join(" to "))
    });
    format!("<small class=\"{class}\">{told}</small>{interval}")
}

/// What the numbers mean, as far as they are there.
fn key(contenders: &[Contender], rows: &[(&Contender, Vec<MetricStanding>)]) -> String {
    let mut key = String::from("In %, higher is better");
    if let (true, Some(baseline)) = (contenders.len() > 1, contenders.first()) {
        key += &format!(
            ", the best AP first, the best of a column in bold. Below a value: its difference to {} in points",
            text(&baseline.title)
        );
        let differences = || rows.iter().flat_map(|(_, metrics)| metrics).filter_map(|metric| metric.difference);
        if differences().any(|difference| difference.interval.is_some()) {
            key += ", and the 95 % interval of that difference (bootstrap over classes)";
        }
    }
    if contenders.iter().any(|contender| contender.runs.len() > 1) {
        key += ". ±: standard deviation over seeds";
    }
    key + ". AP: mean over IoU 0.50 to 0.95 and all classes. APr, APc, APf: the same over rare, common and frequent classes, so AP is not their mean. \
           AP50r: rare classes at IoU 0.50. AR: average recall."
}
