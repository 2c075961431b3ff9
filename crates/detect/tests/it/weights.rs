//! Weights in and out of modules and files.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use equipoise_detect::backbone::{Backbone, BackboneSpec};
use equipoise_detect::efficientnet::{is_lite, rename_lite};
use equipoise_detect::layers::NormKind;
use equipoise_detect::naming;
use equipoise_detect::torchvision::{is_detector, is_resnet, rename_detector, rename_resnet};
use equipoise_detect::weights::{Weight, Weights, from_safetensors, to_safetensors, weights_of, with_weights};
use equipoise_detect::{FasterRcnn, Init};
use equipoise_loss::SoftmaxCe;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::scene::{CLASSES, config, detector};

/// Half a unit in the last place of a number with 11 significant bits.
const HALF: f32 = 1.0 / 2048.0;

fn weights(seed: u64) -> Weights {
    weights_of(&detector(&config(), seed, &Device::flex()))
}

fn file() -> &'static Path {
    Path::new("a.safetensors")
}

#[test]
fn a_module_takes_back_what_it_gave() {
    let device = Device::flex();
    let other = with_weights(detector(&config(), 1, &device), weights(0), |_| false).unwrap();
    assert_eq!(weights_of(&other), weights(0));
}

#[test]
fn a_file_of_f32_is_exact() {
    let weights = weights(0);
    let bytes = to_safetensors(&weights, false, BTreeMap::new());
    assert_eq!(from_safetensors(&bytes, file()).unwrap(), weights);
}

#[test]
fn a_file_of_f16_is_half_as_large_and_close() {
    let weights = weights(0);
    let bytes = to_safetensors(&weights, true, BTreeMap::new());
    assert!(bytes.len() < to_safetensors(&weights, false, BTreeMap::new()).len() * 6 / 10);
    let back = from_safetensors(&bytes, file()).unwrap();
    assert!(back.keys().eq(weights.keys()));
    for (one, two) in weights.values().zip(back.values()) {
        assert_eq!(one.shape, two.shape);
        for (one, two) in one.values.iter().zip(&two.values) {
            // Below 6.1e-5 an f16 loses bits: its steps there are 6e-8.
            assert!((one - two).abs() <= one.abs() * HALF + 6e-8, "{one} became {two}");
        }
    }
}

#[test]
fn wide_types_are_read_and_integers_refused() {
    let bytes = |dtype, data: &[u8]| {
        safetensors::serialize([("a", TensorView::new(dtype, vec![1], data).unwrap())], None).unwrap()
    };
    let read = |dtype, data: &[u8]| from_safetensors(&bytes(dtype, data), file());
    let wanted = Weights::from([("a".into(), Weight { shape: vec![1], values: vec![1.5] })]);
    assert_eq!(read(Dtype::F64, &1.5f64.to_le_bytes()).unwrap(), wanted);
    assert_eq!(read(Dtype::BF16, &0x3fc0u16.to_le_bytes()).unwrap(), wanted);
    let error = read(Dtype::I64, &1i64.to_le_bytes()).unwrap_err().to_string();
    assert!(error.contains("a.safetensors") && error.contains("`a`") && error.contains("I64"), "{error}");
}

#[test]
fn a_file_that_is_cut_short_is_an_error_at_every_length() {
    let bytes = to_safetensors(&weights(0), true, BTreeMap::new());
    for length in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        let error = from_safetensors(&bytes[..length], file()).unwrap_err().to_string();
        assert!(error.contains("a.safetensors"), "{error}");
    }
    assert!(from_safetensors(b"{\"not\": \"weights\"}", file()).is_err());
}

#[test]
fn names_and_shapes_must_fit() {
    let device = Device::flex();
    let mut missing = weights(0);
    missing.remove("rpn.conv.weight").unwrap();
    let error = with_weights(detector(&config(), 1, &device), missing.clone(), |_| false).unwrap_err().to_string();
    assert!(error.contains("1 missing (`rpn.conv.weight`)"), "{error}");
    // What may be missing keeps the value it had.
    let kept = with_weights(detector(&config(), 1, &device), missing.clone(), |name| name.starts_with("rpn.")).unwrap();
    assert_eq!(weights_of(&kept)["rpn.conv.weight"], weights(1)["rpn.conv.weight"]);

    let one = Weight { shape: vec![1], values: vec![0.0] };
    let mut unknown = weights(0);
    unknown.insert("tail.weight".into(), one.clone());
    let error = with_weights(detector(&config(), 1, &device), unknown, |_| false).unwrap_err().to_string();
    assert!(error.contains("1 unknown (`tail.weight`)"), "{error}");

    missing.insert("rpn.conv.weight".into(), one);
    let error = with_weights(detector(&config(), 1, &device), missing, |_| false).unwrap_err().to_string();
    assert!(error.contains("`rpn.conv.weight`") && error.contains("[1]") && error.contains("[8, 8, 3, 3]"), "{error}");
}

