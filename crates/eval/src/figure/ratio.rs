//! The gradient-ratio figure (Figure 1 of EQL v2, arXiv 2012.08548) and the same ratio of one run at several steps.
//!
//! Categories by training instances, most frequent first; upwards the accumulated positive over negative gradient of each class. Pale: raw. Dark:
//! [`crate::smooth`]. Ratios above the axis are drawn at its edge, and smoothed there, since one class that never saw a negative would drown its
//! neighbours; the subtitle says how many there are.

use equipoise_data::Group;

use super::Figure;
use super::ink::{MUTED, RULE, Series, TEXT};
use super::plot::{
    LEFT, Plot, RIGHT, Scale, TOP, WIDTH, headings, legend, legend_height, median, plain, thousands, ticks,
};
use super::svg::{Stroke, Svg, Type};
use crate::record::{LedgerRow, RunRecord, final_ledger, ledger_steps, snapshot};
use crate::smooth::{gaussian, sigma_for};
use crate::table::percent;

const PLOT_HEIGHT: f64 = 330.0;
/// Room for the two rows of tick labels and the axis title.
const BELOW: f64 = 66.0;
/// The axis reaches at least this far and at most [`HIGHEST`].
const LEAST_TOP: f64 = 1.2;
const HIGHEST: f64 = 2.0;
/// Snapshots in the figure over steps.
const MOST_STEPS: usize = 6;

/// One curve.
struct Curve {
    ratios: Vec<f64>,
    series: Series,
    stroke: Stroke,
    values: Vec<String>,
    /// Whether the unsmoothed curve is drawn too.
    raw: bool,
}

/// Ratio of every class at the end of training, one curve for each run that kept a ledger. `None` when none did.
pub fn gradient_ratio(runs: &[RunRecord]) -> Option<Figure> {
    let all = super::ink::series(runs);
    let first = runs.iter().map(|run| final_ledger(&run.ledger)).find(|ledger| !ledger.is_empty())?;
    let order = by_instances(&first);
    let curves: Vec<Curve> = runs
        .iter()
        .zip(&all)
        .filter(|(run, _)| !run.ledger.is_empty())
        .map(|(run, series)| {
            let ledger = final_ledger(&run.ledger);
            let rare = median(ledger.iter().filter(|row| row.group == Group::Rare).map(|row| row.ratio));
            let mut values: Vec<String> = ["APr", "APc", "APf", "AP"].map(|key| percent(run.metric(key))).into();
            values.push(rare.map_or_else(|| "–".into(), two_places));
            Curve {
                ratios: ratios(&ledger, &order),
                series: series.clone(),
                stroke: Stroke::new(series.ink, 2.4).dash(series.dash),
                values,
                raw: true,
            }
        })
        .collect();
    let columns = ["APr", "APc", "APf", "AP", "median g, rare"];
    let title = "Gradient ratio of every class at the end of training";
    let label = format!("Gradient ratio of {} classes for {} runs", order.len(), curves.len());
    Some(draw("gradient_ratio", title, &label, &order, &curves, &columns))
}

/// Ratio of every class of one run at up to six snapshots. `None` when the run kept no ledger.
pub fn ratio_over_steps(run: &RunRecord, name: &str) -> Option<Figure> {
    let last = final_ledger(&run.ledger);
    let order = by_instances(&last);
    let series = super::ink::series(std::slice::from_ref(run)).pop()?;
    let steps = spread(&ledger_steps(&run.ledger), MOST_STEPS);
    let curves: Vec<Curve> = steps
        .iter()
        .enumerate()
        .map(|(at, &step)| {
            let rows = snapshot(&run.ledger, step);
            // Early snapshots are pale and thin, the last is the line of the other figures.
            let age = if steps.len() > 1 { at as f64 / (steps.len() - 1) as f64 } else { 1.0 };
            let of = |group| median(rows.iter().filter(|row| row.group == group).map(|row| row.ratio));
            Curve {
                ratios: ratios(&rows, &order),
                series: Series { label: format!("step {}", thousands(step)), ..series.clone() },
                stroke: Stroke::new(series.ink, 1.3 + 1.3 * age).opacity(0.22 + 0.78 * age),
                values: [Group::Rare, Group::Common, Group::Frequent]
                    .map(|group| of(group).map_or_else(|| "–".into(), two_places))
                    .into(),
                raw: false,
            }
        })
        .collect();
    if curves.is_empty() || order.is_empty() {
        return None;
    }
    let title = format!("{}: gradient ratio in the course of training", series.label);
    let label = format!("Gradient ratio of {} classes at {} steps of {}", order.len(), curves.len(), series.label);
    Some(draw(name, &title, &label, &order, &curves, &["median g, rare", "common", "frequent"]))
}

fn two_places(value: f64) -> String {
    if value >= 10.0 { plain(value) } else { format!("{value:.2}") }
}

/// Classes by training instances, most frequent first; ties by index.
fn by_instances<'a>(rows: &[&'a LedgerRow]) -> Vec<&'a LedgerRow> {
    let mut order = rows.to_vec();
    order.sort_by_key(|row| (std::cmp::Reverse(row.instances), row.class_index));
    order
}

/// Ratios in the order of the classes; NaN where a class is missing or its ratio is not a number.
fn ratios(rows: &[&LedgerRow], order: &[&LedgerRow]) -> Vec<f64> {
    let of = |class| rows.binary_search_by_key(&class, |row| row.class_index).map_or(f64::NAN, |at| rows[at].ratio);
    order.iter().map(|row| of(row.class_index)).collect()
}

