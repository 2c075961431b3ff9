//! RoIAlign against a scalar float64 loop, its gradient against finite differences, and hostile regions.

use burn::tensor::{Device, Tensor, TensorData};
use equipoise_detect::ops::{Roi, RoiAlignOptions, roi_align, roi_align_pyramid};
use proptest::prelude::*;

use crate::ops_conv2d::noise;

/// Features lie in [-1, 1]; positions are rounded to some 10⁻⁶ cells and move an interpolated value by twice as much.
const TOLERANCE: f64 = 2e-5;

/// One bilinear sample, border rules of torchvision.
fn sample(map: &[f32], [height, width]: [usize; 2], mut y: f64, mut x: f64) -> f64 {
    if y < -1.0 || y > height as f64 || x < -1.0 || x > width as f64 {
        return 0.0;
    }
    (y, x) = (y.clamp(0.0, height as f64 - 1.0), x.clamp(0.0, width as f64 - 1.0));
    let (top, left) = (y.floor(), x.floor());
    let read = |row: f64, column: f64| {
        let (row, column) = ((row as usize).min(height - 1), (column as usize).min(width - 1));
        f64::from(map[row * width + column])
    };
    let (fy, fx) = (y - top, x - left);
    (1.0 - fy) * ((1.0 - fx) * read(top, left) + fx * read(top, left + 1.0))
        + fy * ((1.0 - fx) * read(top + 1.0, left) + fx * read(top + 1.0, left + 1.0))
}

/// The definition: the mean of a grid of samples per bin.
fn reference(features: &[f32], shape: [usize; 4], rois: &[Roi], scale: f64, options: &RoiAlignOptions) -> Vec<f64> {
    let [_, channels, height, width] = shape;
    let [ph, pw] = options.output;
    let mut out = Vec::new();
    for roi in rois {
        let offset = if options.aligned { 0.5 } else { 0.0 };
        let [x1, y1, x2, y2] = roi.bbox.map(|value| f64::from(value) * scale - offset);
        let (mut roi_height, mut roi_width) = (y2 - y1, x2 - x1);
        if !options.aligned {
            (roi_height, roi_width) = (roi_height.max(1.0), roi_width.max(1.0));
        }
        let (bin_height, bin_width) = (roi_height / ph as f64, roi_width / pw as f64);
        let count = |bin: f64| match options.sampling_ratio {
            0 => bin.ceil().max(0.0) as usize,
            ratio => ratio,
        };
        let (rows, columns) = (count(bin_height), count(bin_width));
        for channel in 0..channels {
            let map = &features[(roi.image * channels + channel) * height * width..][..height * width];
            for (i, j) in (0..ph).flat_map(|i| (0..pw).map(move |j| (i, j))) {
                let mut sum = 0.0;
                for (a, b) in (0..rows).flat_map(|a| (0..columns).map(move |b| (a, b))) {
                    let y = y1 + i as f64 * bin_height + (a as f64 + 0.5) * bin_height / rows as f64;
                    let x = x1 + j as f64 * bin_width + (b as f64 + 0.5) * bin_width / columns as f64;
                    sum += sample(map, [height, width], y, x);
                }
                out.push(sum / (rows * columns).max(1) as f64);
            }
        }
    }
    out
}

fn features(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(noise(shape.iter().product(), 7), shape), device)
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("f32 values")
}

fn assert_close(ours: &[f32], reference: &[f64], context: &str) {
    assert_eq!(ours.len(), reference.len(), "{context}");
    for (index, (&a, &b)) in ours.iter().zip(reference).enumerate() {
        assert!((f64::from(a) - b).abs() <= TOLERANCE, "value {index} of {context}: {a} against {b}");
    }
}

/// Corners on a grid of 1/16 pixel that no sample of the borders falls on exactly: a rounded sample at a border would be a
/// jump from 0, not an error.
fn rois(images: usize, reach: f32) -> impl Strategy<Value = Vec<Roi>> {
    let corner = -(reach as i32)..(2 * reach as i32);
    let size = prop_oneof![Just(0i32), 1i32..8, 1i32..(2 * reach as i32)];
    let roi = (0..images, corner.clone(), corner, size.clone(), size).prop_map(|(image, x, y, width, height)| {
        let (x, y) = (x as f32 + 0.0625 * 3.0, y as f32 + 0.0625 * 5.0);
        Roi { image, bbox: [x, y, x + width as f32 * 0.9375, y + height as f32 * 0.9375] }
    });
    prop::collection::vec(roi, 0..12)
}

