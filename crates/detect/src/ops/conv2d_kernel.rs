//! The product at the heart of a convolution: `out[m, p] = bias[m] + Σ_k weight[m, k] · planes[base(p) + offset(k)]`.
//!
//! `p` runs over the output positions of all pictures, `k` over channels and taps (see `conv_planes`). The product is cut as in
//! Goto & van de Geijn, "Anatomy of high-performance matrix multiplication" (2008): a panel of some vectors of positions and at most
//! [`K_BLOCK`] terms is copied to the nearest cache and meets blocks of output channels, whose weights were packed once.
//!
//! Every output value is summed in the order of `k` within blocks of [`K_BLOCK`], by one thread. Where positions are cut into
//! tasks therefore changes no bit.

use std::ops::Range;

use rayon::prelude::*;

use super::lattice_kernel::{Lattice, SharedOut, Target};
use super::scratch::with_scratch;
use super::simd_kernel::{Kernel, Simd, dispatch, shape};

/// Terms per block: a panel of 48 positions then takes 24 KiB, which leaves room for weights in a first-level cache of 32 KiB.
const K_BLOCK: usize = 128;
/// Values in the largest panel and one vector more.
const PANEL: usize = K_BLOCK * 3 * 16 + 16;
/// Values in the largest tile that a panel and a block of channels give: 8 channels × 3 vectors of 16.
const TILE: usize = 8 * 3 * 16;
/// Runs in the largest panel, all positions apart.
const MAX_RUNS: usize = 48;
/// Panels that one task works through at most, so that packed weights are reused while cached.
const MAX_TASK_PANELS: usize = 8;

/// Weight of output channel `m` in term `k`, at `m · stride + offsets[k]` of `values`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) values: &'a [f32],
    pub(super) stride: usize,
    pub(super) offsets: &'a [usize],
}

/// One product; see the module's formula.
#[derive(Debug, Clone, Copy)]
pub(super) struct TapProduct<'a> {
    pub(super) planes: &'a [f32],
    /// Values of all planes of one picture.
    pub(super) image_len: usize,
    /// Values per plane row.
    pub(super) width: usize,
    /// Where term `k` is read, relative to the position.
    pub(super) offsets: &'a [usize],
    pub(super) weights: Weights<'a>,
    pub(super) bias: Option<&'a [f32]>,
}

/// A product together with the output that it writes.
struct Placed<'a> {
    product: &'a TapProduct<'a>,
    /// Output channels.
    channels: usize,
    /// Output positions per picture, rows and columns.
    grid: [usize; 2],
    target: Target,
}

/// Consecutive positions that lie side by side in a plane row.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    /// First position, counted within the panel.
    start: usize,
    len: usize,
    /// Where the first position reads its first plane.
    read: usize,
    /// Where the first position's channel 0 is written.
    write: usize,
}

/// Output channels per block and vectors of positions per panel. Of 16 registers, 12 sums, two vectors and a weight leave one free: 4 × 3 needs all
/// of them, and compilers then keep a sum in memory, which takes twice as long.
fn tile_shape() -> (usize, usize) {
    if shape().1 { (8, 3) } else { (6, 2) }
}

