//! RoIAlign on the CPU: channels side by side.
//!
//! Maps are copied to `[H, W, C]` once, so that each tap is one run of neighbouring values. Regions are pooled in parallel; in
//! the backward pass each picture and block of channels is one piece of work that adds its regions in order, so that the
//! gradient has the same bits on any number of threads.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::flex::{self, FlexOp, values};
use super::roi_align::{Roi, RoiAlignOptions};
use super::roi_sampling::RoiTaps;
use super::scratch::with_scratch;

/// Channels of one piece of the backward pass.
const BLOCK: usize = 32;

/// Pools `rois[r]` from `levels[assign[r]]`, or `None` where there is no kernel for the number of levels or the backend.
pub(super) fn roi_align_flex(
    levels: &[Tensor<4>],
    scales: &[f32],
    rois: &[Roi],
    assign: &[usize],
    options: &RoiAlignOptions,
) -> Option<Tensor<4>> {
    let inputs: Vec<_> = levels.iter().map(|level| level.clone().into_dispatch()).collect();
    if !inputs.iter().all(flex::supports) {
        return None;
    }
    let sizes: Vec<[usize; 2]> = levels.iter().map(|level| [level.dims()[2], level.dims()[3]]).collect();
    let regions = rois.iter().zip(assign).map(|(roi, &level)| Region {
        image: roi.image,
        level,
        taps: RoiTaps::new(roi, scales[level], sizes[level], options),
    });
    let [images, channels, ..] = levels[0].dims();
    let op = RoiAlign { regions: regions.collect(), sizes, images, channels, output: options.output };
    macro_rules! run {
        ($($n:literal)*) => { match inputs.len() {
            $($n => Some(flex::apply::<$n, 4, _>(op, inputs.try_into().expect("the length was matched"))),)*
            _ => None,
        } };
    }
    run!(1 2 3 4 5 6)
}

#[derive(Debug, Clone)]
struct Region {
    image: usize,
    level: usize,
    taps: RoiTaps,
}

#[derive(Debug, Clone)]
struct RoiAlign {
    regions: Vec<Region>,
    sizes: Vec<[usize; 2]>,
    images: usize,
    channels: usize,
    output: [usize; 2],
}

impl<const N: usize> FlexOp<N> for RoiAlign {
    const SAVED: [bool; N] = [false; N];

    fn forward(&self, levels: &[FlexTensor; N]) -> FlexTensor {
        let channels = self.channels;
        let bins = self.output[0] * self.output[1];
        let maps: Vec<Vec<f32>> =
            levels.iter().zip(&self.sizes).map(|(level, size)| self.channels_last(values(level), *size)).collect();
        let mut pooled = vec![0.0; self.regions.len() * channels * bins];
        let pieces = pooled.par_chunks_exact_mut((channels * bins).max(1)).zip(&self.regions);
        pieces.for_each(|(pooled, region)| {
            let cells = self.sizes[region.level][0] * self.sizes[region.level][1] * channels;
            let map = &maps[region.level][region.image * cells..(region.image + 1) * cells];
            with_scratch(bins * channels, |sums| {
                sums.fill(0.0);
                self.visit(region, |bin, cell, weight| {
                    let sums = &mut sums[bin * channels..(bin + 1) * channels];
                    for (sum, value) in sums.iter_mut().zip(&map[cell * channels..(cell + 1) * channels]) {
                        *sum += weight * value;
                    }
                });
                transpose(sums, channels, pooled);
            });
        });
        flex::tensor(pooled, [self.regions.len(), channels, self.output[0], self.output[1]])
    }

    fn backward(
        &self,
        _: &[Option<FlexTensor>; N],
        gradient: &FlexTensor,
        wanted: [bool; N],
    ) -> [Option<FlexTensor>; N] {
        let gradient = values(gradient);
        std::array::from_fn(|level| {
            let [height, width] = self.sizes[level];
            wanted[level].then(|| {
                let map = self.level_gradient(level, gradient);
                flex::tensor(map, [self.images, self.channels, height, width])
            })
        })
    }
}

impl RoiAlign {
    /// Calls `each(bin, cell, weight)` for every tap of a region.
    fn visit(&self, region: &Region, mut each: impl FnMut(usize, usize, f32)) {
        let ([ph, pw], width) = (self.output, self.sizes[region.level][1]);
        for i in 0..ph {
            for row in region.taps.rows.bin(i) {
                for j in 0..pw {
                    for column in region.taps.columns.bin(j) {
                        each(i * pw + j, row.index * width + column.index, row.weight * column.weight);
                    }
                }
            }
        }
    }

    /// `[N, C, H, W]` → `[N, H, W, C]`
    fn channels_last(&self, map: &[f32], [height, width]: [usize; 2]) -> Vec<f32> {
        let size = self.channels * height * width;
        let mut out = vec![0.0; map.len()];
        let pieces = out.par_chunks_exact_mut(size.max(1)).zip(map.par_chunks_exact(size.max(1)));
        pieces.for_each(|(out, map)| transpose(map, height * width, out));
        out
    }

    fn level_gradient(&self, level: usize, gradient: &[f32]) -> Vec<f32> {
        let (channels, bins) = (self.channels, self.output[0] * self.output[1]);
        let cells = self.sizes[level][0] * self.sizes[level][1];
        let mut map = vec![0.0; self.images * channels * cells];
        let pictures = map.par_chunks_exact_mut((channels * cells).max(1)).enumerate();
        let pieces = pictures.flat_map(|(image, map)| {
            map.par_chunks_mut(BLOCK * cells.max(1)).enumerate().map(move |(block, map)| (image, block * BLOCK, map))
        });
        pieces.for_each(|(image, first, map)| {
            let block = BLOCK.min(channels - first);
            with_scratch((cells + bins) * block, |scratch| {
                let (sums, part) = scratch.split_at_mut(cells * block);
                sums.fill(0.0);
                for (index, region) in self.regions.iter().enumerate() {
                    if region.image != image || region.level != level {
                        continue;
                    }
                    let start = (index * channels + first) * bins;
                    transpose(&gradient[start..start + block * bins], bins, part);
                    self.visit(region, |bin, cell, weight| {
                        let sums = &mut sums[cell * block..(cell + 1) * block];
                        for (sum, value) in sums.iter_mut().zip(&part[bin * block..(bin + 1) * block]) {
                            *sum += weight * value;
                        }
                    });
                }
                transpose(sums, block, map);
            });
        });
        map
    }
}

/// `from`, rows of `columns` values, to rows of as many values as `from` has rows.
fn transpose(from: &[f32], columns: usize, to: &mut [f32]) {
    if columns == 0 {
        return;
    }
    let rows = from.len() / columns;
    for (column, to) in to.chunks_exact_mut(rows.max(1)).enumerate().take(columns) {
        for (to, from) in to.iter_mut().zip(from.iter().skip(column).step_by(columns)) {
            *to = *from;
        }
    }
}
