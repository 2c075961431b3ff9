//! Pictures with boxes, masks and names drawn on, for people who want to see what a detector found.

use equipoise_data::Bitmap;
use image::RgbImage;
use image::imageops::{FilterType, resize};
use resvg::tiny_skia::Pixmap;

use crate::detection::RunLengths;
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
    /// Its pixels, tinted in its colour; a mask of another picture's size is not drawn.
    pub mask: Option<Box<RunLengths>>,
}

/// Share of the colour in the pixels of a mask.
const TINT: f32 = 0.45;

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
    // The best last, so that its mask lies on top.
    order.iter().rev().for_each(|labelled| tint(&mut canvas, labelled, factor, [height as usize, width as usize]));
    let marks: Vec<Mark> = order.into_iter().map(|b| mark(b, f64::from(factor))).collect();
    let mut svg = Svg::default();
    overlay(&mut svg, &marks, (w, h), (w.max(h) / 46.0).clamp(13.0, 34.0));
    let drawn = pixels("annotated picture", &svg.document(w, h, None, ""), 1.0)?;
    lay_over(&mut canvas, &drawn);
    Ok(canvas)
}

/// Mixes the colour of a mask into its pixels, and draws its edge a little stronger.
fn tint(canvas: &mut RgbImage, labelled: &LabelledBox, factor: u32, size: [usize; 2]) {
    let lengths = labelled.mask.as_ref().filter(|lengths| lengths.size == size);
    let Some(mask) = lengths.and_then(|lengths| Bitmap::unpacked(&lengths.counts, size)) else { return };
    let ink = class_ink(labelled.class).rgb();
    for (x, y) in mask.pixels() {
        let beside = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
        let share = if beside.into_iter().all(|(x, y)| mask.has(x, y)) { TINT } else { 0.5 + TINT / 2.0 };
        for at in 0..factor * factor {
            let pixel = canvas.get_pixel_mut(x as u32 * factor + at % factor, y as u32 * factor + at / factor);
            for (value, ink) in pixel.0.iter_mut().zip(ink) {
                *value = (f32::from(*value) * (1.0 - share) + f32::from(ink) * share).round() as u8;
            }
        }
    }
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
