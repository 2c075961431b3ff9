//! Several trainings as a terminal shows them: those under way side by side or one below the other, as far as there is room, then those that are done.

use super::{Detail, Paint, Style, block};
use crate::record::RunRecord;
use crate::table::{percent, printable};

/// Two trainings stand side by side where each has so many columns.
const SIDE: usize = 52;
/// Columns between neighbours.
const GAP: usize = 3;

/// Room on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
    /// Whether ANSI colours are understood.
    pub colour: bool,
}

/// Trainings under way and trainings that are done, in at most `screen.height` lines.
///
/// Those under way are shown in the first of these ways that fits: whole, without warnings and parts of the loss, a line each. Those that are
/// done follow in the lines that are left, the best AP first.
pub fn board(under_way: &[RunRecord], done: &[RunRecord], screen: Screen) -> Vec<String> {
    let paint = Paint { width: screen.width.max(super::LEAST_WIDTH), colour: screen.colour };
    // Room for the best that is done, and its heading.
    let kept = if done.is_empty() { 0 } else { 2 };
    let room = screen.height.saturating_sub(kept);
    let ways = [Detail::Whole, Detail::Short, Detail::Line];
    let shown = ways.map(|detail| beside(under_way, &paint, detail));
    let mut lines = shown.into_iter().find(|lines| lines.len() <= room).unwrap_or_else(|| {
        let mut lines = beside(under_way, &paint, Detail::Line);
        let hidden = lines.len().saturating_sub(room.saturating_sub(1));
        lines.truncate(room.saturating_sub(1));
        lines.push(paint.line(Style::Dim, &format!("{hidden} more under way")));
        lines
    });
    lines.extend(finished(done, &paint, screen.height.saturating_sub(lines.len())));
    lines.truncate(screen.height);
    lines
}

/// The blocks of the runs in as many columns as fit.
fn beside(runs: &[RunRecord], paint: &Paint, detail: Detail) -> Vec<String> {
    let columns = ((paint.width + GAP) / (SIDE + GAP)).clamp(1, runs.len().max(1));
    let width = (paint.width + GAP) / columns - GAP;
    let blocks: Vec<Vec<String>> =
        runs.iter().map(|run| block(run, &title(run), &Paint { width, ..*paint }, detail)).collect();
    let mut lines = Vec::new();
    for row in blocks.chunks(columns) {
        let height = row.iter().map(Vec::len).max().unwrap_or(0);
        if !lines.is_empty() && !matches!(detail, Detail::Line) {
            lines.push(String::new());
        }
        for at in 0..height {
            let cells = row.iter().map(|block| padded(block.get(at).map_or("", String::as_str), width));
            lines.push(cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_string());
        }
    }
    lines
}

/// Runs that are done in at most `room` lines.
fn finished(done: &[RunRecord], paint: &Paint, room: usize) -> Vec<String> {
    if done.is_empty() || room < 2 {
        return Vec::new();
    }
    let mut order: Vec<&RunRecord> = done.iter().collect();
    let ap = |run: &RunRecord| run.metric("AP").unwrap_or(-1.0);
    order.sort_by(|a, b| ap(b).total_cmp(&ap(a)));
    let names = order.iter().map(|run| title(run).chars().count()).max().unwrap_or(0).min(paint.width / 2);
    let all = order.len() < room;
    let rows = if all { order.len() } else { room.saturating_sub(2) };
    let mut lines = vec![paint.line(Style::Bold, &format!("done ({}), best AP first", done.len()))];
    for run in &order[..rows] {
        let scores = ["AP", "APr", "APc", "APf"].map(|key| format!("{key} {:>4}", percent(run.metric(key)))).join("  ");
        let name: String = title(run).chars().take(names).collect();
        lines.push(paint.line(Style::Plain, &format!("{name:names$}  {scores}")));
    }
    if !all {
        lines.push(paint.line(Style::Dim, &format!("{} more", order.len() - rows)));
    }
    lines
}

/// Method and seed.
fn title(run: &RunRecord) -> String {
    let name = if run.meta.title.is_empty() { &run.meta.name } else { &run.meta.title };
    format!("{} seed {}", printable(name), run.meta.seed)
}

/// The line with blanks up to `width` columns; colours take none.
fn padded(line: &str, width: usize) -> String {
    let (mut columns, mut inside) = (0, false);
    for c in line.chars() {
        match c {
            '\x1b' => inside = true,
            'm' if inside => inside = false,
            _ if !inside => columns += 1,
            _ => {}
        }
    }
    format!("{line}{}", " ".repeat(width.saturating_sub(columns)))
}
