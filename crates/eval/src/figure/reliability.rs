//! Are scores probabilities? Reliability by frequency group (Guo et al., arXiv 1706.04599).

use equipoise_data::Group;

use super::Figure;
use super::diagnosed::{Diagnosed, GROUPS, diagnosed};
use super::ink::{MUTED, RULE, TEXT, group_name};
use super::plot::{LEFT, Plot, RIGHT, Scale, WIDTH, headings, legend, legend_height};
use super::svg::{Stroke, Svg, Type};
use crate::diagnosis::Bin;
use crate::record::RunRecord;

const TOP: f64 = 100.0;
const SIDE: f64 = 248.0;
/// The precision of fewer detections is luck.
const FEW: u64 = 20;

/// A panel for each group, in it a curve for each run. `None` when no run was diagnosed.
pub fn reliability(runs: &[RunRecord]) -> Option<Figure> {
    let found = diagnosed(runs);
    found.first()?;
    let mut svg = Svg::default();
    headings(
        &mut svg,
        "Are scores probabilities?",
        "precision at IoU 0.50 of the detections in a bin of scores; on the dashed line they are. Hollow: fewer than 20 detections",
    );
    let gap = (WIDTH - LEFT - RIGHT - 3.0 * SIDE) / 2.0;
    for (at, group) in GROUPS.into_iter().enumerate() {
        let left = LEFT + at as f64 * (SIDE + gap);
        panel(&mut svg, &found, group, [left, TOP, left + SIDE, TOP + SIDE]);
    }
    svg.text((LEFT - 50.0, TOP + SIDE / 2.0), "precision, %", Type::new(TEXT, 13.0).middle().turned(-90.0));
    svg.text((LEFT + SIDE * 1.5 + gap, TOP + SIDE + 42.0), "mean score, %", Type::new(TEXT, 13.0).middle());
    let below = TOP + SIDE + 56.0;
    let rows: Vec<_> = found
        .iter()
        .map(|run| {
            let error = |group| {
                let error = run.group(group).and_then(|g| g.calibration_error).filter(|error| error.is_finite());
                error.map_or_else(|| "–".to_string(), |error| format!("{:.1}", 100.0 * error))
            };
            let values = [None, Some(Group::Rare), Some(Group::Common), Some(Group::Frequent)].map(error).to_vec();
            (&run.series, Stroke::new(run.series.ink, 3.0).dash(run.series.dash), values)
        })
        .collect();
    legend(&mut svg, below, &["calibration error, all", "rare", "common", "frequent"], &rows);
    let label = format!("Precision against score for rare, common and frequent classes under {} runs", found.len());
    Some(Figure::new("reliability", label, &svg, below + legend_height(rows.len())))
}

fn panel(svg: &mut Svg, found: &[Diagnosed], group: Group, area: [f64; 4]) {
    let plot = Plot {
        x: Scale::linear((0.0, 100.0), (area[0], area[2])),
        y: Scale::linear((0.0, 100.0), (area[3], area[1])),
        area,
    };
    svg.text((area[0], area[1] - 10.0), group_name(group), Type::new(TEXT, 13.0).bold());
    plot.y_axis(svg, &[0.0, 25.0, 50.0, 75.0, 100.0], super::svg::short);
    plot.x_axis(svg, &[0.0, 25.0, 50.0, 75.0, 100.0], super::svg::short);
    svg.line((area[0], area[3]), (area[2], area[1]), Stroke::new(RULE, 1.2).dash(Some("4 4")));
    let mut any = false;
    for run in found {
        let bins = run.group(Some(group)).map_or(&[][..], |g| &g.reliability);
        let finite = |bin: &&Bin| bin.detections > 0 && bin.confidence.is_finite() && bin.precision.is_finite();
        let place = |bin: &Bin| (plot.x.at(100.0 * bin.confidence.min(1.0)), plot.y.at(100.0 * bin.precision));
        let bins: Vec<&Bin> = bins.iter().filter(finite).collect();
        any |= !bins.is_empty();
        svg.curve(bins.iter().map(|bin| place(bin)), Stroke::new(run.series.ink, 1.8).dash(run.series.dash));
        for bin in bins {
            svg.open(format_args!(
                "{}, {}: {} detections scored {:.2} to {:.2}, {:.1} % right",
                run.series.label,
                group_name(group),
                bin.detections,
                bin.low,
                bin.high,
                100.0 * bin.precision
            ));
            if bin.detections < FEW {
                svg.ring(place(bin), 3.0, Stroke::new(run.series.ink, 1.4));
            } else {
                svg.dot(place(bin), 3.6, run.series.ink, 1.0);
            }
            svg.close();
        }
    }
    if !any {
        let middle = ((area[0] + area[2]) / 2.0, (area[1] + area[3]) / 2.0);
        svg.text(middle, "no detections", Type::new(MUTED, 13.0).middle());
    }
}
