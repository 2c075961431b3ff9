//! The loops of the fused pass, over one row of `C` columns.
//!
//! Written once over arrays of [`LANES`] values, which the compiler turns into vectors, and compiled three times: for AVX-512, for AVX2
//! with FMA, and for the plain target; the processor decides at run time. `exp` is the best polynomial of degree 5 on
//! `[-ln 2 / 2, ln 2 / 2]`, with a relative error below 4e-7 for arguments from -87 to 0, below which it stays at `exp(-87)`, 1.6e-38, and never makes a NaN of a
//! number.

mod exps;
mod math;
mod rows;
mod sides;

use std::mem::MaybeUninit;
use std::slice::ChunksMut;

use rayon::prelude::*;

use self::exps::{exp_body, share_body};
use self::rows::{change_body, highest_body, largest_body, log_of_ratio_body, narrow_body, shares_body};
use self::sides::{focal_body, sigmoid_body};

/// Values that are handled together: one register of AVX-512, two of AVX2.
const LANES: usize = 16;

type V = [f32; LANES];

/// A value of the output before it is written.
pub(crate) type Fresh = MaybeUninit<f32>;

/// Defines a function that runs `$body::<true>` with the widest vectors of this processor, or `$body::<false>` without fused
/// multiply-add.
macro_rules! dispatched {
    ($(#[$doc:meta])* $visible:vis $name:ident = $body:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)?) => {
        $(#[$doc])*
        $visible fn $name($($arg: $ty),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $out)? {
                    $body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $out)? {
                    $body::<true>($($arg),*)
                }
                let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                if fma && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                    // SAFETY: the processor was just found to have these features.
                    return unsafe { avx512($($arg),*) };
                }
                if fma {
                    // SAFETY: the processor was just found to have these features.
                    return unsafe { avx2($($arg),*) };
                }
            }
            $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}

dispatched! {
    /// The largest value, minus infinity for none, or `None` when a value is not finite.
    pub(crate) largest = largest_body(row: &[f32]) -> Option<f32>
}

dispatched! {
    /// The largest value, which may be infinite; minus infinity for none.
    pub(crate) highest = highest_body(row: &[f32]) -> f32
}

dispatched! {
    /// Writes `scale (z - origin) + offset` to a row of the same length, and returns the largest; finite logits stay finite.
    pub(crate) change = change_body(z: &[f32], origin: f32, scale: f32, offset: &[f32], to: &mut [f32]) -> f32
}

dispatched! {
    /// Rounds to f32.
    pub(crate) narrow = narrow_body(from: &[f64], to: &mut [f32])
}

dispatched! {
    /// Writes `scale a`, but at least `floor`, in f32.
    pub(crate) shares = shares_body(from: &[f64], scale: f64, floor: f64, to: &mut [f32])
}

dispatched! {
    /// Replaces each number `b` of `to` by `scale log(a / b)`, `a` being that of `from`; all are positive and normal, and so are the quotients.
    /// The logarithm is off by at most 5e-7 of itself and the rounding of the quotient, 6e-8.
    pub(crate) log_of_ratio = log_of_ratio_body(from: &[f32], scale: f32, to: &mut [f32])
}

dispatched! {
    /// [`FreshRow::sigmoid`] of a row of the same length.
    sigmoid_row = sigmoid_body(z: &[f32], weight: &[f32], scale: f32, gradient: &mut [Fresh], sums: &mut [f32]) -> Option<f64>
}

dispatched! {
    /// [`FreshRow::focal`] of a row of the same length.
    focal_row = focal_body(z: &[f32], weight: &[f32], gamma: &[f32], scale: f32, gradient: &mut [Fresh], sums: &mut [f32]) -> Option<f64>
}

dispatched! {
    /// [`FreshRow::exp`] of a row of the same length.
    exp_row = exp_body(z: &[f32], max: f32, own: usize, out: &mut [Fresh]) -> f32
}

dispatched! {
    /// Multiplies `out` by `factor[0]`, adds it to `sums`, and multiplies it by `factor[1]`.
    pub(crate) share_row = share_body(factor: [f32; 2], out: &mut [f32], sums: &mut [f32])
}

/// Sum of `exp(z - max)` of all columns but one.
pub(crate) fn sum_of_others(z: &[f32], max: f32, own: usize) -> f32 {
    exp_row(z, max, own, &mut vec![Fresh::new(0.0); z.len()])
}

/// A row of the output that nothing has been written to. What is dropped as it is becomes zeros.
pub(crate) struct FreshRow<'a>(Option<&'a mut [Fresh]>);

