//! The ONNX graph as far as it can be seen without a runtime: it is well-formed, complete, and refused where it could not be right.

use std::collections::BTreeMap;

use burn::tensor::Device;
use equipoise_detect::backbone::BACKBONES;
use equipoise_detect::layers::NormKind;
use equipoise_detect::mask_head::MaskHeadConfig;
use equipoise_detect::onnx::to_onnx;
use equipoise_detect::weights::{Weights, weights_of};
use equipoise_detect::{DetectConfig, FasterRcnn, FasterRcnnConfig};
use equipoise_loss::{Head, TrainingFacts, registry};

use crate::scene::{CLASSES, config};

/// A field of a protocol buffer: its number, and its bytes if it has a length.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut fields = Vec::new();
    let varint = |bytes: &mut &[u8]| {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let (&byte, rest) = bytes.split_first().expect("a varint ends");
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    };
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let length = match tag & 7 {
            0 => {
                varint(&mut bytes);
                0
            }
            2 => varint(&mut bytes) as usize,
            5 => 4,
            kind => panic!("wire type {kind}"),
        };
        let (field, rest) = bytes.split_at(length);
        fields.push((tag >> 3, field.to_vec()));
        bytes = rest;
    }
    fields
}

fn all(bytes: &[u8], number: u64) -> Vec<Vec<u8>> {
    fields(bytes).into_iter().filter(|(field, _)| *field == number).map(|(_, bytes)| bytes).collect()
}

fn text(bytes: &[u8], number: u64) -> Vec<String> {
    all(bytes, number).into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
}

fn export(config: &FasterRcnnConfig, loss: &str, size: [usize; 2]) -> Result<Vec<u8>, String> {
    let facts = TrainingFacts {
        image_counts: vec![5; CLASSES],
        instance_counts: vec![9; CLASSES],
        images: 9,
        seed: 0,
        steps: 9,
    };
    let loss = registry::build(loss, &registry::Options::new(), &facts).unwrap();
    let detector = FasterRcnn::new(config, CLASSES, &*loss, 0, &Device::flex()).unwrap();
    let weights: Weights = weights_of(&detector);
    let text = BTreeMap::from([("licence".to_string(), "MIT".to_string())]);
    let detect = DetectConfig::default();
    to_onnx(config, &weights, &*loss, CLASSES, &detect, size, &text).map_err(|error| error.to_string())
}

/// Every value that an operator reads is an input, a constant or the result of an operator before it.
fn assert_complete(model: &[u8]) {
    assert_complete_with(model, &["boxes", "scores", "classes"]);
}

fn assert_complete_with(model: &[u8], results: &[&str]) {
    let graph = all(model, 7).remove(0);
    let mut known: Vec<String> = all(&graph, 11).iter().flat_map(|input| text(input, 1)).collect();
    assert_eq!(known, ["pictures", "size"]);
    known.extend(all(&graph, 5).iter().flat_map(|constant| text(constant, 8)));
    for node in all(&graph, 1) {
        for read in text(&node, 1).iter().filter(|name| !name.is_empty()) {
            assert!(known.contains(read), "{:?} reads {read}", text(&node, 4));
        }
        known.extend(text(&node, 2));
    }
    let outputs: Vec<String> = all(&graph, 12).iter().flat_map(|output| text(output, 1)).collect();
    assert_eq!(outputs, results);
    assert!(outputs.iter().all(|output| known.contains(output)));
}

#[test]
fn every_backbone_and_normalisation_has_a_graph() {
    for spec in BACKBONES {
        for norm in [NormKind::Frozen, NormKind::Group] {
            let mut config = FasterRcnnConfig { backbone: spec.name.into(), norm, first_stage: 1, ..config() };
            config.rpn.anchors.sizes = vec![vec![16.0]; spec.strides().len() - 1 + config.extra_levels];
            assert_complete(&export(&config, "eqlv2", [64, 96]).unwrap());
        }
    }
}

#[test]
fn masks_are_an_output_of_their_own() {
    for class_specific in [true, false] {
        let mask = MaskHeadConfig { convs: 1, width: 8, class_specific, ..MaskHeadConfig::default() };
        let config = FasterRcnnConfig { masks: true, mask, ..config() };
        let model = export(&config, "softmax_ce", [64, 64]).unwrap();
        assert_complete_with(&model, &["boxes", "scores", "classes", "masks"]);
    }
}

#[test]
fn links_are_told_by_what_a_loss_does() {
    for card in registry::LOSSES.iter().map(|entry| &entry.card) {
        if card.heads.contains(&Head::Proposals) && card.name != "bags" {
            let model = export(&config(), card.name, [64, 64]);
            assert_complete(&model.unwrap_or_else(|error| panic!("{}: {error}", card.name)));
        }
    }
    let error = export(&config(), "bags", [64, 64]).unwrap_err();
    assert!(error.contains("bags") && error.contains("softmax"), "{error}");
}

#[test]
fn sizes_between_strides_are_refused() {
    for size in [[0, 64], [60, 64], [64, 65]] {
        let error = export(&config(), "eqlv2", size).unwrap_err();
        assert!(error.contains("multiples of"), "{error}");
    }
}