impl TapProduct<'_> {
    /// Computes the product for the positions of `lattice` with the remainders `start`.
    ///
    /// # Panics
    ///
    /// When a read lies outside `planes`, the weights or the bias.
    pub(super) fn run(&self, lattice: &mut Lattice, start: [usize; 2]) {
        let ([images, channels], grid) = (lattice.outer(), lattice.grid(start));
        let positions = images * grid[0] * grid[1];
        if positions > 0 && channels > 0 {
            self.check(images, channels, grid);
        }
        // SAFETY: the tasks below cover every position and channel.
        let (target, out) = unsafe { lattice.claim(start) };
        if positions == 0 || channels == 0 {
            return;
        }
        let placed = Placed { product: self, channels, grid, target };
        let (block, vectors) = tile_shape();
        let blocks = channels.div_ceil(block);
        with_scratch(blocks * block * self.offsets.len(), |packed| {
            placed.pack_weights(block, packed);
            let (packed, placed) = (&*packed, &placed);
            let tasks = placed.tasks(positions, vectors * shape().0, blocks);
            let work = |(positions, blocks): (Range<usize>, Range<usize>)| {
                // Taken here, because a closure inside the kernel would be compiled without its vector instructions.
                with_scratch(PANEL, |panel| dispatch(Task { placed, packed, positions, blocks, out, panel }));
            };
            if tasks.len() == 1 { tasks.into_iter().for_each(work) } else { tasks.into_par_iter().for_each(work) }
        });
    }

    fn check(&self, images: usize, channels: usize, grid: [usize; 2]) {
        assert_eq!(self.offsets.len(), self.weights.offsets.len(), "one weight per term");
        assert!(self.bias.is_none_or(|bias| bias.len() == channels), "one bias per channel");
        if let (Some(read), Some(weight)) = (self.offsets.iter().max(), self.weights.offsets.iter().max()) {
            let last = (images - 1) * self.image_len + (grid[0] - 1) * self.width + grid[1] - 1;
            assert!(last + read < self.planes.len(), "a tap reads outside the planes");
            assert!((channels - 1) * self.weights.stride + weight < self.weights.values.len(), "weights are missing");
        }
    }

    /// Ranges of terms that are summed together.
    fn term_blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let terms = self.offsets.len();
        let count = terms.div_ceil(K_BLOCK).max(1);
        let step = terms.div_ceil(count).max(1);
        (0..count).map(move |index| (index * step).min(terms)..((index + 1) * step).min(terms))
    }
}

impl Placed<'_> {
    /// Cuts positions, and channel blocks where positions are few, into pieces of similar work.
    fn tasks(&self, positions: usize, panel: usize, blocks: usize) -> Vec<(Range<usize>, Range<usize>)> {
        let wanted = if self.is_small(positions) { 1 } else { 4 * rayon::current_num_threads() };
        let panels = positions.div_ceil(panel);
        let step = panel * (panels / wanted).clamp(1, MAX_TASK_PANELS);
        let block_parts = (wanted / panels).clamp(1, blocks);
        let block_step = blocks.div_ceil(block_parts);
        let mut tasks = Vec::new();
        for start in (0..positions).step_by(step) {
            for first in (0..blocks).step_by(block_step) {
                tasks.push((start..(start + step).min(positions), first..(first + block_step).min(blocks)));
            }
        }
        tasks
    }

    /// Whether starting another thread would take longer than the product.
    fn is_small(&self, positions: usize) -> bool {
        positions * self.channels * self.product.offsets.len() < 1 << 17
    }

    /// Packs weights as `[term block][channel block][term][channel]`, missing channels as zeros.
    fn pack_weights(&self, block: usize, packed: &mut [f32]) {
        let Weights { values, stride, offsets } = self.product.weights;
        let padded = self.channels.div_ceil(block) * block;
        for terms in self.product.term_blocks() {
            let part = &mut packed[terms.start * padded..terms.end * padded];
            let pack_block = |(index, target): (usize, &mut [f32])| {
                let first = index * block;
                for (target, &offset) in target.chunks_exact_mut(block).zip(&offsets[terms.clone()]) {
                    for (lane, value) in target.iter_mut().enumerate() {
                        let channel = first + lane;
                        *value = if channel < self.channels { values[channel * stride + offset] } else { 0.0 };
                    }
                }
            };
            if terms.is_empty() {
                continue;
            }
            if part.len() < 1 << 14 {
                part.chunks_exact_mut(block * terms.len()).enumerate().for_each(pack_block);
            } else {
                part.par_chunks_exact_mut(block * terms.len()).enumerate().for_each(pack_block);
            }
        }
    }

    /// The runs of positions `start..start + count`.
    #[inline(always)]
    fn runs(&self, start: usize, count: usize, runs: &mut [Run; MAX_RUNS]) -> usize {
        let [rows, columns] = self.grid;
        let target = &self.target;
        let (mut image, rest) = (start / (rows * columns), start % (rows * columns));
        let (mut row, mut column) = (rest / columns, rest % columns);
        let (mut done, mut found) = (0, 0);
        while done < count {
            let len = (columns - column).min(count - done);
            let read = image * self.product.image_len + row * self.product.width + column;
            let write =
                target.base + image * target.image_stride + row * target.row_stride + column * target.column_stride;
            let joins = found > 0 && {
                let last = &runs[found - 1];
                last.read + last.len == read && target.column_stride == 1 && last.write + last.len == write
            };
            if joins {
                runs[found - 1].len += len;
            } else {
                runs[found] = Run { start: done, len, read, write };
                found += 1;
            }
            done += len;
            column = 0;
            row += 1;
            if row == rows {
                (row, image) = (0, image + 1);
            }
        }
        found
    }
}

