//! Single-object crops for pretraining a backbone, drawn from things that are no class of the demo set.
//!
//! The backgrounds and shapes are those of the training split, so nothing of the validation set is seen in pretraining.

use rand::RngExt;
use rayon::prelude::*;

use super::art::PRETRAINING;
use crate::{
    DataError, Result,
    scene::{Pose, Purpose, Split, Sprite, background, chance, finish, pose, scatter, stream, tone},
};

/// Sides a crop may have, in pixels.
const SIDES: std::ops::RangeInclusive<usize> = 16..=512;

/// An endless supply of labelled crops: the same seed and index give the same crop, on any thread.
pub struct CropSet {
    side: usize,
    sprites: Vec<Sprite>,
}

impl CropSet {
    /// Renders all drawings once, on all cores, for crops of `side` pixels.
    ///
    /// # Errors
    /// [`DataError::Option`] when `side` is not in 16..=512.
    pub fn new(side: usize) -> Result<Self> {
        if !SIDES.contains(&side) {
            let expected = format!("{} to {} pixels", SIDES.start(), SIDES.end());
            return Err(DataError::Option { option: "side", got: side.to_string(), expected });
        }
        let size = (side as u32 * 3 / 2).clamp(48, 512);
        let render = |icon: &super::art::Icon| Sprite::render(icon.name, icon.svg, size);
        let sprites = PRETRAINING.par_iter().map(render).collect::<Result<_>>()?;
        Ok(Self { side, sprites })
    }

    /// Number of classes.
    pub fn num_classes(&self) -> usize {
        self.sprites.len()
    }

    /// Name of a class below [`num_classes`](Self::num_classes).
    pub fn class_name(&self, class: usize) -> Option<&'static str> {
        PRETRAINING.get(class).map(|icon| icon.name)
    }

    /// Crop number `index` under `seed`, with its class. Neighbouring indices are independent; every class is equally likely.
    ///
    /// # Shapes
    /// RGB, `[side, side, 3]`, row by row.
    pub fn crop(&self, seed: u64, index: u64) -> (Vec<u8>, usize) {
        let rng = &mut stream(seed, Purpose::Crop, index);
        let class = rng.random_range(0..self.sprites.len());
        let side = self.side as f32;
        let mut canvas = background(rng, self.side, Split::Train);
        let clutter = rng.random_range(0..4);
        scatter(&mut canvas, rng, Split::Train, clutter);
        for _ in 0..rng.random_range(0..3u32) {
            let (other, pose) = self.neighbour(rng);
            canvas.paste(&self.sprites[other].place(&pose, &tone(rng)));
        }
        let size = rng.random_range(0.4..1.0) * side;
        let pose = pose(rng, &self.sprites[class], size, self.side);
        canvas.paste(&self.sprites[class].place(&pose, &tone(rng)));
        if chance(rng, 30) {
            let (other, mut pose) = self.neighbour(rng);
            pose.size *= 0.6;
            canvas.paste(&self.sprites[other].place(&pose, &tone(rng)));
        }
        (finish(canvas, rng), class)
    }

    /// Another thing, centred near the rim so that only a part of it is in the crop.
    fn neighbour(&self, rng: &mut rand_chacha::ChaCha8Rng) -> (usize, Pose) {
        let other = rng.random_range(0..self.sprites.len());
        let side = self.side as f32;
        let (along, away) = (rng.random_range(0.0..side), rng.random_range(-0.1..0.1) * side);
        let center = match rng.random_range(0..4u32) {
            0 => [along, away],
            1 => [along, side + away],
            2 => [away, along],
            _ => [side + away, along],
        };
        let angle = rng.random_range(-25.0f32..25.0).to_radians();
        let size = rng.random_range(0.3..0.7) * side;
        (other, Pose { center, size, angle, flip: chance(rng, 50) })
    }
}
