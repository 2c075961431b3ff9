//! Options of the demo set and their ranges.

use serde::{Deserialize, Serialize};

use super::art::CLASSES;
use crate::{DataError, Result};

/// Training pictures of rare classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RareImages {
    /// As in LVIS: spread over 1–10.
    Lvis,
    /// Most rare classes have 1–3 pictures, the largest has 6.
    #[default]
    Steep,
    /// The same number, 1–10, for every rare class.
    Fixed(u64),
}

/// Options of the demo set. The same options give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemoConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// Categories `K`: about 28 % rare, 38 % common, 34 % frequent.
    pub categories: usize,
    /// Training pictures.
    pub images: usize,
    /// Side of the square pictures, pixels.
    pub side: u32,
    /// Validation pictures.
    pub val_images: usize,
    /// Validation pictures that contain a class, the same for all classes.
    pub val_images_per_class: usize,
    /// Cap on the training pictures of a class; above 100, so that frequent classes stay frequent.
    pub frequent_images: usize,
    /// Training pictures of rare classes.
    pub rare_images: RareImages,
    /// Most pieces of unlabelled clutter in a picture.
    pub clutter: u32,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            categories: 60,
            images: 1600,
            side: 128,
            val_images: 200,
            val_images_per_class: 10,
            frequent_images: 205,
            rare_images: RareImages::Steep,
            clutter: 6,
        }
    }
}

impl DemoConfig {
    /// A tiny set for trying the whole path in seconds.
    pub fn quick() -> Self {
        Self {
            categories: 12,
            images: 160,
            side: 96,
            val_images: 24,
            val_images_per_class: 6,
            frequent_images: 101,
            clutter: 6,
            ..Self::default()
        }
    }

    /// Checks every option.
    pub(super) fn check(&self) -> Result<()> {
        let within = |option: &'static str, got: u64, low: u64, high: u64| {
            if (low..=high).contains(&got) {
                Ok(())
            } else {
                Err(DataError::Option { option, got: got.to_string(), expected: format!("{low} to {high}") })
            }
        };
        within("categories", self.categories as u64, 3, CLASSES.len() as u64)?;
        within("side", u64::from(self.side), 64, 1024)?;
        within("frequent_images", self.frequent_images as u64, 101, 1977)?;
        within("images", self.images as u64, self.frequent_images as u64, 100_000)?;
        within("val_images_per_class", self.val_images_per_class as u64, 1, 10_000)?;
        within("val_images", self.val_images as u64, self.val_images_per_class as u64, 100_000)?;
        within("clutter", u64::from(self.clutter), 0, 200)?;
        match self.rare_images {
            RareImages::Fixed(count) => within("rare_images", count, 1, 10),
            RareImages::Lvis | RareImages::Steep => Ok(()),
        }
    }
}
