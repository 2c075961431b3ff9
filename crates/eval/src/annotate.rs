//! Pictures with boxes and names drawn on, for people who want to see what a detector found.

use image::RgbImage;
use image::imageops::{FilterType, resize};
use resvg::tiny_skia::Pixmap;

use crate::error::{EvalError, Result};
use crate::figure::ink::class_ink;
use crate::figure::pixels;
use crate::figure::svg::Svg;
use crate::overlay::{Mark, overlay};

/// A box to draw on a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledBox {
    /// `[x1, y1, x2, y2]` in pixels of the picture.
    pub bbox: [f32; 4],
    /// What it is: the name of the category.
    pub name: String,
    /// How sure the detector is; `None` for truth.
    pub score: Option<f32>,
    /// Decides the colour: boxes of the same class look alike.
    pub class: usize,
}

/// A smaller picture is enlarged, since names would cover it.
const LEAST_SIDE: u32 = 640;
const MOST_FACTOR: u32 = 8;

/// Draws the boxes, best score last and so on top. A picture whose longer side is below 640 pixels comes back enlarged by a whole factor.
///
/// # Errors
/// A picture without pixels.
pub fn annotate(picture: &RgbImage, boxes: &[LabelledBox]) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if width == 0 || height == 0 {
        return Err(EvalError::Draw { what: "annotated picture".into(), reason: "it has no pixels".into() });
    }
    let factor = LEAST_SIDE.div_ceil(longer).clamp(1, MOST_FACTOR);
    let mut canvas = match factor {
        1 => picture.clone(),
        _ => resize(picture, width * factor, height * factor, FilterType::CatmullRom),
    };
    let (w, h) = (f64::from(width * factor), f64::from(height * factor));
    let mut order: Vec<&LabelledBox> = boxes.iter().filter(|b| b.bbox.iter().all(|v| v.is_finite())).collect();
    order.sort_by(|a, b| b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0)));
    let marks: Vec<Mark> = order.into_iter().map(|b| mark(b, f64::from(factor))).collect();
    let mut svg = Svg::default();
    overlay(&mut svg, &marks, (w, h), (w.max(h) / 46.0).clamp(13.0, 34.0));
    let drawn = pixels("annotated picture", &svg.document(w, h, None, ""), 1.0)?;
    lay_over(&mut canvas, &drawn);
    Ok(canvas)
}

/// Lays a drawing of the same size over a picture.
pub(crate) fn lay_over(canvas: &mut RgbImage, drawn: &Pixmap) {
    for (pixel, over) in canvas.pixels_mut().zip(drawn.data().chunks_exact(4)) {
        let through = 255 - u32::from(over[3]);
        for (below, above) in pixel.0.iter_mut().zip(over) {
            // The overlay is premultiplied: its colour is added, not mixed.
            *below = (u32::from(*above) + (u32::from(*below) * through + 127) / 255).min(255) as u8;
        }
    }
}

fn mark(labelled: &LabelledBox, factor: f64) -> Mark {
    let label = match labelled.score {
        Some(score) => format!("{} {score:.2}", labelled.name),
        None => labelled.name.clone(),
    };
    let bbox = labelled.bbox.map(|v| f64::from(v) * factor);
    Mark { bbox, label, ink: class_ink(labelled.class), dashed: false }
}