/// A range of positions and channel blocks of a product.
struct Task<'a> {
    placed: &'a Placed<'a>,
    packed: &'a [f32],
    positions: Range<usize>,
    blocks: Range<usize>,
    out: SharedOut,
    panel: &'a mut [f32],
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self) {
        // The two shapes of `tile_shape`.
        if S::WIDE_FILE {
            // SAFETY: `TapProduct::run` checked all reads, and the target lies in the output.
            unsafe { self.sweep::<S, 8, 3>() }
        } else {
            // SAFETY: as above.
            unsafe { self.sweep::<S, 6, 2>() }
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    unsafe fn sweep<S: Simd, const MR: usize, const NV: usize>(self) {
        let Task { placed, packed, positions, blocks, out, panel } = self;
        let task = Blocks { placed, packed, blocks, out };
        let mut runs = [Run::default(); MAX_RUNS];
        let width = NV * S::LANES;
        for terms in placed.product.term_blocks() {
            for start in positions.clone().step_by(width) {
                let count = (positions.end - start).min(width);
                let found = placed.runs(start, count, &mut runs);
                let runs = &runs[..found];
                // SAFETY: `panel` holds `K_BLOCK` rows of three vectors and one vector more; the rest as in `TapProduct::run`.
                unsafe {
                    match count.div_ceil(S::LANES) {
                        1 => task.meet::<S, MR, 1>(&terms, runs, count, panel),
                        2 if NV > 2 => task.meet::<S, MR, 2>(&terms, runs, count, panel),
                        _ => task.meet::<S, MR, NV>(&terms, runs, count, panel),
                    }
                }
            }
        }
    }
}

/// The channel blocks of a task.
struct Blocks<'a> {
    placed: &'a Placed<'a>,
    packed: &'a [f32],
    blocks: Range<usize>,
    out: SharedOut,
}

impl Blocks<'_> {
    /// Packs one panel of positions and multiplies it with every channel block.
    #[inline(always)]
    unsafe fn meet<S: Simd, const MR: usize, const NV: usize>(
        &self,
        terms: &Range<usize>,
        runs: &[Run],
        count: usize,
        panel: &mut [f32],
    ) {
        let Placed { product, channels, target, .. } = *self.placed;
        let padded = channels.div_ceil(MR) * MR;
        // Whether the panel fills whole vectors of the output, even if it was read in pieces.
        let contiguous = count == NV * S::LANES
            && target.column_stride == 1
            && runs.windows(2).all(|pair| pair[0].write + pair[0].len == pair[1].write);
        // SAFETY: rows of `NV` vectors fit the panel; reads are checked by `TapProduct::run`.
        unsafe { pack_panel::<S, NV>(product.planes, &product.offsets[terms.clone()], runs, panel) };
        for block in self.blocks.clone() {
            let weights = &self.packed[terms.start * padded + block * MR * terms.len()..][..MR * terms.len()];
            // SAFETY: `weights` has `MR` and `panel` `NV` vectors for each term.
            let sums = unsafe { multiply::<S, MR, NV>(terms.len(), weights.as_ptr(), panel.as_ptr()) };
            let first = block * MR;
            let channels = (channels - first).min(MR);
            let bias = (terms.start == 0).then(|| {
                let mut bias = [0.0; MR];
                if let Some(values) = product.bias {
                    bias[..channels].copy_from_slice(&values[first..first + channels]);
                }
                bias
            });
            // SAFETY: written places lie in `out` and belong to this task, see `TapProduct::run`.
            unsafe {
                let out = self.out.pointer().add(first * target.channel_stride);
                let stride = target.channel_stride;
                if contiguous {
                    put_vectors::<S, MR, NV>(&sums, bias.as_ref(), channels, out.add(runs[0].write), stride);
                } else {
                    put_runs::<S, MR, NV>(&sums, bias.as_ref(), channels, out, stride, runs, target.column_stride);
                }
            }
        }
    }
}

