//! What a loss may know about the training it is made for: class counts, seed, length.
//!
//! Counts are those of exactly the data set that is trained on; no loss carries tables of a published one.

use serde::{Deserialize, Serialize};

use crate::{LossError, Result};

/// Counts of the training set, seed and length of the run. Empty where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingFacts {
    /// Training images of each class, `[K]`; empty: unknown.
    pub image_counts: Vec<u64>,
    /// Training objects of each class, `[K]`; empty: unknown.
    pub instance_counts: Vec<u64>,
    /// Training images in all, those without an object included.
    pub images: u64,
    /// Seed of random draws.
    pub seed: u64,
    /// Optimizer steps of the run; 0: unknown.
    pub steps: u64,
}

impl TrainingFacts {
    /// Images of each class, a class without any counting as one: its logarithm and its inverse are needed.
    pub(crate) fn images(&self, loss: &'static str) -> Result<Vec<f64>> {
        known(&self.image_counts, loss, "image counts")
    }

    /// Objects of each class, a class without any counting as one.
    pub(crate) fn instances(&self, loss: &'static str) -> Result<Vec<f64>> {
        known(&self.instance_counts, loss, "instance counts")
    }

    /// Part of the training images that show each class.
    pub(crate) fn image_frequencies(&self, loss: &'static str) -> Result<Vec<f64>> {
        if self.images == 0 {
            return Err(LossError::Facts { loss, missing: "the number of training images" });
        }
        known(&self.image_counts, loss, "image counts")?;
        Ok(self.image_counts.iter().map(|count| *count as f64 / self.images as f64).collect())
    }
}

fn known(counts: &[u64], loss: &'static str, missing: &'static str) -> Result<Vec<f64>> {
    if counts.is_empty() {
        return Err(LossError::Facts { loss, missing });
    }
    Ok(counts.iter().map(|count| (*count).max(1) as f64).collect())
}
