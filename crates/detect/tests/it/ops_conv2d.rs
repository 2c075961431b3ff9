//! The convolution against Burn's own, values and gradients, and the same bits on any number of threads.

use burn::tensor::module::conv2d as stock_conv2d;
use burn::tensor::ops::{ConvOptions as StockOptions, PadMode};
use burn::tensor::{Device, Tensor, TensorData};
use equipoise_detect::ops::{ConvOptions, conv2d};
use proptest::prelude::*;

/// Largest difference allowed, relative to the largest magnitude: sums of up to some thousand f32 terms in another order, each
/// rounded to 2⁻²⁴, drift apart by a few units of 10⁻⁶.
const TOLERANCE: f32 = 2e-5;

/// Numbers in [-1, 1) that look random but are the same everywhere.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

#[derive(Debug, Clone)]
struct Case {
    x: [usize; 4],
    weight: [usize; 4],
    bias: bool,
    options: ConvOptions,
}

/// Output and gradients of input, weight and bias, each flattened.
fn run(case: &Case, ours: bool) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let fill = |shape: &[usize], seed| TensorData::new(noise(shape.iter().product(), seed), shape.to_vec());
    let x = Tensor::<4>::from_data(fill(&case.x, 1), &device).require_grad();
    let weight = Tensor::<4>::from_data(fill(&case.weight, 2), &device).require_grad();
    let bias = case.bias.then(|| Tensor::<1>::from_data(fill(&case.weight[..1], 3), &device).require_grad());
    let ConvOptions { stride, padding, end_padding, dilation, groups } = case.options;
    let out = if ours {
        conv2d(x.clone(), weight.clone(), bias.clone(), case.options)
    } else {
        let options = StockOptions::new(stride, padding, dilation, groups);
        let padded = x.clone().pad((0, end_padding[1], 0, end_padding[0]), PadMode::Constant(0.0));
        stock_conv2d(padded, weight.clone(), bias.clone(), options)
    };
    let factors = Tensor::<4>::from_data(fill(&out.dims(), 4), &device);
    let gradients = (out.clone() * factors).sum().backward();
    let flat = |data: TensorData| data.try_to_vec::<f32>().expect("f32 values");
    let mut results = vec![flat(out.into_data())];
    results.push(flat(x.grad(&gradients).expect("input gradient").into_data()));
    results.push(flat(weight.grad(&gradients).expect("weight gradient").into_data()));
    results.extend(bias.map(|bias| flat(bias.grad(&gradients).expect("bias gradient").into_data())));
    results
}

