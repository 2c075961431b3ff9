//! Whose name do missed objects get? The largest confusions, classes that another swallows first.

use super::Figure;
use super::diagnosed::{Diagnosed, diagnosed};
use super::font::{fitted, text_width};
use super::ink::{FATES, MUTED, RULE, TEXT};
use super::plot::{RIGHT, WIDTH, headings};
use super::svg::{Stroke, Svg, Type};
use crate::diagnosis::Confusion;
use crate::record::RunRecord;

const MOST_ROWS: usize = 12;
const TOP: f64 = 122.0;
const ROW: f64 = 24.0;
const LEFT: f64 = 24.0;
const GAP: f64 = 40.0;
/// Gap below a row of panels.
const BELOW: f64 = 52.0;

/// A panel for each run with its largest confusions. `None` when no run has any.
pub fn top_confusions(runs: &[RunRecord]) -> Option<Figure> {
    let found: Vec<(Diagnosed, Vec<&Confusion>)> = diagnosed(runs)
        .into_iter()
        .map(|run| {
            let largest = largest(&run.diagnosis.confusions);
            (run, largest)
        })
        .collect();
    if found.iter().all(|(_, largest)| largest.is_empty()) {
        return None;
    }
    let mut svg = Svg::default();
    headings(
        &mut svg,
        "Objects that get the name of another class",
        "the part of the objects of a class that it does not find and another one covers; swallowed: at least half, by a class with more training pictures",
    );
    let mut x = LEFT;
    for (ink, name) in [(FATES[2], "swallowed"), (FATES[4], "confused")] {
        svg.rect([x, 70.0, 14.0, 10.0], ink, 1.0);
        svg.text((x + 22.0, 80.0), name, Type::new(TEXT, 13.0));
        x += 52.0 + text_width(name, 13.0, false);
    }
    let width = (WIDTH - LEFT - RIGHT - GAP) / 2.0;
    let mut top = TOP;
    for pair in found.chunks(2) {
        for (at, (run, largest)) in pair.iter().enumerate() {
            // A run alone has all the room.
            let width = if found.len() == 1 { WIDTH - LEFT - RIGHT } else { width };
            panel(&mut svg, run, largest, [LEFT + at as f64 * (width + GAP), top, width]);
        }
        let rows = pair.iter().map(|(_, largest)| largest.len().max(1)).max().unwrap_or(1);
        top += rows as f64 * ROW + BELOW;
    }
    let label = format!("The largest confusions between classes under {} runs", found.len());
    Some(Figure::new("top_confusions", label, &svg, top - BELOW + 14.0))
}

/// Swallowed classes first, then by how many objects were lost, and which part of the class they are.
fn largest(all: &[Confusion]) -> Vec<&Confusion> {
    let mut largest: Vec<&Confusion> = all.iter().filter(|c| c.objects > 0 && c.share.is_finite()).collect();
    largest.sort_by(|a, b| {
        let by_size = b.objects.cmp(&a.objects).then(b.share.total_cmp(&a.share));
        b.swallowed.cmp(&a.swallowed).then(by_size).then(a.class_index.cmp(&b.class_index))
    });
    largest.truncate(MOST_ROWS);
    largest
}

fn panel(svg: &mut Svg, run: &Diagnosed, largest: &[&Confusion], [left, top, width]: [f64; 3]) {
    let swallowed = run.diagnosis.confusions.iter().filter(|c| c.swallowed).count();
    let head = format!("{} · {swallowed} swallowed", run.series.label);
    svg.line((left, top - 14.5), (left + 24.0, top - 14.5), Stroke::new(run.series.ink, 3.0).dash(run.series.dash));
    svg.text((left + 32.0, top - 10.0), fitted(&head, 13.0, true, width - 40.0), Type::new(TEXT, 13.0).bold());
    if largest.is_empty() {
        svg.text((left, top + 16.0), "none", Type::new(MUTED, 13.0));
    }
    let (names, numbers) = (0.52 * width, 62.0);
    let (from, room) = (left + names, width - names - numbers);
    svg.line((from, top), (from, top + ROW * largest.len() as f64), Stroke::new(RULE, 1.0));
    for (at, confusion) in largest.iter().enumerate() {
        let y = top + ROW * at as f64;
        let of = (confusion.objects as f64 / confusion.share.max(f64::MIN_POSITIVE)).round().min(1e15) as u64;
        svg.open_class(
            confusion.class_index,
            format_args!(
                "{} · {} of {of} objects are called {}",
                confusion.class, confusion.objects, confusion.taken_for
            ),
        );
        let half = (names - 34.0) / 2.0;
        let class = fitted(&confusion.class, 13.0, true, half);
        let arrow = left + text_width(&class, 13.0, true);
        let other = fitted(&confusion.taken_for, 13.0, false, names - 34.0 - (arrow - left));
        svg.text((left, y + 16.5), class, Type::new(TEXT, 13.0).bold());
        svg.text((arrow + 6.0, y + 16.5), "→", Type::new(MUTED, 13.0));
        svg.text((arrow + 24.0, y + 16.5), other, Type::new(TEXT, 13.0));
        let ink = FATES[if confusion.swallowed { 2 } else { 4 }];
        svg.rect([from, y + 5.0, (confusion.share.min(1.0) * room).max(1.0), ROW - 10.0], ink, 1.0);
        svg.text((left + width, y + 16.5), format!("{} of {of}", confusion.objects), Type::new(MUTED, 12.0).end());
        svg.close();
    }
}
