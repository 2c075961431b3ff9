//! What holds for every registered detector.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Gradients, Tensor};
use equipoise_detect::anchors::AnchorConfig;
use equipoise_detect::dense_head::DenseHeadConfig;
use equipoise_detect::weights::{host, weights_of, with_weights};
use equipoise_detect::{
    DETECTORS, DetectConfig, Detector, DetectorConfig, FasterRcnnConfig, ParamPath, Precision, RetinaNetConfig,
    TrainOutput, ops,
};
use equipoise_loss::{ClassBalancedFocal, ClassBalancedFocalConfig, ClassLoss, Label, TrainingFacts};

use crate::scene::{self, CLASSES, Truth, batch};

/// Small in every direction. A detector without a line here has no test.
fn tiny(kind: &str) -> DetectorConfig {
    match kind {
        "faster_rcnn" => DetectorConfig::FasterRcnn(scene::config()),
        "retina_net" => DetectorConfig::RetinaNet(retina_net()),
        other => panic!("add a tiny `{other}` to the tests of the registry"),
    }
}

/// A tiny RetinaNet over strides 8, 16, 32 and 64, one anchor a cell.
pub fn retina_net() -> RetinaNetConfig {
    RetinaNetConfig {
        backbone: "light".into(),
        frozen_stages: 0,
        first_stage: 1,
        fpn_width: 8,
        extra_levels: 2,
        head: DenseHeadConfig {
            anchors: AnchorConfig {
                sizes: vec![vec![16.0], vec![32.0], vec![48.0], vec![64.0]],
                ratios: vec![1.0],
                ..AnchorConfig::default()
            },
            convs: 1,
            std: 0.1,
            ..DenseHeadConfig::default()
        },
        ..RetinaNetConfig::default()
    }
}

/// A loss that every head takes.
fn loss(classes: usize) -> ClassBalancedFocal {
    let facts = TrainingFacts { instance_counts: vec![5; classes], ..TrainingFacts::default() };
    ClassBalancedFocal::new(ClassBalancedFocalConfig::default(), &facts).unwrap()
}

fn each(mut check: impl FnMut(&str, &Detector, &Device)) {
    let device = Device::flex().autodiff();
    for entry in DETECTORS {
        let config = tiny(entry.card.kind);
        assert_eq!((config.card(), entry.config().card()), (entry.card, entry.card));
        let detector = Detector::new(&config, CLASSES, &loss(CLASSES), 0, &device).unwrap();
        assert_eq!(detector.card(), entry.card);
        check(entry.card.kind, &detector, &device);
    }
}

/// Trains on pictures of 64×64 and looks at what came out.
fn train(kind: &str, detector: &Detector, device: &Device, truths: Vec<Truth>) -> TrainOutput {
    let output = detector.forward_train(&batch([64, 64], truths), device, 5).unwrap();
    assert_eq!(output.logits.dims(), [output.targets.rows(), loss(CLASSES).channels(CLASSES)], "{kind}");
    for (name, loss) in &output.losses {
        let value = host(&loss.clone().inner())[0];
        assert!(value.is_finite() && value >= 0.0, "{kind}: {name} is {value}");
    }
    output
}

#[test]
fn nothing_one_and_hundreds_of_objects_train() {
    each(|kind, detector, device| {
        let output = train(kind, detector, device, vec![Truth::default(), Truth::default()]);
        assert!(output.targets.rows() > 0, "{kind}");
        assert!(output.targets.labels().iter().all(|label| *label == Label::Background), "{kind}");
        let one = Truth { boxes: vec![[10.0, 12.0, 31.0, 30.0]], classes: vec![2], ..Truth::default() };
        assert!(train(kind, detector, device, vec![one]).targets.labels().contains(&Label::Class(2)), "{kind}");
        let many = train(kind, detector, device, vec![Truth::spread(400), Truth::spread(300)]);
        assert!(many.targets.foreground_rows() > 2, "{kind}");
        let crowd = Truth { crowds: vec![[0.0, 0.0, 64.0, 64.0]], ..Truth::default() };
        let crowded = train(kind, detector, device, vec![crowd]).targets;
        assert!(crowded.foreground_rows() == 0, "{kind}");
        assert!(crowded.counted_rows() * 2 <= crowded.rows(), "{kind}: most of a crowd is ignored");
    });
}

/// The start of a frozen part, and layers of statistics that do not train, are none of the layers that learn.
#[test]
fn every_layer_gets_a_gradient() {
    each(|kind, detector, device| {
        let output = train(kind, detector, device, vec![Truth::spread(6), Truth::spread(9)]);
        let total = output.losses.into_iter().fold(output.logits.square().sum(), |total, (_, loss)| total + loss);
        let mut silent = Silent { path: ParamPath::default(), gradients: total.backward(), names: Vec::new() };
        detector.visit(&mut silent);
        silent.names.retain(|name| !name.contains(".norm."));
        assert!(silent.names.is_empty(), "{kind}: {:?}", silent.names);
    });
}

