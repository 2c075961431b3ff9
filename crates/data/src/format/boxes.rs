//! Boxes as every format checks them: cut to the picture, with an area, the odd ones counted.

use std::collections::HashSet;

use super::tally::{Oddity, Tally};
use crate::ImageRecord;

/// A box may pass the border by this many pixels before it is counted as odd: annotation tools round.
const BORDER_TOLERANCE: f64 = 0.5;

/// The part of the box inside the picture; `None` when there is none.
///
/// `written` is `[x1, y1, x2, y2]` in pixels and finite, `size` the width and height of the picture.
pub fn clip(written: [f64; 4], size: [u32; 2], tally: &mut Tally, example: &dyn Fn() -> String) -> Option<[f32; 4]> {
    if written[2] <= written[0] || written[3] <= written[1] {
        tally.add(Oddity::NoArea, example);
        return None;
    }
    let limit = [size[0], size[1], size[0], size[1]].map(f64::from);
    let clipped: [f64; 4] = std::array::from_fn(|i| written[i].clamp(0.0, limit[i]));
    let [x1, y1, x2, y2] = clipped.map(|v| v as f32);
    // Both ends are compared after rounding to f32: a box can lose its area there.
    if x2 <= x1 || y2 <= y1 {
        let inside = clipped[2] > clipped[0] && clipped[3] > clipped[1];
        tally.add(if inside { Oddity::NoArea } else { Oddity::OutsidePicture }, example);
        return None;
    }
    if written.iter().zip(clipped).any(|(w, c)| (w - c).abs() > BORDER_TOLERANCE) {
        tally.add(Oddity::AcrossBorder, example);
    }
    Some([x1, y1, x2, y2])
}

/// The area as written, or that of the box when none is written or it cannot be right.
pub fn object_area(written: Option<f64>, bbox: [f32; 4], tally: &mut Tally, name: &dyn Fn() -> String) -> f64 {
    match written {
        Some(area) if area.is_finite() && area >= 0.0 => return area,
        Some(area) => tally.add(Oddity::BadArea, || format!("{} has area {area}", name())),
        None => {}
    }
    box_area(bbox)
}

/// Area of a box in square pixels.
pub fn box_area([x1, y1, x2, y2]: [f32; 4]) -> f64 {
    f64::from(x2 - x1) * f64::from(y2 - y1)
}

/// Counts objects that are given twice.
pub fn count_repeated(records: &[ImageRecord], tally: &mut Tally) {
    let mut seen = HashSet::new();
    for record in records {
        seen.clear();
        for object in &record.objects {
            if !seen.insert((object.class, object.bbox.map(f32::to_bits))) {
                tally.add(Oddity::Repeated, || format!("image {}, box {:?}", record.id.0, object.bbox));
            }
        }
    }
}