/// At most `most` of the steps: the first, the last and what lies evenly between.
pub(crate) fn spread(steps: &[u64], most: usize) -> Vec<u64> {
    if steps.len() <= most {
        return steps.to_vec();
    }
    (0..most).map(|i| steps[i * (steps.len() - 1) / (most - 1)]).collect()
}

/// Where the vertical axis ends: above nearly all ratios, in steps of 0.2.
fn axis_top(curves: &[Curve]) -> f64 {
    let mut all: Vec<f64> = curves.iter().flat_map(|c| &c.ratios).copied().filter(|r| !r.is_nan()).collect();
    all.sort_by(f64::total_cmp);
    let high = all.get((all.len() * 97 / 100).min(all.len().saturating_sub(1))).copied().unwrap_or(1.0);
    ((high * 1.08).clamp(LEAST_TOP, HIGHEST) * 5.0).ceil() / 5.0
}

fn draw(name: &str, title: &str, label: &str, order: &[&LedgerRow], curves: &[Curve], columns: &[&str]) -> Figure {
    let (top, k) = (axis_top(curves), order.len());
    let above = curves.iter().flat_map(|c| &c.ratios).filter(|r| **r > top).count();
    let mut svg = Svg::default();
    let mut subtitle =
        "accumulated positive ÷ negative gradient of the class logit; 1 = in balance, 0 = only ever told “no”"
            .to_string();
    if above > 0 {
        subtitle +=
            &format!("; {above} {} above the axis, drawn at its edge", if above == 1 { "value" } else { "values" });
    }
    headings(&mut svg, title, &subtitle);
    let area = [LEFT, TOP, WIDTH - RIGHT, TOP + PLOT_HEIGHT];
    let plot = Plot {
        x: Scale::linear((-0.5, k as f64 - 0.5), (area[0], area[2])),
        y: Scale::linear((0.0, top), (area[3], area[1])),
        area,
    };
    let groups: Vec<Group> = order.iter().map(|row| row.group).collect();
    plot.class_bands(&mut svg, &groups);
    plot.y_axis(&mut svg, &ticks(0.0, top, 7), |v| format!("{v:.1}"));
    let one = plot.y.at(1.0);
    svg.line((area[0], one), (area[2], one), Stroke::new(RULE, 1.2).dash(Some("4 4")));
    class_axis(&mut svg, &plot, order);
    plot.axis_titles(&mut svg, "class, by training instances, most frequent first", "gradient ratio g", 56.0);
    curves_on(&mut svg, &plot, curves, top);
    let rows: Vec<_> = curves.iter().map(|c| (&c.series, c.stroke, c.values.clone())).collect();
    let below = area[3] + BELOW;
    legend(&mut svg, below, columns, &rows);
    Figure::new(name, label, &svg, below + legend_height(curves.len()))
}

fn curves_on(svg: &mut Svg, plot: &Plot, curves: &[Curve], top: f64) {
    let sigma = sigma_for(curves.first().map_or(0, |c| c.ratios.len()));
    let pale = if curves.len() > 4 { 0.16 } else { 0.34 };
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        values.iter().enumerate().map(|(at, v)| (plot.x.at(at as f64), plot.y.at(*v))).collect()
    };
    let clipped: Vec<Vec<f64>> = curves.iter().map(|c| c.ratios.iter().map(|r| r.clamp(0.0, top)).collect()).collect();
    for (curve, raw) in curves.iter().zip(&clipped).filter(|(c, _)| c.raw) {
        svg.curve(points(raw), Stroke { width: 1.1, opacity: pale, ..curve.stroke });
    }
    for (curve, raw) in curves.iter().zip(&clipped) {
        svg.open(&curve.series.label);
        svg.curve(points(&smoothed(raw, sigma)), curve.stroke);
        svg.close();
    }
}

/// Smooths what is known; a class without a ratio stays a gap and does not blot its neighbours out.
fn smoothed(raw: &[f64], sigma: f64) -> Vec<f64> {
    let known: Vec<f64> = raw.iter().copied().filter(|v| !v.is_nan()).collect();
    let mut smooth = gaussian(&known, sigma).into_iter();
    raw.iter().map(|v| if v.is_nan() { f64::NAN } else { smooth.next().unwrap_or(f64::NAN) }).collect()
}

/// Rank of a class, and under it how many instances it was trained on.
fn class_axis(svg: &mut Svg, plot: &Plot, order: &[&LedgerRow]) {
    let k = order.len();
    let mut ranks: Vec<f64> = ticks(0.0, k as f64, 8).into_iter().filter(|r| *r >= 1.0 && *r <= k as f64).collect();
    ranks.insert(0, 1.0);
    let positions: Vec<f64> = ranks.iter().map(|rank| rank - 1.0).collect();
    plot.x_axis(svg, &positions, |at| thousands(at as u64 + 1));
    let [left, _, _, bottom] = plot.area;
    svg.text((left - 13.0, bottom + 33.0), "instances", Type::new(MUTED, 11.0).end());
    for at in positions {
        if let Some(row) = order.get(at as usize) {
            svg.text((plot.x.at(at), bottom + 33.0), thousands(row.instances), Type::new(TEXT, 11.0).middle());
        }
    }
}
