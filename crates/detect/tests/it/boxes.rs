//! Boxes, their deltas, and anchors.

use equipoise_detect::anchors::{AnchorConfig, AnchorLayout};
use equipoise_detect::boxes::{DeltaWeights, area, clip, decode_deltas, encode_deltas, share_inside};
use proptest::prelude::*;

/// A few roundings of coordinates of up to some hundred pixels.
const PIXELS: f32 = 2e-3;

/// Boxes of sides 4 to 200, so that no side is more than 50 times another: beyond 62.5 decoding is capped.
fn any_box() -> impl Strategy<Value = [f32; 4]> {
    (0.0f32..300.0, 0.0f32..300.0, 4.0f32..200.0, 4.0f32..200.0).prop_map(|(x, y, w, h)| [x, y, x + w, y + h])
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(anchor in any_box(), target in any_box()) {
        for weights in [DeltaWeights([1.0; 4]), DeltaWeights([10.0, 10.0, 5.0, 5.0])] {
            let back = decode_deltas(anchor, encode_deltas(anchor, target, weights), weights);
            for (got, wanted) in back.into_iter().zip(target) {
                prop_assert!((got - wanted).abs() < PIXELS, "{back:?} for {target:?}");
            }
        }
    }

    #[test]
    fn an_untrained_head_cannot_make_infinite_boxes(anchor in any_box(), deltas in prop::array::uniform4(-1e4f32..1e4)) {
        let decoded = decode_deltas(anchor, deltas, DeltaWeights([1.0; 4]));
        prop_assert!(decoded.iter().all(|v| v.is_finite()));
        let inside = clip(decoded, [100, 200]);
        prop_assert!((0.0..=200.0).contains(&inside[0]) && (0.0..=200.0).contains(&inside[2]));
        prop_assert!((0.0..=100.0).contains(&inside[1]) && (0.0..=100.0).contains(&inside[3]));
    }
}

#[test]
fn deltas_by_hand() {
    let deltas = encode_deltas([0.0, 0.0, 10.0, 20.0], [5.0, 0.0, 25.0, 20.0], DeltaWeights([10.0, 10.0, 5.0, 5.0]));
    // Centre 5 → 15 is one width to the right; the width doubles.
    let wanted = [10.0, 0.0, 5.0 * 2f32.ln(), 0.0];
    assert!(deltas.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-5), "{deltas:?}");
}

#[test]
fn a_box_without_area_has_finite_deltas() {
    for (anchor, target) in [([3.0; 4], [0.0, 0.0, 8.0, 8.0]), ([0.0, 0.0, 8.0, 8.0], [3.0; 4])] {
        let deltas = encode_deltas(anchor, target, DeltaWeights([1.0; 4]));
        assert!(deltas.iter().all(|v| v.is_finite()), "{deltas:?}");
    }
}

#[test]
fn areas_and_shares() {
    assert_eq!(area([2.0, 3.0, 6.0, 5.0]), 8.0);
    assert_eq!(area([6.0, 3.0, 2.0, 5.0]), 0.0);
    let crowd = [0.0, 0.0, 10.0, 10.0];
    assert_eq!(share_inside([2.0, 2.0, 4.0, 4.0], crowd), 1.0);
    assert_eq!(share_inside([5.0, 0.0, 15.0, 10.0], crowd), 0.5);
    assert_eq!(share_inside([20.0, 20.0, 30.0, 30.0], crowd), 0.0);
    assert_eq!(share_inside([4.0; 4], crowd), 0.0);
}

#[test]
fn anchors_stand_on_their_cells() {
    let config = AnchorConfig {
        sizes: vec![vec![16.0], vec![32.0, 48.0]],
        ratios: vec![0.5, 1.0, 2.0],
        ..AnchorConfig::default()
    };
    assert_eq!((config.per_cell(0), config.per_cell(1)), (3, 6));
    let anchors = config.level(1, [2, 3], 8);
    assert_eq!(anchors.len(), 2 * 3 * 6);
    for (index, anchor) in anchors.iter().enumerate() {
        let (cell, shape) = (index / 6, index % 6);
        let (row, column) = (cell / 3, cell % 3);
        let (size, ratio) = ([32.0f32, 48.0][shape % 2], [0.5f32, 1.0, 2.0][shape / 2]);
        let (w, h) = (anchor[2] - anchor[0], anchor[3] - anchor[1]);
        assert!(((anchor[0] + anchor[2]) / 2.0 - 8.0 * column as f32).abs() < PIXELS, "centre of {anchor:?}");
        assert!(((anchor[1] + anchor[3]) / 2.0 - 8.0 * row as f32).abs() < PIXELS, "centre of {anchor:?}");
        assert!((w * h / (size * size) - 1.0).abs() < 1e-4, "area of {anchor:?}");
        assert!((h / w / ratio - 1.0).abs() < 1e-4, "shape of {anchor:?}");
    }
    assert!(config.level(0, [0, 3], 8).is_empty());
}

/// torchvision divides the padded batch by the cells of a level: of 5 cells of 32 pixels the next level has 3, 53 pixels apart.
#[test]
fn torchvisions_anchors_are_whole_and_as_far_apart_as_its_own() {
    let layout = AnchorLayout::Torchvision;
    let config = AnchorConfig { sizes: vec![vec![32.0], vec![64.0]], ratios: vec![0.5, 1.0], layout };
    let anchors = config.level_of(1, [3, 4], 64, [160, 224]);
    assert_eq!(anchors.len(), 3 * 4 * 2);
    // 64 / √½ = 90.5 wide and 45.3 high; halves are rounded.
    assert_eq!(anchors[..2], [[-45.0, -23.0, 45.0, 23.0], [-32.0, -32.0, 32.0, 32.0]]);
    let last = anchors[anchors.len() - 1];
    assert_eq!(last, [3.0 * 56.0 - 32.0, 2.0 * 53.0 - 32.0, 3.0 * 56.0 + 32.0, 2.0 * 53.0 + 32.0]);
    let exact = AnchorConfig { layout: AnchorLayout::Exact, ..config };
    assert_eq!(exact.level_of(1, [3, 4], 64, [160, 224]), exact.level(1, [3, 4], 64));
}
