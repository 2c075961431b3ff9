//! The one typeface: Noto Sans (SIL Open Font License 1.1), out of the `notosans` crate, so that text is measured and rasterised alike everywhere.

use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::Database;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

/// Families for SVG in a browser, in order of preference; the rasteriser knows the first only.
pub(crate) const FAMILY: &str = "Noto Sans, Segoe UI, Helvetica Neue, Arial, sans-serif";

/// The two cuts for the rasteriser.
pub(crate) static DATABASE: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut database = Database::new();
    database.load_font_data(notosans::REGULAR_TTF.to_vec());
    database.load_font_data(notosans::BOLD_TTF.to_vec());
    database.set_sans_serif_family("Noto Sans");
    Arc::new(database)
});

/// Advance of a character the typeface does not have, in ems.
const MISSING: f64 = 0.6;

/// Width of a line of text, in the unit of `size`.
pub(crate) fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    let Ok(font) = FontRef::new(if bold { notosans::BOLD_TTF } else { notosans::REGULAR_TTF }) else {
        return MISSING * size * text.chars().count() as f64;
    };
    // At a size of one unit the metrics are fractions of an em.
    let (characters, metrics) = (font.charmap(), font.glyph_metrics(Size::new(1.0), LocationRef::default()));
    let advance = |c| characters.map(c).and_then(|glyph| metrics.advance_width(glyph)).map_or(MISSING, f64::from);
    size * text.chars().map(advance).sum::<f64>()
}

/// The text, shortened with … where it is wider than `room`.
pub(crate) fn fitted(text: &str, size: f64, bold: bool, room: f64) -> String {
    if text_width(text, size, bold) <= room {
        return text.to_string();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let shorter: String = kept.iter().collect::<String>().trim_end().to_string() + "…";
        if text_width(&shorter, size, bold) <= room {
            return shorter;
        }
    }
    String::new()
}
