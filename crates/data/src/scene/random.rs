//! Random streams: one per picture, so that the order of work and the number of threads cannot change a byte.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for; streams of different purpose share nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Plan = 1,
    Train = 2,
    Val = 3,
    Crop = 4,
    EmojiPlan = 5,
    EmojiTrain = 6,
    EmojiVal = 7,
    EmojiNatural = 8,
    EmojiFederated = 9,
}

/// The stream of number `index` for a purpose under a seed.
pub(crate) fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    key[24..].copy_from_slice(b"demo set");
    ChaCha8Rng::from_seed(key)
}

/// A number in `low..high`, uniform in its logarithm.
pub(crate) fn log_uniform(rng: &mut ChaCha8Rng, low: f32, high: f32) -> f32 {
    low * (high / low).powf(rng.random_range(0.0..1.0))
}

/// True with a chance of `percent` in a hundred.
pub(crate) fn chance(rng: &mut ChaCha8Rng, percent: u32) -> bool {
    rng.random_range(0..100u32) < percent
}

/// One of the items.
pub(crate) fn pick<T: Copy>(rng: &mut ChaCha8Rng, items: &[T]) -> T {
    items[rng.random_range(0..items.len())]
}
