//! A convolution as a list of taps over zero-padded planes.
//!
//! Each tap reads the source at `grid position · step + tap`, zero outside. The source is copied once into planes in which
//! every such read is at `base(position) + offset(tap)`: padding becomes zeros, and with `step > 1` rows and columns are dealt out
//! to one plane per remainder. Forward convolution, gradient of the input (at any stride) and gradient of the weight then share
//! the same kernels, whose inner loops see neither borders nor strides.

use rayon::prelude::*;

/// Fewer values than this are copied by the calling thread, because waking another takes longer.
const PARALLEL_VALUES: usize = 1 << 15;

/// Where the taps of one convolution find their values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlaneLayout {
    source: [usize; 2],
    step: [usize; 2],
    /// Plane row (column) 0 holds source row (column) `first · step + phase`.
    first: [isize; 2],
    phases: Vec<[usize; 2]>,
    rows: usize,
    /// Values per plane row.
    pub(super) width: usize,
    /// Offset of each tap inside the planes of a channel.
    pub(super) tap_offsets: Vec<usize>,
}

impl PlaneLayout {
    /// Layout for `grid` positions of a source of size `source`; `taps` is not empty and `grid` has no zero.
    pub(super) fn new(source: [usize; 2], grid: [usize; 2], step: [usize; 2], taps: &[[isize; 2]]) -> Self {
        let quotient = |axis: usize, tap: &[isize; 2]| tap[axis].div_euclid(step[axis] as isize);
        let phase = |tap: &[isize; 2]| [0, 1].map(|axis| tap[axis].rem_euclid(step[axis] as isize) as usize);
        let bound = |axis: usize| {
            let quotients = taps.iter().map(|tap| quotient(axis, tap));
            let least = quotients.clone().min().expect("a convolution has taps");
            (least, quotients.max().expect("a convolution has taps"))
        };
        let bounds = [bound(0), bound(1)];
        let extent = |axis: usize| grid[axis] + (bounds[axis].1 - bounds[axis].0) as usize;
        let (rows, width) = (extent(0), extent(1));
        let mut phases: Vec<[usize; 2]> = taps.iter().map(phase).collect();
        phases.sort_unstable();
        phases.dedup();
        let tap_offsets = taps
            .iter()
            .map(|tap| {
                let plane = phases.binary_search(&phase(tap)).expect("every tap has a plane");
                let row = (quotient(0, tap) - bounds[0].0) as usize;
                let column = (quotient(1, tap) - bounds[1].0) as usize;
                (plane * rows + row) * width + column
            })
            .collect();
        PlaneLayout { source, step, first: [bounds[0].0, bounds[1].0], phases, rows, width, tap_offsets }
    }

    /// Values of all planes of one channel.
    pub(super) fn channel_len(&self) -> usize {
        self.phases.len() * self.rows * self.width
    }

    /// Whether the source itself has this layout, so that nothing needs to be copied.
    pub(super) fn is_source(&self) -> bool {
        self.step == [1, 1] && self.first == [0, 0] && [self.rows, self.width] == self.source
    }

    /// Copies `source` (`[channels of all images, H, W]`) into `planes`.
    pub(super) fn fill(&self, source: &[f32], planes: &mut [f32]) {
        let source_len = self.source[0] * self.source[1];
        let plane_len = self.channel_len();
        if source_len == 0 {
            planes.fill(0.0);
        } else if planes.len() < PARALLEL_VALUES {
            let pairs = planes.chunks_exact_mut(plane_len).zip(source.chunks_exact(source_len));
            pairs.for_each(|(planes, source)| self.fill_channel(source, planes));
        } else {
            let pairs = planes.par_chunks_exact_mut(plane_len).zip(source.par_chunks_exact(source_len));
            pairs.for_each(|(planes, source)| self.fill_channel(source, planes));
        }
    }

    fn fill_channel(&self, source: &[f32], planes: &mut [f32]) {
        let plane_len = self.rows * self.width;
        for (plane, phase) in planes.chunks_exact_mut(plane_len).zip(&self.phases) {
            // Columns of the plane that lie on the map, and where they start on it.
            let columns = self.inside(1, phase[1], self.width);
            let start = self.source_index(1, phase[1], columns.start);
            for (row, target) in plane.chunks_exact_mut(self.width).enumerate() {
                let y = self.source_index(0, phase[0], row);
                if y < 0 || y >= self.source[0] as isize || columns.is_empty() {
                    target.fill(0.0);
                    continue;
                }
                target[..columns.start].fill(0.0);
                target[columns.end..].fill(0.0);
                let from = &source[y as usize * self.source[1] + start as usize..];
                let target = &mut target[columns.clone()];
                if self.step[1] == 1 {
                    target.copy_from_slice(&from[..target.len()]);
                } else {
                    for (value, &read) in target.iter_mut().zip(from.iter().step_by(self.step[1])) {
                        *value = read;
                    }
                }
            }
        }
    }

    fn source_index(&self, axis: usize, phase: usize, index: usize) -> isize {
        (index as isize + self.first[axis]) * self.step[axis] as isize + phase as isize
    }

    /// The plane indices whose source index lies on the map.
    fn inside(&self, axis: usize, phase: usize, extent: usize) -> std::ops::Range<usize> {
        let step = self.step[axis] as isize;
        // Smallest index with `(index + first) · step + phase >= bound`.
        let reach = |bound: isize| {
            let index = -(phase as isize - bound).div_euclid(step) - self.first[axis];
            index.clamp(0, extent as isize) as usize
        };
        reach(0)..reach(self.source[axis] as isize)
    }
}