fn assert_close(case: &Case) {
    let (ours, theirs) = (run(case, true), run(case, false));
    for ((name, ours), theirs) in
        ["output", "input gradient", "weight gradient", "bias gradient"].iter().zip(&ours).zip(&theirs)
    {
        assert_eq!(ours.len(), theirs.len(), "{name} of {case:?}");
        let scale = theirs.iter().fold(1.0f32, |scale, value| scale.max(value.abs()));
        for (index, (a, b)) in ours.iter().zip(theirs).enumerate() {
            assert!((a - b).abs() <= TOLERANCE * scale, "{name}[{index}] of {case:?}: {a} against Burn's {b}");
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = prop_oneof![1usize..5, Just(8), Just(17), Just(33)];
    let size = (1usize..3, prop_oneof![1usize..8, Just(19), Just(50)], prop_oneof![1usize..8, Just(21), Just(53)]);
    let padding = ([0usize..3, 0usize..3], [0usize..2, 0usize..2]);
    let geometry = ([1usize..4, 1usize..4], padding, [1usize..3, 1usize..3], [1usize..5, 1usize..5]);
    (size, channels.clone(), channels, geometry, any::<bool>(), any::<bool>()).prop_filter_map(
        "kernel larger than the padded map",
        |(
            (images, height, width),
            inputs,
            outputs,
            (stride, (padding, end_padding), dilation, kernel),
            bias,
            depthwise,
        )| {
            let fits = |axis: usize, size: usize| {
                size + 2 * padding[axis] + end_padding[axis] > dilation[axis] * (kernel[axis] - 1)
            };
            let (outputs, group_channels, groups) = if depthwise { (inputs, 1, inputs) } else { (outputs, inputs, 1) };
            let case = Case {
                x: [images, inputs, height, width],
                weight: [outputs, group_channels, kernel[0], kernel[1]],
                bias,
                options: ConvOptions { stride, padding, end_padding, dilation, groups },
            };
            (fits(0, height) && fits(1, width)).then_some(case)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn agrees_with_burn(case in cases()) {
        assert_close(&case);
    }
}

fn case(x: [usize; 4], weight: [usize; 4], stride: usize, padding: usize) -> Case {
    Case { x, weight, bias: true, options: ConvOptions::new(stride, padding) }
}

#[test]
fn agrees_with_burn_on_shapes_of_a_backbone() {
    assert_close(&case([2, 3, 65, 64], [32, 3, 7, 7], 2, 3));
    assert_close(&case([2, 40, 20, 20], [48, 40, 3, 3], 1, 1));
    assert_close(&case([2, 64, 20, 20], [32, 64, 1, 1], 1, 0));
    assert_close(&case([2, 64, 19, 20], [32, 64, 1, 1], 2, 0));
    assert_close(&case([3, 200, 5, 5], [70, 200, 3, 3], 1, 1));
    assert_close(&case([1, 16, 1, 1], [8, 16, 1, 1], 1, 0));
}

#[test]
fn agrees_with_burn_where_groups_are_neither_one_nor_channels() {
    let mut grouped = case([2, 8, 6, 6], [12, 2, 3, 3], 1, 1);
    grouped.options.groups = 4;
    assert_close(&grouped);
}

#[test]
fn a_batch_without_pictures_gives_an_empty_output_and_zero_gradients() {
    let device = Device::flex().autodiff();
    for groups in [1, 4] {
        let x = Tensor::<4>::zeros([0, 4, 6, 6], &device).require_grad();
        let weight = Tensor::<4>::ones([4, 4 / groups, 3, 3], &device).require_grad();
        let bias = Tensor::<1>::ones([4], &device).require_grad();
        let options = ConvOptions { groups, ..ConvOptions::new(1, 1) };
        let out = conv2d(x.clone(), weight.clone(), Some(bias.clone()), options);
        assert_eq!(out.dims(), [0, 4, 6, 6]);
        let gradients = out.sum().backward();
        assert_eq!(x.grad(&gradients).expect("input gradient").dims(), [0, 4, 6, 6]);
        assert_eq!(weight.grad(&gradients).expect("weight gradient").sum().into_scalar::<f32>(), 0.0);
        assert_eq!(bias.grad(&gradients).expect("bias gradient").sum().into_scalar::<f32>(), 0.0);
    }
}

#[test]
fn a_frozen_weight_and_a_plain_input_get_no_gradient() {
    let device = Device::flex();
    let x = Tensor::<4>::ones([1, 2, 4, 4], &device);
    let frozen = Tensor::<4>::ones([2, 2, 3, 3], &device.clone().autodiff());
    let trained = Tensor::<4>::ones([1, 2, 1, 1], &device.autodiff()).require_grad();
    let hidden = conv2d(x.clone(), frozen.clone(), None, ConvOptions::new(1, 1));
    let out = conv2d(hidden, trained.clone(), None, ConvOptions::default());
    let gradients = out.sum().backward();
    assert!(frozen.grad(&gradients).is_none());
    // Each of the two hidden channels is 2 × (number of taps on the map), summed over 16 positions: 2 × 100.
    assert_eq!(trained.grad(&gradients).expect("weight gradient").into_data().try_to_vec::<f32>().unwrap(), [200.0; 2]);
}

#[test]
fn views_are_read_in_their_own_order() {
    let device = Device::flex();
    let values = TensorData::new(noise(2 * 5 * 6 * 7, 5), [2, 7, 6, 5]);
    let x = Tensor::<4>::from_data(values, &device).swap_dims(1, 3).slice([1..2, 1..5]);
    let weight = Tensor::<4>::from_data(TensorData::new(noise(3 * 4 * 9, 6), [3, 4, 3, 3]), &device);
    let ours = conv2d(x.clone(), weight.clone(), None, ConvOptions::new(1, 1));
    let theirs = stock_conv2d(x, weight, None, StockOptions::new([1, 1], [1, 1], [1, 1], 1));
    let gap = (ours - theirs).abs().max().into_scalar::<f32>();
    assert!(gap <= TOLERANCE * 10.0, "{gap}");
}

#[test]
fn a_number_that_is_not_finite_reaches_only_its_neighbours() {
    let device = Device::flex();
    let mut values = vec![1.0f32; 2 * 3 * 8 * 8];
    values[3 * 64 + 9] = f32::NAN;
    let x = Tensor::<4>::from_data(TensorData::new(values, [2, 3, 8, 8]), &device);
    let weight = Tensor::<4>::ones([4, 3, 3, 3], &device);
    let out = conv2d(x, weight, None, ConvOptions::new(1, 1)).into_data().try_to_vec::<f32>().unwrap();
    let broken = out.iter().filter(|value| value.is_nan()).count();
    // Row 1, column 1 of the second picture touches 9 positions of 4 output channels.
    assert_eq!(broken, 9 * 4);
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let cases = [
        case([2, 40, 30, 31], [48, 40, 3, 3], 1, 1),
        case([2, 24, 30, 31], [48, 24, 3, 3], 2, 1),
        Case {
            options: ConvOptions { groups: 24, ..ConvOptions::new(1, 1) },
            ..case([2, 24, 30, 31], [24, 1, 3, 3], 1, 1)
        },
    ];
    for case in cases {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
            pool.install(|| run(&case, true))
        };
        let once = on(1);
        for threads in [1, 2, 3] {
            let again = on(threads);
            let same = once.iter().flatten().zip(again.iter().flatten()).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{case:?} on {threads} threads");
        }
    }
}

#[test]
fn trainings_on_several_threads_do_not_disturb_each_other() {
    let shape = case([2, 40, 30, 31], [48, 40, 3, 3], 1, 1);
    let alone = run(&shape, true);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..3).map(|_| scope.spawn(|| run(&shape, true))).collect();
        for other in others {
            assert_eq!(other.join().expect("a training thread"), alone);
        }
    });
}

