//! What becomes of the classes of each group: found, never right, swallowed, never predicted, or not in the validation set.

use equipoise_data::Group;

use super::Figure;
use super::diagnosed::{Diagnosed, GROUPS, diagnosed};
use super::font::fitted;
use super::ink::{FATES, MUTED, TEXT, group_name};
use super::plot::{RIGHT, WIDTH, headings};
use super::svg::{Stroke, Svg, Type};
use crate::diagnosis::TailRow;
use crate::record::RunRecord;

/// What can become of a class, in the order of the bars.
const NAMES: [&str; 5] = ["AP50 above 0", "AP50 of 0", "swallowed", "never predicted", "not in validation"];

const TOP: f64 = 112.0;
const ROW: f64 = 24.0;
const GAP: f64 = 14.0;
const BAR: [f64; 2] = [300.0, 600.0];
/// Right ends of the columns of numbers.
const COLUMNS: [f64; 5] = [654.0, 718.0, 784.0, 852.0, WIDTH - RIGHT];

/// A bar for each group and run, cut by what becomes of the classes. `None` when no run was diagnosed.
pub fn class_fates(runs: &[RunRecord]) -> Option<Figure> {
    let found: Vec<Diagnosed> =
        diagnosed(runs).into_iter().filter(|found| !found.diagnosis.classes.is_empty()).collect();
    if found.is_empty() {
        return None;
    }
    let mut svg = Svg::default();
    headings(
        &mut svg,
        "What becomes of the classes",
        "every class once; swallowed: a class with more training pictures has the better part of its objects",
    );
    for (at, (name, ink)) in NAMES.iter().zip(FATES).enumerate() {
        svg.rect([COLUMNS[at] - 12.0, TOP - 40.0, 12.0, 5.0], ink, 1.0);
        let (first, rest) = name.split_once(' ').unwrap_or((name, ""));
        svg.text((COLUMNS[at], TOP - 22.0), first, Type::new(MUTED, 11.0).end());
        svg.text((COLUMNS[at], TOP - 9.0), rest, Type::new(MUTED, 11.0).end());
    }
    let mut y = TOP;
    for group in GROUPS {
        let all = counts(&found[0], group).iter().sum::<usize>();
        svg.text((24.0, y + 16.0), group_name(group), Type::new(TEXT, 13.0).bold());
        svg.text((24.0, y + 32.0), format!("{all} class{}", if all == 1 { "" } else { "es" }), Type::new(MUTED, 12.0));
        for run in &found {
            row(&mut svg, y, run, group);
            y += ROW;
        }
        // The name of a group takes two lines.
        y += GAP + if found.len() == 1 { 14.0 } else { 0.0 };
    }
    let label = format!("What becomes of the classes of each group under {} runs", found.len());
    Some(Figure::new("class_fates", label, &svg, y + 4.0))
}

fn row(svg: &mut Svg, y: f64, run: &Diagnosed, group: Group) {
    let counts = counts(run, group);
    let all = counts.iter().sum::<usize>().max(1) as f64;
    let (base, label) = (y + 16.0, &run.series.label);
    svg.line((112.0, base - 4.5), (132.0, base - 4.5), Stroke::new(run.series.ink, 3.0).dash(run.series.dash));
    svg.text((140.0, base), fitted(label, 13.0, false, BAR[0] - 150.0), Type::new(TEXT, 13.0));
    let mut from = BAR[0];
    for ((count, ink), name) in counts.iter().zip(FATES).zip(NAMES) {
        let width = *count as f64 / all * (BAR[1] - BAR[0]);
        if *count > 0 {
            svg.open(format_args!("{label}, {}: {count} {name}", group_name(group)));
            // A line of paper parts neighbours for those who see no colours.
            svg.rect([from, y + 4.0, (width - 1.5).max(1.0), ROW - 8.0], ink, 1.0);
            svg.close();
        }
        from += width;
    }
    for (count, x) in counts.iter().zip(COLUMNS) {
        let ink = if *count == 0 { MUTED } else { TEXT };
        svg.text((x, base), count, Type::new(ink, 13.0).end());
    }
}

fn counts(run: &Diagnosed, group: Group) -> [usize; 5] {
    let mut counts = [0; 5];
    for class in run.diagnosis.classes.iter().filter(|class| class.group == group) {
        counts[fate(class)] += 1;
    }
    counts
}

/// Position in [`NAMES`].
fn fate(class: &TailRow) -> usize {
    match class {
        class if class.never_in_validation => 4,
        class if class.never_predicted => 3,
        class if class.swallowed_by.is_some() => 2,
        class if class.ap50.is_none_or(|ap50| ap50 <= 0.0) => 1,
        _ => 0,
    }
}
