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
}

/// The stream for `use_of`, `seed`, epoch and position.
pub fn stream(use_of: Stream, seed: u64, epoch: u64, position: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([use_of as u64, seed, epoch, position]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
