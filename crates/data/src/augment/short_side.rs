//! Multi-scale training: the shorter side is drawn from a list of sizes.
//!
//! The published recipes for LVIS draw from 640 to 800 in steps of 32 and keep the longer side at most 1333 (mmdetection 2.3, as in the
//! authors' `eqlv2_r50_8x2_1x`). Scoring uses the largest.

use rand::{Rng, RngExt};

use crate::{
    Result,
    augment::require,
    random::{Draws, Stream},
};

/// Largest side taken seriously, in pixels.
const MAX_SIDE: usize = 16_384;

/// Sizes of the shorter side: `from`, `from + step` … up to `to`. 0 to 0 leaves size to the longer side alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShortSideConfig {
    /// Smallest, in pixels.
    pub from: usize,
    /// Largest, in pixels; the size for scoring.
    pub to: usize,
    /// Between two sizes.
    pub step: usize,
}

impl Default for ShortSideConfig {
    fn default() -> Self {
        Self { from: 0, to: 0, step: 32 }
    }
}

impl ShortSideConfig {
    /// Whether the shorter side decides.
    pub fn is_on(&self) -> bool {
        self.to > 0
    }

    /// The same without a choice: the largest.
    pub fn largest(self) -> Self {
        Self { from: self.to, ..self }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`DataError::Option`](crate::DataError::Option) for the first value out of range.
    pub fn check(&self) -> Result<()> {
        let Self { from, to, step } = *self;
        require(to <= MAX_SIDE, "short_side.to", to, "0 to 16384 pixels")?;
        let ordered = from <= to && (from > 0 || to == 0);
        require(ordered, "short_side.from", from, "1 pixel to `short_side.to`; both 0 leave size to the longer side")?;
        require((1..=MAX_SIDE).contains(&step), "short_side.step", step, "1 to 16384 pixels")
    }

    /// A size, `None` when the shorter side does not decide.
    pub fn draw(&self, draws: Draws) -> Option<usize> {
        let sizes = (self.to - self.from) / self.step.max(1) + 1;
        self.is_on().then(|| self.from + self.step * index(sizes, &mut draws.stream(Stream::ShortSide)))
    }
}

/// One of `0..count`, all equally likely.
pub fn index(count: usize, random: &mut impl Rng) -> usize {
    random.random_range(0..count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_of_the_published_recipe_comes_and_no_other() {
        let config = ShortSideConfig { from: 640, to: 800, step: 32 };
        let draw = |position| config.draw(Draws { seed: 1, epoch: 0, position, part: 0 }).unwrap();
        let mut sizes: Vec<_> = (0..200).map(draw).collect();
        sizes.sort_unstable();
        sizes.dedup();
        assert_eq!(sizes, [640, 672, 704, 736, 768, 800]);
        assert_eq!(config.largest().draw(Draws { seed: 5, epoch: 5, position: 5, part: 0 }), Some(800));
        assert_eq!(ShortSideConfig::default().draw(Draws { seed: 0, epoch: 0, position: 0, part: 0 }), None);
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        for (from, to, step) in [(0, 800, 32), (801, 800, 32), (640, 100_000, 32), (640, 800, 0), (1, 0, 1)] {
            assert!(ShortSideConfig { from, to, step }.check().is_err(), "{from} {to} {step}");
        }
        ShortSideConfig { from: 640, to: 640, step: 1 }.check().unwrap();
    }
}
