//! A training as a terminal shows it: how far, how well, and whether the ratios move. Text alone: the program decides where it goes and how often.

mod board;

use std::collections::BTreeMap;

use equipoise_data::Group;

use crate::figure::ink::group_name;
use crate::figure::{median, thousands};
use crate::record::{HistoryRow, RunRecord};
use crate::symptoms::symptoms;
use crate::table::{percent, printable};

pub use board::{Screen, board};

/// Narrower than this nothing can be said.
pub const LEAST_WIDTH: usize = 40;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const GROUPS: [Group; 3] = [Group::Rare, Group::Common, Group::Frequent];
/// Warnings that are shown; the report has all of them.
const MOST_WARNINGS: usize = 2;
/// Columns of a value beside its sparkline, and of the name before it.
const NAME: usize = 10;

/// The run in lines of at most `width` columns, at least [`LEAST_WIDTH`]; `colour` adds ANSI colours, which take no columns.
///
/// Losses are means over the last tenth of the logged steps, sparklines go from the start to now, ratios are medians over the classes of a group.
pub fn lines(run: &RunRecord, width: usize, colour: bool) -> Vec<String> {
    let name = if run.meta.title.is_empty() { &run.meta.name } else { &run.meta.title };
    block(run, &printable(name), &Paint { width: width.max(LEAST_WIDTH), colour }, Detail::Whole)
}

/// How much is told of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Everything.
    Whole,
    /// Without the parts of the loss and without warnings.
    Short,
    /// A line.
    Line,
}

fn block(run: &RunRecord, name: &str, paint: &Paint, detail: Detail) -> Vec<String> {
    if detail == Detail::Line {
        let loss = recent(&run.history, |row| row.loss).map_or_else(String::new, |loss| format!("  loss {loss:.3}"));
        return vec![paint.line(Style::Plain, &(heading(run, name, false) + &loss))];
    }
    let whole = heading(run, name, true);
    let fits = whole.chars().count() <= paint.width;
    let mut out = vec![paint.line(Style::Bold, &if fits { whole } else { heading(run, name, false) })];
    let losses = if detail == Detail::Whole { 2 } else { 1 };
    out.extend(paint.losses(&run.history).into_iter().take(losses));
    out.extend(paint.scores(run));
    out.extend(paint.ratios(run));
    if detail == Detail::Whole {
        out.extend(paint.warnings(run));
    }
    out
}

fn heading(run: &RunRecord, name: &str, whole: bool) -> String {
    let Some(row) = run.history.last() else { return format!("{name}  not a step is logged yet") };
    let total = if run.meta.steps > 0 { format!("/{}", thousands(run.meta.steps)) } else { String::new() };
    let rate = if whole { format!("  epoch {:.2}  lr {:.2e}", row.epoch, row.lr) } else { String::new() };
    format!("{name}  step {}{total}{rate}", thousands(row.step))
}

/// Mean over the last tenth of the logged steps; `None` before the first.
fn recent(history: &[HistoryRow], of: impl Fn(&HistoryRow) -> f64) -> Option<f64> {
    let recent = &history[history.len() - history.len().div_ceil(10)..];
    (!recent.is_empty()).then(|| recent.iter().map(of).sum::<f64>() / recent.len() as f64)
}

#[derive(Clone, Copy)]
enum Style {
    Plain,
    Bold,
    Dim,
    Warning,
}

#[derive(Clone, Copy)]
struct Paint {
    width: usize,
    colour: bool,
}

