//! What methods achieve over several seeds, and how sure the differences to the first are.
//!
//! Two kinds of luck are told apart. The seed: deviation over trainings of the same method, and the difference to the baseline seed by seed, since cells of one
//! seed share initial weights and data order. The classes: a paired bootstrap over the classes of a group, each class's AP averaged over the seeds.

use equipoise_data::Group;
use serde::Serialize;

use super::comparison::{Contender, contenders};
use crate::compare::paired_difference;
use crate::record::RunRecord;
use crate::table::{Align, Table, percent, points};

/// A metric, and the classes whose AP it is the mean of: `Some(None)` of all, `None` when it is no such mean.
pub(super) type Column = (&'static str, Option<Option<Group>>);

/// Metrics of a leaderboard.
const COLUMNS: [Column; 5] = [
    ("AP", Some(None)),
    ("APr", Some(Some(Group::Rare))),
    ("APc", Some(Some(Group::Common))),
    ("APf", Some(Some(Group::Frequent))),
    ("AP50", None),
];

/// A method over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Title of the method.
    pub title: String,
    /// Seeds of its runs.
    pub seeds: Vec<u64>,
    /// Its metrics.
    pub metrics: Vec<MetricStanding>,
}

/// A metric of a method, as fractions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricStanding {
    /// Name: `AP`, `APr`.
    pub metric: &'static str,
    /// The value of every seed.
    pub values: Vec<Option<f64>>,
    /// Mean over seeds.
    pub mean: Option<f64>,
    /// Standard deviation over seeds (n - 1); `None` for fewer than two.
    pub deviation: Option<f64>,
    /// Against the first method.
    pub difference: Option<Difference>,
}

/// A metric's difference to the first method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Mean over the seeds that both have; the difference of the means where they share none.
    pub mean: f64,
    /// Standard deviation over those seeds (n - 1); `None` for fewer than two.
    pub deviation: Option<f64>,
    /// 95 % interval of a paired bootstrap over classes; `None` for metrics that are no mean of the AP of classes.
    pub interval: Option<[f64; 2]>,
}

/// Methods in order of first appearance; the first is the baseline.
pub fn leaderboard(runs: &[RunRecord]) -> Vec<Standing> {
    let contenders = contenders(runs);
    let standing = |contender: &Contender| {
        let baseline = contenders.first().filter(|first| first.title != contender.title);
        Standing {
            title: contender.title.clone(),
            seeds: contender.runs.iter().map(|run| run.meta.seed).collect(),
            metrics: COLUMNS.iter().map(|column| metric(contender, baseline, *column)).collect(),
        }
    };
    contenders.iter().map(standing).collect()
}

/// A metric of a contender, and how far it is from the baseline.
pub(super) fn metric(contender: &Contender, baseline: Option<&Contender>, (name, classes): Column) -> MetricStanding {
    let values: Vec<Option<f64>> = contender.runs.iter().map(|run| run.metric(name)).collect();
    let (mean, deviation) = mean_and_deviation(&values.iter().flatten().copied().collect::<Vec<_>>());
    let difference = baseline.and_then(|baseline| {
        let of_seed = |run: &&RunRecord| {
            let same = baseline.runs.iter().find(|other| other.meta.seed == run.meta.seed)?;
            Some(run.metric(name)? - same.metric(name)?)
        };
        let by_seed: Vec<f64> = contender.runs.iter().filter_map(of_seed).collect();
        let (of_seeds, deviation) = mean_and_deviation(&by_seed);
        let mean = of_seeds.or_else(|| Some(mean? - baseline.metric(name)?));
        let classes =
            classes.and_then(|group| paired_difference(&baseline.class_aps(group), &contender.class_aps(group), 0));
        Some(Difference { mean: mean?, deviation, interval: classes.map(|paired| [paired.low, paired.high]) })
    });
    MetricStanding { metric: name, values, mean, deviation, difference }
}

fn mean_and_deviation(values: &[f64]) -> (Option<f64>, Option<f64>) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (None, None);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (Some(mean), (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}

/// The leaderboard as a terminal shows it: mean and deviation over seeds in %, and below the difference to the first row in points
/// with its interval over classes.
pub fn leaderboard_table(standings: &[Standing]) -> Table {
    let heads: Vec<(&str, Align)> =
        std::iter::once(("method", Align::Left)).chain(COLUMNS.map(|(name, _)| (name, Align::Right))).collect();
    let mut table = Table::new(&heads);
    for standing in standings {
        let value = |metric: &MetricStanding| match metric.deviation {
            Some(deviation) => format!("{} ± {:.1}", percent(metric.mean), 100.0 * deviation),
            None => percent(metric.mean),
        };
        table.row(&row(&standing.title, standing.metrics.iter().map(value)));
        if standing.metrics.iter().all(|metric| metric.difference.is_none()) {
            continue;
        }
        let difference = |metric: &MetricStanding| metric.difference.map(|difference| points(Some(difference.mean)));
        let interval = |metric: &MetricStanding| {
            let ends = metric.difference?.interval?;
            Some(format!("[{}]", ends.map(|end| points(Some(end))).join(" ")))
        };
        table.row(&row("", standing.metrics.iter().map(|metric| difference(metric).unwrap_or_default())));
        table.row(&row("", standing.metrics.iter().map(|metric| interval(metric).unwrap_or_default())));
    }
    table
}

fn row(title: &str, cells: impl Iterator<Item = String>) -> Vec<String> {
    std::iter::once(title.to_string()).chain(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::mean_and_deviation;

    #[test]
    fn deviation_is_that_of_a_sample() {
        assert_eq!(mean_and_deviation(&[]), (None, None));
        assert_eq!(mean_and_deviation(&[0.25]), (Some(0.25), None));
        assert_eq!(mean_and_deviation(&[1.0, 2.0, 3.0]), (Some(2.0), Some(1.0)));
    }
}
