//! Masks: what their targets are, how they become pixels, and what the head costs a detector without them.

use burn::tensor::{Device, Tensor, TensorData};
use equipoise_data::Bitmap;
use equipoise_detect::ops::{Roi, RoiAlignOptions, mask_align, roi_align};
use equipoise_detect::weights::{host, weights_of};
use equipoise_detect::{BoxMask, DetectConfig, FasterRcnnConfig};
use equipoise_loss::EqlV2;
use proptest::prelude::*;

use crate::scene::{CLASSES, Truth, batch, config, detector};

/// Sums of some hundred shares.
const CLOSE: f32 = 1e-5;

fn with_masks() -> FasterRcnnConfig {
    let mut config = config();
    config.masks = true;
    config.mask.width = 8;
    config.mask.resolution = 5;
    config
}

/// A disc with a hole in it.
fn ring(size: [usize; 2], [x0, y0]: [f32; 2], radius: f32) -> Bitmap {
    Bitmap::from_fn([0, 0, size[1], size[0]], |x, y| {
        let distance = (x as f32 + 0.5 - x0).hypot(y as f32 + 0.5 - y0);
        distance <= radius && distance >= radius / 3.0
    })
}

proptest! {
    /// The other witness of a target: RoIAlign of a map of 0 and 1.
    #[test]
    fn targets_are_roi_align_of_the_bits(
        x in 0f32..60.0, y in 0f32..40.0, w in 0f32..70.0, h in 0f32..50.0, radius in 1f32..30.0, bins in 1usize..15,
    ) {
        let size = [48, 64];
        let mask = ring(size, [30.0, 20.0], radius);
        let region = [x, y, x + w, y + h];
        let bits: Vec<f32> = (0..48 * 64).map(|at| f32::from(mask.has(at % 64, at / 64))).collect();
        let map = Tensor::<4>::from_data(TensorData::new(bits, [1, 1, 48, 64]), &Device::flex());
        let options = RoiAlignOptions { output: [bins; 2], spatial_scale: 1.0, sampling_ratio: 0, aligned: false };
        let expected = host(&roi_align(map, &[Roi { image: 0, bbox: region }], &options));
        for (got, expected) in mask_align(&mask, size, region, bins).iter().zip(expected) {
            prop_assert!((got - expected).abs() < CLOSE, "{got} for {expected}");
        }
    }

    /// A mask that is sure everywhere fills its box but for the corners, and one that is sure of its left half that half.
    #[test]
    fn sure_masks_fill_their_part(x in 0usize..30, y in 0usize..30, half in 4usize..16, side in 4usize..29) {
        let bbox = [x, y, x + 2 * half, y + 2 * half].map(|v| v as f32);
        let size = [64, 64];
        let paste = |chances: Vec<f32>| BoxMask { side, chances }.paste(bbox, size);
        let all = paste(vec![1.0; side * side]);
        prop_assert!(all.area() as f32 >= 0.8 * (4 * half * half) as f32);
        prop_assert!(all.pixels().all(|(px, py)| px >= x && px < x + 2 * half && py >= y && py < y + 2 * half));
        prop_assert_eq!(paste(vec![0.0; side * side]).area(), 0);
        let even = side / 2 * 2;
        let left: Vec<f32> = (0..even * even).map(|at| f32::from(at % even < even / 2)).collect();
        let left = BoxMask { side: even, chances: left }.paste(bbox, size);
        prop_assert!(left.pixels().all(|(px, _)| px <= x + half) && left.area() > 0);
    }

    #[test]
    fn odd_boxes_are_pasted_without_harm(bbox in prop::array::uniform4(prop_oneof![-1e9f32..1e9, Just(f32::NAN), Just(f32::INFINITY)])) {
        let mask = BoxMask { side: 3, chances: vec![1.0; 9] }.paste(bbox, [9, 7]);
        prop_assert!(mask.pixels().all(|(x, y)| x < 7 && y < 9));
    }
}

fn losses(truth: Truth) -> Vec<(&'static str, f32)> {
    let device = Device::flex().autodiff();
    let output = detector(&with_masks(), 0, &device).forward_train(&batch([64, 64], vec![truth]), &device, 5).unwrap();
    let total = output.losses.iter().fold(output.logits.sum(), |total, (_, loss)| total + loss.clone());
    let _ = total.backward();
    output.losses.iter().map(|(name, loss)| (*name, host(&loss.clone().inner())[0])).collect()
}

fn mask_loss(truth: Truth) -> f32 {
    losses(truth).into_iter().find(|(name, _)| *name == "mask").unwrap().1
}

#[test]
fn objects_without_a_mask_teach_none() {
    let bbox = [10.0, 12.0, 40.0, 36.0];
    let of = |masks| mask_loss(Truth { boxes: vec![bbox], classes: vec![2], masks, ..Truth::default() });
    assert_eq!((of(vec![]), of(vec![None]), mask_loss(Truth::default())), (0.0, 0.0, 0.0));
    // A head that has learnt nothing says one half everywhere: ln 2.
    let untaught = of(vec![Some(ring([64, 64], [25.0, 24.0], 12.0))]);
    assert!((untaught - std::f32::consts::LN_2).abs() < 0.02, "{untaught}");
}

#[test]
fn every_detection_has_the_mask_of_its_box() {
    let device = Device::flex();
    let batch = batch([48, 48], vec![Truth::default(), Truth::default()]);
    let limits = DetectConfig { max_detections: 90, ..DetectConfig::default() };
    let found = detector(&with_masks(), 0, &device).detect(&batch, &device, &EqlV2::default(), &limits);
    let found: Vec<_> = found.concat();
    assert!(!found.is_empty());
    for found in found {
        let mask = found.mask.unwrap();
        assert_eq!((mask.side, mask.chances.len()), (10, 100));
        assert!(mask.chances.iter().all(|chance| (0.0..=1.0).contains(chance)));
    }
}

/// Boxes, scores and weights of everything else are those of the same detector without masks.
#[test]
fn a_mask_head_changes_nothing_else() {
    let device = Device::flex();
    let (plain, masked) = (detector(&config(), 3, &device), detector(&with_masks(), 3, &device));
    let mut weights = weights_of(&masked);
    assert_eq!(weights["mask_head.predictor.weight"].shape, [CLASSES, 8, 1, 1]);
    weights.retain(|name, _| !name.starts_with("mask_head."));
    assert_eq!(weights, weights_of(&plain));
    let batch = batch([64, 64], vec![Truth::default()]);
    let found = |detector: &equipoise_detect::FasterRcnn| {
        let found = detector.detect(&batch, &device, &EqlV2::default(), &DetectConfig::default()).concat();
        found.into_iter().map(|found| (found.bbox, found.class, found.score)).collect::<Vec<_>>()
    };
    assert_eq!(found(&plain), found(&masked));
}
