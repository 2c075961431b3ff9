//! A small SVG writer.
//!
//! Not `plotters`: a chart here is a few dozen shapes, and writing them ourselves gives what a general library does not: measured text, colours that a
//! page can swap for its dark scheme through classes, one file that a browser, a paper and a rasteriser show alike, and bytes that never change.

use std::fmt::{Display, Write};

use super::font::FAMILY;

/// A colour with its counterpart on a dark page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ink {
    /// Class stem: `f-NAME` fills, `s-NAME` strokes.
    pub name: &'static str,
    /// On white.
    pub light: &'static str,
    /// On a dark page.
    pub dark: &'static str,
}

impl Ink {
    /// The light colour, `#rrggbb`, as red, green and blue.
    pub fn rgb(self) -> [u8; 3] {
        let part = |at: usize| self.light.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        [1, 3, 5].map(|at| part(at).unwrap_or(0))
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stroke {
    pub ink: Ink,
    pub width: f64,
    pub opacity: f64,
    pub dash: Option<&'static str>,
}

impl Stroke {
    pub fn new(ink: Ink, width: f64) -> Self {
        Self { ink, width, opacity: 1.0, dash: None }
    }

    pub fn opacity(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    pub fn dash(self, dash: Option<&'static str>) -> Self {
        Self { dash, ..self }
    }
}

/// Which end of a text its point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How text is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type {
    pub ink: Ink,
    pub size: f64,
    pub bold: bool,
    pub anchor: Anchor,
    /// Degrees, clockwise, about the text's point.
    pub turn: f64,
    /// Exact width, whatever typeface the reader has.
    pub width: Option<f64>,
}

impl Type {
    pub fn new(ink: Ink, size: f64) -> Self {
        Self { ink, size, bold: false, anchor: Anchor::Start, turn: 0.0, width: None }
    }

    pub fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub fn middle(self) -> Self {
        Self { anchor: Anchor::Middle, ..self }
    }

    pub fn end(self) -> Self {
        Self { anchor: Anchor::End, ..self }
    }

    pub fn wide(self, width: f64) -> Self {
        Self { width: Some(width), ..self }
    }

    pub fn turned(self, turn: f64) -> Self {
        Self { turn, ..self }
    }
}

/// A number as short as two decimals allow.
pub(crate) fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// Text out of a file made safe for XML and HTML, in content and in attributes. Control characters, which XML forbids, are shown as �.
pub(crate) fn escape(text: impl Display) -> String {
    let mut out = String::new();
    for c in text.to_string().chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Shapes in the order they are painted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Svg {
    body: String,
}

impl Svg {
    fn push(&mut self, shape: std::fmt::Arguments) {
        // Writing to a String cannot fail.
        let _ = self.body.write_fmt(shape);
        self.body.push('\n');
    }

    pub fn rect(&mut self, [x, y, w, h]: [f64; 4], ink: Ink, opacity: f64) {
        let (x, y, w, h) = (short(x), short(y), short(w.max(0.0)), short(h.max(0.0)));
        self.push(format_args!(
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{}" class="f-{}"{}/>"#,
            ink.light,
            ink.name,
            attribute("fill-opacity", opacity)
        ));
    }

    pub fn frame(&mut self, [x, y, w, h]: [f64; 4], radius: f64, stroke: Stroke) {
        let (x, y, w, h) = (short(x), short(y), short(w.max(0.0)), short(h.max(0.0)));
        let style = stroke_style(stroke);
        self.push(format_args!(
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="{}" fill="none" {style}/>"#,
            short(radius)
        ));
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        let (x1, y1, x2, y2) = (short(from.0), short(from.1), short(to.0), short(to.1));
        self.push(format_args!(r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" {}/>"#, stroke_style(stroke)));
    }

    /// A line through the points; one that is not finite breaks it.
    pub fn curve(&mut self, points: impl IntoIterator<Item = (f64, f64)>, stroke: Stroke) {
        let (mut path, mut pen_down) = (String::new(), false);
        for (x, y) in points {
            if !(x.is_finite() && y.is_finite()) {
                pen_down = false;
                continue;
            }
            let _ = write!(path, "{}{} {}", if pen_down { 'L' } else { 'M' }, short(x), short(y));
            pen_down = true;
        }
        if !path.is_empty() {
            let style = stroke_style(stroke);
            self.push(format_args!(
                r#"<path d="{path}" fill="none" stroke-linejoin="round" stroke-linecap="round" {style}/>"#
            ));
        }
    }

    pub fn dot(&mut self, (x, y): (f64, f64), radius: f64, ink: Ink, opacity: f64) {
        let (x, y, r) = (short(x), short(y), short(radius));
        self.push(format_args!(
            r#"<circle cx="{x}" cy="{y}" r="{r}" fill="{}" class="f-{}"{}/>"#,
            ink.light,
            ink.name,
            attribute("fill-opacity", opacity)
        ));
    }

    pub fn ring(&mut self, (x, y): (f64, f64), radius: f64, stroke: Stroke) {
        let (x, y, r) = (short(x), short(y), short(radius));
        self.push(format_args!(r#"<circle cx="{x}" cy="{y}" r="{r}" fill="none" {}/>"#, stroke_style(stroke)));
    }

    pub fn text(&mut self, (x, y): (f64, f64), text: impl Display, style: Type) {
        let (x, y) = (short(x), short(y));
        let weight = if style.bold { r#" font-weight="700""# } else { "" };
        let anchor = match style.anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let turn = if style.turn == 0.0 {
            String::new()
        } else {
            format!(r#" transform="rotate({} {x} {y})""#, short(style.turn))
        };
        let length = style.width.map_or_else(String::new, |width| {
            format!(r#" textLength="{}" lengthAdjust="spacingAndGlyphs""#, short(width))
        });
        self.push(format_args!(
            r#"<text x="{x}" y="{y}" font-size="{}" fill="{}" class="f-{}"{weight}{anchor}{turn}{length}>{}</text>"#,
            short(style.size),
            style.ink.light,
            style.ink.name,
            escape(text)
        ));
    }

    /// What follows until [`Svg::close`] belongs together and has a tooltip.
    pub fn open(&mut self, tooltip: impl Display) {
        self.push(format_args!("<g><title>{}</title>", escape(tooltip)));
    }

    /// The same for shapes of a class: a page can tell which one was clicked.
    pub fn open_class(&mut self, class: usize, tooltip: impl Display) {
        self.push(format_args!("<g data-class=\"{class}\"><title>{}</title>", escape(tooltip)));
    }

    pub fn close(&mut self) {
        self.push(format_args!("</g>"));
    }

    /// The shapes alone.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The whole document; `background` is painted under everything, `label` is read aloud.
    pub fn document(&self, width: f64, height: f64, background: Option<Ink>, label: &str) -> String {
        let (w, h) = (short(width), short(height));
        let back = background.map_or_else(String::new, |ink| {
            format!("<rect width=\"{w}\" height=\"{h}\" fill=\"{}\" class=\"f-{}\"/>\n", ink.light, ink.name)
        });
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" \
             aria-label=\"{}\" font-family=\"{FAMILY}\">\n{back}{}</svg>\n",
            escape(label),
            self.body
        )
    }
}

fn attribute(name: &str, opacity: f64) -> String {
    if opacity >= 1.0 { String::new() } else { format!(r#" {name}="{}""#, short(opacity)) }
}

fn stroke_style(stroke: Stroke) -> String {
    let dash = stroke.dash.map_or_else(String::new, |d| format!(r#" stroke-dasharray="{d}""#));
    format!(
        r#"stroke="{}" class="s-{}" stroke-width="{}"{}{dash}"#,
        stroke.ink.light,
        stroke.ink.name,
        short(stroke.width),
        attribute("stroke-opacity", stroke.opacity)
    )
}