/// Copies the values of every term and position into rows of `NV` vectors.
///
/// # Safety
///
/// Runs shifted by `offsets` lie in `planes`; `panel` holds `offsets.len()` rows and one vector more.
#[inline(always)]
unsafe fn pack_panel<S: Simd, const NV: usize>(planes: &[f32], offsets: &[usize], runs: &[Run], panel: &mut [f32]) {
    let row = NV * S::LANES;
    debug_assert!(panel.len() >= offsets.len() * row + S::LANES);
    let reach = runs.iter().map(|run| run.read + run.len.next_multiple_of(S::LANES)).max().unwrap_or(0);
    let furthest = offsets.iter().max().copied().unwrap_or(0);
    let whole_vectors = reach + furthest <= planes.len();
    let mut to = panel.as_mut_ptr();
    for &offset in offsets {
        // SAFETY: the caller vouches for the runs. With `whole_vectors`, reads past a run stay in `planes`; writes past it
        // are overwritten by the next run or row and end in the spare vector of `panel`.
        unsafe {
            let from = planes.as_ptr().add(offset);
            for run in runs {
                let (from, to) = (from.add(run.read), to.add(run.start));
                if whole_vectors {
                    let mut done = 0;
                    while done < run.len {
                        S::store(to.add(done), S::load(from.add(done)));
                        done += S::LANES;
                    }
                } else {
                    std::ptr::copy_nonoverlapping(from, to, run.len);
                }
            }
            to = to.add(row);
        }
    }
}

/// `MR × NV` vectors of sums over `terms`.
///
/// # Safety
///
/// `weights` holds `MR` and `panel` `NV · LANES` values per term.
#[inline(always)]
unsafe fn multiply<S: Simd, const MR: usize, const NV: usize>(
    terms: usize,
    mut weights: *const f32,
    mut panel: *const f32,
) -> [[S::V; NV]; MR] {
    let mut sums = [[S::splat(0.0); NV]; MR];
    for _ in 0..terms {
        // SAFETY: see above.
        unsafe {
            let mut values = [S::splat(0.0); NV];
            for (v, value) in values.iter_mut().enumerate() {
                *value = S::load(panel.add(v * S::LANES));
            }
            for (m, sums) in sums.iter_mut().enumerate() {
                let weight = S::splat(*weights.add(m));
                for (sum, &value) in sums.iter_mut().zip(&values) {
                    *sum = S::fma(weight, value, *sum);
                }
            }
            weights = weights.add(MR);
            panel = panel.add(NV * S::LANES);
        }
    }
    sums
}

/// Adds sums to `out`, or starts it with `bias`, where all positions follow each other.
///
/// # Safety
///
/// `out` has `NV · LANES` writable values at every multiple of `stride` below `channels`, initialised without `bias`.
#[inline(always)]
unsafe fn put_vectors<S: Simd, const MR: usize, const NV: usize>(
    sums: &[[S::V; NV]; MR],
    bias: Option<&[f32; MR]>,
    channels: usize,
    out: *mut f32,
    stride: usize,
) {
    for m in 0..MR {
        if m >= channels {
            break;
        }
        for (v, &sum) in sums[m].iter().enumerate() {
            // SAFETY: see above.
            unsafe {
                let to = out.add(m * stride + v * S::LANES);
                let start = match bias {
                    Some(bias) => S::splat(bias[m]),
                    None => S::load(to),
                };
                S::store(to, S::add(start, sum));
            }
        }
    }
}

/// Like `put_vectors` for positions in several runs or with gaps between them.
///
/// # Safety
///
/// The places named by `runs`, `stride` and `column_stride` are writable, and initialised without `bias`.
#[inline(always)]
unsafe fn put_runs<S: Simd, const MR: usize, const NV: usize>(
    sums: &[[S::V; NV]; MR],
    bias: Option<&[f32; MR]>,
    channels: usize,
    out: *mut f32,
    stride: usize,
    runs: &[Run],
    column_stride: usize,
) {
    let mut tile = [0.0f32; TILE];
    let width = NV * S::LANES;
    for (m, sums) in sums.iter().enumerate() {
        for (v, &sum) in sums.iter().enumerate() {
            // SAFETY: `TILE` is at least `MR · NV · LANES`.
            unsafe { S::store(tile.as_mut_ptr().add(m * width + v * S::LANES), sum) };
        }
    }
    for m in 0..channels {
        for run in runs {
            let tile = &tile[m * width + run.start..][..run.len];
            for (index, &sum) in tile.iter().enumerate() {
                // SAFETY: see above.
                unsafe {
                    let to = out.add(m * stride + run.write + index * column_stride);
                    *to = sum + bias.map_or_else(|| *to, |bias| bias[m]);
                }
            }
        }
    }
}
