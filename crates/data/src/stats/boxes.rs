//! Sizes of boxes: what anchors and the size of the input must cover.
//!
//! Small, medium and large go by [`Object::area`](crate::Object), as in COCO's scores: the area of the mask where the file has it.
//! `pycocotools` counts an object of exactly 32² or 96² on both sides of the border; here it belongs to the larger size only. All other
//! numbers go by the box.

use crate::Dataset;

/// Area at which COCO's medium objects begin, square pixels.
const MEDIUM: f64 = 32.0 * 32.0;

/// Area at which COCO's large objects begin, square pixels.
const LARGE: f64 = 96.0 * 96.0;

/// Sizes of the objects of a data set, crowd regions left out.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BoxStats {
    /// Objects with an area below 32².
    pub small: usize,
    /// Objects with an area from 32² to below 96².
    pub medium: usize,
    /// Objects with an area of 96² or more.
    pub large: usize,
    /// `sqrt(width · height)` in pixels; `None` without objects, as the others.
    pub side: Option<Quantiles>,
    /// `sqrt(width · height)` of the box by that of its picture, at most 1.
    pub relative_side: Option<Quantiles>,
    /// Width by height.
    pub aspect: Option<Quantiles>,
}

/// Quantiles of a sample, linear between neighbours: that of `q` lies at `q (n - 1)` of the ascending values (NumPy's default, type 7 of
/// Hyndman and Fan 1996).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Quantiles {
    /// The smallest value.
    pub min: f64,
    /// A twentieth is smaller.
    pub p5: f64,
    /// A quarter is smaller.
    pub p25: f64,
    /// Half is smaller.
    pub median: f64,
    /// Three quarters are smaller.
    pub p75: f64,
    /// All but a twentieth are smaller.
    pub p95: f64,
    /// The largest value.
    pub max: f64,
}

impl BoxStats {
    /// Sizes of the objects of `dataset`.
    pub fn of(dataset: &Dataset) -> Self {
        let [mut small, mut medium, mut large] = [0; 3];
        let [mut side, mut relative_side, mut aspect] = [Vec::new(), Vec::new(), Vec::new()];
        for image in &dataset.images {
            let picture = f64::from(image.width) * f64::from(image.height);
            for object in image.objects.iter().filter(|object| !object.crowd) {
                let size = match object.area {
                    area if area < MEDIUM => &mut small,
                    area if area < LARGE => &mut medium,
                    _ => &mut large,
                };
                *size += 1;
                let [x1, y1, x2, y2] = object.bbox.map(f64::from);
                side.push(((x2 - x1) * (y2 - y1)).sqrt());
                relative_side.push(((x2 - x1) * (y2 - y1) / picture).sqrt());
                aspect.push((x2 - x1) / (y2 - y1));
            }
        }
        let [side, relative_side, aspect] = [side, relative_side, aspect].map(Quantiles::of);
        Self { small, medium, large, side, relative_side, aspect }
    }
}

impl Quantiles {
    /// Quantiles of the finite numbers among `values`; `None` without any.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |q: f64| {
            let place = q * last as f64;
            let below = place.floor() as usize;
            let above = (below + 1).min(last);
            values[below] + (values[above] - values[below]) * place.fract()
        };
        let [min, p5, p25, median, p75, p95, max] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0].map(at);
        Some(Self { min, p5, p25, median, p75, p95, max })
    }
}
