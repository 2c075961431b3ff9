//! Convolution and its gradients on the CPU, put together from planes and products.
//!
//! * Forward: one product over input channels and taps.
//! * Input gradient: input row `y` received `w[u]` from output row `i` where `i · s = y + p - u · d`. Rows (and columns) with the same
//!   `y mod s` share their taps, so each pair of remainders is a product of stride 1 over output channels and those taps: no
//!   multiplication by an inserted zero and no scattered addition.
//! * Weight gradient: outer products per position, see `conv2d_weight_kernel`.
//!
//! With one channel per group the sums over channels vanish and `depthwise_kernel` takes over.

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::conv_planes::PlaneLayout;
use super::conv2d::ConvOptions;
use super::conv2d_kernel::{TapProduct, Weights};
use super::conv2d_weight_kernel::WeightGradient;
use super::depthwise_kernel::{Depthwise, SLACK};
use super::flex::{FlexOp, tensor, values};
use super::lattice_kernel::{Lattice, compute};
use super::scratch::with_scratch;

/// A convolution of known shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    options: ConvOptions,
    images: usize,
    /// Channels, height and width of the input.
    input: [usize; 3],
    /// Channels, height and width of the output.
    output: [usize; 3],
    kernel: [usize; 2],
}

impl FlexOp<2> for Convolution {
    const SAVED: [bool; 2] = [true, true];

    fn forward(&self, [x, weight]: &[FlexTensor; 2]) -> FlexTensor {
        self.output(values(x), values(weight), None)
    }

    fn backward(
        &self,
        [x, weight]: &[Option<FlexTensor>; 2],
        gradient: &FlexTensor,
        wanted: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let gradient = values(gradient);
        [
            weight.as_ref().filter(|_| wanted[0]).map(|weight| self.input_gradient(values(weight), gradient)),
            x.as_ref().filter(|_| wanted[1]).map(|x| self.weight_gradient(values(x), gradient)),
        ]
    }
}

impl FlexOp<3> for Convolution {
    const SAVED: [bool; 3] = [true, true, false];

    fn forward(&self, [x, weight, bias]: &[FlexTensor; 3]) -> FlexTensor {
        self.output(values(x), values(weight), Some(values(bias)))
    }

    fn backward(
        &self,
        [x, weight, _]: &[Option<FlexTensor>; 3],
        gradient: &FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let [dx, dw] = FlexOp::<2>::backward(self, &[x.clone(), weight.clone()], gradient, [wanted[0], wanted[1]]);
        [dx, dw, wanted[2].then(|| self.bias_gradient(values(gradient)))]
    }
}

/// Taps of a product and the kernel elements that they weigh.
struct Taps {
    /// Source position of each tap at grid position 0.
    positions: Vec<[isize; 2]>,
    /// Index of each tap's kernel element, `u · kw + v`.
    elements: Vec<usize>,
}

impl Convolution {
    /// The convolution of an input `x`: `[N, C, H, W]` with `weight`: `[O, C / groups, kh, kw]`, if the kernel fits the map.
    pub(super) fn new(x: [usize; 4], weight: [usize; 4], options: ConvOptions) -> Option<Self> {
        let [images, channels, height, width] = x;
        let extent = |axis: usize, size: usize| {
            let reach = options.dilation[axis] * (weight[2 + axis].checked_sub(1)?);
            let padded = size + 2 * options.padding[axis] + options.end_padding[axis];
            Some(padded.checked_sub(reach + 1)? / options.stride[axis] + 1)
        };
        let output = [weight[0], extent(0, height)?, extent(1, width)?];
        Some(Convolution { options, images, input: [channels, height, width], output, kernel: [weight[2], weight[3]] })
    }

    fn is_depthwise(&self) -> bool {
        self.options.groups > 1
    }

