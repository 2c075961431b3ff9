//! Output tensors that several products fill, each every `step`-th row and column.
//!
//! The input gradient of a convolution with stride `s` falls apart into `s²` products, one for each remainder of the position.
//! [`compute`] allocates the result without clearing it, hands each remainder out once, and checks that all were written.

use std::mem::MaybeUninit;

/// Where output values go: position `(i, j)` of channel `m` of picture `n` is written at
/// `base + n · image_stride + m · channel_stride + i · row_stride + j · column_stride`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) base: usize,
    pub(super) image_stride: usize,
    pub(super) channel_stride: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

/// Writable memory that the tasks of one kernel fill at different places.
#[derive(Clone, Copy)]
pub(super) struct SharedOut(*mut f32);

// SAFETY: tasks of one kernel write disjoint values and none reads what another wrote.
unsafe impl Send for SharedOut {}
// SAFETY: as above.
unsafe impl Sync for SharedOut {}

impl SharedOut {
    #[inline(always)]
    pub(super) fn pointer(self) -> *mut f32 {
        self.0
    }
}

/// An output `[images, channels, height, width]` under construction.
pub(super) struct Lattice<'a> {
    out: &'a mut [MaybeUninit<f32>],
    shape: [usize; 4],
    step: [usize; 2],
    claimed: Vec<bool>,
}

impl Lattice<'_> {
    /// Rows and columns whose indices leave the remainders `start` when divided by the steps.
    pub(super) fn grid(&self, start: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| self.shape[2 + axis].saturating_sub(start[axis]).div_ceil(self.step[axis]))
    }

    /// Hands out the positions with the remainders `start`, once.
    ///
    /// # Safety
    ///
    /// The caller writes every value that [`Lattice::grid`] and the target describe, for all pictures and channels.
    pub(super) unsafe fn claim(&mut self, start: [usize; 2]) -> (Target, SharedOut) {
        assert!(start[0] < self.step[0] && start[1] < self.step[1], "remainder {start:?} of steps {:?}", self.step);
        let claimed = &mut self.claimed[start[0] * self.step[1] + start[1]];
        assert!(!*claimed, "remainder {start:?} was written before");
        *claimed = true;
        let [_, channels, height, width] = self.shape;
        let target = Target {
            base: start[0] * width + start[1],
            image_stride: channels * height * width,
            channel_stride: height * width,
            row_stride: self.step[0] * width,
            column_stride: self.step[1],
        };
        (target, SharedOut(self.out.as_mut_ptr().cast()))
    }

    /// Pictures and channels.
    pub(super) fn outer(&self) -> [usize; 2] {
        [self.shape[0], self.shape[1]]
    }
}

/// A tensor of `shape` whose every remainder of `step` is written by `fill`.
pub(super) fn compute(shape: [usize; 4], step: [usize; 2], fill: impl FnOnce(&mut Lattice)) -> Vec<f32> {
    let len = shape.iter().product();
    let mut values = Vec::with_capacity(len);
    let out = &mut values.spare_capacity_mut()[..len];
    let mut lattice = Lattice { out, shape, step, claimed: vec![false; step[0] * step[1]] };
    fill(&mut lattice);
    assert!(lattice.claimed.iter().all(|&claimed| claimed), "a remainder of steps {step:?} was not written");
    // SAFETY: every position has one of the claimed remainders, and whoever claims one writes all its values.
    unsafe { values.set_len(len) };
    values
}

/// A vector of `len` values that `fill` writes.
///
/// # Safety
///
/// `fill` writes every value.
pub(super) unsafe fn filled(len: usize, fill: impl FnOnce(SharedOut)) -> Vec<f32> {
    let mut values: Vec<f32> = Vec::with_capacity(len);
    fill(SharedOut(values.as_mut_ptr()));
    // SAFETY: the capacity is at least `len` and the caller vouches that `fill` wrote every value.
    unsafe { values.set_len(len) };
    values
}
