//! Figures of runs: the gradient-ratio plot of EQL v2 and its relatives, as SVG and PNG.

mod class_ap;
mod class_fates;
mod class_or_box;
mod diagnosed;
mod error_costs;
mod font;
mod histogram;
pub(crate) mod ink;
mod loss_curves;
mod plot;
mod raster;
mod ratio;
mod reliability;
mod score_curves;
mod score_difference;
pub(crate) mod svg;
mod top_confusions;

use std::path::{Path, PathBuf};

pub use class_ap::class_ap;
pub use class_fates::class_fates;
pub use class_or_box::class_or_box;
pub use error_costs::error_costs;
pub(crate) use font::{fitted, text_width};
pub use histogram::class_histogram;
pub use loss_curves::loss_curves;
pub(crate) use plot::{median, thousands};
pub(crate) use raster::pixels;
pub(crate) use ratio::spread;
pub use ratio::{gradient_ratio, ratio_over_steps};
pub use reliability::reliability;
pub use score_curves::score_curves;
pub(crate) use score_difference::{Difference, score_difference};
pub use top_confusions::top_confusions;

use crate::error::Result;
use crate::record::write_file;

/// Pixels of a PNG for each unit of the SVG: sharp on paper and on dense screens.
const PNG_SCALE: f32 = 2.0;

/// A drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// File name without its ending.
    pub name: String,
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// The whole SVG document.
    pub svg: String,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, label: impl Into<String>, drawing: &svg::Svg, height: f64) -> Self {
        let label = label.into();
        let svg = drawing.document(plot::WIDTH, height, Some(ink::PAPER), &label);
        Self { name: name.into(), label, svg }
    }

    /// The figure as PNG, two pixels to a unit, in the embedded typeface.
    ///
    /// # Errors
    /// A drawing that the rasteriser refuses.
    pub fn png(&self) -> Result<Vec<u8>> {
        raster::png(&self.name, &self.svg, PNG_SCALE)
    }

    /// Writes `NAME.svg` and `NAME.png` into a folder.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<[PathBuf; 2]> {
        let paths = [folder.join(format!("{}.svg", self.name)), folder.join(format!("{}.png", self.name))];
        write_file(&paths[0], self.svg.as_bytes())?;
        write_file(&paths[1], &self.png()?)?;
        Ok(paths)
    }
}
