//! The weight gradient of a convolution: `dw[m, k] = Σ_p gradient[m, p] · planes[base(p) + offset(k)]`.
//!
//! The sum over positions is an outer product per position: lanes run along output channels, rows along terms `k`, whose values
//! are read straight from the planes (see `conv_planes`), so no patch matrix is built and no lane needs to be added to
//! another. Only the gradient is transposed, once. Tasks own ranges of `k` and of channels and walk all pictures in order, so
//! that no accumulator is shared and no bit depends on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::lattice_kernel::{SharedOut, filled};
use super::scratch::with_scratch;
use super::simd_kernel::{Kernel, Simd, dispatch, shape};

/// Positions per segment: its transposed gradient (two vectors of 16 channels) then takes 16 KiB of the nearest cache.
const SEGMENT: usize = 128;
/// Positions that are transposed together.
const TRANSPOSE: usize = 16;

/// One weight gradient; see the module's formula.
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightGradient<'a> {
    pub(super) planes: &'a [f32],
    /// Values of all planes of one picture.
    pub(super) image_len: usize,
    /// Values per plane row.
    pub(super) width: usize,
    /// Where term `k` is read, relative to the position.
    pub(super) offsets: &'a [usize],
    pub(super) images: usize,
    /// Output positions per picture, rows and columns.
    pub(super) grid: [usize; 2],
    /// Output channels.
    pub(super) channels: usize,
    /// Gradient of the output, `[images, channels, rows, columns]`.
    pub(super) gradient: &'a [f32],
}

/// Terms per block.
fn block_len() -> usize {
    if shape().1 { 8 } else { 6 }
}

impl WeightGradient<'_> {
    /// The gradient, `[channels, terms]`.
    ///
    /// # Panics
    ///
    /// When a read lies outside `planes` or the gradient of the output has another size.
    pub(super) fn run(&self) -> Vec<f32> {
        let positions = self.grid[0] * self.grid[1];
        assert_eq!(self.gradient.len(), self.images * self.channels * positions);
        let len = self.channels * self.offsets.len();
        let Some(furthest) = self.offsets.iter().max() else { return Vec::new() };
        if self.gradient.is_empty() {
            return vec![0.0; len];
        }
        let last = (self.images - 1) * self.image_len + (self.grid[0] - 1) * self.width + self.grid[1] - 1;
        assert!(last + furthest < self.planes.len(), "a tap reads outside the planes");
        // SAFETY: the tasks cover every term and channel.
        unsafe { filled(len, |out| self.fill(out)) }
    }

    fn fill(&self, out: SharedOut) {
        let lanes = shape().0;
        let padded = self.channels.next_multiple_of(lanes);
        with_scratch(self.images * self.grid[0] * self.grid[1] * padded, |transposed| {
            self.transpose(transposed, padded, 2 * lanes);
            let tasks = self.tasks(padded, 2 * lanes);
            let transposed = &*transposed;
            let work = |(terms, channels): (Range<usize>, Range<usize>)| {
                // Taken here, because a closure inside the kernel would be compiled without its vector instructions.
                with_scratch(terms.len().next_multiple_of(block_len()) * channels.len(), |sums| {
                    dispatch(Task { problem: self, transposed, padded, terms, channels, out, sums });
                });
            };
            if tasks.len() == 1 { tasks.into_iter().for_each(work) } else { tasks.into_par_iter().for_each(work) }
        });
    }

    /// Ranges of terms and of channels (at most `panel`) of similar work.
    fn tasks(&self, padded: usize, panel: usize) -> Vec<(Range<usize>, Range<usize>)> {
        let terms = self.offsets.len();
        let panels = padded.div_ceil(panel);
        let work = self.images * self.grid[0] * self.grid[1] * self.channels * terms;
        let wanted = if work < 1 << 17 { 1 } else { 4 * rayon::current_num_threads() };
        let block = block_len();
        let parts = wanted.div_ceil(panels).max(1);
        let step = terms.div_ceil(parts).next_multiple_of(block).min(12 * block);
        let mut tasks = Vec::new();
        for first in (0..padded).step_by(panel) {
            for start in (0..terms).step_by(step) {
                tasks.push((start..(start + step).min(terms), first..(first + panel).min(padded)));
            }
        }
        tasks
    }

    /// Gradient as `[image][panel of channels][position][channel of the panel]`, missing channels as zeros.
    fn transpose(&self, transposed: &mut [f32], padded: usize, panel: usize) {
        let positions = self.grid[0] * self.grid[1];
        let mut pieces = Vec::new();
        for (image, mut rest) in transposed.chunks_exact_mut(positions * padded).enumerate() {
            for first in (0..padded).step_by(panel) {
                let (piece, tail) = rest.split_at_mut(positions * panel.min(padded - first));
                pieces.push((image, first, piece));
                rest = tail;
            }
        }
        let fill = |(image, first, piece): (usize, usize, &mut [f32])| {
            let width = piece.len() / positions;
            let gradient = &self.gradient[image * self.channels * positions..][..self.channels * positions];
            for start in (0..positions).step_by(TRANSPOSE) {
                let count = TRANSPOSE.min(positions - start);
                let rows = &mut piece[start * width..(start + count) * width];
                for lane in 0..width {
                    let channel = first + lane;
                    let targets = rows[lane..].iter_mut().step_by(width);
                    if channel < self.channels {
                        let source = &gradient[channel * positions + start..][..count];
                        targets.zip(source).for_each(|(target, &value)| *target = value);
                    } else {
                        targets.for_each(|target| *target = 0.0);
                    }
                }
            }
        };
        if self.gradient.len() < 1 << 15 {
            pieces.into_iter().for_each(fill);
        } else {
            pieces.into_par_iter().for_each(fill);
        }
    }
}