/// The names of EfficientNet-Lite in PyTorch, written from the module tree of the published files.
fn lite_name(name: &str, counts: &[usize]) -> String {
    let value = |rest: &str, conv: &str, norm: &str| match rest {
        "conv.weight" => format!("{conv}.weight"),
        "norm.gamma" => format!("{norm}.weight"),
        "norm.beta" => format!("{norm}.bias"),
        rest => format!("{norm}.{}", rest.strip_prefix("norm.").unwrap()),
    };
    let parts: Vec<&str> = name.splitn(5, '.').collect();
    match parts.as_slice() {
        ["stem", ..] => value(name.strip_prefix("stem.").unwrap(), "_conv_stem", "_bn0"),
        ["stages", stage, block, part, rest] => {
            let before: usize = counts[..stage.parse::<usize>().unwrap()].iter().sum();
            let block = before + block.parse::<usize>().unwrap();
            let norm = match *part {
                "expand" => "_bn0",
                "depthwise" => "_bn1",
                _ => "_bn2",
            };
            format!("_blocks.{block}.{}", value(rest, &format!("_{part}_conv"), norm))
        }
        _ => panic!("{name}"),
    }
}

#[test]
fn names_of_efficientnet_lite_fit_its_networks() {
    for (name, counts) in [("efficientnet_lite0", [3, 2, 6, 5]), ("efficientnet_lite2", [4, 3, 8, 6])] {
        let spec = BackboneSpec::find(name).unwrap();
        let backbone = Backbone::new(spec, NormKind::Frozen, 0, &mut Init::new(3, &Device::flex()));
        let ours = weights_of(&backbone);
        let mut theirs: Weights =
            ours.iter().map(|(name, weight)| (lite_name(name, &counts), weight.clone())).collect();
        for known in
            ["_bn0.running_var", "_blocks.0._bn1.weight", "_blocks.1._expand_conv.weight", "_blocks.15._bn2.bias"]
        {
            assert!(theirs.contains_key(known), "{name} lacks {known}");
        }
        assert!(!theirs.contains_key("_blocks.0._expand_conv.weight"));
        theirs.insert("_fc.weight".into(), Weight { shape: vec![2, 3], values: vec![0.0; 6] });
        assert!(is_lite(&theirs) && !is_lite(&ours) && !is_resnet(&theirs));
        let expected: Weights = ours.into_iter().map(|(name, weight)| (format!("backbone.{name}"), weight)).collect();
        assert_eq!(rename_lite(theirs), expected);
    }
}

/// The inverse of the renaming, written from torchvision's module tree.
fn torchvision_name(name: &str) -> String {
    let layer = |rest: &str, conv: &str, norm: &str| match rest {
        "conv.weight" => format!("{conv}.weight"),
        "norm.gamma" => format!("{norm}.weight"),
        "norm.beta" => format!("{norm}.bias"),
        rest => format!("{norm}.{}", rest.strip_prefix("norm.").unwrap()),
    };
    let parts: Vec<&str> = name.splitn(5, '.').collect();
    match parts.as_slice() {
        ["stem", ..] => layer(name.strip_prefix("stem.").unwrap(), "conv1", "bn1"),
        ["stages", stage, block, part, rest] => {
            let (conv, norm) = match *part {
                "downsample" => ("downsample.0".to_string(), "downsample.1".to_string()),
                part => (part.to_string(), part.replace("conv", "bn")),
            };
            let stage = stage.parse::<usize>().unwrap() + 1;
            format!("layer{stage}.{block}.{}", layer(rest, &conv, &norm))
        }
        _ => panic!("{name}"),
    }
}

#[test]
fn torchvisions_names_fit_every_residual_network() {
    for name in ["resnet18", "resnet50"] {
        let spec = BackboneSpec::find(name).unwrap();
        let backbone = Backbone::new(spec, NormKind::Frozen, 0, &mut Init::new(3, &Device::flex()));
        let ours = weights_of(&backbone);
        let mut theirs: Weights = ours.iter().map(|(name, weight)| (torchvision_name(name), weight.clone())).collect();
        for known in ["bn1.running_var", "layer1.1.conv2.weight", "layer2.0.downsample.1.bias", "layer4.1.bn2.weight"] {
            assert!(theirs.contains_key(known), "{name} lacks {known}");
        }
        let classifier = Weight { shape: vec![2, 3], values: vec![0.0; 6] };
        theirs.insert("fc.weight".into(), classifier);
        assert!(is_resnet(&theirs) && !is_resnet(&ours));
        let expected: Weights = ours.into_iter().map(|(name, weight)| (format!("backbone.{name}"), weight)).collect();
        assert_eq!(rename_resnet(theirs), expected);
    }
}

