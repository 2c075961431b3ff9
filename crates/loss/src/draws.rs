//! Random draws of a loss as a function of (seed, step): a run that resumes or repeats draws what it drew before.
//!
//! Rows are counted without the ignored ones, so that those change no draw. The micro-batches of one optimizer step draw from
//! the same stream. A loss that draws for each element takes a key for each row from it, and [`uniform_at`] of that key and the column:
//! any thread can then make any row.

use rand::Rng;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::{GradientLedger, Label};

/// The stream of the step that follows `ledger`'s.
pub(crate) fn stream(seed: u64, ledger: &GradientLedger) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([u64::from_le_bytes(*b"lossdraw"), seed, ledger.steps(), 0]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Uniform in `0..1`.
pub(crate) fn uniform(stream: &mut ChaCha8Rng) -> f64 {
    stream.random::<f64>()
}

/// A key for each row, 0 for those that are ignored.
pub(crate) fn row_keys(stream: &mut ChaCha8Rng, labels: &[Label]) -> Vec<u64> {
    let key = |label: &Label| if *label == Label::Ignored { 0 } else { stream.next_u64() };
    labels.iter().map(key).collect()
}

/// Uniform in `0..1`, number `at` of the sequence of `key` (SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
pub(crate) fn uniform_at(key: u64, at: usize) -> f64 {
    let mut z = key.wrapping_add((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// `count` of `items` without replacement, each with a chance that grows with its weight; in ascending order.
///
/// The items with the largest `log(u) / weight` (Efraimidis and Spirakis, 2006); an item of weight 0 comes last.
pub(crate) fn weighted(
    stream: &mut ChaCha8Rng,
    items: Vec<usize>,
    count: usize,
    weight: impl Fn(usize) -> f64,
) -> Vec<usize> {
    let mut keyed: Vec<(f64, usize)> =
        items.into_iter().map(|item| (uniform(stream).max(f64::MIN_POSITIVE).ln() / weight(item), item)).collect();
    if (1..keyed.len()).contains(&count) {
        keyed.select_nth_unstable_by(count - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    }
    let mut drawn: Vec<usize> = keyed.into_iter().take(count).map(|(_, item)| item).collect();
    drawn.sort_unstable();
    drawn
}

/// `count` of `items` without replacement, all alike; in ascending order.
pub(crate) fn some(stream: &mut ChaCha8Rng, items: Vec<usize>, count: usize) -> Vec<usize> {
    if count >= items.len() {
        return items;
    }
    weighted(stream, items, count, |_| 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_seed_and_step() {
        let at = |steps| GradientLedger::from_sums(vec![], vec![], vec![], steps).unwrap();
        let draw = |seed, steps| uniform(&mut stream(seed, &at(steps)));
        assert_eq!(draw(1, 5), draw(1, 5));
        assert!(draw(1, 5) != draw(2, 5) && draw(1, 5) != draw(1, 6));
    }

    #[test]
    fn elements_are_uniform_and_their_own() {
        let keys =
            row_keys(&mut stream(3, &GradientLedger::new(0)), &[Label::Ignored, Label::Background, Label::Class(0)]);
        let same = row_keys(&mut stream(3, &GradientLedger::new(0)), &[Label::Background, Label::Class(0)]);
        assert_eq!((keys[0], &keys[1..]), (0, &same[..]));
        for key in same {
            let mut tenths = [0; 10];
            (0..20_000).for_each(|at| tenths[(uniform_at(key, at) * 10.0) as usize] += 1);
            assert!(tenths.iter().all(|count| (1_800..2_200).contains(count)), "{tenths:?}");
        }
    }

    #[test]
    fn weights_are_chances() {
        let mut rng = stream(3, &GradientLedger::new(0));
        let weights = [1.0, 2.0, 4.0, 0.0];
        let mut hits = [0; 4];
        for _ in 0..20_000 {
            weighted(&mut rng, vec![0, 1, 2, 3], 1, |item| weights[item]).into_iter().for_each(|item| hits[item] += 1);
        }
        for (hits, chance) in hits.into_iter().zip([1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0, 0.0]) {
            assert!((f64::from(hits) / 20_000.0 - chance).abs() < 0.015, "{hits} of 20,000 at a chance of {chance}");
        }
        assert_eq!(weighted(&mut rng, vec![5, 7, 9], 9, |_| 1.0), [5, 7, 9]);
        assert_eq!(some(&mut rng, vec![5, 7, 9], 2).len(), 2);
        assert_eq!(some(&mut rng, vec![], 2), [0; 0]);
    }
}
