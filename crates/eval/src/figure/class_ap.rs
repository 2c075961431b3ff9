//! AP of every class against the training pictures it had, with the mean of each group.

use equipoise_data::Group;

use super::Figure;
use super::ink::{Series, series};
use super::plot::{LEFT, Plot, RIGHT, Scale, TOP, WIDTH, headings, legend, legend_height, log_ticks, plain, ticks};
use super::svg::{Stroke, Svg};
use crate::record::{ClassRow, RunRecord};
use crate::table::percent;

const PLOT_HEIGHT: f64 = 330.0;
const BELOW: f64 = 52.0;
const GROUPS: [Group; 3] = [Group::Rare, Group::Common, Group::Frequent];

/// One dot for each class and scored run, one bar for each group mean. `None` when no run was scored.
pub fn class_ap(runs: &[RunRecord]) -> Option<Figure> {
    let all = series(runs);
    let scored: Vec<(&RunRecord, &Series)> = runs.iter().zip(&all).filter(|(run, _)| !run.classes.is_empty()).collect();
    let classes = &scored.first()?.0.classes;
    let most = classes.iter().map(|c| c.train_images).max().unwrap_or(1).max(2) as f64;
    let best = scored.iter().flat_map(|(run, _)| &run.classes).filter_map(|c| c.ap).fold(0.05, f64::max);
    let top = ((best * 1.05 * 10.0).ceil() / 10.0).min(1.0);
    let mut svg = Svg::default();
    headings(
        &mut svg,
        "AP of every class against its training pictures",
        "a dot for each class, side by side where runs share a place; a bar for the mean of each group",
    );
    let area = [LEFT, TOP, WIDTH - RIGHT, TOP + PLOT_HEIGHT];
    // Half a picture of room on the left lets classes without any training picture stand at the edge.
    let plot = Plot {
        x: Scale::log((0.7, most * 1.25), (area[0], area[2])),
        y: Scale::linear((0.0, top), (area[3] - 6.0, area[1] + 6.0)),
        area,
    };
    let spans = group_spans(classes, &plot);
    plot.bands(&mut svg, &spans, |group| classes.iter().filter(|c| c.group == group).count());
    plot.y_axis(&mut svg, &ticks(0.0, top, 6), |v| format!("{:.0}", 100.0 * v));
    plot.x_axis(&mut svg, &log_ticks(1.0, most), plain);
    plot.axis_titles(&mut svg, "training pictures with the class (log scale)", "AP, %", 42.0);
    dots(&mut svg, &plot, &scored);
    means(&mut svg, &plot, &scored, &spans);
    let rows: Vec<_> = scored.iter().map(|(run, series)| legend_row(run, series)).collect();
    let below = area[3] + BELOW;
    legend(&mut svg, below, &["APr", "APc", "APf", "AP", "classes at 0"], &rows);
    let label = format!("AP of {} classes against training pictures for {} runs", classes.len(), scored.len());
    Some(Figure::new("class_ap", label, &svg, below + legend_height(rows.len())))
}

fn legend_row<'a>(run: &RunRecord, series: &'a Series) -> (&'a Series, Stroke, Vec<String>) {
    let mut values: Vec<String> = ["APr", "APc", "APf", "AP"].map(|key| percent(run.metric(key))).into();
    values.push(run.classes.iter().filter(|c| c.ap == Some(0.0)).count().to_string());
    (series, Stroke::new(series.ink, 3.0).dash(series.dash), values)
}

/// Pixels from the fewest to the most training pictures of each group, meeting halfway.
fn group_spans(classes: &[ClassRow], plot: &Plot) -> Vec<(Group, f64, f64)> {
    let [left, _, right, _] = plot.area;
    let mut spans: Vec<(Group, f64, f64)> = Vec::new();
    for group in GROUPS {
        let images = classes.iter().filter(|c| c.group == group).map(|c| c.train_images.max(1) as f64);
        let (low, high) = images.fold((f64::MAX, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
        if high > 0.0 {
            spans.push((group, plot.x.at(low), plot.x.at(high)));
        }
    }
    for at in 1..spans.len() {
        let middle = (spans[at - 1].2 + spans[at].1) / 2.0;
        (spans[at - 1].2, spans[at].1) = (middle, middle);
    }
    if let Some(first) = spans.first_mut() {
        first.1 = left;
    }
    if let Some(last) = spans.last_mut() {
        last.2 = right;
    }
    spans
}

/// Runs stand side by side around the class's place.
fn dots(svg: &mut Svg, plot: &Plot, scored: &[(&RunRecord, &Series)]) {
    let [left, _, _, _] = plot.area;
    let pitch = if scored.len() > 4 { 3.0 } else { 6.0 };
    let radius = if scored.len() > 4 || scored[0].0.classes.len() > 300 { 2.4 } else { 3.6 };
    for (at, (run, series)) in scored.iter().enumerate() {
        let offset = pitch * (at as f64 - (scored.len() - 1) as f64 / 2.0);
        for class in &run.classes {
            let Some(ap) = class.ap else { continue };
            let x = plot.x.at(class.train_images.max(1) as f64) + offset;
            let tooltip = format_args!("{} · {}: AP {}", class.name, series.label, percent(Some(ap)));
            svg.open_class(class.class_index, tooltip);
            let place = (x.max(left + radius), plot.y.at(ap));
            // Runs with dashed lines share a colour with another run: their dots are hollow.
            match series.dash {
                None => svg.dot(place, radius, series.ink, 0.5),
                Some(_) => svg.ring(place, radius - 0.4, Stroke::new(series.ink, 1.1).opacity(0.7)),
            }
            svg.close();
        }
    }
}

fn means(svg: &mut Svg, plot: &Plot, scored: &[(&RunRecord, &Series)], spans: &[(Group, f64, f64)]) {
    for (run, series) in scored {
        for &(group, from, to) in spans {
            let aps: Vec<f64> = run.classes.iter().filter(|c| c.group == group).filter_map(|c| c.ap).collect();
            if aps.is_empty() {
                continue;
            }
            let y = plot.y.at(aps.iter().sum::<f64>() / aps.len() as f64);
            svg.line((from + 3.0, y), (to - 3.0, y), Stroke::new(series.ink, 2.6).dash(series.dash));
        }
    }
}
