//! Operations that detectors are made of.

use burn::tensor::{Device, Tensor, TensorData};
use equipoise_detect::matching::{MatchConfig, assign_targets};
use equipoise_detect::ops::{ConvOptions, Roi, RoiAlignOptions, SgdStep, conv2d, nms, roi_align, sgd_update};

use super::measure::{Case, noise};

/// Parameters of the optimizer's case.
const PARAMETERS: usize = 50_000_000;

/// `[pictures, channels in, channels out, side of the map, side of the kernel, stride]`: a pyramid, a stem's second layer, a shortcut.
const CONVOLUTIONS: [[usize; 6]; 3] = [[4, 256, 256, 32, 3, 1], [8, 64, 128, 48, 3, 2], [4, 256, 64, 64, 1, 1]];

/// The cases.
pub fn cases(device: &Device) -> anyhow::Result<Vec<Case>> {
    let mut cases: Vec<Case> = CONVOLUTIONS.iter().map(|shape| convolution(*shape, device)).collect();
    cases.extend([region_pooling(device), matching()]);
    cases.extend([1_000, 10_000].map(suppression));
    cases.push(optimizer(device));
    Ok(cases)
}

/// Boxes of sides 16 to 144 in a picture of 512 pixels.
fn boxes(count: usize, seed: u64) -> Vec<[f32; 4]> {
    let mut random = noise(seed);
    let mut bbox = || {
        let (x, y, w, h) = (random() * 368.0, random() * 368.0, 16.0 + random() * 128.0, 16.0 + random() * 128.0);
        [x, y, x + w, y + h]
    };
    (0..count).map(|_| bbox()).collect()
}

fn tensor<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let mut random = noise(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| random() - 0.5).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Forward and both gradients.
fn convolution([pictures, from, to, side, kernel, stride]: [usize; 6], device: &Device) -> Case {
    let tracked = device.clone().autodiff();
    let map = tensor([pictures, from, side, side], 13, &tracked);
    let weight = tensor([to, from, kernel, kernel], 14, &tracked);
    let gradient = tensor([pictures, to, side / stride, side / stride], 15, &tracked);
    let options = ConvOptions { stride: [stride; 2], padding: [kernel / 2; 2], ..ConvOptions::default() };
    let work = move || {
        let [map, weight] = [map.clone(), weight.clone()].map(|leaf| leaf.detach().require_grad());
        let out = conv2d(map.clone(), weight.clone(), None, options);
        let gradients = (out * gradient.clone()).sum().backward();
        for leaf in [map, weight] {
            leaf.grad(&gradients).ok_or_else(|| anyhow::anyhow!("no gradient reached the map or the weight"))?;
        }
        Ok(())
    };
    let shape = format!("{pictures}x{from}x{side}x{side}, {kernel}x{kernel} to {to}, stride {stride}");
    Case::new("convolution, both ways", &shape, work)
}

fn region_pooling(device: &Device) -> Case {
    let tracked = device.clone().autodiff();
    let features = tensor([2, 256, 64, 64], 4, &tracked);
    let gradient = tensor([1024, 256, 7, 7], 5, &tracked);
    let rois: Vec<Roi> = boxes(1024, 6).into_iter().enumerate().map(|(i, bbox)| Roi { image: i % 2, bbox }).collect();
    let options = RoiAlignOptions { spatial_scale: 0.125, ..RoiAlignOptions::default() };
    let work = move || {
        let leaf = features.clone().detach().require_grad();
        let pooled = roi_align(leaf.clone(), &rois, &options);
        let gradients = (pooled * gradient.clone()).sum().backward();
        leaf.grad(&gradients).ok_or_else(|| anyhow::anyhow!("no gradient reached the features"))?;
        Ok(())
    };
    Case::new("RoIAlign, both ways", "2x256x64x64, 1024 regions, 7x7", work)
}

fn matching() -> Case {
    let (anchors, truth) = (boxes(200_000, 7), boxes(100, 8));
    let config = MatchConfig { foreground_iou: 0.7, background_iou: 0.3, best_for_each_object: true };
    let work = move || {
        std::hint::black_box(assign_targets(&anchors, &truth, &[], config));
        Ok(())
    };
    Case::new("matching", "200000 anchors, 100 objects", work)
}

fn suppression(count: usize) -> Case {
    let (boxes, mut random) = (boxes(count, 9), noise(10));
    let scores: Vec<f32> = (0..count).map(|_| random()).collect();
    let work = move || {
        std::hint::black_box(nms(&boxes, &scores, 0.5));
        Ok(())
    };
    Case::new("NMS", &format!("{count} boxes"), work)
}

/// As a training does it: nobody else holds the parameters, so that they are updated where they lie.
fn optimizer(device: &Device) -> Case {
    let gradient = tensor([PARAMETERS], 11, device);
    let mut state = Some((gradient.clone() * 1.0, gradient.clone() * 0.1));
    let step = SgdStep { rate: 1e-6, momentum: 0.9, weight_decay: 1e-4, scale: 1.0 };
    let work = move || {
        let (parameter, velocity) = state.take().expect("put back below");
        state = Some(sgd_update(parameter, gradient.clone(), Some(velocity), step));
        Ok(())
    };
    Case::new("SGD", "50 M parameters", work).with_units(PARAMETERS, "values")
}