/// Rows and columns changed over; a list stays.
fn turned(weight: &Weight) -> Weight {
    let [rows, columns] = weight.shape[..] else { return weight.clone() };
    let at = |index: usize| weight.values[index % rows * columns + index / rows];
    Weight { shape: vec![columns, rows], values: (0..rows * columns).map(at).collect() }
}

/// A tensor of a detector here by torchvision's name and layout: with background as its first class, whose deltas and mask, which are
/// not there here, are sevens.
fn torchvision_detector(name: &str, weight: &Weight, old: bool) -> (String, Weight) {
    let block = if old { "" } else { ".0" };
    let background = |rows: usize, weight: Weight| {
        let width = weight.values.len() / weight.shape[0];
        let mut values = vec![7.0; rows * width];
        values.extend(weight.values);
        let mut shape = weight.shape;
        shape[0] += rows;
        Weight { shape, values }
    };
    let (place, value) = name.rsplit_once('.').unwrap();
    let parts: Vec<&str> = place.split('.').collect();
    let (place, weight) = match parts.as_slice() {
        ["backbone", ..] => {
            let name = torchvision_name(name.strip_prefix("backbone.").unwrap());
            return (format!("backbone.body.{name}"), weight.clone());
        }
        ["fpn", "lateral", level] => (format!("backbone.fpn.inner_blocks.{level}{block}"), weight.clone()),
        ["fpn", "output", level] => (format!("backbone.fpn.layer_blocks.{level}{block}"), weight.clone()),
        ["rpn", "conv"] => (format!("rpn.head.conv{block}{block}"), weight.clone()),
        ["rpn", "objectness"] => ("rpn.head.cls_logits".into(), weight.clone()),
        ["rpn", "deltas"] => ("rpn.head.bbox_pred".into(), weight.clone()),
        ["roi_head", "hidden1"] => ("roi_heads.box_head.fc6".into(), turned(weight)),
        ["roi_head", "hidden2"] => ("roi_heads.box_head.fc7".into(), turned(weight)),
        ["roi_head", "classifier"] => {
            let mut rows = turned(weight);
            let width = rows.values.len() / rows.shape[0];
            rows.values.rotate_right(width);
            ("roi_heads.box_predictor.cls_score".into(), rows)
        }
        ["roi_head", "deltas"] => ("roi_heads.box_predictor.bbox_pred".into(), background(4, turned(weight))),
        ["mask_head", "convs", number] if old => {
            (format!("roi_heads.mask_head.mask_fcn{}", number.parse::<usize>().unwrap() + 1), weight.clone())
        }
        ["mask_head", "convs", number] => (format!("roi_heads.mask_head.{number}.0"), weight.clone()),
        ["mask_head", "deconv"] => ("roi_heads.mask_predictor.conv5_mask".into(), weight.clone()),
        ["mask_head", "predictor"] => {
            ("roi_heads.mask_predictor.mask_fcn_logits".into(), background(1, weight.clone()))
        }
        _ => panic!("{name}"),
    };
    (format!("{place}.{value}"), weight)
}

#[test]
fn torchvisions_detectors_fit_in_old_and_new_names() {
    let mut config = config();
    config.masks = true;
    let detector = FasterRcnn::new(&config, CLASSES, &SoftmaxCe::default(), 2, &Device::flex()).unwrap();
    let mut ours = weights_of(&detector);
    // Biases start alike; what is told apart must differ.
    for weight in ours.values_mut() {
        weight.values.iter_mut().enumerate().for_each(|(at, value)| *value += (at % 97) as f32);
    }
    for old in [false, true] {
        let theirs = ours.iter().map(|(name, weight)| torchvision_detector(name, weight, old)).collect();
        assert!(is_detector(&theirs) && !is_resnet(&theirs) && !is_detector(&ours));
        let back = naming::to_ours(theirs);
        assert!(back.keys().eq(ours.keys()), "old names: {old}");
        assert!(back == ours, "old names: {old}");
    }
    assert_eq!(naming::to_ours(ours.clone()), ours);
}

#[test]
fn names_of_another_model_stay_as_they_are() {
    let odd = ["encoder.weight", "layer0.0.conv1.weight", "layer1.0.se.weight", "conv1", "layer1.0.é.weight"];
    let weight = Weight { shape: vec![1], values: vec![1.0] };
    let weights: Weights = odd.iter().map(|name| (name.to_string(), weight.clone())).collect();
    assert_eq!(rename_resnet(weights.clone()), weights);
    let odd =
        ["roi_heads.mask_head.mask_fcn0.weight", "rpn.head.conv.1.0.weight", "backbone.fpn.x.0.weight", "rpn.head"];
    let weights: Weights = odd.iter().map(|name| (name.to_string(), weights["conv1"].clone())).collect();
    assert_eq!(rename_detector(weights.clone()), weights);
}
