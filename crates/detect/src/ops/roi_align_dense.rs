//! RoIAlign as matrix products, for backends without a kernel of ours.
//!
//! The taps of a region (see `roi_sampling`) fill two small matrices, `Y: [ph, H]` and `X: [W, pw]`, and the pooled region
//! of channel `c` is `Y · f_c · X`. Regions of one picture share one large product over columns and one batched product over
//! rows. Autodiff follows from the products. Cost: `R · C · H · pw · (W + ph)` multiplications and
//! `R · C · H · pw` values of memory, against `16 · R · C · ph · pw` multiplications in a kernel.

use burn::tensor::{Int, Tensor, TensorData};

use super::roi_align::{Roi, RoiAlignOptions};
use super::roi_sampling::RoiTaps;

/// Pools `rois[r]` from `levels[assign[r]]`; arguments as checked by `roi_align`.
pub(super) fn roi_align_dense(
    levels: &[Tensor<4>],
    scales: &[f32],
    rois: &[Roi],
    assign: &[usize],
    options: &RoiAlignOptions,
) -> Tensor<4> {
    let [images, channels, _, _] = levels[0].dims();
    let [ph, pw] = options.output;
    let device = levels[0].device();
    if rois.is_empty() {
        return Tensor::zeros([0, channels, ph, pw], &device);
    }
    let mut pooled = Vec::new();
    let mut position = vec![0i64; rois.len()];
    let mut done = 0;
    for (level, (features, &scale)) in levels.iter().zip(scales).enumerate() {
        for image in 0..images {
            let members: Vec<usize> =
                (0..rois.len()).filter(|&r| assign[r] == level && rois[r].image == image).collect();
            if members.is_empty() {
                continue;
            }
            for &member in &members {
                position[member] = done;
                done += 1;
            }
            let map = features.clone().slice([image..image + 1]);
            pooled.push(pool_picture(map, members.iter().map(|&r| &rois[r]), scale, options));
        }
    }
    let order = Tensor::<1, Int>::from_data(TensorData::new(position, [rois.len()]), &device);
    Tensor::cat(pooled, 0).select(0, order)
}

/// Pools regions of one picture, `map`: `[1, C, H, W]`.
fn pool_picture<'a>(
    map: Tensor<4>,
    rois: impl ExactSizeIterator<Item = &'a Roi>,
    scale: f32,
    options: &RoiAlignOptions,
) -> Tensor<4> {
    let [_, channels, height, width] = map.dims();
    let [ph, pw] = options.output;
    let count = rois.len();
    let mut rows = vec![0.0; count * ph * height];
    let mut columns = vec![0.0; width * count * pw];
    for (index, roi) in rois.enumerate() {
        let taps = RoiTaps::new(roi, scale, [height, width], options);
        for bin in 0..ph {
            for tap in taps.rows.of_bin(bin) {
                let row = taps.rows.cells[tap.other as usize] as usize;
                rows[(index * ph + bin) * height + row] = tap.weight;
            }
        }
        for bin in 0..pw {
            for tap in taps.columns.of_bin(bin) {
                let column = taps.columns.cells[tap.other as usize] as usize;
                columns[(column * count + index) * pw + bin] = tap.weight;
            }
        }
    }
    let device = map.device();
    let rows = Tensor::<3>::from_data(TensorData::new(rows, [count, ph, height]), &device);
    let columns = Tensor::<2>::from_data(TensorData::new(columns, [width, count * pw]), &device);
    let by_column = map.reshape([channels * height, width]).matmul(columns);
    let by_column = by_column.reshape([channels, height, count, pw]).permute([2, 1, 0, 3]);
    let by_bin = rows.matmul(by_column.reshape([count, height, channels * pw]));
    by_bin.reshape([count, ph, channels, pw]).permute([0, 2, 1, 3])
}
