//! The long tail of LVIS v1: its sorted image counts (arXiv 1908.03195), resampled to `K` categories.

/// LVIS v1 image counts, largest first, at ranks 0, 10, 20, … 1200 and 1202.
const LVIS: [u32; 122] = [
    1977, 1940, 1926, 1915, 1903, 1890, 1877, 1846, 1791, 1689, 1609, 1470, 1402, 1210, 1100, 1010, 894, 808, 729, 660,
    595, 529, 489, 421, 361, 334, 305, 270, 247, 234, 221, 202, 189, 166, 147, 138, 131, 123, 114, 107, 103, 98, 92,
    87, 81, 76, 72, 70, 67, 64, 61, 57, 54, 50, 49, 47, 46, 44, 42, 40, 38, 36, 35, 33, 32, 30, 29, 28, 28, 26, 25, 24,
    23, 21, 19, 18, 18, 17, 16, 15, 14, 14, 13, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8, 8, 7, 7, 6, 6, 6, 5, 5, 5, 4, 4, 4,
    3, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1,
];

/// Training images of `categories` classes shaped like those of LVIS v1 (arXiv 1908.03195), largest first, none above `cap`.
pub fn lvis_counts(categories: usize, cap: u64) -> Vec<u64> {
    let last = categories.saturating_sub(1).max(1);
    (0..categories).map(|i| lvis_count(i as f64 * 1202.0 / last as f64).min(cap)).collect()
}

/// The LVIS curve at a rank in 0..=1202.
fn lvis_count(rank: f64) -> u64 {
    if rank <= 1200.0 { interpolate(&LVIS[..121], rank / 10.0) } else { u64::from(LVIS[121]) }
}

/// Linear interpolation at a position in 0..=len - 1, rounded.
pub(crate) fn interpolate(values: &[u32], at: f64) -> u64 {
    let low = (at.floor() as usize).min(values.len() - 1);
    let high = (low + 1).min(values.len() - 1);
    let part = at - low as f64;
    (f64::from(values[low]) * (1.0 - part) + f64::from(values[high]) * part).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_curve_comes_back_at_its_own_length() {
        assert_eq!([0.0, 10.0, 1200.0, 1202.0].map(lvis_count), [1977, 1940, 1, 1]);
        assert_eq!(lvis_count(5.0), 1959);
    }

    #[test]
    fn resampling_keeps_the_sizes_counted_from_the_full_curve() {
        let pairs = |categories, cap| lvis_counts(categories, cap).iter().sum::<u64>();
        // Class-image pairs of so many ranks of all 1,203 counts, counted apart from this code.
        for (categories, cap, counted) in
            [(60, 105, 3_092), (60, 150, 3_916), (300, 120, 16_901), (861, 120, 48_500), (1203, 120, 67_700)]
        {
            // The last two were noted in hundreds.
            let close = if counted > 20_000 { 100 } else { counted / 1000 };
            assert!(pairs(categories, cap).abs_diff(counted) <= close, "{categories} categories");
        }
        assert!(lvis_counts(1, 50) == [50] && lvis_counts(0, 50).is_empty());
    }
}
