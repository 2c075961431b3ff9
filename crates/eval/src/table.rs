//! Tables for a terminal: aligned columns that never pass 100 characters a line.

/// Widest line that a table may have.
pub const MAX_WIDTH: usize = 100;
const GAP: &str = "  ";

/// Which edge of a column its cells keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    unicode: bool,
}

impl Table {
    /// A table with these columns.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(name, align)| (printable(name), *align)).collect();
        Self { columns, rows: Vec::new(), unicode: true }
    }

    /// Whether rules and the mark of a shortened cell may use characters beyond ASCII; yes by default.
    pub fn unicode(mut self, yes: bool) -> Self {
        self.unicode = yes;
        self
    }

    /// Adds a row; missing cells are empty, cells beyond the last column are dropped.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        let mut cells: Vec<String> =
            cells.iter().take(self.columns.len()).map(|cell| printable(cell.as_ref())).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// The table as text, every line ended. Text columns are shortened, widest first, until the lines fit.
    pub fn render(&self) -> String {
        let widths = self.widths();
        let header: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let rule = if self.unicode { "─" } else { "-" };
        let mut out = self.line(&header, &widths);
        let total = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        out.push_str(&rule.repeat(total));
        out.push('\n');
        for row in &self.rows {
            out.push_str(&self.line(&row.iter().map(String::as_str).collect::<Vec<_>>(), &widths));
        }
        out
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().map(|row| row[at].as_str());
                cells.chain([self.columns[at].0.as_str()]).map(width).max().unwrap_or(0)
            })
            .collect();
        let room = MAX_WIDTH.saturating_sub(GAP.len() * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let text = |at: &usize| self.columns[*at].1 == Align::Left && widths[*at] > 4;
            let any = |at: &usize| widths[*at] > 1;
            let all = 0..widths.len();
            let Some(widest) = all
                .clone()
                .filter(text)
                .max_by_key(|&at| widths[at])
                .or_else(|| all.filter(any).max_by_key(|&at| widths[at]))
            else {
                break;
            };
            widths[widest] -= 1;
        }
        widths
    }

    fn line(&self, cells: &[&str], widths: &[usize]) -> String {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .zip(&self.columns)
            .map(|((cell, &room), (_, align))| {
                let cell = self.shortened(cell, room);
                let pad = " ".repeat(room - width(&cell));
                if *align == Align::Left { cell + &pad } else { pad + &cell }
            })
            .collect();
        format!("{}\n", padded.join(GAP).trim_end())
    }

    fn shortened(&self, cell: &str, room: usize) -> String {
        if width(cell) <= room {
            return cell.to_string();
        }
        let mark = if self.unicode { '…' } else { '~' };
        cell.chars().take(room.saturating_sub(1)).chain((room > 0).then_some(mark)).collect()
    }
}

/// Columns on the terminal, one for each character: good for Latin text, which category names and numbers are.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// A name out of a file must not move the cursor or colour the screen.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A fraction as a percentage with one decimal, as the field prints AP; a dash where it is not defined.
pub fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |v| format!("{:.1}", 100.0 * v))
}

/// A difference of fractions in points with its sign; a dash where it is not defined.
pub fn points(value: Option<f64>) -> String {
    value.map_or_else(
        || "–".into(),
        |v| {
            let rounded = (1000.0 * v).round() / 10.0;
            if rounded == 0.0 {
                "±0.0".into()
            } else {
                format!("{}{:.1}", if rounded > 0.0 { '+' } else { '−' }, rounded.abs())
            }
        },
    )
}