#[test]
fn gradient_checkpointing_gives_the_same_gradients() {
    let gradient = |device: Device| {
        let fill = |shape: [usize; 4], seed| TensorData::new(noise(shape.iter().product(), seed), shape);
        let x = Tensor::<4>::from_data(fill([1, 3, 8, 8], 1), &device).require_grad();
        let weight = Tensor::<4>::from_data(fill([3, 3, 3, 3], 2), &device).require_grad();
        let hidden = burn::tensor::activation::relu(conv2d(x.clone(), weight.clone(), None, ConvOptions::new(1, 1)));
        let out = conv2d(hidden, weight, None, ConvOptions::new(1, 1));
        let gradients = (out.clone() * out).sum().backward();
        x.grad(&gradients).expect("input gradient").into_data().try_to_vec::<f32>().unwrap()
    };
    let device = Device::flex().autodiff();
    assert_eq!(gradient(device.clone()), gradient(device.gradient_checkpointing()));
}

#[test]
#[should_panic(expected = "does not fit a map of [3, 3]")]
fn a_kernel_larger_than_the_map_is_named() {
    let device = Device::flex();
    conv2d(Tensor::zeros([1, 1, 3, 3], &device), Tensor::zeros([1, 1, 5, 5], &device), None, ConvOptions::default());
}

#[test]
#[should_panic(expected = "weights of 3 channels")]
fn channels_that_do_not_match_are_named() {
    let device = Device::flex();
    conv2d(Tensor::zeros([1, 2, 3, 3], &device), Tensor::zeros([1, 3, 1, 1], &device), None, ConvOptions::default());
}
