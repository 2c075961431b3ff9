//! Scores on the validation set against step, four panels: all classes and each group.

use super::Figure;
use super::ink::{MUTED, Series, TEXT, series};
use super::loss_curves::{GAP, PANEL, TOP, names};
use super::plot::{LEFT, Plot, RIGHT, Scale, WIDTH, headings, plain, ticks};
use super::svg::{Stroke, Svg, Type};
use crate::record::{RunRecord, ValidationRow};

type Part = (&'static str, fn(&ValidationRow) -> Option<f64>);
const PARTS: [Part; 4] = [
    ("AP, all classes", |row| row.ap),
    ("APr, rare classes", |row| row.ap_rare),
    ("APc, common classes", |row| row.ap_common),
    ("APf, frequent classes", |row| row.ap_frequent),
];

/// AP of every validation of every run. `None` when no run was validated at two steps.
pub fn score_curves(runs: &[RunRecord]) -> Option<Figure> {
    let all = series(runs);
    let validated: Vec<(&RunRecord, &Series)> =
        runs.iter().zip(&all).filter(|(run, _)| run.validation.len() > 1).collect();
    let rows = || validated.iter().flat_map(|(run, _)| &run.validation);
    let last = rows().map(|row| row.step).max()?;
    let mut svg = Svg::default();
    headings(
        &mut svg,
        "Scores in the course of training",
        "on the validation set, in %; a point for each validation, all panels on one scale",
    );
    let best = rows().flat_map(|row| PARTS.iter().filter_map(|(_, of)| of(row))).fold(0.05, f64::max);
    let top = ((best * 1.05 * 20.0).ceil() / 20.0).min(1.0);
    for (at, part) in PARTS.iter().enumerate() {
        let left = LEFT + (at % 2) as f64 * (PANEL.0 + GAP.0);
        let above = TOP + (at / 2) as f64 * (PANEL.1 + GAP.1);
        let area = [left, above, (left + PANEL.0).min(WIDTH - RIGHT), above + PANEL.1];
        panel(&mut svg, area, part, &validated, (last, top));
    }
    let height = names(&mut svg, TOP + 2.0 * PANEL.1 + GAP.1 + 66.0, &validated);
    let label = format!("AP of {} runs at validations over {last} steps", validated.len());
    Some(Figure::new("score_curves", label, &svg, height))
}

fn panel(svg: &mut Svg, area: [f64; 4], (name, of): &Part, runs: &[(&RunRecord, &Series)], (last, top): (u64, f64)) {
    let plot = Plot {
        x: Scale::linear((0.0, last.max(1) as f64), (area[0], area[2])),
        y: Scale::linear((0.0, top), (area[3], area[1])),
        area,
    };
    svg.text((area[0], area[1] - 10.0), name, Type::new(TEXT, 13.0).bold());
    plot.y_axis(svg, &ticks(0.0, top, 5), |v| format!("{:.0}", 100.0 * v));
    plot.x_axis(svg, &ticks(0.0, last as f64, 5), plain);
    svg.text((area[2], area[3] + 34.0), "step", Type::new(MUTED, 12.0).end());
    for (run, series) in runs {
        let points: Vec<(f64, f64)> = run
            .validation
            .iter()
            .filter_map(|row| Some((plot.x.at(row.step as f64), plot.y.at(of(row).filter(|v| v.is_finite())?))))
            .collect();
        svg.curve(points.iter().copied(), Stroke::new(series.ink, 2.2).dash(series.dash));
        points.iter().for_each(|point| svg.dot(*point, 3.0, series.ink, 1.0));
    }
}