impl<'a> FreshRow<'a> {
    /// A row in a room of its own.
    pub(crate) fn over(room: &'a mut [Fresh]) -> Self {
        Self(Some(room))
    }

    /// Negative sides of sigmoid cross-entropy, with `p = sigmoid(z)` and `g = weight p`: writes `scale g`, adds `g` to
    /// `sums`, and returns the sum of `weight log(1 + exp(z))`, or `None` when a value is not finite. The check is part of the loop,
    /// so that the row is fetched from memory while the one before is computed.
    ///
    /// # Panics
    /// When lengths differ.
    pub(crate) fn sigmoid(
        self,
        z: &[f32],
        weight: &[f32],
        scale: f32,
        sums: &mut [f32],
    ) -> (Option<f64>, &'a mut [f32]) {
        assert!(weight.len() == z.len() && sums.len() == z.len(), "a weight and a sum for each column");
        self.written(z.len(), |row| sigmoid_row(z, weight, scale, row, sums))
    }

    /// The same with a focus: terms are `weight p^gamma log(1 + exp(z))`, `g = weight p^gamma (gamma (1 - p) log(1 + exp(z)) + p)`.
    ///
    /// # Panics
    /// When lengths differ.
    pub(crate) fn focal(
        self,
        z: &[f32],
        [weight, gamma]: [&[f32]; 2],
        scale: f32,
        sums: &mut [f32],
    ) -> (Option<f64>, &'a mut [f32]) {
        assert!(weight.len() == z.len() && sums.len() == z.len(), "a weight and a sum for each column");
        assert_eq!(gamma.len(), z.len(), "a focus for each column");
        self.written(z.len(), |row| focal_row(z, weight, gamma, scale, row, sums))
    }

    /// Writes zeros.
    pub(crate) fn zeros(self) -> &'a mut [f32] {
        let length = self.0.as_ref().map_or(0, |row| row.len());
        self.written(length, |row| row.fill(Fresh::new(0.0))).1
    }

    /// Writes `exp(z - max)`, 0 at `own` and where it is below `exp(-87)`, and returns the sum.
    ///
    /// # Panics
    /// When lengths differ.
    pub(crate) fn exp(self, z: &[f32], max: f32, own: usize) -> (f32, &'a mut [f32]) {
        self.written(z.len(), |row| exp_row(z, max, own, row))
    }

    /// The row after `write`, which must be a loop that writes every value of a row of `length`.
    fn written<T>(mut self, length: usize, write: impl FnOnce(&mut [Fresh]) -> T) -> (T, &'a mut [f32]) {
        let row = self.0.take().expect("a row is taken once");
        assert_eq!(row.len(), length, "a value for each column");
        let result = write(row);
        // SAFETY: `sides` and `exp_body` write every value of a row that is as long as their other slices, which was just asserted,
        // `zeros` fills it, and `MaybeUninit<f32>` has the layout of `f32`.
        (result, unsafe { &mut *(std::ptr::from_mut(row) as *mut [f32]) })
    }
}

impl Drop for FreshRow<'_> {
    fn drop(&mut self) {
        if let Some(row) = self.0.take() {
            row.fill(Fresh::new(0.0));
        }
    }
}

/// The rows of a piece, handed out one by one.
pub(crate) struct FreshRows<'a>(ChunksMut<'a, Fresh>);

impl<'a> Iterator for FreshRows<'a> {
    type Item = FreshRow<'a>;

    fn next(&mut self) -> Option<FreshRow<'a>> {
        self.0.next().map(|row| FreshRow(Some(row)))
    }
}

