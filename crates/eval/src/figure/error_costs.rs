//! What each kind of mistake costs, by frequency group: the error types of TIDE (arXiv 2008.08115).

use equipoise_data::Group;

use super::Figure;
use super::diagnosed::{Diagnosed, GROUPS, diagnosed};
use super::ink::{GRID, GRID_OPACITY, MUTED, RULE, Series, TEXT, group_name};
use super::loss_curves::names;
use super::plot::{RIGHT, Scale, WIDTH, headings, ticks};
use super::svg::{Stroke, Svg, Type};
use crate::diagnosis::{ERROR_KINDS, ErrorKind};
use crate::record::RunRecord;

const TOP: f64 = 100.0;
const LEFT: f64 = 128.0;
const PANEL_GAP: f64 = 44.0;
const BAR: f64 = 13.0;
const GAP: f64 = 12.0;

/// A panel for each group, in it a bar for each kind and run. `None` when no run was diagnosed.
pub fn error_costs(runs: &[RunRecord]) -> Option<Figure> {
    let found = diagnosed(runs);
    let costs = || found.iter().flat_map(|run| GROUPS.into_iter().flat_map(|g| ERROR_KINDS.map(|k| cost(run, g, k))));
    let most = costs().flatten().reduce(f64::max)?.max(0.01);
    let mut svg = Svg::default();
    headings(
        &mut svg,
        "What mistakes cost, by group",
        "points of AP50 that would be won if all mistakes of a kind were mended, mean over the classes of a group; kinds of TIDE",
    );
    let height = found.len() as f64 * BAR;
    let row = |kind: usize| TOP + 8.0 + kind as f64 * (height + GAP);
    let bottom = row(ERROR_KINDS.len()) - GAP + 8.0;
    for (at, kind) in ERROR_KINDS.into_iter().enumerate() {
        svg.text((LEFT - 12.0, row(at) + height / 2.0 + 4.5), name(kind), Type::new(TEXT, 13.0).end());
    }
    let width = (WIDTH - RIGHT - LEFT - 2.0 * PANEL_GAP) / 3.0;
    for (at, group) in GROUPS.into_iter().enumerate() {
        let left = LEFT + at as f64 * (width + PANEL_GAP);
        // Room for the number behind the longest bar.
        let x = Scale::linear((0.0, 100.0 * most), (left, left + width - 34.0));
        panel(&mut svg, group, &found, x, [left, bottom], &|kind, run| row(kind) + run as f64 * BAR);
    }
    let legend: Vec<(&RunRecord, &Series)> = found.iter().map(|run| (run.run, &run.series)).collect();
    let height = names(&mut svg, bottom + 58.0, &legend);
    let label =
        format!("AP50 that six kinds of mistakes cost rare, common and frequent classes under {} runs", found.len());
    Some(Figure::new("error_costs", label, &svg, height))
}

fn panel(
    svg: &mut Svg,
    group: Group,
    found: &[Diagnosed],
    x: Scale,
    [left, bottom]: [f64; 2],
    y: &dyn Fn(usize, usize) -> f64,
) {
    let classes = found.first().and_then(|run| run.group(Some(group))).map_or(0, |g| g.classes_in_validation);
    let head = format!("{} · {classes} in validation", group_name(group));
    svg.text((left, TOP - 10.0), head, Type::new(TEXT, 13.0).bold());
    let most = x.end();
    for value in ticks(0.0, most, 5) {
        let at = x.at(value);
        svg.line((at, TOP), (at, bottom), Stroke::new(GRID, 1.0).opacity(GRID_OPACITY));
        svg.text((at, bottom + 18.0), super::svg::short(value), Type::new(MUTED, 12.0).middle());
    }
    svg.line((left, TOP), (left, bottom), Stroke::new(RULE, 1.0));
    for (at, kind) in ERROR_KINDS.into_iter().enumerate() {
        for (row, run) in found.iter().enumerate() {
            let Some(cost) = cost(run, group, kind) else { continue };
            let (points, y) = (100.0 * cost, y(at, row));
            svg.open(format_args!(
                "{}, {}: {} costs {points:.1} points",
                run.series.label,
                group_name(group),
                name(kind)
            ));
            svg.rect([left, y + 1.0, x.at(points) - left, BAR - 2.0], run.series.ink, 1.0);
            svg.text((x.at(points) + 5.0, y + BAR - 2.5), format!("{points:.1}"), Type::new(TEXT, 11.0));
            svg.close();
        }
    }
}

fn cost(run: &Diagnosed, group: Group, kind: ErrorKind) -> Option<f64> {
    let cost = run.group(Some(group))?.errors.iter().find(|share| share.kind == kind)?.cost?;
    cost.is_finite().then(|| cost.clamp(0.0, 1.0))
}

fn name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Class => "wrong class",
        ErrorKind::Location => "loose box",
        ErrorKind::Both => "both",
        ErrorKind::Duplicate => "duplicate",
        ErrorKind::Background => "background",
        ErrorKind::Missed => "missed",
    }
}
