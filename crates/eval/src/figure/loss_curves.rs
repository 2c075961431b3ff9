//! Loss against step, a panel for the sum and one for each part that the detector has: classification, boxes, region proposals, masks.

use super::Figure;
use super::font::{fitted, text_width};
use super::ink::{MUTED, Series, TEXT, series};
use super::plot::{LEFT, Plot, RIGHT, Scale, WIDTH, headings, plain, ticks};
use super::svg::{Stroke, Svg, Type, short};
use crate::record::{HistoryRow, RunRecord};
use crate::smooth::gaussian;

pub(super) const PANEL: (f64, f64) = (386.0, 190.0);
pub(super) const GAP: (f64, f64) = (68.0, 64.0);
pub(super) const TOP: f64 = 104.0;
/// A curve is smoothed over this share of its points.
const SMOOTHING: f64 = 0.02;

type Part = (&'static str, fn(&HistoryRow) -> f64);
const PARTS: [Part; 5] = [
    ("all losses", |row| row.loss),
    ("classification", |row| row.classification),
    ("box regression", |row| row.box_regression),
    ("region proposals", |row| row.rpn_objectness + row.rpn_box),
    ("masks", |row| row.mask),
];

/// Pale raw and dark smoothed loss of every run. `None` when no run has a history.
pub fn loss_curves(runs: &[RunRecord]) -> Option<Figure> {
    let all = series(runs);
    let with_history: Vec<(&RunRecord, &Series)> =
        runs.iter().zip(&all).filter(|(run, _)| run.history.len() > 1).collect();
    let last = with_history.iter().filter_map(|(run, _)| run.history.last()).map(|row| row.step).max()?;
    let mut svg = Svg::default();
    headings(
        &mut svg,
        "Losses in the course of training",
        "pale: as logged, dark: smoothed. Classification losses of different kinds have different scales: compare their shape, not their height",
    );
    // A detector without a part has zeros there.
    let with_part = |(_, of): &Part| {
        let has = |(run, _): &(&RunRecord, &Series)| run.history.iter().any(|row| of(row) != 0.0);
        with_history.iter().copied().filter(has).collect::<Vec<_>>()
    };
    let parts = PARTS.iter().map(|part| (part, with_part(part)));
    let parts: Vec<_> = parts.filter(|(_, runs)| !runs.is_empty()).collect();
    for (at, (part, runs)) in parts.iter().enumerate() {
        let left = LEFT + (at % 2) as f64 * (PANEL.0 + GAP.0);
        let top = TOP + (at / 2) as f64 * (PANEL.1 + GAP.1);
        panel(&mut svg, [left, top, (left + PANEL.0).min(WIDTH - RIGHT), top + PANEL.1], part, runs, last);
    }
    let below = TOP + parts.len().div_ceil(2) as f64 * (PANEL.1 + GAP.1) + 2.0;
    let height = names(&mut svg, below, &with_history);
    let label = format!("Loss curves of {} runs over {last} steps", with_history.len());
    Some(Figure::new("loss_curves", label, &svg, height))
}

fn panel(svg: &mut Svg, area: [f64; 4], (name, of): &Part, runs: &[(&RunRecord, &Series)], last: u64) {
    let curves: Vec<(Vec<f64>, Vec<f64>, &Series)> = runs
        .iter()
        .map(|(run, series)| {
            let points = run.history.iter().map(|row| (row.step as f64, of(row))).filter(|(_, v)| v.is_finite());
            let (steps, values): (Vec<f64>, Vec<f64>) = points.unzip();
            (steps, values, *series)
        })
        .collect();
    let top = axis_top(curves.iter().flat_map(|(_, values, _)| values.iter().copied()));
    let plot = Plot {
        x: Scale::linear((0.0, last.max(1) as f64), (area[0], area[2])),
        y: Scale::linear((0.0, top), (area[3], area[1])),
        area,
    };
    svg.text((area[0], area[1] - 10.0), name, Type::new(TEXT, 13.0).bold());
    plot.y_axis(svg, &ticks(0.0, top, 5), short);
    plot.x_axis(svg, &ticks(0.0, last as f64, 5), plain);
    svg.text((area[2], area[3] + 34.0), "step", Type::new(MUTED, 12.0).end());
    let place = |(step, value): (&f64, &f64)| (plot.x.at(*step), plot.y.at(value.min(top)));
    for (steps, values, series) in &curves {
        svg.curve(steps.iter().zip(values).map(place), Stroke::new(series.ink, 1.0).opacity(0.25));
    }
    for (steps, values, series) in &curves {
        let clipped: Vec<f64> = values.iter().map(|v| v.min(top)).collect();
        let smooth = gaussian(&clipped, (SMOOTHING * values.len() as f64).max(1.0));
        svg.curve(steps.iter().zip(&smooth).map(place), Stroke::new(series.ink, 2.2).dash(series.dash));
    }
}

/// Above 98 of 100 values, so that the first wild steps do not flatten the rest.
fn axis_top(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let high = values.get(values.len() * 98 / 100).or(values.last()).copied().unwrap_or(1.0);
    if high > 0.0 { high * 1.1 } else { 1.0 }
}

/// The names of the runs in as many rows as they need; gives the height of the figure.
pub(super) fn names(svg: &mut Svg, top: f64, runs: &[(&RunRecord, &Series)]) -> f64 {
    let (mut x, mut y) = (LEFT, top);
    for (_, series) in runs {
        let label = fitted(&series.label, 13.0, true, WIDTH - LEFT - RIGHT - 42.0);
        let width = 42.0 + text_width(&label, 13.0, true);
        if x > LEFT && x + width > WIDTH - RIGHT {
            (x, y) = (LEFT, y + 24.0);
        }
        svg.line((x, y - 4.5), (x + 32.0, y - 4.5), Stroke::new(series.ink, 2.4).dash(series.dash));
        svg.text((x + 40.0, y), label, Type::new(TEXT, 13.0).bold());
        x += width + 28.0;
    }
    y + 22.0
}
