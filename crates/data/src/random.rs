//! Random streams by key: what a stream yields depends on its key alone, not on what was drawn before or on which thread.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// What a stream is for; streams for different uses never coincide.
#[derive(Clone, Copy)]
pub enum Stream {
    /// The order of images in an epoch.
    Order = 1,
    /// How often images repeat in an epoch.
    Repeat = 3,
    /// Flips, scales and colours of one picture.
    Augment = 2,
    /// Short sides.
    ShortSide = 4,
    /// Windows of random crops.
    Crop = 5,
    /// Layout and partners of mosaics.
    Mosaic = 6,
    /// What is pasted, and where.
    CopyPaste = 7,
}

/// The stream for `use_of`, `seed`, epoch and position.
pub fn stream(use_of: Stream, seed: u64, epoch: u64, position: u64) -> ChaCha8Rng {
    keyed(use_of as u64, seed, epoch, position)
}

/// Where the random numbers of one picture of a batch come from: augmentations that are switched on or off leave the numbers of the
/// others as they are.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the epoch.
    pub epoch: u64,
    /// Place in the epoch.
    pub position: u64,
    /// Which of the pictures that share this place: 0, the tiles of a mosaic, what is pasted.
    pub part: u64,
}

impl Draws {
    /// The stream for `use_of`.
    pub fn stream(self, use_of: Stream) -> ChaCha8Rng {
        keyed(use_of as u64 | self.part << 32, self.seed, self.epoch, self.position)
    }

    /// The same place, another picture.
    pub fn part(self, part: u64) -> Self {
        Self { part, ..self }
    }
}

fn keyed(use_of: u64, seed: u64, epoch: u64, position: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([use_of, seed, epoch, position]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
