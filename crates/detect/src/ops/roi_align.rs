//! RoIAlign: fixed-size features of regions, from one feature map or from a pyramid.
//!
//! Follows torchvision's `roi_align` (He et al., arXiv 1703.06870; with `aligned` the half-pixel shift of Detectron2). Regions are
//! host values and carry no gradient, as in every published Faster R-CNN. How regions are sampled is in `roi_sampling`.

use burn::tensor::Tensor;

use super::roi_align_dense::roi_align_dense;
use super::roi_align_flex::roi_align_flex;

/// A region of one picture of the batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roi {
    /// Index of the picture in the batch, below `N`.
    pub image: usize,
    /// `[x1, y1, x2, y2]` in pixels of the picture.
    pub bbox: [f32; 4],
}

/// How regions are pooled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoiAlignOptions {
    /// Bins per region, `[ph, pw]`.
    pub output: [usize; 2],
    /// Cells of the feature map per pixel of the picture: `1 / stride`. [`roi_align_pyramid`] divides it by each stride.
    pub spatial_scale: f32,
    /// Samples per bin and axis; 0 takes one per cell that the bin covers, rounded up.
    pub sampling_ratio: usize,
    /// Whether pixel centres lie at half coordinates; without it regions are shifted by half a cell.
    pub aligned: bool,
}

impl Default for RoiAlignOptions {
    fn default() -> Self {
        RoiAlignOptions { output: [7, 7], spatial_scale: 1.0, sampling_ratio: 2, aligned: true }
    }
}

/// Pools regions of one feature map; differentiable with respect to `features`.
///
/// # Shapes
///
/// `features`: `[N, C, H, W]`, result: `[R, C, ph, pw]` in the order of `rois`; zero regions give `[0, C, ph, pw]`.
///
/// # Panics
///
/// When a region names a picture beyond `N`, or an output size is 0.
pub fn roi_align(features: Tensor<4>, rois: &[Roi], options: &RoiAlignOptions) -> Tensor<4> {
    pool(&[features], &[options.spatial_scale], rois, &vec![0; rois.len()], options)
}

/// Pools every region from its level of a feature pyramid; differentiable with respect to all levels.
///
/// Region `r` is read from `levels[assign[r]]`, whose cells are `strides[assign[r]] / options.spatial_scale` pixels apart.
///
/// # Shapes
///
/// `levels[l]`: `[N, C, H_l, W_l]`, result: `[R, C, ph, pw]` in the order of `rois`.
///
/// # Panics
///
/// When there is no level, `strides` or `assign` do not match `levels` and `rois` in length, levels differ in `N` or `C`, a
/// region names a level or picture that does not exist, or an output size is 0.
pub fn roi_align_pyramid(
    levels: &[Tensor<4>],
    strides: &[usize],
    rois: &[Roi],
    assign: &[usize],
    options: &RoiAlignOptions,
) -> Tensor<4> {
    assert_eq!(levels.len(), strides.len(), "roi_align_pyramid needs one stride per level");
    let scales: Vec<f32> = strides.iter().map(|&stride| options.spatial_scale / stride as f32).collect();
    pool(levels, &scales, rois, assign, options)
}

fn pool(levels: &[Tensor<4>], scales: &[f32], rois: &[Roi], assign: &[usize], options: &RoiAlignOptions) -> Tensor<4> {
    check(levels, rois, assign, options);
    roi_align_flex(levels, scales, rois, assign, options)
        .unwrap_or_else(|| roi_align_dense(levels, scales, rois, assign, options))
}

fn check(levels: &[Tensor<4>], rois: &[Roi], assign: &[usize], options: &RoiAlignOptions) {
    assert!(options.output.iter().all(|&bins| bins > 0), "RoIAlign needs at least one bin, got {:?}", options.output);
    assert_eq!(rois.len(), assign.len(), "RoIAlign needs one level per region");
    let [images, channels, _, _] = levels.first().expect("RoIAlign needs at least one feature map").dims();
    for (index, level) in levels.iter().enumerate() {
        let [n, c, _, _] = level.dims();
        assert_eq!([n, c], [images, channels], "level {index} differs from level 0 in pictures or channels");
    }
    for (index, (roi, &level)) in rois.iter().zip(assign).enumerate() {
        assert!(roi.image < images, "region {index} names picture {} of {images}", roi.image);
        assert!(level < levels.len(), "region {index} names level {level} of {}", levels.len());
    }
}