impl Paint {
    /// A line, cut to the width.
    fn line(&self, style: Style, text: &str) -> String {
        let text = if text.chars().count() <= self.width {
            text.to_string()
        } else {
            text.chars().take(self.width - 1).chain(['…']).collect()
        };
        let code = match style {
            Style::Plain => "",
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Warning => "33",
        };
        if self.colour && !code.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text }
    }

    /// The loss with its parts, and its sparkline.
    fn losses(&self, history: &[HistoryRow]) -> Vec<String> {
        let mean = |of: fn(&HistoryRow) -> f64| recent(history, of).unwrap_or(f64::NAN);
        if history.is_empty() {
            return Vec::new();
        }
        let mut parts = format!("cls {:.3}  box {:.3}", mean(|row| row.classification), mean(|row| row.box_regression));
        // A detector of one stage has no proposals, and few learn masks.
        let others = [("rpn", mean(|row| row.rpn_objectness + row.rpn_box)), ("mask", mean(|row| row.mask))];
        others.iter().filter(|(_, loss)| *loss != 0.0).for_each(|(name, loss)| parts += &format!("  {name} {loss:.3}"));
        let values: Vec<f64> = history.iter().map(|row| row.loss).collect();
        let loss = self.series("loss", &values, 0.0, &format!("{:.3}", mean(|row| row.loss)));
        vec![loss, self.line(Style::Plain, &format!("{:NAME$}{parts}", ""))]
    }

    /// The scores so far: of the last validation, or of the end.
    fn scores(&self, run: &RunRecord) -> Option<String> {
        let keys = ["AP", "APr", "APc", "APf"];
        let (values, when) = match (&run.metrics, run.validation.last()) {
            (Some(metrics), _) => (keys.map(|key| metrics.get(key)), "final".to_string()),
            (None, Some(row)) => {
                ([row.ap, row.ap_rare, row.ap_common, row.ap_frequent], format!("step {}", thousands(row.step)))
            }
            (None, None) => return None,
        };
        let shown: Vec<String> = keys.iter().zip(values).map(|(key, v)| format!("{key} {}", percent(v))).collect();
        Some(self.line(Style::Plain, &format!("{:NAME$}{}  {when}", "scores", shown.join("  "))))
    }

    /// A sparkline for each group's median ratio, on one scale from 0 to 1 and beyond where a ratio is.
    fn ratios(&self, run: &RunRecord) -> Vec<String> {
        let mut steps: BTreeMap<u64, [Vec<f64>; 3]> = BTreeMap::new();
        for row in &run.ledger {
            let group = GROUPS.iter().position(|group| *group == row.group).unwrap_or(0);
            steps.entry(row.step).or_default()[group].push(row.ratio);
        }
        let medians = |at: usize| steps.values().filter_map(|groups| median(groups[at].iter().copied())).collect();
        let curves: Vec<(Group, Vec<f64>)> = (0..GROUPS.len()).map(|at| (GROUPS[at], medians(at))).collect();
        let top = curves.iter().flat_map(|(_, values)| values).copied().filter(|v| v.is_finite()).fold(1.0, f64::max);
        let drawn = curves.iter().filter(|(_, values)| !values.is_empty());
        drawn
            .map(|(group, values)| {
                let value = values.last().map_or_else(String::new, |v| format!("g {v:.2}"));
                self.series(group_name(*group), values, top, &value)
            })
            .collect()
    }

    /// `name`, the values as blocks, the last value. `top` is the value of a full block, or 0 for the greatest of the values.
    fn series(&self, name: &str, values: &[f64], top: f64, value: &str) -> String {
        let room = self.width.saturating_sub(NAME + value.chars().count() + 1);
        let top = if top > 0.0 { top } else { high(values) };
        self.line(Style::Plain, &format!("{name:NAME$}{} {value}", sparkline(values, top, room.min(48))))
    }

    /// What is wrong with the run, as far as a glance can take it.
    fn warnings(&self, run: &RunRecord) -> Vec<String> {
        let found = symptoms(run);
        let mut out: Vec<String> =
            found.iter().take(MOST_WARNINGS).flat_map(|symptom| self.warning(&symptom.to_string())).collect();
        if found.len() > MOST_WARNINGS {
            let more = format!("{} more warnings in the report", found.len() - MOST_WARNINGS);
            out.push(self.line(Style::Dim, &more));
        }
        out
    }

    /// A warning in as many lines as it needs.
    fn warning(&self, text: &str) -> Vec<String> {
        let mut lines: Vec<String> = vec![String::from("!")];
        for word in printable(text).split(' ') {
            let last = lines.last().map_or(0, |line| line.chars().count());
            match lines.last_mut() {
                Some(line) if last + 1 + word.chars().count() <= self.width => *line = format!("{line} {word}"),
                _ => lines.push(format!("  {word}")),
            }
        }
        lines.iter().map(|line| self.line(Style::Warning, line)).collect()
    }
}

/// Above 98 of 100 values: the first wild steps must not flatten the rest.
fn high(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() * 98 / 100).or(sorted.last()).copied().unwrap_or(1.0)
}

/// Values from 0 to `top` as blocks: means of equal spans where there are more values than `room`, and a dot for a span without a number.
fn sparkline(values: &[f64], top: f64, room: usize) -> String {
    let columns = values.len().min(room);
    (0..columns)
        .map(|at| {
            let span = &values[at * values.len() / columns..(at + 1) * values.len() / columns];
            let finite: Vec<f64> = span.iter().copied().filter(|v| v.is_finite()).collect();
            if finite.is_empty() {
                return '·';
            }
            let mean = finite.iter().sum::<f64>() / finite.len() as f64;
            let share = if top > 0.0 { (mean / top).clamp(0.0, 1.0) } else { 0.0 };
            BLOCKS[((share * BLOCKS.len() as f64) as usize).min(BLOCKS.len() - 1)]
        })
        .collect()
}