fn options() -> impl Strategy<Value = RoiAlignOptions> {
    let scale = prop_oneof![Just(1.0f32), Just(0.25), Just(0.0625)];
    ([1usize..9, 1usize..9], scale, 0usize..4, any::<bool>()).prop_map(
        |(output, spatial_scale, sampling_ratio, aligned)| RoiAlignOptions {
            output,
            spatial_scale,
            sampling_ratio,
            aligned,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn agrees_with_the_definition(
        shape in [1usize..3, 1usize..20, 1usize..14, 1usize..17],
        rois in rois(1, 60.0),
        options in options(),
    ) {
        let device = Device::flex();
        let x = features(shape, &device);
        let expected = reference(&flat(x.clone()), shape, &rois, options.spatial_scale.into(), &options);
        let context = format!("{shape:?} {rois:?} {options:?}");
        assert_close(&flat(roi_align(x.clone(), &rois, &options)), &expected, &context);
        // Seven levels have no kernel and go through matrix products.
        let stride = (1.0 / options.spatial_scale) as usize;
        let options = RoiAlignOptions { spatial_scale: 1.0, ..options };
        let levels = vec![x; 7];
        let pooled = roi_align_pyramid(&levels, &[stride; 7], &rois, &vec![3; rois.len()], &options);
        assert_close(&flat(pooled), &expected, &context);
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let device = Device::flex().autodiff();
    let shape = [2, 18, 5, 6];
    let rois = [
        Roi { image: 1, bbox: [3.0, 2.0, 31.0, 30.0] },
        Roi { image: 0, bbox: [-9.0, 5.0, 20.0, 60.0] },
        Roi { image: 1, bbox: [7.0, 7.0, 9.0, 8.0] },
    ];
    let options = RoiAlignOptions { output: [3, 4], spatial_scale: 0.125, ..RoiAlignOptions::default() };
    let weights = noise(3 * 18 * 12, 8);
    let x = features(shape, &device).require_grad();
    let factors = Tensor::<4>::from_data(TensorData::new(weights.clone(), [3, 18, 3, 4]), &device);
    let gradients = (roi_align(x.clone(), &rois, &options) * factors).sum().backward();
    let gradient = flat(x.grad(&gradients).expect("a gradient"));
    let values = flat(x);
    let objective = |values: &[f32]| -> f64 {
        let pooled = reference(values, shape, &rois, 0.125, &options);
        pooled.iter().zip(&weights).map(|(pooled, &weight)| pooled * f64::from(weight)).sum()
    };
    let base = objective(&values);
    for index in (0..values.len()).step_by(7) {
        let mut moved = values.clone();
        moved[index] += 0.5;
        // The operation is linear in the features, so a large step has no error of its own.
        let slope = (objective(&moved) - base) / f64::from(moved[index] - values[index]);
        let found = f64::from(gradient[index]);
        assert!((slope - found).abs() <= TOLERANCE, "feature {index}: {found} against {slope}");
    }
}

fn pyramid(device: &Device) -> Vec<Tensor<4>> {
    [[12, 13], [6, 7], [3, 4]]
        .iter()
        .map(|&[height, width]| features([2, 20, height, width], device).require_grad())
        .collect()
}

fn pyramid_rois() -> (Vec<Roi>, Vec<usize>) {
    let rois = (0..50).map(|index| {
        let place = |factor: usize| (index * factor % 37) as f32 * 2.4 - 6.0;
        let (x, y) = (place(11), place(17));
        Roi { image: index % 2, bbox: [x, y, x + 2.0 + place(5).abs(), y + 3.0 + place(23).abs()] }
    });
    (rois.collect(), (0..50).map(|index| index * 7 % 3).collect())
}

#[test]
fn a_pyramid_is_pooled_level_by_level_in_the_order_of_the_regions() {
    let device = Device::flex().autodiff();
    let options = RoiAlignOptions::default();
    let (rois, assign) = pyramid_rois();
    let levels = pyramid(&device);
    let pooled = roi_align_pyramid(&levels, &[8, 16, 32], &rois, &assign, &options);
    let factors = Tensor::<4>::from_data(TensorData::new(noise(50 * 20 * 49, 9), [50, 20, 7, 7]), &device);
    let gradients = (pooled.clone() * factors.clone()).sum().backward();
    let pooled = flat(pooled);
    for (level, stride) in [8.0f32, 16.0, 32.0].into_iter().enumerate() {
        let members: Vec<usize> = (0..50).filter(|&index| assign[index] == level).collect();
        let own: Vec<Roi> = members.iter().map(|&index| rois[index]).collect();
        let alone = RoiAlignOptions { spatial_scale: 1.0 / stride, ..options };
        let x = Tensor::<4>::from_inner(levels[level].clone().inner()).require_grad();
        let single = roi_align(x.clone(), &own, &alone);
        let chosen = Tensor::cat(members.iter().map(|&m| factors.clone().slice([m..m + 1])).collect(), 0);
        let single_gradients = (single.clone() * chosen).sum().backward();
        for (member, values) in members.iter().zip(flat(single).chunks(20 * 49)) {
            assert_eq!(&pooled[member * 20 * 49..][..20 * 49], values, "region {member}");
        }
        let expected = flat(x.grad(&single_gradients).expect("a gradient"));
        assert_eq!(flat(levels[level].grad(&gradients).expect("a gradient")), expected, "gradient of level {level}");
    }
}

#[test]
fn the_kernel_and_matrix_products_have_the_same_gradient() {
    let device = Device::flex().autodiff();
    let options = RoiAlignOptions { output: [5, 3], ..RoiAlignOptions::default() };
    let (rois, assign) = pyramid_rois();
    let gradient = |extra: usize| {
        let mut levels = pyramid(&device);
        let mut strides = vec![8, 16, 32];
        for _ in 0..extra {
            levels.push(levels[2].clone().detach());
            strides.push(64);
        }
        let pooled = roi_align_pyramid(&levels, &strides, &rois, &assign, &options);
        let gradients = (pooled.clone() * pooled).sum().backward();
        levels[..3].iter().flat_map(|level| flat(level.grad(&gradients).expect("a gradient"))).collect::<Vec<f32>>()
    };
    let (kernel, products) = (gradient(0), gradient(4));
    let scale = products.iter().fold(1.0f32, |scale, value| scale.max(value.abs()));
    for (index, (a, b)) in kernel.iter().zip(&products).enumerate() {
        assert!((a - b).abs() <= scale * TOLERANCE as f32, "{index}: {a} against {b}");
    }
}

#[test]
fn no_regions_give_an_empty_result_and_no_gradient() {
    let device = Device::flex().autodiff();
    let levels = pyramid(&device);
    let pooled = roi_align_pyramid(&levels, &[8, 16, 32], &[], &[], &RoiAlignOptions::default());
    assert_eq!(pooled.dims(), [0, 20, 7, 7]);
    let gradients = pooled.sum().backward();
    assert!(flat(levels[0].grad(&gradients).expect("a gradient")).iter().all(|&value| value == 0.0));
}

#[test]
fn hostile_regions_give_zeros_or_finite_values() {
    let device = Device::flex().autodiff();
    let x = features([1, 3, 8, 8], &device).require_grad();
    let nowhere = [
        [1000.0, 1000.0, 1010.0, 1010.0],
        [-500.0, 0.0, -400.0, 8.0],
        [f32::NAN, 0.0, 4.0, 4.0],
        [0.0, 0.0, f32::INFINITY, 4.0],
        [0.0, f32::NEG_INFINITY, 4.0, 4.0],
        [f32::MIN, f32::MIN, f32::MAX, f32::MAX],
    ];
    let odd = [[3.0, 3.0, 3.0, 3.0], [6.0, 6.0, 2.0, 1.0], [-1e9, -1e9, 1e9, 1e9], [-8.0, -8.0, 16.0, 16.0]];
    for sampling_ratio in [0, 2] {
        for aligned in [true, false] {
            let options = RoiAlignOptions { sampling_ratio, aligned, ..RoiAlignOptions::default() };
            let rois: Vec<Roi> = nowhere.iter().chain(&odd).map(|&bbox| Roi { image: 0, bbox }).collect();
            let pooled = roi_align(x.clone(), &rois, &options);
            let values = flat(pooled.clone());
            assert!(values.iter().all(|value| value.is_finite()));
            assert!(values[..nowhere.len() * 3 * 49].iter().all(|&value| value == 0.0), "{options:?}");
            let gradients = pooled.sum().backward();
            assert!(flat(x.grad(&gradients).expect("a gradient")).iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn a_map_without_cells_pools_to_zeros() {
    let pooled = roi_align(
        Tensor::zeros([1, 2, 0, 4], &Device::flex()),
        &[Roi { image: 0, bbox: [0.0, 0.0, 4.0, 4.0] }],
        &RoiAlignOptions::default(),
    );
    assert_eq!(flat(pooled), vec![0.0; 2 * 49]);
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let (rois, assign) = pyramid_rois();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        pool.install(|| {
            let device = Device::flex().autodiff();
            let levels = pyramid(&device);
            let pooled = roi_align_pyramid(&levels, &[8, 16, 32], &rois, &assign, &RoiAlignOptions::default());
            let gradients = (pooled.clone() * pooled.clone()).sum().backward();
            let mut bits: Vec<u32> = flat(pooled).iter().map(|value| value.to_bits()).collect();
            for level in &levels {
                bits.extend(flat(level.grad(&gradients).expect("a gradient")).iter().map(|value| value.to_bits()));
            }
            bits
        })
    };
    let once = on(1);
    assert!([1, 2, 3].into_iter().all(|threads| on(threads) == once));
}

#[test]
#[should_panic(expected = "region 0 names picture 1 of 1")]
fn a_region_of_a_missing_picture_is_named() {
    let roi = Roi { image: 1, bbox: [0.0, 0.0, 1.0, 1.0] };
    roi_align(Tensor::zeros([1, 1, 2, 2], &Device::flex()), &[roi], &RoiAlignOptions::default());
}
