//! Axes, grids, bands and legends that the figures share.

use equipoise_data::Group;

use super::font::{fitted, text_width};
use super::ink::{GRID, GRID_OPACITY, MUTED, RULE, Series, TEXT, band, group_name};
use super::svg::{Stroke, Svg, Type, short};

/// Width of a whole figure in pixels.
pub(crate) const WIDTH: f64 = 960.0;
pub(crate) const LEFT: f64 = 84.0;
pub(crate) const RIGHT: f64 = 24.0;
/// Below title and subtitle.
pub(crate) const TOP: f64 = 92.0;
pub(crate) const SMALL: f64 = 12.0;
const LEGEND_ROW: f64 = 24.0;
const LEGEND_VALUE: f64 = 70.0;
const LEGEND_GAP: f64 = 22.0;

/// A map from values to pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    values: (f64, f64),
    pixels: (f64, f64),
    log: bool,
}

impl Scale {
    pub fn linear(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Self { values, pixels, log: false }
    }

    /// Both values must be positive.
    pub fn log(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Self { values: (values.0.log10(), values.1.log10()), pixels, log: true }
    }

    /// The largest value.
    pub fn end(&self) -> f64 {
        if self.log { 10_f64.powf(self.values.1) } else { self.values.1 }
    }

    /// The pixel of a value; beyond the ends it goes on.
    pub fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        let (low, high) = self.values;
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }
}

/// Round values from `low` to `high`, at most about `most` of them.
pub(crate) fn ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return vec![low];
    }
    let raw = span / most.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= raw * 0.999).unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// 1, 2, 5, 10 … between two positive values; powers of ten alone where that is too many.
pub(crate) fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let steps: &[f64] = if last - first > 4 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let all = (first..=last).flat_map(|power| steps.iter().map(move |m| m * 10_f64.powi(power)));
    all.filter(|v| *v >= low * 0.999 && *v <= high * 1.001).collect()
}

/// 1,234,567
pub(crate) fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Title and subtitle of a figure.
pub(crate) fn headings(svg: &mut Svg, title: &str, subtitle: &str) {
    let room = WIDTH - 48.0;
    svg.text((24.0, 32.0), fitted(title, 18.0, true, room), Type::new(TEXT, 18.0).bold());
    svg.text((24.0, 54.0), fitted(subtitle, 13.0, false, room), Type::new(MUTED, 13.0));
}

/// Where curves are drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plot {
    pub x: Scale,
    pub y: Scale,
    /// `[left, top, right, bottom]`
    pub area: [f64; 4],
}

impl Plot {
    /// Grid lines and labels at these values of the vertical axis.
    pub fn y_axis(&self, svg: &mut Svg, ticks: &[f64], label: impl Fn(f64) -> String) {
        let [left, _, right, _] = self.area;
        for &value in ticks {
            let y = self.y.at(value);
            svg.line((left, y), (right, y), Stroke::new(GRID, 1.0).opacity(GRID_OPACITY));
            svg.text((left - 8.0, y + 4.0), label(value), Type::new(MUTED, SMALL).end());
        }
    }

    /// Labels at these values of the horizontal axis, leaving out what would touch its neighbour.
    pub fn x_axis(&self, svg: &mut Svg, ticks: &[f64], label: impl Fn(f64) -> String) {
        let [left, _, right, bottom] = self.area;
        svg.line((left, bottom), (right, bottom), Stroke::new(RULE, 1.0));
        let mut free_from = f64::NEG_INFINITY;
        for &value in ticks {
            let (x, text) = (self.x.at(value), label(value));
            let half = text_width(&text, SMALL, false) / 2.0;
            if x - half < free_from {
                continue;
            }
            free_from = x + half + 6.0;
            svg.line((x, bottom), (x, bottom + 4.0), Stroke::new(RULE, 1.0));
            svg.text((x, bottom + 18.0), text, Type::new(MUTED, SMALL).middle());
        }
    }

    /// What the axes show.
    pub fn axis_titles(&self, svg: &mut Svg, x: &str, y: &str, x_offset: f64) {
        let [left, top, right, bottom] = self.area;
        svg.text(((left + right) / 2.0, bottom + x_offset), x, Type::new(TEXT, 13.0).middle());
        let at = (left - 50.0, (top + bottom) / 2.0);
        svg.text(at, y, Type::new(TEXT, 13.0).middle().turned(-90.0));
    }

