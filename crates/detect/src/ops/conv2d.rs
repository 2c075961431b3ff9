//! Two-dimensional convolution, with CPU kernels of its own.
//!
//! `y[n, o, i, j] = b[o] + Σ_{c, u, v} w[o, c, u, v] · x[n, c, i·s - p + u·d, j·s - p + v·d]`, the cross-correlation that every
//! framework calls convolution. Burn's `flex` backend computes the weight gradient as a convolution with a kernel as large
//! as the feature map and copies every activation to another layout; the kernels in `conv2d_kernel` do neither.
//!
//! Tensors of other backends and dtypes, and grouped convolutions other than depthwise, go to Burn's own operation.

use burn::tensor::Tensor;
use burn::tensor::module::conv2d as stock_conv2d;
use burn::tensor::ops::{ConvOptions as StockOptions, PadMode};

use super::conv2d_flex::Convolution;
use super::flex::{apply, supports};

/// Geometry of a convolution; `[height, width]` throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvOptions {
    /// Step of the window in pixels, at least 1.
    pub stride: [usize; 2],
    /// Rows and columns of zeros added on every side.
    pub padding: [usize; 2],
    /// Rows below and columns to the right of zeros more than that: TensorFlow's "same" padding is uneven at stride 2.
    pub end_padding: [usize; 2],
    /// Distance between neighbouring kernel taps in pixels, at least 1.
    pub dilation: [usize; 2],
    /// Number of independent channel groups; divides the input and the output channels.
    pub groups: usize,
}

impl Default for ConvOptions {
    fn default() -> Self {
        ConvOptions { stride: [1, 1], padding: [0, 0], end_padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl ConvOptions {
    /// Options of an ungrouped, undilated convolution with the same stride and padding on both axes.
    pub fn new(stride: usize, padding: usize) -> Self {
        ConvOptions { stride: [stride; 2], padding: [padding; 2], ..ConvOptions::default() }
    }

    fn stock(&self) -> StockOptions<2> {
        StockOptions::new(self.stride, self.padding, self.dilation, self.groups)
    }
}

/// Convolution of a batch of feature maps.
///
/// Gradients reach `x`, `weight` and `bias` when they live on an autodiff device.
///
/// # Shapes
///
/// `x`: `[N, C_in, H, W]`, `weight`: `[C_out, C_in / groups, kh, kw]`, `bias`: `[C_out]`, result: `[N, C_out, H', W']` with
/// `H' = (H + 2·padding + end_padding - dilation·(kh - 1) - 1) / stride + 1`.
///
/// # Panics
///
/// When the shapes do not fit each other or the kernel is larger than the padded map.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, options: ConvOptions) -> Tensor<4> {
    check(&x, &weight, bias.as_ref(), &options);
    let [_, channels, height, width] = x.dims();
    let convolution = Convolution::new(x.dims(), weight.dims(), options).unwrap_or_else(|| {
        panic!("a kernel of {:?} does not fit a map of [{height}, {width}] with {options:?}", &weight.dims()[2..])
    });
    // One channel in and out per group, or no groups.
    let covered = options.groups == 1 || (options.groups == channels && channels == weight.dims()[0]);
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.map(Tensor::into_dispatch));
    if !covered || ![Some(&x), Some(&weight), bias.as_ref()].into_iter().flatten().all(supports) {
        let bias = bias.map(Tensor::from_dispatch);
        let x = zeros_behind(Tensor::from_dispatch(x), options.end_padding);
        return stock_conv2d(x, Tensor::from_dispatch(weight), bias, options.stock());
    }
    match bias {
        Some(bias) => apply::<3, 4, _>(convolution, [x, weight, bias]),
        None => apply::<2, 4, _>(convolution, [x, weight]),
    }
}

/// Zeros below and to the right, which Burn's operation cannot add by itself: it would shift the window to have them on both sides.
fn zeros_behind(x: Tensor<4>, [rows, columns]: [usize; 2]) -> Tensor<4> {
    if [rows, columns] == [0, 0] { x } else { x.pad((0, columns, 0, rows), PadMode::Constant(0.0)) }
}

fn check(x: &Tensor<4>, weight: &Tensor<4>, bias: Option<&Tensor<1>>, options: &ConvOptions) {
    let ([_, channels, _, _], [outputs, group_channels, _, _]) = (x.dims(), weight.dims());
    let groups = options.groups;
    assert!(
        groups > 0 && group_channels * groups == channels && outputs % groups == 0,
        "{groups} groups need {channels} input channels and {outputs} output channels to be divisible, and weights of \
         {group_channels} channels",
    );
    assert!(
        options.stride.iter().chain(&options.dilation).all(|&step| step > 0),
        "zero stride or dilation: {options:?}"
    );
    if let Some(bias) = bias {
        assert_eq!(bias.dims(), [outputs], "a convolution needs one bias per output channel");
    }
}