/// Products in half precision: logits stay near, in f32, and every layer still learns.
#[test]
fn half_precision_is_near_and_leaves_f32() {
    let device = Device::flex().autodiff();
    for entry in DETECTORS {
        let kind = entry.card.kind;
        let logits = |precision: Precision| {
            let config = match tiny(kind) {
                DetectorConfig::FasterRcnn(config) => {
                    DetectorConfig::FasterRcnn(FasterRcnnConfig { precision, ..config })
                }
                DetectorConfig::RetinaNet(config) => DetectorConfig::RetinaNet(RetinaNetConfig { precision, ..config }),
            };
            assert_eq!(config.precision(), precision);
            let detector = Detector::new(&config, CLASSES, &loss(CLASSES), 0, &device).unwrap();
            let output = train(kind, &detector, &device, vec![Truth::spread(6)]);
            assert_eq!(output.logits.dtype(), DType::F32, "{kind}");
            let logits = host(&output.logits.clone().inner());
            let total = output.losses.into_iter().fold(output.logits.square().sum(), |total, (_, loss)| total + loss);
            let mut silent = Silent { path: ParamPath::default(), gradients: total.backward(), names: Vec::new() };
            detector.visit(&mut silent);
            silent.names.retain(|name| !name.contains(".norm."));
            assert!(silent.names.is_empty(), "{kind}, {precision:?}: {:?}", silent.names);
            logits
        };
        let (full, largest) =
            (logits(Precision::F32), |values: &[f32]| values.iter().fold(0.0f32, |m, v| m.max(v.abs())));
        for (precision, digits) in [(Precision::F16, 5e-3), (Precision::Bf16, 5e-2)] {
            let half = logits(precision);
            // Proposals of a two-stage detector follow from scores that were rounded, so that its rows may be others.
            if kind == "retina_net" {
                let apart: Vec<f32> = full.iter().zip(&half).map(|(a, b)| a - b).collect();
                let worst = largest(&apart) / largest(&full);
                assert!(worst > 0.0 && worst < digits, "{kind}, {precision:?}: {worst}");
            }
        }
    }
}

struct Silent {
    path: ParamPath,
    gradients: Gradients,
    names: Vec<String>,
}

impl ModuleVisitor for Silent {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(&self.gradients);
        if gradient.is_none_or(|gradient| host(&gradient).iter().all(|value| *value == 0.0)) {
            self.names.push(self.path.name());
        }
    }
}

#[test]
fn detections_keep_every_limit() {
    each(|kind, detector, _| {
        let (detector, device) = (detector.valid(), Device::flex());
        // The right and lower quarters are padding.
        let batch = batch([48, 48], vec![Truth::default(), Truth::default()]);
        let limits =
            DetectConfig { score_threshold: 1e-4, nms_iou: 0.5, max_detections: 20, ..DetectConfig::default() };
        let found = detector.detect(&batch, &device, &loss(CLASSES), &limits);
        assert_eq!(found.len(), 2, "{kind}");
        for found in found {
            assert!(!found.is_empty() && found.len() <= 20, "{kind}");
            assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score), "{kind}: best first");
            for (at, one) in found.iter().enumerate() {
                assert!(one.score > 1e-4 && one.class < CLASSES, "{kind}");
                assert!(one.bbox.iter().all(|v| (0.0..=48.0).contains(v)), "{kind}: {:?}", one.bbox);
                for two in found[at + 1..].iter().filter(|two| two.class == one.class) {
                    assert!(ops::iou_matrix(&[one.bbox], &[two.bbox])[0] <= 0.5, "{kind}: found twice");
                }
            }
        }
        let strict = DetectConfig { score_threshold: 0.999, ..DetectConfig::default() };
        assert_eq!(detector.detect(&batch, &device, &loss(CLASSES), &strict), [vec![], vec![]], "{kind}");
    });
}

#[test]
fn the_same_seed_trains_the_same_boxes() {
    each(|kind, detector, device| {
        let batch = batch([64, 64], vec![Truth::spread(200)]);
        let output = || detector.forward_train(&batch, device, 1).unwrap();
        let (one, two) = (output(), output());
        assert_eq!(host(&one.logits.inner()), host(&two.logits.inner()), "{kind}");
        assert_eq!(one.targets, two.targets, "{kind}");
    });
}

#[test]
fn a_class_that_is_not_there_is_an_error() {
    each(|kind, detector, device| {
        let truth = Truth { boxes: vec![[10.0, 12.0, 31.0, 30.0]], classes: vec![CLASSES], ..Truth::default() };
        let error = detector.forward_train(&batch([64, 64], vec![truth]), device, 0).err().expect(kind);
        assert!(error.to_string().contains("class 3"), "{kind}: {error}");
    });
}

/// Weights of another class list fit but for the layers that the card names.
#[test]
fn the_card_names_the_layers_of_the_class_list() {
    let device = Device::flex();
    for entry in DETECTORS {
        let kind = entry.card.kind;
        let of = |classes| Detector::new(&tiny(kind), classes, &loss(classes), 0, &device).unwrap();
        let (few, many) = (weights_of(&of(CLASSES)), weights_of(&of(CLASSES + 2)));
        assert!(few.keys().eq(many.keys()), "{kind}");
        for (name, weight) in &few {
            let named = entry.card.class_layers.iter().any(|layer| name.starts_with(layer));
            assert_eq!(weight.shape != many[name].shape, named, "{kind}: {name}");
        }
        let again = with_weights(of(CLASSES), few.clone(), |_| false).unwrap();
        assert_eq!(weights_of(&again), few, "{kind}");
    }
}
