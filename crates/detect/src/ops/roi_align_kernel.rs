//! RoIAlign and its gradient on the CPU, [`BLOCK`] channels at a time.
//!
//! Maps are rearranged to `[picture][channel block][cell][BLOCK]`, so that one cell of a block is one or a few vectors and the
//! bilinear weights of a region (see `roi_sampling`), computed once, are shared by all lanes. A region is pooled first along
//! columns, then along rows, and the `[bins][BLOCK]` tile is transposed into place.
//!
//! Forward runs regions in parallel. Backward runs pairs of picture and channel block in parallel, each over all its regions in
//! their order: no two tasks add to the same cell, and no sum depends on scheduling.

use std::ops::Range;

use rayon::prelude::*;

use super::lattice_kernel::{SharedOut, filled};
use super::roi_sampling::RoiTaps;
use super::scratch::with_scratch;
use super::simd_kernel::{Kernel, Simd, dispatch};
use super::transpose_kernel::transpose;

/// Channels per block: one vector of the widest kind.
const BLOCK: usize = 16;
/// Regions per task of the forward pass.
const TASK_REGIONS: usize = 16;

/// A region, the map and picture it is read from, and how.
#[derive(Debug, Clone)]
pub(super) struct PlannedRoi {
    pub(super) level: usize,
    pub(super) image: usize,
    pub(super) taps: RoiTaps,
}

/// Regions to pool to `output` bins from maps `[N, C, H_l, W_l]`.
#[derive(Debug, Clone)]
pub(super) struct RoiPlan {
    pub(super) rois: Vec<PlannedRoi>,
    pub(super) output: [usize; 2],
    pub(super) images: usize,
    pub(super) channels: usize,
    /// `[H, W]` of each map.
    pub(super) sizes: Vec<[usize; 2]>,
}

impl RoiPlan {
    fn blocks(&self) -> usize {
        self.channels.div_ceil(BLOCK)
    }

    fn cells(&self, level: usize) -> usize {
        self.sizes[level][0] * self.sizes[level][1]
    }

    fn bins(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Values of a working tile: cells along columns pooled for every row that a region reads, then all bins.
    fn tile_len(&self) -> usize {
        let rows = self.rois.iter().map(|roi| roi.taps.rows.cells.len()).max().unwrap_or(0);
        (rows * self.output[1] + self.bins()) * BLOCK
    }

    /// Every region names a map and picture that exist and reads only its cells.
    fn check(&self) {
        for roi in &self.rois {
            assert!(
                roi.image < self.images && roi.level < self.sizes.len(),
                "a region reads a map that does not exist"
            );
            let last =
                [&roi.taps.rows, &roi.taps.columns].map(|axis| axis.cells.last().map_or(0, |&cell| cell as usize + 1));
            let [height, width] = self.sizes[roi.level];
            assert!(last[0] <= height && last[1] <= width, "a region reads outside its map");
        }
    }

    /// Pooled features `[R, C, ph, pw]` of `levels`.
    pub(super) fn forward(&self, levels: &[&[f32]]) -> Vec<f32> {
        self.check();
        let lens: Vec<usize> = (0..levels.len()).map(|level| self.cells(level) * self.images * self.channels).collect();
        assert!(levels.iter().map(|level| level.len()).eq(lens.iter().copied()), "maps differ from the plan");
        let starts = self.block_starts();
        with_scratch(*starts.last().expect("one start more than levels"), |blocked| {
            self.block_maps(levels, &starts, blocked);
            let blocked = &*blocked;
            // SAFETY: tasks write `[C, ph, pw]` values for each of all regions.
            unsafe { filled(self.rois.len() * self.channels * self.bins(), |out| self.pool(&starts, blocked, out)) }
        })
    }

    fn pool(&self, starts: &[usize], blocked: &[f32], out: SharedOut) {
        let tile_len = self.tile_len();
        (0..self.rois.len().div_ceil(TASK_REGIONS)).into_par_iter().for_each(|task| {
            let regions = task * TASK_REGIONS..((task + 1) * TASK_REGIONS).min(self.rois.len());
            with_scratch(tile_len, |tile| dispatch(Pool { plan: self, starts, blocked, regions, tile, out }));
        });
    }

    /// Where the rearranged map of each level starts, and where the last ends.
    fn block_starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for level in 0..self.sizes.len() {
            starts.push(starts[level] + self.images * self.blocks() * self.cells(level) * BLOCK);
        }
        starts
    }