    fn elements(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn forward_taps(&self) -> Taps {
        let ConvOptions { padding, dilation, .. } = self.options;
        let mut taps = Taps { positions: Vec::new(), elements: (0..self.elements()).collect() };
        for u in 0..self.kernel[0] {
            for v in 0..self.kernel[1] {
                let position = |axis: usize, tap: usize| (tap * dilation[axis]) as isize - padding[axis] as isize;
                taps.positions.push([position(0, u), position(1, v)]);
            }
        }
        taps
    }

    /// Taps on the output gradient of the input positions with the remainders `start`.
    fn backward_taps(&self, start: [usize; 2]) -> Taps {
        let ConvOptions { stride, padding, dilation, .. } = self.options;
        // Output index of kernel row (column) `tap` at grid index 0, if the stride divides.
        let position = |axis: usize, tap: usize| {
            let scaled = (start[axis] + padding[axis]) as isize - (tap * dilation[axis]) as isize;
            let step = stride[axis] as isize;
            (scaled.rem_euclid(step) == 0).then(|| scaled.div_euclid(step))
        };
        let mut taps = Taps { positions: Vec::new(), elements: Vec::new() };
        for u in 0..self.kernel[0] {
            for v in 0..self.kernel[1] {
                if let (Some(row), Some(column)) = (position(0, u), position(1, v)) {
                    taps.positions.push([row, column]);
                    taps.elements.push(u * self.kernel[1] + v);
                }
            }
        }
        taps
    }

    fn output(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> FlexTensor {
        let [channels, height, width] = self.output;
        let shape = [self.images, channels, height, width];
        let taps = self.forward_taps();
        let values = compute(shape, [1, 1], |lattice| {
            let source = Source { values: x, channels: self.input[0], size: [self.input[1], self.input[2]] };
            let steps = WeightSteps { output: self.input[0] * self.elements(), term: self.elements() };
            self.product(lattice, [0, 0], source, &taps, self.options.stride, (weight, steps), bias);
        });
        tensor(values, shape)
    }

    fn input_gradient(&self, weight: &[f32], gradient: &[f32]) -> FlexTensor {
        let [channels, height, width] = self.input;
        let shape = [self.images, channels, height, width];
        let stride = self.options.stride;
        let values = compute(shape, stride, |lattice| {
            for start in (0..stride[0]).flat_map(|row| (0..stride[1]).map(move |column| [row, column])) {
                let source =
                    Source { values: gradient, channels: self.output[0], size: [self.output[1], self.output[2]] };
                let steps = WeightSteps { output: self.elements(), term: channels * self.elements() };
                let taps = self.backward_taps(start);
                self.product(lattice, start, source, &taps, [1, 1], (weight, steps), None);
            }
        });
        tensor(values, shape)
    }

    /// Adds up `taps` of `source` for the positions of `lattice` with the remainders `start`.
    #[allow(clippy::too_many_arguments)]
    fn product(
        &self,
        lattice: &mut Lattice,
        start: [usize; 2],
        source: Source,
        taps: &Taps,
        step: [usize; 2],
        (weight, steps): (&[f32], WeightSteps),
        bias: Option<&[f32]>,
    ) {
        let grid = lattice.grid(start);
        if grid.contains(&0) || taps.positions.is_empty() || source.size.contains(&0) || self.images == 0 {
            let weights = Weights { values: &[], stride: 0, offsets: &[] };
            TapProduct { planes: &[], image_len: 0, width: 0, offsets: &[], weights, bias }.run(lattice, start);
            return;
        }
        let layout = PlaneLayout::new(source.size, grid, step, &taps.positions);
        source.with_planes(&layout, self.is_depthwise(), |planes| {
            let (channel_len, width) = (layout.channel_len(), layout.width);
            if self.is_depthwise() {
                let weights = Weights { values: weight, stride: self.elements(), offsets: &taps.elements };
                let (images, channels) = (self.images, source.channels);
                let taps = &layout.tap_offsets;
                Depthwise { planes, channel_len, width, taps, images, channels }.run(weights, bias, lattice, start);
            } else {
                let offsets = terms(source.channels, channel_len, &layout.tap_offsets);
                let weight_offsets = terms(source.channels, steps.term, &taps.elements);
                let weights = Weights { values: weight, stride: steps.output, offsets: &weight_offsets };
                let image_len = source.channels * channel_len;
                TapProduct { planes, image_len, width, offsets: &offsets, weights, bias }.run(lattice, start);
            }
        });
    }

    fn weight_gradient(&self, x: &[f32], gradient: &[f32]) -> FlexTensor {
        let [channels, rows, columns] = self.output;
        let group_channels = self.input[0] / self.options.groups;
        let shape = [channels, group_channels, self.kernel[0], self.kernel[1]];
        if gradient.is_empty() || x.is_empty() {
            return tensor(vec![0.0; shape.iter().product()], shape);
        }
        let source = Source { values: x, channels: self.input[0], size: [self.input[1], self.input[2]] };
        let grid = [rows, columns];
        let layout = PlaneLayout::new(source.size, grid, self.options.stride, &self.forward_taps().positions);
        let values = source.with_planes(&layout, self.is_depthwise(), |planes| {
            let (channel_len, width, images) = (layout.channel_len(), layout.width, self.images);
            if self.is_depthwise() {
                let taps = &layout.tap_offsets;
                Depthwise { planes, channel_len, width, taps, images, channels }.weight_gradient(gradient, grid)
            } else {
                let offsets = &terms(source.channels, channel_len, &layout.tap_offsets);
                let image_len = source.channels * channel_len;
                WeightGradient { planes, image_len, width, offsets, images, grid, channels, gradient }.run()
            }
        });
        tensor(values, shape)
    }

    fn bias_gradient(&self, gradient: &[f32]) -> FlexTensor {
        let [channels, rows, columns] = self.output;
        let positions = rows * columns;
        let sum = |channel: usize| -> f32 {
            let picture = |image: usize| &gradient[(image * channels + channel) * positions..][..positions];
            (0..self.images).map(|image| sum_values(picture(image))).sum()
        };
        tensor((0..channels).into_par_iter().map(sum).collect(), [channels])
    }
}

/// Sum in sixteen interleaved parts: the order is fixed and compilers can use vectors.
fn sum_values(values: &[f32]) -> f32 {
    let mut parts = [0.0f32; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        parts.iter_mut().zip(chunk).for_each(|(part, value)| *part += value);
    }
    parts.iter_mut().zip(rest).for_each(|(part, value)| *part += value);
    parts.iter().sum()
}

/// Distances between the weights of neighbouring output channels and of neighbouring source channels.
#[derive(Clone, Copy)]
struct WeightSteps {
    output: usize,
    term: usize,
}

/// Offsets of all pairs of channel and tap, channels outermost.
fn terms(channels: usize, channel_len: usize, taps: &[usize]) -> Vec<usize> {
    (0..channels).flat_map(|channel| taps.iter().map(move |tap| channel * channel_len + tap)).collect()
}

/// A tensor `[N, channels, size]` that taps read.
#[derive(Clone, Copy)]
struct Source<'a> {
    values: &'a [f32],
    channels: usize,
    size: [usize; 2],
}

impl Source<'_> {
    /// Calls `work` with the planes of all channels, and with spare values behind them if `slack`.
    fn with_planes<R>(&self, layout: &PlaneLayout, slack: bool, work: impl FnOnce(&[f32]) -> R) -> R {
        if layout.is_source() && !slack {
            return work(self.values);
        }
        let count = self.values.len() / (self.size[0] * self.size[1]);
        let len = count * layout.channel_len();
        with_scratch(len + SLACK, |planes| {
            layout.fill(self.values, &mut planes[..len]);
            planes[len..].fill(0.0);
            work(planes)
        })
    }
}
