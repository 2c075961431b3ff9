//! Three measures of a long tail, from counts per class alone.

/// Largest by smallest count among those above 0 (Cui et al. 2019, arXiv 1901.05555); `None` without any.
pub fn imbalance_factor(counts: &[u64]) -> Option<f64> {
    let seen = || counts.iter().filter(|&&n| n > 0);
    Some(*seen().max()? as f64 / *seen().min()? as f64)
}

/// Gini coefficient of `counts` (Yang et al. 2022, arXiv 2205.13775): 0 when all are equal, near 1 when one has everything.
///
/// With the `K` counts ascending, `x_1` the smallest: `sum_i (2i - K - 1) x_i / (K sum_i x_i)`. Classes without an object belong to it:
/// they are the end of the tail. `None` when all counts are 0.
pub fn gini(counts: &[u64]) -> Option<f64> {
    let mut ascending: Vec<_> = counts.iter().map(|&n| n as f64).collect();
    ascending.sort_by(f64::total_cmp);
    let total = ascending.iter().sum::<f64>();
    let classes = ascending.len() as f64;
    let weighted = ascending.iter().enumerate().map(|(i, x)| (2.0 * (i as f64 + 1.0) - classes - 1.0) * x);
    (total > 0.0).then(|| weighted.sum::<f64>() / (classes * total))
}

/// Positives by negatives of a class with `instances` of `total` objects, `n_j / (n - n_j + n_bg)` (EQL v2, arXiv 2012.08548).
///
/// Each object is a positive of its own class and a negative of every other; `background` proposals are negatives of all. LVIS v1.0
/// spans 7.9e-7 to 4.1e-2 without background. `None` when there is no negative, as for the only class of a data set.
pub fn expected_ratio(instances: u64, total: u64, background: u64) -> Option<f64> {
    let negatives = total.checked_sub(instances)? as f64 + background as f64;
    (negatives > 0.0).then(|| instances as f64 / negatives)
}