/// A range of terms and one panel of channels of a weight gradient.
struct Task<'a> {
    problem: &'a WeightGradient<'a>,
    transposed: &'a [f32],
    padded: usize,
    terms: Range<usize>,
    channels: Range<usize>,
    out: SharedOut,
    /// `[terms][channels]`, terms in whole blocks.
    sums: &'a mut [f32],
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self) {
        let narrow = self.channels.len() <= S::LANES;
        // SAFETY: `WeightGradient::run` checked all reads, and tasks write below `channels · terms`.
        unsafe {
            match (S::WIDE_FILE, narrow) {
                (true, false) => self.sweep::<S, 8, 2>(),
                (true, true) => self.sweep::<S, 8, 1>(),
                (false, false) => self.sweep::<S, 6, 2>(),
                (false, true) => self.sweep::<S, 6, 1>(),
            }
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    unsafe fn sweep<S: Simd, const MR: usize, const NV: usize>(self) {
        let Task { problem, transposed, padded, terms, channels, out, sums } = self;
        let width = NV * S::LANES;
        let [rows, columns] = problem.grid;
        let segment_rows = (SEGMENT / columns).max(1);
        sums.fill(0.0);
        for image in 0..problem.images {
            let planes = &problem.planes[image * problem.image_len..];
            let gradient = &transposed[(image * padded + channels.start) * rows * columns..];
            for row in (0..rows).step_by(segment_rows) {
                let segment = segment_rows.min(rows - row);
                let gradient = &gradient[row * columns * width..][..segment * columns * width];
                for (block, sums) in sums.chunks_exact_mut(MR * width).enumerate() {
                    // SAFETY: reads lie in `planes`, see `WeightGradient::run`; the sizes of `gradient` and `sums` fit.
                    unsafe {
                        let from = planes.as_ptr().add(row * problem.width);
                        let reads = reads::<MR>(&problem.offsets[terms.clone()], block, from);
                        let shape = [segment, columns, problem.width];
                        accumulate::<S, MR, NV>(shape, &reads, gradient.as_ptr(), sums.as_mut_ptr());
                    }
                }
            }
        }
        let all_terms = problem.offsets.len();
        for (lane, channel) in (channels.start..channels.end.min(problem.channels)).enumerate() {
            for (index, term) in terms.clone().enumerate() {
                // SAFETY: the place lies in the output, as `channel < channels` and `term < terms`, and is this task's.
                unsafe { *out.pointer().add(channel * all_terms + term) = sums[index * width + lane] };
            }
        }
    }
}

/// Where the terms of a block are read; the last term is repeated in an incomplete block.
///
/// # Safety
///
/// `from` may be moved by every offset.
#[inline(always)]
unsafe fn reads<const MR: usize>(offsets: &[usize], block: usize, from: *const f32) -> [*const f32; MR] {
    let mut reads = [from; MR];
    for (index, read) in reads.iter_mut().enumerate() {
        let term = (block * MR + index).min(offsets.len() - 1);
        // SAFETY: see above.
        *read = unsafe { from.add(offsets[term]) };
    }
    reads
}

/// Adds the outer products of all positions of a segment to `sums`.
///
/// # Safety
///
/// For `shape = [rows, columns, stride]`, `reads` reach `rows · stride` values and `gradient` holds `rows · columns` times,
/// `sums` `MR` times `NV` vectors.
#[inline(always)]
unsafe fn accumulate<S: Simd, const MR: usize, const NV: usize>(
    shape: [usize; 3],
    reads: &[*const f32; MR],
    mut gradient: *const f32,
    sums: *mut f32,
) {
    let [rows, columns, stride] = shape;
    let mut totals = [[S::splat(0.0); NV]; MR];
    for (m, totals) in totals.iter_mut().enumerate() {
        for (v, total) in totals.iter_mut().enumerate() {
            // SAFETY: see above.
            *total = unsafe { S::load(sums.add((m * NV + v) * S::LANES)) };
        }
    }
    for row in 0..rows {
        for position in row * stride..row * stride + columns {
            // SAFETY: see above.
            unsafe {
                let mut values = [S::splat(0.0); NV];
                for (v, value) in values.iter_mut().enumerate() {
                    *value = S::load(gradient.add(v * S::LANES));
                }
                for (totals, read) in totals.iter_mut().zip(reads) {
                    let factor = S::splat(*read.add(position));
                    for (total, &value) in totals.iter_mut().zip(&values) {
                        *total = S::fma(factor, value, *total);
                    }
                }
                gradient = gradient.add(NV * S::LANES);
            }
        }
    }
    for (m, totals) in totals.iter().enumerate() {
        for (v, &total) in totals.iter().enumerate() {
            // SAFETY: see above.
            unsafe { S::store(sums.add((m * NV + v) * S::LANES), total) };
        }
    }
}
