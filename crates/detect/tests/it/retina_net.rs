//! RetinaNet: which anchors train as what, and what the box loss is.

use burn::tensor::Device;
use equipoise_detect::torchvision_retina::{is_retina_net, rename_retina_net};
use equipoise_detect::weights::{Weights, host, weights_of};
use equipoise_detect::{DetectConfig, RetinaNet, RetinaNetConfig, boxes, ops};
use equipoise_loss::{ClassLoss, Efl, EflConfig, Label};

use crate::detectors::retina_net;
use crate::scene::{CLASSES, Truth, batch};

fn efl() -> Efl {
    Efl::new(EflConfig { prior: 0.02, ..EflConfig::default() })
}

fn build(config: &RetinaNetConfig, device: &Device) -> RetinaNet {
    RetinaNet::new(config, CLASSES, &efl(), 0, device).unwrap()
}

/// The anchors of a picture of 64×64 of the tiny detector, level after level.
fn anchors() -> Vec<[f32; 4]> {
    let head = retina_net().head.anchors;
    (0..4).flat_map(|level| head.level(level, [8 >> level; 2], 8 << level)).collect()
}

#[test]
fn every_anchor_is_a_row_with_the_label_of_its_overlap() {
    let device = Device::flex().autodiff();
    let (object, crowd) = ([10.0, 12.0, 31.0, 30.0], [40.0, 40.0, 64.0, 64.0]);
    let truth = Truth { boxes: vec![object], classes: vec![2], crowds: vec![crowd], ..Truth::default() };
    let batch = batch([64, 64], vec![Truth::default(), truth]);
    let output = build(&retina_net(), &device).forward_train(&batch, &device, 0).unwrap();
    let anchors = anchors();
    assert_eq!((anchors.len(), output.targets.rows()), (64 + 16 + 4 + 1, 2 * 85));
    let (first, second) = output.targets.labels().split_at(85);
    assert!(first.iter().all(|label| *label == Label::Background));
    let overlaps = ops::iou_matrix(&anchors, &[object]);
    let best = overlaps.iter().copied().fold(0.0, f32::max);
    let mut seen = [0; 3];
    for ((anchor, label), overlap) in anchors.iter().zip(second).zip(overlaps) {
        let crowded = boxes::share_inside(*anchor, crowd) > 0.5;
        let expected = match overlap {
            o if o >= 0.5 || o == best => Label::Class(2),
            o if o >= 0.4 || crowded => Label::Ignored,
            _ => Label::Background,
        };
        assert_eq!(*label, expected, "{anchor:?} overlaps by {overlap}");
        seen[match label {
            Label::Class(_) => 0,
            Label::Ignored => 1,
            Label::Background => 2,
        }] += 1;
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

/// With a last layer of zeros the boxes are the anchors: quality and box loss follow from them alone.
#[test]
fn quality_and_box_loss_are_those_of_the_boxes() {
    let device = Device::flex().autodiff();
    let object = [10.0, 12.0, 31.0, 30.0];
    let truth = Truth { boxes: vec![object], classes: vec![0], ..Truth::default() };
    let mut config = retina_net();
    config.head.std = 0.0;
    config.head.box_weight = 3.0;
    let output = build(&config, &device).forward_train(&batch([64, 64], vec![truth]), &device, 0).unwrap();
    let (mut expected, mut count) = (0.0, 0);
    for (row, anchor) in anchors().iter().enumerate() {
        if output.targets.labels()[row] == Label::Class(0) {
            let overlap = f64::from(ops::iou_matrix(&[*anchor], &[object])[0]);
            assert!((output.targets.quality(row) - overlap).abs() < 1e-6);
            let deltas = boxes::encode_deltas(*anchor, object, boxes::DeltaWeights([1.0; 4]));
            expected += deltas.iter().map(|delta| delta.abs()).sum::<f32>();
            count += 1;
        }
    }
    assert!(count > 0);
    let [(name, loss)] = &output.losses[..] else { panic!("one loss beside the classification") };
    let (value, expected) = (host(&loss.clone().inner())[0], 3.0 * expected / count as f32);
    assert!(*name == "box" && (value - expected).abs() < 1e-4 * expected, "{value}, expected {expected}");
}

#[test]
fn every_anchor_starts_at_the_prior_of_its_loss() {
    let device = Device::flex().autodiff();
    let mut config = retina_net();
    config.head.std = 0.0;
    config.head.anchors.ratios = vec![0.5, 1.0, 2.0];
    let detector = build(&config, &device);
    let output = detector.forward_train(&batch([64, 64], vec![Truth::default()]), &device, 0).unwrap();
    assert_eq!(output.targets.rows(), 3 * 85);
    let scores = host(&efl().scores(output.logits.inner()));
    assert!(scores.iter().all(|score| (score - 0.02).abs() < 1e-6));
    assert_eq!(weights_of(&detector)["head.classifier.bias"].shape, [3 * CLASSES]);
}

#[test]
fn federated_labels_teach_what_was_looked_for() {
    let device = Device::flex().autodiff();
    let train = |federated| {
        let truth = Truth {
            boxes: vec![[10.0, 12.0, 31.0, 30.0]],
            classes: vec![2],
            exhaustive: Some(vec![0]),
            ..Truth::default()
        };
        let mut config = retina_net();
        config.head.federated = federated;
        let batch = batch([64, 64], vec![truth, Truth::default()]);
        build(&config, &device).forward_train(&batch, &device, 0).unwrap().targets
    };
    assert!(!train(false).has_unjudged());
    let targets = train(true);
    for (row, label) in targets.labels().iter().enumerate() {
        let own = *label == Label::Class(2);
        let expected = if row < 85 { [true, false, own] } else { [true; 3] };
        assert_eq!([0, 1, 2].map(|class| targets.is_judged(row, class)), expected, "row {row}, {label:?}");
    }
}

/// The best of each level go on to NMS, however low they score beside those of other levels.
#[test]
fn a_level_hands_on_its_best() {
    let device = Device::flex();
    let batch = batch([64, 64], vec![Truth::default()]);
    let detect = |pre_nms| {
        let mut config = retina_net();
        config.head.pre_nms = pre_nms;
        let limits =
            DetectConfig { score_threshold: 0.0, nms_iou: 1.0, max_detections: 10_000, ..DetectConfig::default() };
        build(&config, &device).detect(&batch, &device, &efl(), &limits).remove(0)
    };
    let all = detect(10_000);
    assert_eq!(all.len(), 85 * CLASSES);
    let some = detect(3);
    assert_eq!(some.len(), 4 * 3, "four levels, the last with three scores in all");
    assert!(some.iter().all(|found| all.contains(found)));
    assert_eq!(some[0], all[0]);
}

fn refused(change: impl FnOnce(&mut RetinaNetConfig)) -> String {
    let mut config = retina_net();
    change(&mut config);
    RetinaNet::new(&config, CLASSES, &efl(), 0, &Device::flex()).expect_err("refused").to_string()
}

#[test]
fn a_configuration_that_does_not_fit_names_its_field() {
    assert!(refused(|c| c.backbone = "lite".into()).contains("light"));
    assert!(refused(|c| c.first_stage = 3).contains("first_stage"));
    assert!(refused(|c| c.extra_levels = 1).contains("head.anchors.sizes"));
    assert!(refused(|c| c.head.anchors.sizes[1].push(64.0)).contains("head.anchors"));
    assert!(refused(|c| c.head.pre_nms = 0).contains("head.pre_nms"));
    assert!(refused(|c| c.head.box_weight = f32::NAN).contains("head.box_weight"));
}

/// torchvision's names, of files of today and from before 0.13, are all of a RetinaNet's and no others.
#[test]
fn weights_of_torchvision_find_their_places() {
    let config = RetinaNetConfig { backbone: "resnet18".into(), ..RetinaNetConfig::default() };
    let ours = weights_of(&build(&config, &Device::flex()));
    let conv = |older: bool, at: usize| if older { format!("conv.{}", 2 * at) } else { format!("conv.{at}.0") };
    for older in [false, true] {
        let fpn = if older { "" } else { ".0" };
        let mut named: Vec<(String, String)> = Vec::new();
        for value in ["weight", "bias"] {
            let mut name =
                |theirs: String, ours: String| named.push((format!("{theirs}.{value}"), format!("{ours}.{value}")));
            for level in 0..3 {
                name(format!("backbone.fpn.inner_blocks.{level}{fpn}"), format!("fpn.lateral.{level}"));
                name(format!("backbone.fpn.layer_blocks.{level}{fpn}"), format!("fpn.output.{level}"));
            }
            for at in 0..2 {
                name(format!("backbone.fpn.extra_blocks.p{}", at + 6), format!("top.{at}"));
            }
            for at in 0..4 {
                name(format!("head.classification_head.{}", conv(older, at)), format!("head.class_convs.{at}"));
                name(format!("head.regression_head.{}", conv(older, at)), format!("head.box_convs.{at}"));
            }
            name("head.classification_head.cls_logits".into(), "head.classifier".into());
            name("head.regression_head.bbox_reg".into(), "head.deltas".into());
        }
        named.push(("backbone.body.conv1.weight".into(), "backbone.stem.conv.weight".into()));
        named.push(("backbone.body.layer2.0.bn1.bias".into(), "backbone.stages.1.0.conv1.norm.beta".into()));
        let theirs: Weights = named.iter().map(|(theirs, name)| (theirs.clone(), ours[name].clone())).collect();
        assert!(is_retina_net(&theirs) && !is_retina_net(&ours));
        let renamed = rename_retina_net(theirs);
        assert!(ours.keys().filter(|name| !name.starts_with("backbone.")).all(|name| renamed.contains_key(name)));
        assert!(renamed.len() == named.len() && renamed.iter().all(|(name, weight)| ours[name] == *weight), "{older}");
    }
}