/// `len` values in pieces of `rows` rows of `width`, each written by `work(index, rows)` on some thread; the results come in order, and
/// rows that `work` does not write are zeros.
///
/// # Panics
/// When `rows` or `width` is 0.
pub(crate) fn in_pieces<T: Send>(
    len: usize,
    [rows, width]: [usize; 2],
    work: impl Fn(usize, &mut FreshRows<'_>) -> T + Sync,
) -> (Vec<f32>, Vec<T>) {
    let mut values: Vec<f32> = Vec::with_capacity(len);
    let results = values.spare_capacity_mut()[..len]
        .par_chunks_mut(rows * width)
        .enumerate()
        .map(|(index, piece)| {
            let mut rows = FreshRows(piece.chunks_mut(width));
            let result = work(index, &mut rows);
            rows.for_each(drop);
            result
        })
        .collect();
    // SAFETY: the pieces together are the first `len` values; each of their rows was written by `written` or, when it was dropped, by
    // `drop`.
    unsafe { values.set_len(len) };
    (values, results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_ratios_are_those_of_plain_loops() {
        let mut to: Vec<f32> = (0..3 * LANES + 2).map(|at| 1e-3 * (1 + at) as f32).collect();
        let (from, expected): (Vec<f32>, Vec<f32>) = to.iter().map(|b| (0.5, 0.85 * (0.5 / b).ln())).unzip();
        log_of_ratio(&from, 0.85, &mut to);
        assert!(to.iter().zip(expected).all(|(got, exact)| (got - exact).abs() <= 1e-6 * exact.abs().max(0.1)));
    }

    #[test]
    fn rows_are_searched_changed_and_narrowed_as_plain_loops_do() {
        for length in 0..3 * LANES + 2 {
            let z: Vec<f32> = (0..length).map(|i| (i as f32 * 1.7).sin() * 5.0 - 4.0).collect();
            let offset: Vec<f32> = z.iter().map(|z| z * z).collect();
            let plain: Vec<f32> = z.iter().zip(&offset).map(|(z, offset)| (z - 0.5) * 30.0 + offset).collect();
            let mut changed = vec![0.0; length];
            let most = change(&z, 0.5, 30.0, &offset, &mut changed);
            assert_eq!((most, changed), (plain.iter().copied().fold(f32::NEG_INFINITY, f32::max), plain.clone()));
            let wide: Vec<f64> = plain.iter().map(|z| f64::from(*z) / 3.0).collect();
            let mut narrowed = vec![0.0; length];
            narrow(&wide, &mut narrowed);
            assert_eq!(narrowed, wide.iter().map(|z| *z as f32).collect::<Vec<_>>());
            shares(&wide, 0.3, -0.5, &mut narrowed);
            assert_eq!(narrowed, wide.iter().map(|z| (z * 0.3).max(-0.5) as f32).collect::<Vec<_>>());
            for at in 0..length {
                let mut row = z.clone();
                row[at] = f32::NEG_INFINITY;
                assert_eq!(highest(&row), row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
                row[at] = f32::INFINITY;
                assert_eq!(highest(&row), f32::INFINITY);
            }
        }
        let mut far = [0.0; 2];
        change(&[f32::MAX, f32::MIN], f32::MIN, 30.0, &[1.0; 2], &mut far);
        assert_eq!(far, [f32::MAX, 1.0]);
    }

    #[test]
    fn what_is_not_written_is_zero() {
        let z = [1.0, -2.0, 0.5];
        let (values, results) = in_pieces(4 * 3, [2, 3], |piece, rows| {
            // The first row of each piece is dropped; the last of the second is never asked for.
            drop(rows.next());
            (piece == 0).then(|| rows.next().unwrap().exp(&z, 1.0, 0).0)
        });
        let expected = [-3.0_f32, -0.5].map(f32::exp);
        assert_eq!(values[..4], [0.0; 4]);
        assert!(values[4..6].iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-6), "{values:?}");
        assert_eq!(values[6..], [0.0; 6]);
        assert!((results[0].unwrap() - expected[0] - expected[1]).abs() < 1e-6);
    }

    #[test]
    fn rows_of_every_length_are_whole() {
        for length in 0..3 * LANES + 2 {
            let z: Vec<f32> = (0..length).map(|i| (i as f32 * 1.7).sin() * 5.0).collect();
            let highest = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(largest(&z), Some(highest));
            for at in 0..length {
                let mut out = vec![Fresh::new(1.0); length];
                let (sum, out) = FreshRow(Some(&mut out)).exp(&z, highest, at);
                let expected = z.iter().map(|z| f64::from(z - highest).exp());
                let others: f64 = expected.clone().enumerate().filter(|(i, _)| *i != at).map(|(_, e)| e).sum();
                assert!((f64::from(sum) - others).abs() <= 1e-6 * others + 1e-36, "{length}: {sum} and {others}");
                for (i, (out, expected)) in out.iter().zip(expected).enumerate() {
                    let expected = if i == at { 0.0 } else { expected };
                    assert!((f64::from(*out) - expected).abs() <= 5e-7 * expected, "{i} of {length}: {out}");
                }
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut broken = z.clone();
                    broken[at] = bad;
                    assert_eq!(largest(&broken), None, "{bad} at {at} of {length}");
                    let (ones, mut sums) = (vec![1.0; length], vec![0.0; length]);
                    let mut gradient = vec![Fresh::new(1.0); length];
                    let (value, _) = FreshRow(Some(&mut gradient)).sigmoid(&broken, &ones, 1.0, &mut sums);
                    assert_eq!(value, None, "{bad} at {at} of {length}");
                }
            }
        }
    }
}
