//! Photometric jitter: brightness, contrast, saturation and hue as one affine map of RGB.
//!
//! Each of the four is affine in RGB, so their product is a 3×4 matrix, applied once per pixel together with the normalisation.
//! Order: brightness, contrast (about the mean grey of the picture), saturation, hue. Clipping happens once at the end, not in between,
//! so a picture that is made too bright and then less contrasted keeps its highlights.

use rand::{Rng, RngExt};

use super::Picture;
use crate::{DataError, Result};

/// Weights of red, green and blue in grey (Rec. 601).
const GREY: [f32; 3] = [0.299, 0.587, 0.114];

/// How far colours may be changed. 0 leaves a property alone.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JitterConfig {
    /// Brightness is multiplied by `1 - brightness ..= 1 + brightness`.
    pub brightness: f32,
    /// Contrast is multiplied by `1 - contrast ..= 1 + contrast`.
    pub contrast: f32,
    /// Saturation is multiplied by `1 - saturation ..= 1 + saturation`.
    pub saturation: f32,
    /// Hue is turned by `-hue ..= hue`, in turns: 0.5 reaches the complementary colour.
    pub hue: f32,
}

impl JitterConfig {
    /// No change.
    pub const NONE: Self = Self { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0 };

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`DataError::Option`] for a value outside `0..=1`, of hue outside `0..=0.5`.
    pub fn check(&self) -> Result<()> {
        let options = [
            ("jitter.brightness", self.brightness, 1.0),
            ("jitter.contrast", self.contrast, 1.0),
            ("jitter.saturation", self.saturation, 1.0),
            ("jitter.hue", self.hue, 0.5),
        ];
        match options.into_iter().find(|&(_, value, most)| !(0.0..=most).contains(&value)) {
            Some((option, value, most)) => {
                Err(DataError::Option { option, got: value.to_string(), expected: format!("0 to {most}") })
            }
            None => Ok(()),
        }
    }

    /// Draws a change for `picture`; `None` when this configuration changes nothing. Always draws four numbers otherwise.
    pub fn draw(&self, picture: &Picture, random: &mut impl Rng) -> Option<ColorChange> {
        if *self == Self::NONE {
            return None;
        }
        let mut factor = |range: f32| 1.0 + range * (2.0 * random.random::<f32>() - 1.0);
        let (brightness, contrast, saturation) =
            (factor(self.brightness), factor(self.contrast), factor(self.saturation));
        let turns = factor(self.hue) - 1.0;
        let mean = if self.contrast == 0.0 { 0.0 } else { mean_grey(picture) };
        Some(ColorChange::new(brightness, contrast, saturation, turns, mean))
    }
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self::NONE
    }
}

/// An affine change of colours, values 0..=255 in and out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorChange {
    matrix: [[f32; 3]; 3],
    offset: f32,
}

impl ColorChange {
    /// Brightness, contrast and saturation by these factors, hue by `turns`, in a picture of mean grey `mean` (0..=255).
    pub fn new(brightness: f32, contrast: f32, saturation: f32, turns: f32, mean: f32) -> Self {
        let saturate = std::array::from_fn(|i| {
            std::array::from_fn(|j| (1.0 - saturation) * GREY[j] + if i == j { saturation } else { 0.0 })
        });
        let matrix = product(hue_rotation(turns), saturate).map(|row| row.map(|v| v * brightness * contrast));
        // Saturation and hue keep greys as they are, so the offset passes through them unchanged.
        Self { matrix, offset: (1.0 - contrast) * brightness * mean }
    }

    /// The changed colour, clipped to 0..=255.
    #[inline]
    pub fn apply(&self, [r, g, b]: [f32; 3]) -> [f32; 3] {
        self.matrix.map(|[x, y, z]| (x * r + y * g + z * b + self.offset).clamp(0.0, 255.0))
    }
}

/// Rotation of the colour plane by `turns` that keeps greys and luma: in YIQ, I and Q turn about Y.
fn hue_rotation(turns: f32) -> [[f32; 3]; 3] {
    // I and Q of Rec. 601; the columns of the inverse that belong to them.
    const TO_I: [f32; 3] = [0.595_716, -0.274_453, -0.321_263];
    const TO_Q: [f32; 3] = [0.211_456, -0.522_591, 0.311_135];
    const FROM_I: [f32; 3] = [0.956_296, -0.272_122, -1.106_99];
    const FROM_Q: [f32; 3] = [0.621_024, -0.647_381, 1.704_615];
    let (sin, cos) = (turns * std::f32::consts::TAU).sin_cos();
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let in_phase = cos * TO_I[j] - sin * TO_Q[j];
            let quadrature = sin * TO_I[j] + cos * TO_Q[j];
            GREY[j] + FROM_I[i] * in_phase + FROM_Q[i] * quadrature
        })
    })
}

fn product(a: [[f32; 3]; 3], b: [[f32; 3]; 3]) -> [[f32; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn mean_grey(picture: &Picture) -> f32 {
    let (pixels, _) = picture.pixels().as_chunks::<3>();
    let sums = pixels.iter().fold([0u64; 3], |sums, p| std::array::from_fn(|c| sums[c] + u64::from(p[c])));
    let mean = |c: usize| sums[c] as f64 / pixels.len().max(1) as f64;
    (0..3).map(|c| f64::from(GREY[c]) * mean(c)).sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: [f32; 3], b: [f32; 3]) -> bool {
        a.iter().zip(b).all(|(x, y)| (x - y).abs() < 0.05)
    }

    #[test]
    fn neutral_change_is_identity() {
        let change = ColorChange::new(1.0, 1.0, 1.0, 0.0, 77.0);
        assert!(close(change.apply([10.0, 200.0, 90.0]), [10.0, 200.0, 90.0]));
    }

    #[test]
    fn each_property_does_what_its_name_says() {
        let color = [40.0, 120.0, 80.0];
        assert!(close(ColorChange::new(1.5, 1.0, 1.0, 0.0, 0.0).apply(color), [60.0, 180.0, 120.0]));
        assert!(close(ColorChange::new(1.0, 0.5, 1.0, 0.0, 100.0).apply(color), [70.0, 110.0, 90.0]));
        let grey: f32 = color.iter().zip(GREY).map(|(c, g)| c * g).sum();
        assert!(close(ColorChange::new(1.0, 1.0, 0.0, 0.0, 0.0).apply(color), [grey; 3]));
    }

    #[test]
    fn hue_keeps_greys_and_comes_round_after_a_turn() {
        for turns in [0.1, 0.3, 0.5] {
            assert!(close(ColorChange::new(1.0, 1.0, 1.0, turns, 0.0).apply([90.0; 3]), [90.0; 3]));
        }
        let color = [100.0, 120.0, 140.0];
        assert!(close(ColorChange::new(1.0, 1.0, 1.0, 1.0, 0.0).apply(color), color));
        assert!(!close(ColorChange::new(1.0, 1.0, 1.0, 0.5, 0.0).apply(color), color));
    }

    #[test]
    fn results_stay_in_range() {
        let change = ColorChange::new(2.0, 2.0, 2.0, 0.25, 255.0);
        for color in [[0.0; 3], [255.0; 3], [255.0, 0.0, 0.0]] {
            assert!(change.apply(color).iter().all(|v| (0.0..=255.0).contains(v)));
        }
    }
}
