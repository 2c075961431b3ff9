//! Random crops: a part of the picture, drawn until it shows an object.
//!
//! A crop of a picture with objects that happens to miss them all would be a picture of background in a set where rare objects are what
//! is short, so a window is drawn a few times, and the whole picture is taken when none will do. Boxes are cut to the window; of which
//! less than `min_shown` is left are neither target nor background.

use rand::{Rng, RngExt};

use crate::{
    Result,
    augment::{chance, require},
};

/// How often a window is drawn before the whole picture is taken.
pub const TRIES: usize = 10;

/// Random crops.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CropConfig {
    /// Chance of a picture being cropped.
    pub chance: f32,
    /// Smallest width and height of the window, as shares of the picture's; each is drawn by itself from here to 1.
    pub smallest: f32,
}

impl Default for CropConfig {
    fn default() -> Self {
        Self { chance: 0.0, smallest: 0.5 }
    }
}

/// A part of a picture in whole pixels, `[left, top, width, height]`.
pub type Window = [u32; 4];

impl CropConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`DataError::Option`](crate::DataError::Option) for the first value out of range.
    pub fn check(&self) -> Result<()> {
        chance("crop.chance", self.chance)?;
        require((0.05..=1.0).contains(&self.smallest), "crop.smallest", self.smallest, "a share of 0.05 to 1")
    }

    /// The windows to try in this order; none when the picture is not cropped.
    pub fn draw(&self, width: u32, height: u32, random: &mut impl Rng) -> Vec<Window> {
        if self.chance == 0.0 || random.random::<f32>() >= self.chance {
            return Vec::new();
        }
        let mut part = |whole: u32| {
            let share = self.smallest + (1.0 - self.smallest) * random.random::<f32>();
            let length = ((whole as f32 * share).round() as u32).clamp(1, whole);
            (random.random_range(0..=whole - length), length)
        };
        let mut window = || {
            let ((left, width), (top, height)) = (part(width), part(height));
            [left, top, width, height]
        };
        (0..TRIES).map(|_| window()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{Stream, stream};

    proptest! {
        #[test]
        fn windows_lie_inside_and_are_as_large_as_said(
            width in 1u32..2000, height in 1u32..2000, smallest in 0.05f32..=1.0, seed: u64,
        ) {
            let config = CropConfig { chance: 1.0, smallest };
            let windows = config.draw(width, height, &mut stream(Stream::Crop, seed, 0, 0));
            prop_assert_eq!(windows.len(), TRIES);
            for [left, top, w, h] in windows {
                prop_assert!(left + w <= width && top + h <= height);
                prop_assert!(w as f32 >= (width as f32 * smallest - 1.0).max(1.0));
                prop_assert!(h as f32 >= (height as f32 * smallest - 1.0).max(1.0));
            }
        }
    }

    #[test]
    fn the_chance_is_kept() {
        let crops = |chance| {
            let config = CropConfig { chance, ..CropConfig::default() };
            (0..1000).filter(|&at| !config.draw(90, 60, &mut stream(Stream::Crop, 3, 0, at)).is_empty()).count()
        };
        assert_eq!((crops(0.0), crops(1.0)), (0, 1000));
        assert!((200..300).contains(&crops(0.25)));
    }
}