    /// Shades the classes of each group; `groups` are the classes from left to right, one to a unit of `x` around its position.
    pub fn class_bands(&self, svg: &mut Svg, groups: &[Group]) {
        let mut segments: Vec<(Group, usize, usize)> = Vec::new();
        for (at, &group) in groups.iter().enumerate() {
            match segments.last_mut() {
                Some((last, _, end)) if *last == group => *end = at + 1,
                _ => segments.push((group, at, at + 1)),
            }
        }
        let edge = |at: usize| self.x.at(at as f64 - 0.5);
        let spans: Vec<(Group, f64, f64)> = segments.iter().map(|&(g, from, to)| (g, edge(from), edge(to))).collect();
        let count = |group| groups.iter().filter(|g| **g == group).count();
        self.bands(svg, &spans, count);
    }

    /// Shades spans of pixels and names each group once, in its widest span.
    pub fn bands(&self, svg: &mut Svg, spans: &[(Group, f64, f64)], classes: impl Fn(Group) -> usize) {
        let [_, top, _, bottom] = self.area;
        for &(group, from, to) in spans {
            svg.rect([from, top, to - from, bottom - top], band(group), 1.0);
        }
        for group in [Group::Frequent, Group::Common, Group::Rare] {
            let widest = spans.iter().filter(|s| s.0 == group).max_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)));
            let Some(&(_, from, to)) = widest else { continue };
            let (name, count) = (group_name(group), classes(group));
            let long = format!("{name} · {count} {}", if count == 1 { "class" } else { "classes" });
            let text = [long, name.to_string()].into_iter().find(|t| text_width(t, SMALL, true) < to - from - 6.0);
            if let Some(text) = text {
                svg.text(((from + to) / 2.0, top - 7.0), text, Type::new(MUTED, SMALL).bold().middle());
            }
        }
    }
}

/// Height of a legend with so many rows.
pub(crate) fn legend_height(rows: usize) -> f64 {
    LEGEND_ROW * (rows + 1) as f64 + 8.0
}

/// A table under the plot: one row for each series with its line and some values. `top` is where it begins.
pub(crate) fn legend(svg: &mut Svg, top: f64, columns: &[&str], rows: &[(&Series, Stroke, Vec<String>)]) {
    let widths = columns.iter().map(|name| (text_width(name, SMALL, false) + LEGEND_GAP).max(LEGEND_VALUE));
    let ends: Vec<f64> = widths
        .scan(0.0, |end, width| {
            *end += width;
            Some(*end)
        })
        .collect();
    let values = ends.last().copied().unwrap_or(0.0);
    let longest = rows.iter().map(|(s, _, _)| text_width(&s.label, 13.0, true)).fold(0.0, f64::max);
    let names = longest.min(WIDTH - LEFT - RIGHT - values - 60.0).max(80.0);
    let right_of = |column: usize| LEFT + 46.0 + names + ends.get(column).copied().unwrap_or(values);
    for (column, name) in columns.iter().enumerate() {
        svg.text((right_of(column), top + 14.0), name, Type::new(MUTED, SMALL).end());
    }
    for (at, (series, stroke, values)) in rows.iter().enumerate() {
        let base = top + 14.0 + LEGEND_ROW * (at + 1) as f64;
        svg.line((LEFT, base - 4.5), (LEFT + 32.0, base - 4.5), *stroke);
        svg.text((LEFT + 42.0, base), fitted(&series.label, 13.0, true, names), Type::new(TEXT, 13.0).bold());
        for (column, value) in values.iter().enumerate() {
            svg.text((right_of(column), base), value, Type::new(TEXT, 13.0).end());
        }
    }
}

/// A tick label: as short as it can be.
pub(crate) fn plain(value: f64) -> String {
    if value >= 1000.0 { thousands(value as u64) } else { short(value) }
}

/// The median, `None` of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|v| !v.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| if n % 2 == 1 { values[n / 2] } else { (values[n / 2 - 1] + values[n / 2]) / 2.0 })
}
