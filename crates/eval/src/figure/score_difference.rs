//! What changed against the baseline: mean difference of AP with its interval, for all classes and each group.

use equipoise_data::Group;

use super::Figure;
use super::font::{fitted, text_width};
use super::ink::{MUTED, RULE, Series, TEXT, group_name};
use super::plot::{Plot, RIGHT, Scale, WIDTH, headings, ticks};
use super::svg::{Stroke, Svg, Type};
use crate::compare::PairedDifference;
use crate::table::points;

/// A difference to the baseline over some classes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// Who is compared to the baseline.
    pub title: String,
    /// The classes; all of them when `None`.
    pub group: Option<Group>,
    /// The difference, in fractions.
    pub difference: PairedDifference,
}

const TOP: f64 = 84.0;
const ROW: f64 = 30.0;
const NAMES: f64 = 250.0;
/// Room for the numbers at the right.
const NUMBERS: f64 = 190.0;
/// Gap before the rows of the next contender.
const GAP: f64 = 14.0;

/// One row for each difference: a dot for the mean, a line for the 95 % interval. `None` of nothing.
pub(crate) fn score_difference(baseline: &str, rows: &[(Difference, Series)]) -> Option<Figure> {
    let reach = rows.iter().flat_map(|(d, _)| [d.difference.low, d.difference.high, d.difference.mean]);
    let reach = reach.map(f64::abs).filter(|v| v.is_finite()).reduce(f64::max)?.max(0.01) * 1.1;
    let mut svg = Svg::default();
    headings(
        &mut svg,
        &format!("Difference of AP to {baseline}, class by class"),
        "mean over classes and its 95 % interval (bootstrap over classes), in points; an interval beside 0 is more than luck with the classes",
    );
    let gaps = rows.windows(2).filter(|pair| pair[0].0.title != pair[1].0.title).count();
    let bottom = TOP + ROW * rows.len() as f64 + GAP * gaps as f64 + 6.0;
    let area = [NAMES, TOP, WIDTH - RIGHT - NUMBERS, bottom];
    let plot = Plot {
        x: Scale::linear((-100.0 * reach, 100.0 * reach), (area[0], area[2])),
        y: Scale::linear((0.0, 1.0), (bottom, TOP)),
        area,
    };
    plot.x_axis(&mut svg, &ticks(-100.0 * reach, 100.0 * reach, 9), |v| points(Some(v / 100.0)).replace(".0", ""));
    let zero = plot.x.at(0.0);
    svg.line((zero, TOP), (zero, bottom), Stroke::new(RULE, 1.2).dash(Some("4 4")));
    let mut y = TOP + ROW / 2.0;
    for (at, (row, series)) in rows.iter().enumerate() {
        let new = at == 0 || rows[at - 1].0.title != row.title;
        if new && at > 0 {
            y += GAP;
        }
        draw(&mut svg, &plot, y, row, series, new);
        y += ROW;
    }
    let label = format!("Differences of AP to {baseline} with 95 % intervals, {} rows", rows.len());
    Some(Figure::new("score_difference", label, &svg, bottom + 40.0))
}

fn draw(svg: &mut Svg, plot: &Plot, y: f64, row: &Difference, series: &Series, new: bool) {
    let d = &row.difference;
    let (right, base) = (WIDTH - RIGHT, y + 4.5);
    let group = row.group.map_or("all", group_name);
    let group = format!("{group} · {}", d.classes);
    let room = NAMES - 40.0 - text_width(&group, 13.0, false);
    if new {
        svg.text((24.0, base), fitted(&row.title, 13.0, true, room), Type::new(TEXT, 13.0).bold());
    }
    svg.text((NAMES - 12.0, base), group, Type::new(MUTED, 13.0).end());
    svg.open(format_args!("{}: {} points", row.title, points(Some(d.mean))));
    let at = |value: f64| plot.x.at(100.0 * value);
    svg.line((at(d.low), y), (at(d.high), y), Stroke::new(series.ink, 2.4));
    for end in [d.low, d.high] {
        svg.line((at(end), y - 5.0), (at(end), y + 5.0), Stroke::new(series.ink, 1.6));
    }
    svg.dot((at(d.mean), y), 5.0, series.ink, 1.0);
    svg.close();
    let interval = format!("{} to {}", points(Some(d.low)), points(Some(d.high)));
    svg.text((right - 128.0, base), points(Some(d.mean)), Type::new(TEXT, 13.0).bold().end());
    svg.text((right, base), interval, Type::new(MUTED, 13.0).end());
}
