//! Convolution of every channel with a kernel of its own, and its weight gradient.
//!
//! There is no sum over channels and so nothing to gain from a matrix product: each plane (see `conv_planes`) is read once per
//! tap, from the nearest cache, by vectors along a row. Vectors may reach past a row; planes therefore end in
//! [`SLACK`] spare values.

use rayon::prelude::*;

use super::conv2d_kernel::Weights;
use super::lattice_kernel::{Lattice, SharedOut, Target, filled};
use super::simd_kernel::{Kernel, Simd, dispatch};

/// Spare values that must follow the planes.
pub(super) const SLACK: usize = 16;
/// Values in the widest vector.
const WIDEST: usize = 16;

/// Planes of a depthwise convolution and the positions at which they are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depthwise<'a> {
    /// Planes of all pictures and channels, then [`SLACK`] values.
    pub(super) planes: &'a [f32],
    /// Values of the planes of one channel.
    pub(super) channel_len: usize,
    /// Values per plane row.
    pub(super) width: usize,
    /// Where each tap is read, relative to the position.
    pub(super) taps: &'a [usize],
    pub(super) images: usize,
    pub(super) channels: usize,
}

impl Depthwise<'_> {
    /// Computes `out[n, c, i, j] = bias[c] + Σ_t weight(c, t) · plane[n, c][position + taps[t]]` for the positions of
    /// `lattice` with the remainders `start`.
    ///
    /// # Panics
    ///
    /// When a read lies outside `planes`, the weights or the bias.
    pub(super) fn run(&self, weights: Weights, bias: Option<&[f32]>, lattice: &mut Lattice, start: [usize; 2]) {
        let grid = lattice.grid(start);
        assert_eq!(lattice.outer(), [self.images, self.channels]);
        // SAFETY: every position of every channel is written below.
        let (target, out) = unsafe { lattice.claim(start) };
        (0..self.images * self.channels).into_par_iter().for_each(|index| {
            let (image, channel) = (index / self.channels, index % self.channels);
            let values = &weights.values[channel * weights.stride..];
            let weights: Vec<f32> = weights.offsets.iter().map(|&offset| values[offset]).collect();
            let write = target.base + image * target.image_stride + channel * target.channel_stride;
            let bias = bias.map_or(0.0, |bias| bias[channel]);
            dispatch(Forward { problem: self, grid, index, weights: &weights, bias, target, write, out });
        });
    }

    /// The weight gradient `[channels, taps]`, given `gradient`: `[images, channels, rows, columns]` with `grid` its rows and columns.
    ///
    /// # Panics
    ///
    /// When a read lies outside `planes` or the gradient of the output has another size.
    pub(super) fn weight_gradient(&self, gradient: &[f32], grid: [usize; 2]) -> Vec<f32> {
        assert_eq!(gradient.len(), self.images * self.channels * grid[0] * grid[1]);
        let len = self.channels * self.taps.len();
        if gradient.is_empty() {
            return vec![0.0; len];
        }
        let fill = |out: SharedOut| {
            (0..self.channels).into_par_iter().for_each(|channel| {
                dispatch(Backward { problem: self, channel, gradient, grid, out });
            });
        };
        // SAFETY: every tap of every channel is written.
        unsafe { filled(len, fill) }
    }
}

struct Forward<'a> {
    problem: &'a Depthwise<'a>,
    grid: [usize; 2],
    index: usize,
    weights: &'a [f32],
    bias: f32,
    target: Target,
    write: usize,
    out: SharedOut,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Depthwise { planes, channel_len, width, taps, .. } = *self.problem;
        let [rows, columns] = self.grid;
        let plane = &planes[self.index * channel_len..];
        for row in 0..rows {
            for column in (0..columns).step_by(S::LANES) {
                let mut sum = S::splat(self.bias);
                for (&tap, &weight) in taps.iter().zip(self.weights) {
                    let read = &plane[tap + row * width + column..][..S::LANES];
                    // SAFETY: `read` has `LANES` values.
                    sum = unsafe { S::fma(S::splat(weight), S::load(read.as_ptr()), sum) };
                }
                let count = S::LANES.min(columns - column);
                let write = self.write + row * self.target.row_stride + column * self.target.column_stride;
                // SAFETY: the target lies in the output.
                unsafe { put::<S>(sum, count, self.target.column_stride, self.out.pointer().add(write)) };
            }
        }
    }
}

/// Writes the first `count` lanes, `stride` values apart.
///
/// # Safety
///
/// These places are writable.
#[inline(always)]
unsafe fn put<S: Simd>(vector: S::V, count: usize, stride: usize, out: *mut f32) {
    if count == S::LANES && stride == 1 {
        // SAFETY: see above.
        unsafe { S::store(out, vector) };
        return;
    }
    let mut lanes = [0.0f32; WIDEST];
    // SAFETY: `WIDEST` is at least `LANES`.
    unsafe { S::store(lanes.as_mut_ptr(), vector) };
    for (index, &lane) in lanes[..count].iter().enumerate() {
        // SAFETY: see above.
        unsafe { *out.add(index * stride) = lane };
    }
}

struct Backward<'a> {
    problem: &'a Depthwise<'a>,
    channel: usize,
    gradient: &'a [f32],
    grid: [usize; 2],
    out: SharedOut,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(self) {
        let taps = self.problem.taps;
        let mut done = 0;
        while done < taps.len() {
            done += match taps.len() - done {
                9.. => self.taps::<S, 9>(done),
                3.. => self.taps::<S, 3>(done),
                _ => self.taps::<S, 1>(done),
            };
        }
    }
}

impl Backward<'_> {
    /// Sums of `T` taps from tap `first`; returns `T`.
    #[inline(always)]
    fn taps<S: Simd, const T: usize>(&self, first: usize) -> usize {
        let Depthwise { planes, channel_len, width, taps, images, channels } = *self.problem;
        let [rows, columns] = self.grid;
        let mut sums = [S::splat(0.0); T];
        for image in 0..images {
            let index = image * channels + self.channel;
            let plane = &planes[index * channel_len..];
            let gradient = &self.gradient[index * rows * columns..][..rows * columns];
            for (row, gradient) in gradient.chunks_exact(columns).enumerate() {
                for (step, gradient) in gradient.chunks(S::LANES).enumerate() {
                    // The last vector of a row is filled with zeros.
                    let mut lanes = [0.0f32; WIDEST];
                    lanes[..gradient.len()].copy_from_slice(gradient);
                    // SAFETY: `WIDEST` is at least `LANES`.
                    let gradient = unsafe { S::load(lanes.as_ptr()) };
                    for (sum, &tap) in sums.iter_mut().zip(&taps[first..first + T]) {
                        let read = &plane[tap + row * width + step * S::LANES..][..S::LANES];
                        // SAFETY: `read` has `LANES` values.
                        *sum = unsafe { S::fma(gradient, S::load(read.as_ptr()), *sum) };
                    }
                }
            }
        }
        for (index, &sum) in sums.iter().enumerate() {
            let place = self.channel * taps.len() + first + index;
            // SAFETY: `place` lies below `channels · taps` and belongs to this channel.
            unsafe { *self.out.pointer().add(place) = S::sum(sum) };
        }
        T
    }
}
