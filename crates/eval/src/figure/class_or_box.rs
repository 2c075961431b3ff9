//! Is it the name or the box? What wrong classes cost every class against what loose boxes cost it.

use equipoise_data::Group;

use super::Figure;
use super::diagnosed::{Diagnosed, GROUPS, diagnosed};
use super::font::{fitted, text_width};
use super::ink::{MUTED, RULE, TEXT, bar, group_name};
use super::plot::{LEFT, Plot, Scale, headings};
use super::svg::{Stroke, Svg, Type};
use crate::diagnosis::{ErrorKind, TailRow};
use crate::record::RunRecord;

const TOP: f64 = 120.0;
const PANEL: (f64, f64) = (386.0, 270.0);
const GAP: (f64, f64) = (68.0, 110.0);
/// Points that are marked on both axes.
const TICKS: [f64; 8] = [0.0, 1.0, 5.0, 10.0, 20.0, 40.0, 70.0, 100.0];

/// A panel for each run, in it a mark for each class. `None` when no run was diagnosed class by class.
pub fn class_or_box(runs: &[RunRecord]) -> Option<Figure> {
    let found: Vec<Diagnosed> =
        diagnosed(runs).into_iter().filter(|run| run.diagnosis.classes.iter().any(|c| costs(c).is_some())).collect();
    let both = |run: &Diagnosed| run.diagnosis.classes.iter().filter_map(costs).collect::<Vec<_>>();
    let most = found.iter().flat_map(both).flatten().reduce(f64::max)?;
    let most = ((most * 20.0).ceil() / 20.0).clamp(0.05, 1.0);
    let mut svg = Svg::default();
    headings(
        &mut svg,
        "The name or the box?",
        "a mark for each class: points of AP50 (root scale) lost to wrong classes and to loose boxes; on the dashed line both cost the same",
    );
    let mut x = LEFT;
    for group in GROUPS {
        mark(&mut svg, (x + 5.0, 75.5), group);
        svg.text((x + 16.0, 80.0), group_name(group), Type::new(TEXT, 13.0));
        x += 40.0 + text_width(group_name(group), 13.0, false);
    }
    for (at, run) in found.iter().enumerate() {
        let left = LEFT + (at % 2) as f64 * (PANEL.0 + GAP.0);
        let top = TOP + (at / 2) as f64 * (PANEL.1 + GAP.1);
        panel(&mut svg, run, [left, top, left + PANEL.0, top + PANEL.1], most);
    }
    let rows = found.len().div_ceil(2) as f64;
    let label = format!("Cost of wrong classes against cost of loose boxes for every class under {} runs", found.len());
    Some(Figure::new("class_or_box", label, &svg, TOP + rows * (PANEL.1 + GAP.1) - 18.0))
}

fn panel(svg: &mut Svg, run: &Diagnosed, area: [f64; 4], most: f64) {
    let [left, top, right, bottom] = area;
    // Roots spread what is small, and have a place for 0.
    let end = (100.0 * most).sqrt();
    let plot = Plot {
        x: Scale::linear((0.0, end), (left, right - 8.0)),
        y: Scale::linear((0.0, end), (bottom, top + 8.0)),
        area,
    };
    svg.line((left, top - 14.5), (left + 24.0, top - 14.5), Stroke::new(run.series.ink, 3.0).dash(run.series.dash));
    svg.text(
        (left + 32.0, top - 10.0),
        fitted(&run.series.label, 13.0, true, PANEL.0 - 40.0),
        Type::new(TEXT, 13.0).bold(),
    );
    let ticks: Vec<f64> = TICKS.into_iter().filter(|points| *points <= 100.0 * most).map(f64::sqrt).collect();
    let label = |root: f64| format!("{:.0}", root * root);
    plot.y_axis(svg, &ticks, label);
    plot.x_axis(svg, &ticks, label);
    let at = |[class, location]: [f64; 2]| (plot.x.at((100.0 * class).sqrt()), plot.y.at((100.0 * location).sqrt()));
    svg.line(at([0.0, 0.0]), at([most, most]), Stroke::new(RULE, 1.2).dash(Some("4 4")));
    // Few rare classes stand out of many frequent ones when they are drawn last.
    for group in GROUPS.into_iter().rev() {
        for class in run.diagnosis.classes.iter().filter(|class| class.group == group) {
            let Some(cost) = costs(class) else { continue };
            let [name, boxes] = cost.map(|v| 100.0 * v);
            svg.open_class(
                class.class_index,
                format_args!("{} · {}: wrong class {name:.1}, loose box {boxes:.1}", class.name, run.series.label),
            );
            mark(svg, at(cost), group);
            svg.close();
        }
    }
    let middle = (left + right) / 2.0;
    svg.text((middle, bottom + 38.0), "lost to wrong classes, points", Type::new(MUTED, 12.0).middle());
    svg.text(
        (left - 44.0, (top + bottom) / 2.0),
        "lost to loose boxes, points",
        Type::new(MUTED, 12.0).middle().turned(-90.0),
    );
    let means = GROUPS.map(|group| {
        let mean = |kind| run.group(Some(group))?.errors.iter().find(|share| share.kind == kind)?.cost;
        let text = |kind| {
            mean(kind)
                .filter(|cost: &f64| cost.is_finite())
                .map_or_else(|| "–".into(), |cost| format!("{:.1}", 100.0 * cost))
        };
        format!("{} {} : {}", group_name(group), text(ErrorKind::Class), text(ErrorKind::Location))
    });
    svg.text((middle, bottom + 60.0), format!("means: {}", means.join(" · ")), Type::new(TEXT, 12.0).middle());
}

/// Groups are told apart by shape as well as by colour.
fn mark(svg: &mut Svg, at: (f64, f64), group: Group) {
    match group {
        Group::Rare => svg.dot(at, 4.0, bar(group), 0.85),
        Group::Common => svg.ring(at, 3.4, Stroke::new(bar(group), 1.6)),
        Group::Frequent => svg.dot(at, 2.2, MUTED, 0.9),
    }
}

/// What wrong classes and loose boxes cost a class.
fn costs(class: &TailRow) -> Option<[f64; 2]> {
    let costs = [class.class_cost?, class.location_cost?];
    costs.iter().all(|cost| cost.is_finite()).then(|| costs.map(|cost| cost.clamp(0.0, 1.0)))
}
