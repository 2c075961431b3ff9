//! SVG to pixels by `resvg`, with the embedded typeface only: no font of the system is ever asked for.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::font::DATABASE;
use crate::error::{EvalError, Result};

/// Renders to RGBA with premultiplied alpha; `name` is for errors.
pub(crate) fn pixels(name: &str, svg: &str, scale: f32) -> Result<Pixmap> {
    let refuse = |reason: String| EvalError::Draw { what: name.into(), reason };
    let options = Options { fontdb: DATABASE.clone(), font_family: "Noto Sans".into(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| refuse(error.to_string()))?;
    let size = tree.size().to_int_size().scale_by(scale).ok_or_else(|| refuse("it has no size".into()))?;
    let mut canvas = Pixmap::new(size.width(), size.height()).ok_or_else(|| refuse("it is too large".into()))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut canvas.as_mut());
    Ok(canvas)
}

/// Renders an opaque drawing to PNG.
pub(super) fn png(name: &str, svg: &str, scale: f32) -> Result<Vec<u8>> {
    let canvas = pixels(name, svg, scale)?;
    // Opaque: premultiplied and straight colours are the same, and the alpha channel is dead weight.
    let rgb: Vec<u8> = canvas.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    let mut out = Vec::new();
    PngEncoder::new_with_quality(&mut out, CompressionType::Default, FilterType::Adaptive)
        .write_image(&rgb, canvas.width(), canvas.height(), ExtendedColorType::Rgb8)
        .map_err(|error| EvalError::Draw { what: name.into(), reason: error.to_string() })?;
    Ok(out)
}
