//! Numbers computed once in float64 from the published formulas, and confirmed with the authors' code.

use equipoise_loss::{
    ClassLoss, ClassTargets, EqlV2, EqlV2Config, GradientLedger, LedgerDelta, SigmoidBce, SigmoidBceConfig, SoftmaxCe,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

use crate::batch::{assert_close, device, tensor, values};

/// Both sides are float64: only the order of summation may differ.
const F64: f64 = 1e-12;
/// Values, ratios and sums of float32 tensors: a few roundings of numbers of up to about ten.
const F32_VALUE: f64 = 1e-5;
/// Gradients and scores of float32 tensors, all below one.
const F32_GRADIENT: f64 = 1e-6;

#[derive(Deserialize)]
struct EqlV2Golden {
    #[serde(rename = "C")]
    classes: usize,
    gamma: f64,
    mu: f64,
    alpha: f64,
    steps: Vec<EqlV2Step>,
    scores_step4: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct EqlV2Step {
    logits: Vec<Vec<f64>>,
    labels: Vec<usize>,
    q: Vec<f64>,
    r: Vec<f64>,
    loss: f64,
    grad: Vec<Vec<f64>>,
    pos: Vec<f64>,
    neg: Vec<f64>,
    ratio: Vec<f64>,
}

#[derive(Deserialize)]
struct Rivals {
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    num_classes: usize,
    labels: Vec<usize>,
    losses: BTreeMap<String, RivalCase>,
}

#[derive(Deserialize)]
struct RivalCase {
    logits: Vec<Vec<f64>>,
    loss: f64,
    grad: Vec<Vec<f64>>,
    scores: Vec<Vec<f64>>,
}

fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

fn eqlv2() -> (EqlV2, EqlV2Golden) {
    let golden: EqlV2Golden = read(include_str!("fixtures/eqlv2.json"));
    let config = EqlV2Config { gamma: golden.gamma, mu: golden.mu, alpha: golden.alpha, ..EqlV2Config::default() };
    assert_eq!(config, EqlV2Config::default(), "the golden numbers are made with the published defaults");
    assert_eq!(golden.steps.len(), 5);
    (EqlV2::new(config), golden)
}

/// Drives all five steps with sums from `step`, and checks the state and the weights at the given tolerance.
fn five_steps(tolerance: f64, step: impl Fn(&EqlV2, &EqlV2Step, &ClassTargets, &GradientLedger) -> LedgerDelta) {
    let (loss, golden) = eqlv2();
    let mut ledger = GradientLedger::new(golden.classes);
    let mut instances = vec![0.0; golden.classes];
    for (index, golden) in golden.steps.iter().enumerate() {
        let targets = ClassTargets::from_indices(&golden.labels, ledger.num_classes()).unwrap();
        let (q, r): (Vec<f64>, Vec<f64>) = ledger.ratios().into_iter().map(|ratio| loss.weights(ratio)).unzip();
        let categories = ledger.num_classes();
        assert_close(&format!("q of step {index}"), &q, &golden.q[..categories], tolerance);
        assert_close(&format!("r of step {index}"), &r, &golden.r[..categories], tolerance);
        assert_eq!((golden.q[categories], golden.r[categories]), (1.0, 1.0));
        ledger.commit(&step(&loss, golden, &targets, &ledger)).unwrap();
        assert_close(&format!("P after step {index}"), ledger.positive(), &golden.pos, tolerance);
        assert_close(&format!("M after step {index}"), ledger.negative(), &golden.neg, tolerance);
        assert_close(&format!("ratio after step {index}"), &ledger.ratios(), &golden.ratio, tolerance);
        assert_eq!(ledger.steps(), index as u64 + 1);
        for label in golden.labels.iter().filter(|label| **label < categories) {
            instances[*label] += 1.0;
        }
        assert_eq!(ledger.instances(), instances);
    }
}

#[test]
fn eqlv2_in_float64() {
    five_steps(F64, |loss, golden, targets, ledger| {
        let step = loss.step_f64(&golden.logits.concat(), targets, ledger);
        assert_close("loss", &[step.value], &[golden.loss], F64);
        assert_close("gradient", &step.gradient, &golden.grad.concat(), F64);
        step.delta
    });
}

#[test]
fn eqlv2_in_float32() {
    five_steps(F32_VALUE, |loss, golden, targets, ledger| {
        let logits = tensor(&golden.logits.concat(), loss.channels(ledger.num_classes()), &device());
        let step = loss.step(logits, targets, ledger).unwrap();
        assert_close("loss", &[step.value], &[golden.loss], F32_VALUE);
        assert_close("gradient", &values(&step.gradient), &golden.grad.concat(), F32_GRADIENT);
        step.delta
    });
}

#[test]
fn eqlv2_scores() {
    let (loss, golden) = eqlv2();
    let logits = &golden.steps[4].logits;
    let scores = loss.scores(tensor(&logits.concat(), golden.classes + 1, &device()));
    assert_eq!(scores.dims(), [logits.len(), golden.classes]);
    let expected: Vec<&[f64]> = golden.scores_step4.iter().map(|row| &row[..golden.classes]).collect();
    assert_close("scores", &values(&scores), &expected.concat(), F32_GRADIENT);
    for (row, expected) in logits.iter().zip(&expected) {
        assert_close("scores", &loss.scores_f64(row), expected, F64);
    }
}

/// Checks one loss on every case of a file.
fn rivals(json: &str, name: &str, loss: &dyn ClassLoss) {
    let golden: Rivals = read(json);
    assert_eq!(golden.cases.keys().collect::<Vec<_>>(), ["medium", "small"]);
    for (size, case) in &golden.cases {
        let (classes, golden) = (case.num_classes, &case.losses[name]);
        let what = |field: &str| format!("{name} {size} {field}");
        let targets = ClassTargets::from_indices(&case.labels, classes).unwrap();
        let ledger = GradientLedger::new(classes);
        let (logits, gradient, scores) = (golden.logits.concat(), golden.grad.concat(), golden.scores.concat());

        let step = loss.step_f64(&logits, &targets, &ledger);
        assert_close(&what("loss"), &[step.value], &[golden.loss], F64);
        assert_close(&what("gradient"), &step.gradient, &gradient, F64);
        let rows: Vec<Vec<f64>> = golden.logits.iter().map(|row| loss.scores_f64(row)).collect();
        assert_close(&what("scores"), &rows.concat(), &scores, F64);

        let logits = tensor(&logits, loss.channels(classes), &device());
        let step = loss.step(logits.clone(), &targets, &ledger).unwrap();
        assert_close(&what("loss in f32"), &[step.value], &[golden.loss], F32_VALUE);
        assert_close(&what("gradient in f32"), &values(&step.gradient), &gradient, F32_GRADIENT);
        assert_close(&what("scores in f32"), &values(&loss.scores(logits)), &scores, F32_GRADIENT);
    }
}

#[test]
fn softmax_ce() {
    rivals(include_str!("fixtures/softmax_ce.json"), "softmax_ce", &SoftmaxCe::default());
}

#[test]
fn sigmoid_bce_with_and_without_background() {
    let json = include_str!("fixtures/sigmoid_bce.json");
    rivals(json, "sigmoid_bce_background", &SigmoidBce::default());
    let config = SigmoidBceConfig { background: false, ..SigmoidBceConfig::default() };
    rivals(json, "sigmoid_bce", &SigmoidBce::new(config));
}

#[derive(Deserialize)]
struct InitialLosses {
    initial_loss: Vec<InitialLoss>,
}

#[derive(Deserialize)]
struct InitialLoss {
    prior: f64,
    bias: f64,
    num_classes: usize,
    foreground_share: f64,
    loss: f64,
    background_column_loss: f64,
    negative_per_class_after_8x1024_rois: f64,
}

/// The first loss at 1,203 classes follows from the bias alone, and so does what one step leaves in the ledger.
#[test]
fn initial_losses_of_each_prior() {
    let golden: InitialLosses = read(include_str!("fixtures/sigmoid_bce.json"));
    assert_eq!(golden.initial_loss.len(), 3);
    for golden in golden.initial_loss {
        assert_eq!(golden.foreground_share, 0.25);
        let config = EqlV2Config { prior: golden.prior, background_prior: golden.prior, ..EqlV2Config::default() };
        let (loss, classes) = (EqlV2::new(config), golden.num_classes);
        let bias: Vec<f64> = loss.bias_init(classes).into_iter().map(f64::from).collect();
        assert_close("bias", &bias, &vec![golden.bias; classes + 1], 1e-7);

        let targets = ClassTargets::from_indices(&[7, classes, classes, classes], classes).unwrap();
        let ledger = GradientLedger::new(classes);
        let step = loss.step_f64(&vec![golden.bias; 4 * (classes + 1)], &targets, &ledger);
        assert_close("initial loss", &[step.value], &[golden.loss], F64);
        let logits = tensor(&bias.repeat(4), classes + 1, &device());
        let step = loss.step(logits, &targets, &ledger).unwrap();
        assert_close("initial loss in f32", &[step.value], &[golden.loss], F32_VALUE);
        let negative = step.delta.negative[0] * (8.0 * 1024.0 / 4.0);
        assert_close("negative gradient", &[negative], &[golden.negative_per_class_after_8x1024_rois], F32_VALUE);

        let background =
            loss.step_f64(&[golden.bias; 4], &ClassTargets::from_indices(&[0; 4], 0).unwrap(), &GradientLedger::new(0));
        let foreground = equipoise_loss::sigmoid(golden.bias);
        let column = 0.75 * background.value - 0.25 * (1.0 - foreground).ln();
        assert_close("background column", &[column], &[golden.background_column_loss], F64);
    }
}