    /// Rearranges the maps that some region reads.
    fn block_maps(&self, levels: &[&[f32]], starts: &[usize], blocked: &mut [f32]) {
        let mut read = vec![false; self.sizes.len() * self.images];
        self.rois.iter().for_each(|roi| read[roi.level * self.images + roi.image] = true);
        let mut pieces = Vec::new();
        let mut rest = blocked;
        for (level, map) in levels.iter().enumerate() {
            let (part, tail) = rest.split_at_mut(starts[level + 1] - starts[level]);
            rest = tail;
            let cells = self.cells(level);
            if cells == 0 {
                continue;
            }
            for (index, piece) in part.chunks_exact_mut(cells * BLOCK).enumerate() {
                let (image, block) = (index / self.blocks(), index % self.blocks());
                if read[level * self.images + image] {
                    let channels = BLOCK.min(self.channels - block * BLOCK);
                    let from = &map[(image * self.channels + block * BLOCK) * cells..][..channels * cells];
                    pieces.push((from, channels, piece));
                }
            }
        }
        pieces.into_par_iter().for_each(|(from, channels, piece)| {
            let cells = piece.len() / BLOCK;
            if channels < BLOCK {
                piece.fill(0.0);
            }
            // SAFETY: `from` is `[channels, cells]` and `piece` `[cells, BLOCK]`.
            unsafe { transpose([channels, cells], from.as_ptr(), cells, piece.as_mut_ptr(), BLOCK) };
        });
    }

    /// Gradient of the map `level`, given the gradient `[R, C, ph, pw]` of the pooled features.
    pub(super) fn backward(&self, level: usize, gradient: &[f32]) -> Vec<f32> {
        self.check();
        assert_eq!(gradient.len(), self.rois.len() * self.channels * self.bins(), "gradient differs from the plan");
        let mut members = vec![Vec::new(); self.images];
        for (index, roi) in self.rois.iter().enumerate().filter(|(_, roi)| roi.level == level) {
            members[roi.image].push(index);
        }
        let (cells, tile_len) = (self.cells(level), self.tile_len());
        let width = self.sizes[level][1];
        let fill = |out: SharedOut| {
            (0..self.images * self.blocks()).into_par_iter().for_each(|index| {
                let (image, block) = (index / self.blocks(), index % self.blocks());
                let members = &members[image];
                with_scratch(cells * BLOCK + tile_len, |work| {
                    let (map, tile) = work.split_at_mut(cells * BLOCK);
                    map.fill(0.0);
                    dispatch(Scatter { plan: self, gradient, members, block, width, map: &mut *map, tile });
                    let channels = BLOCK.min(self.channels - block * BLOCK);
                    // SAFETY: `map` is `[cells, BLOCK]`; these channels of this picture are this task's.
                    unsafe {
                        let to = out.pointer().add((image * self.channels + block * BLOCK) * cells);
                        transpose([cells, channels], map.as_ptr(), BLOCK, to, cells);
                    }
                });
            });
        };
        // SAFETY: every channel of every picture is written.
        unsafe { filled(self.images * self.channels * cells, fill) }
    }
}

/// Pools some regions.
struct Pool<'a> {
    plan: &'a RoiPlan,
    starts: &'a [usize],
    blocked: &'a [f32],
    regions: Range<usize>,
    tile: &'a mut [f32],
    out: SharedOut,
}

impl Kernel for Pool<'_> {
    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: `RoiPlan::check` and the sizes in `RoiPlan::forward`.
        unsafe {
            match S::LANES {
                16 => self.regions::<S, 1>(),
                8 => self.regions::<S, 2>(),
                _ => self.regions::<S, 4>(),
            }
        }
    }
}

impl Pool<'_> {
    #[inline(always)]
    unsafe fn regions<S: Simd, const NV: usize>(self) {
        let Pool { plan, starts, blocked, regions, tile, out } = self;
        let [ph, pw] = plan.output;
        let bins = ph * pw;
        let (result, by_column) = tile.split_at_mut(bins * BLOCK);
        for region in regions {
            let PlannedRoi { level, image, ref taps } = plan.rois[region];
            let map_len = plan.cells(level) * BLOCK;
            for block in 0..plan.blocks() {
                let map = &blocked[starts[level] + (image * plan.blocks() + block) * map_len..][..map_len];
                for (slot, &row) in taps.rows.cells.iter().enumerate() {
                    let cells = map[row as usize * plan.sizes[level][1] * BLOCK..].as_ptr();
                    for bin in 0..pw {
                        let mut sum = [S::splat(0.0); NV];
                        for tap in taps.columns.of_bin(bin) {
                            let cell = taps.columns.cells[tap.other as usize] as usize;
                            // SAFETY: `RoiPlan::check` found the cell on the map.
                            unsafe { add::<S, NV>(&mut sum, tap.weight, cells.add(cell * BLOCK)) };
                        }
                        put::<S, NV>(&sum, &mut by_column[(slot * pw + bin) * BLOCK..]);
                    }
                }
                for (index, to) in result.chunks_exact_mut(BLOCK).enumerate() {
                    let mut sum = [S::splat(0.0); NV];
                    for tap in taps.rows.of_bin(index / pw) {
                        let from = &by_column[(tap.other as usize * pw + index % pw) * BLOCK..][..BLOCK];
                        // SAFETY: `from` has `BLOCK` values.
                        unsafe { add::<S, NV>(&mut sum, tap.weight, from.as_ptr()) };
                    }
                    put::<S, NV>(&sum, to);
                }
                let channels = BLOCK.min(plan.channels - block * BLOCK);
                // SAFETY: the channels of this region are this task's.
                unsafe {
                    let to = out.pointer().add((region * plan.channels + block * BLOCK) * bins);
                    transpose([bins, channels], result.as_ptr(), BLOCK, to, bins);
                }
            }
        }
    }
}

/// Adds the gradients of some regions to one block of channels of one picture.
struct Scatter<'a> {
    plan: &'a RoiPlan,
    gradient: &'a [f32],
    members: &'a [usize],
    block: usize,
    /// Cells per row of the map.
    width: usize,
    map: &'a mut [f32],
    tile: &'a mut [f32],
}

impl Kernel for Scatter<'_> {
    #[inline(always)]
    fn run<S: Simd>(self) {
        match S::LANES {
            16 => self.regions::<S, 1>(),
            8 => self.regions::<S, 2>(),
            _ => self.regions::<S, 4>(),
        }
    }
}

impl Scatter<'_> {
    #[inline(always)]
    fn regions<S: Simd, const NV: usize>(self) {
        let Scatter { plan, gradient, members, block, width, map, tile } = self;
        let [ph, pw] = plan.output;
        let bins = ph * pw;
        let channels = BLOCK.min(plan.channels - block * BLOCK);
        let (result, by_column) = tile.split_at_mut(bins * BLOCK);
        result.fill(0.0);
        for &region in members {
            let taps = &plan.rois[region].taps;
            let from = &gradient[(region * plan.channels + block * BLOCK) * bins..][..channels * bins];
            // SAFETY: `from` is `[channels, bins]` and `result` `[bins, BLOCK]`.
            unsafe { transpose([channels, bins], from.as_ptr(), bins, result.as_mut_ptr(), BLOCK) };
            for (slot, &row) in taps.rows.cells.iter().enumerate() {
                for column in 0..pw {
                    let mut sum = [S::splat(0.0); NV];
                    for tap in taps.rows.of_cell(slot) {
                        let from = &result[(tap.other as usize * pw + column) * BLOCK..][..BLOCK];
                        // SAFETY: `from` has `BLOCK` values.
                        unsafe { add::<S, NV>(&mut sum, tap.weight, from.as_ptr()) };
                    }
                    put::<S, NV>(&sum, &mut by_column[column * BLOCK..]);
                }
                for (slot, &cell) in taps.columns.cells.iter().enumerate() {
                    let to = &mut map[(row as usize * width + cell as usize) * BLOCK..][..BLOCK];
                    let mut sum = [S::splat(0.0); NV];
                    // SAFETY: `to` has `BLOCK` values.
                    unsafe { add::<S, NV>(&mut sum, 1.0, to.as_ptr()) };
                    for tap in taps.columns.of_cell(slot) {
                        let from = &by_column[tap.other as usize * BLOCK..][..BLOCK];
                        // SAFETY: `from` has `BLOCK` values.
                        unsafe { add::<S, NV>(&mut sum, tap.weight, from.as_ptr()) };
                    }
                    put::<S, NV>(&sum, to);
                }
            }
        }
    }
}

/// Adds `weight` times the `NV` vectors at `from`.
///
/// # Safety
///
/// `from` has `NV · LANES` readable values.
#[inline(always)]
unsafe fn add<S: Simd, const NV: usize>(sum: &mut [S::V; NV], weight: f32, from: *const f32) {
    let weight = S::splat(weight);
    for (v, sum) in sum.iter_mut().enumerate() {
        // SAFETY: see above.
        *sum = S::fma(weight, unsafe { S::load(from.add(v * S::LANES)) }, *sum);
    }
}

#[inline(always)]
fn put<S: Simd, const NV: usize>(sum: &[S::V; NV], to: &mut [f32]) {
    let to = &mut to[..NV * S::LANES];
    for (v, &sum) in sum.iter().enumerate() {
        // SAFETY: `to` has `NV` vectors.
        unsafe { S::store(to.as_mut_ptr().add(v * S::LANES), sum) };
    }
}
