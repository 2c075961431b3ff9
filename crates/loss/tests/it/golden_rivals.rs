//! Golden numbers of the rival losses and of the calibrations, at the parameters that come with them.

use std::collections::BTreeMap;

use equipoise_loss::calibration::{self, Calibrated, Calibration, LogitStatistics, TAUS, tau_norm};
use equipoise_loss::{ClassLoss, ClassTargets, GradientLedger, LossStepF64, Memory, TrainingFacts};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::batch::{assert_close, device, remembered, tensor, values};

const F64: f64 = 1e-12;
const F32_VALUE: f64 = 1e-5;
const F32_GRADIENT: f64 = 1e-6;

/// One loss of one case.
struct Golden {
    loss: Value,
    targets: ClassTargets,
    what: String,
}

impl Golden {
    fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let value = self.loss.pointer(path).unwrap_or_else(|| panic!("{}: no {path}", self.what));
        serde_json::from_value(value.clone()).unwrap()
    }

    fn classes(&self) -> usize {
        self.targets.num_classes()
    }

    /// Facts with these counts.
    fn facts(&self, counts: &str, images: u64) -> TrainingFacts {
        let counts: Vec<f64> = self.get(counts);
        let counts: Vec<u64> = counts.into_iter().map(|count| count.round() as u64).collect();
        TrainingFacts { image_counts: counts.clone(), instance_counts: counts, images, ..TrainingFacts::default() }
    }
}

fn file() -> Value {
    serde_json::from_str(include_str!("fixtures/rivals.json")).unwrap()
}

/// Every case of a loss.
fn each(name: &str, mut check: impl FnMut(&Golden)) {
    let cases: BTreeMap<String, Value> = serde_json::from_value(file()["cases"].clone()).unwrap();
    assert_eq!(cases.keys().collect::<Vec<_>>(), ["medium", "small"]);
    for (size, case) in cases {
        let labels: Vec<usize> = serde_json::from_value(case["labels"].clone()).unwrap();
        let targets = ClassTargets::from_indices(&labels, case["num_classes"].as_u64().unwrap() as usize).unwrap();
        check(&Golden { loss: case["losses"][name].clone(), targets, what: format!("{name} {size}") });
    }
}

fn build(name: &str, options: Value, facts: &TrainingFacts) -> Box<dyn ClassLoss> {
    crate::batch::build(name, options, facts).unwrap()
}

/// Compares value, gradient and scores in both precisions; returns the float64 step.
fn compare(golden: &Golden, loss: &dyn ClassLoss, ledger: &GradientLedger) -> LossStepF64 {
    compare_with(golden, &golden.targets, loss, ledger)
}

fn compare_with(golden: &Golden, targets: &ClassTargets, loss: &dyn ClassLoss, ledger: &GradientLedger) -> LossStepF64 {
    let what = |field: &str| format!("{} {field}", golden.what);
    let logits: Vec<Vec<f64>> = golden.get("/logits");
    let (gradient, scores) =
        (golden.get::<Vec<Vec<f64>>>("/grad").concat(), golden.get::<Vec<Vec<f64>>>("/scores").concat());
    let expected = loss.step_f64(&logits.concat(), targets, ledger);
    assert_close(&what("loss"), &[expected.value], &[golden.get("/loss")], F64);
    assert_close(&what("gradient"), &expected.gradient, &gradient, F64);
    let rows: Vec<f64> = logits.iter().flat_map(|row| loss.scores_f64(row)).collect();
    assert_close(&what("scores"), &rows, &scores, F64);

    let logits = tensor(&logits.concat(), logits[0].len(), &device());
    let step = loss.step(logits.clone(), targets, ledger).unwrap();
    assert_close(&what("loss in f32"), &[step.value], &[golden.get("/loss")], F32_VALUE);
    // Those of LDAM are thirty times as large.
    let size = gradient.iter().fold(1.0f64, |size, value| size.max(value.abs()));
    assert_close(&what("gradient in f32"), &values(&step.gradient), &gradient, F32_GRADIENT * size);
    assert_close(&what("scores in f32"), &values(&loss.scores(logits)), &scores, F32_GRADIENT);
    assert_close(&what("sums"), &step.delta.positive, &expected.delta.positive, F32_VALUE);
    assert_close(&what("sums"), &step.delta.negative, &expected.delta.negative, F32_VALUE);
    assert_close(&what("memory"), &remembered(&step.delta), &remembered(&expected.delta), F32_VALUE);
    expected
}

#[test]
fn eql() {
    each("eql", |golden| {
        // Frequencies are exact parts of 8,000 images.
        let frequencies: Vec<f64> = golden.get("/inputs/image_frequency");
        let image_counts = frequencies.iter().map(|frequency| (frequency * 8000.0).round() as u64).collect();
        let facts = TrainingFacts { image_counts, images: 8000, ..TrainingFacts::default() };
        let loss = build("eql", json!({ "lambda": golden.get::<f64>("/params/lambda") }), &facts);
        compare(golden, &*loss, &GradientLedger::new(golden.classes()));
    });
}

#[test]
fn focal() {
    each("focal", |golden| {
        let loss = build("focal", golden.loss["params"].clone(), &TrainingFacts::default());
        compare(golden, &*loss, &GradientLedger::new(golden.classes()));
    });
}

#[test]
fn class_balanced() {
    for name in ["class_balanced_softmax", "class_balanced_sigmoid", "class_balanced_focal"] {
        each(name, |golden| {
            let loss = build(name, golden.loss["params"].clone(), &golden.facts("/inputs/instance_counts", 1));
            compare(golden, &*loss, &GradientLedger::new(golden.classes()));
        });
    }
}

#[test]
fn ldam() {
    each("ldam", |golden| {
        assert_eq!(golden.get::<f64>("/params/background_margin"), 0.0);
        let options = json!({
            "max_margin": golden.get::<f64>("/params/max_margin"), "scale": golden.get::<f64>("/params/scale")
        });
        let loss = build("ldam", options, &golden.facts("/inputs/instance_counts", 1));
        compare(golden, &*loss, &GradientLedger::new(golden.classes()));
    });
}

#[test]
fn balanced_softmax() {
    each("balanced_softmax", |golden| {
        let mut facts = golden.facts("/inputs/prior", 1);
        facts.instance_counts.pop();
        let loss = build("balanced_softmax", golden.loss["params"].clone(), &facts);
        compare(golden, &*loss, &GradientLedger::new(golden.classes()));
    });
}

#[test]
fn logit_adjustment() {
    each("logit_adjustment", |golden| {
        // The priors are those of balanced softmax's counts.
        let size = golden.what.rsplit(' ').next().unwrap();
        let counts: Vec<f64> =
            serde_json::from_value(file()["cases"][size]["losses"]["balanced_softmax"]["inputs"]["prior"].clone())
                .unwrap();
        let instance_counts = counts[..golden.classes()].iter().map(|count| *count as u64).collect();
        let facts = TrainingFacts { instance_counts, ..TrainingFacts::default() };
        let loss = build("logit_adjustment", golden.loss["params"].clone(), &facts);
        compare(golden, &*loss, &GradientLedger::new(golden.classes()));
    });
}

#[test]
fn seesaw() {
    each("seesaw", |golden| {
        let loss = build("seesaw", golden.loss["params"].clone(), &TrainingFacts::default());
        let (zeros, before) = (vec![0.0; golden.classes()], golden.get::<Vec<f64>>("/inputs/cumulative_before"));
        let mut ledger = GradientLedger::from_sums(zeros.clone(), zeros, before, 7).unwrap();
        let step = compare(golden, &*loss, &ledger);
        ledger.commit(&step.delta).unwrap();
        assert_eq!(ledger.instances(), golden.get::<Vec<f64>>("/cumulative_after"));
    });
}

/// A ledger with these ratios, all below or equal to 1.
fn ledger_of(ratios: &[f64]) -> GradientLedger {
    let (positive, negative) = (ratios.iter().map(|ratio| ratio * 1e6).collect(), vec![1e6; ratios.len()]);
    GradientLedger::from_sums(positive, negative, vec![0.0; ratios.len()], 3).unwrap()
}

#[test]
fn efl() {
    each("efl", |golden| {
        let loss = build("efl", golden.loss["params"].clone(), &TrainingFacts::default());
        let step = compare(golden, &*loss, &ledger_of(&golden.get::<Vec<f64>>("/inputs/gradient_ratio")));
        assert_close("P", &step.delta.positive, &golden.get::<Vec<f64>>("/positive_delta"), F64);
        assert_close("M", &step.delta.negative, &golden.get::<Vec<f64>>("/negative_delta"), F64);
    });
}

/// Qualities are f32 in the targets, so that the float64 witness agrees to their precision.
#[test]
fn eqfl() {
    each("eqfl", |golden| {
        let loss = build("eqfl", golden.loss["params"].clone(), &TrainingFacts::default());
        let ledger = ledger_of(&golden.get::<Vec<f64>>("/inputs/gradient_ratio"));
        let quality: Vec<f32> = golden.get("/inputs/quality");
        let targets = golden.targets.clone().with_quality(quality).unwrap();
        let logits: Vec<Vec<f64>> = golden.get("/logits");
        let step = loss.step_f64(&logits.concat(), &targets, &ledger);
        assert_close("loss", &[step.value], &[golden.get("/loss")], 1e-6);
        assert_close("gradient", &step.gradient, &golden.get::<Vec<Vec<f64>>>("/grad").concat(), 1e-6);
        let got = loss.step(tensor(&logits.concat(), logits[0].len(), &device()), &targets, &ledger).unwrap();
        assert_close("loss in f32", &[got.value], &[golden.get("/loss")], F32_VALUE);
        assert_close("gradient in f32", &values(&got.gradient), &step.gradient, F32_GRADIENT);
        let scores: Vec<f64> = logits.iter().flat_map(|row| loss.scores_f64(row)).collect();
        assert_close("scores", &scores, &golden.get::<Vec<Vec<f64>>>("/scores").concat(), F64);
    });
}

#[test]
fn ecm() {
    each("ecm", |golden| {
        let loss = build("ecm", golden.loss["params"].clone(), &golden.facts("/inputs/image_counts", 1));
        compare(golden, &*loss, &GradientLedger::new(golden.classes()));
    });
}

#[test]
fn loce() {
    each("loce_ebl", |golden| {
        let loss = build("loce", golden.loss["params"].clone(), &TrainingFacts::default());
        let classes = golden.classes();
        let mut scores: Vec<f64> = golden.get("/inputs/mean_score");
        assert_eq!(scores.pop(), Some(golden.get("/params/background_score")));
        let rule = loss.memory().unwrap().rule;
        let memory = Memory { loss: "loce".into(), rule, values: scores.clone() };
        let mut ledger = GradientLedger::new(classes).with_memory(memory).unwrap();
        let step = compare(golden, &*loss, &ledger);
        ledger.commit(&step.delta).unwrap();
        // s <- a^k s + (1 - a^k) mean, from the scores that the file has.
        let rows: Vec<Vec<f64>> = golden.get("/scores");
        for class in 0..classes {
            let own: Vec<f64> = (0..rows.len())
                .filter(|row| golden.targets.column(*row) == Some(class))
                .map(|row| rows[row][class])
                .collect();
            let kept = 0.9f64.powi(own.len() as i32);
            let mean = own.iter().sum::<f64>() / own.len().max(1) as f64;
            let expected = kept * scores[class] + (1.0 - kept) * mean;
            assert_close("mean score", &[ledger.memory().unwrap().values[class]], &[expected], F64);
        }
    });
}

#[test]
fn fcbl() {
    each("bacl_fcbl", |golden| {
        let loss = build("fcbl", golden.loss["params"].clone(), &TrainingFacts::default());
        let zeros = vec![0.0; golden.classes()];
        let values = golden.get::<Vec<Vec<f64>>>("/inputs/confusion_sum").concat();
        let memory = Memory { loss: "fcbl".into(), rule: loss.memory().unwrap().rule, values };
        let counts: Vec<f64> = golden.get("/inputs/confusion_count");
        let ledger = GradientLedger::from_sums(zeros.clone(), zeros, counts, 9).unwrap();
        let mut ledger = ledger.with_memory(memory).unwrap();
        let step = compare(golden, &*loss, &ledger);
        ledger.commit(&step.delta).unwrap();
        let after = golden.get::<Vec<Vec<f64>>>("/confusion_sum_after").concat();
        assert_close("confusion", &ledger.memory().unwrap().values, &after, F64);
        assert_eq!(ledger.instances(), golden.get::<Vec<f64>>("/confusion_count_after"));
    });
}

#[test]
fn softmax_eql() {
    for (name, options) in [("softmax_eql", ["tau", "floor"]), ("softmax_eqlv2", ["tau", "eps"])] {
        each(name, |golden| {
            let options =
                json!({ options[0]: golden.loss["params"][options[0]], options[1]: golden.loss["params"][options[1]] });
            let loss = build(name, options, &TrainingFacts::default());
            let positive: Vec<f64> = golden.get("/inputs/positive");
            let labels: Vec<usize> = golden.get("/inputs/labels");
            let targets = ClassTargets::from_indices(&labels, positive.len()).unwrap();
            let zeros = vec![0.0; positive.len()];
            let ledger = GradientLedger::from_sums(positive, zeros.clone(), zeros, 3).unwrap();
            compare_with(golden, &targets, &*loss, &ledger);
        });
    }
}

/// What a case has under `post_hoc`.
fn post_hoc(name: &str) -> Golden {
    let loss = file()["cases"]["medium"]["post_hoc"][name].clone();
    Golden { loss, targets: ClassTargets::from_indices(&[], 8).unwrap(), what: name.into() }
}

/// Compares the scores of a calibration of a softmax in both precisions.
fn calibrated(golden: &Golden, calibration: &Calibration) {
    let softmax = build("softmax_ce", json!({}), &TrainingFacts::default());
    let logits: Vec<Vec<f64>> = golden.get("/inputs/logits");
    let scores = golden.get::<Vec<Vec<f64>>>("/scores").concat();
    let got = logits.iter().flat_map(|row| calibration.scores_f64(&*softmax, row)).collect::<Vec<_>>();
    assert_close(&golden.what, &got, &scores, F64);
    let rows = tensor(&logits.concat(), logits[0].len(), &device());
    assert_close(&golden.what, &values(&calibration.scores(&*softmax, rows.clone())), &scores, F32_GRADIENT);
    let extreme = [1e4, -1e4, 0.0, 1e4, -1e4, 1e3, -1e3, 5.0, 1e4];
    assert!(
        calibration.scores_f64(&*softmax, &extreme).iter().all(|score| (0.0..=1.0).contains(score)),
        "{}",
        golden.what
    );
    // What a checkpoint keeps of it, and the loss that predicts with it.
    let kept: Calibration = serde_json::from_str(&serde_json::to_string(calibration).unwrap()).unwrap();
    assert_eq!(&kept, calibration);
    let loss = Calibrated::new(softmax, kept, 8).unwrap();
    assert_close(&golden.what, &values(&loss.scores(rows)), &scores, F32_GRADIENT);
    let other = build("softmax_ce", json!({}), &TrainingFacts::default());
    assert!(Calibrated::new(other, calibration.clone(), 9).unwrap_err().to_string().contains("10 channels"));
}

#[test]
fn norcal() {
    let golden = post_hoc("norcal");
    let counts = golden.facts("/inputs/image_counts", 1).image_counts;
    calibrated(&golden, &calibration::norcal(&counts, 9, golden.get("/params/gamma")).unwrap());
    let nothing = calibration::norcal(&counts, 9, 0.0).unwrap();
    let row = [0.5, -1.0, 2.0, 0.0, 1.0, -3.0, 0.25, 1.5, 3.0];
    assert_eq!(nothing.logits_f64(&row), row, "gamma 0 changes nothing");
    assert!(calibration::norcal(&counts, 9, f64::NAN).unwrap_err().to_string().contains("gamma"));
    assert!(calibration::norcal(&counts, 7, 0.5).unwrap_err().to_string().contains("at least 8"));
}

#[test]
fn post_hoc_logit_adjustment() {
    let golden = post_hoc("logit_adjustment_post_hoc");
    let prior: Vec<f64> = golden.get("/inputs/prior");
    let adjustment = calibration::logit_adjustment(&prior, golden.get("/params/tau")).unwrap();
    calibrated(&golden, &adjustment);
    let softmax = build("softmax_ce", json!({}), &TrainingFacts::default());
    let times: Vec<f64> = prior.iter().map(|part| 7.0 * part).collect();
    let row = [0.5, -1.0, 2.0, 0.0, 1.0, -3.0, 0.25, 1.5, 3.0];
    let other = calibration::logit_adjustment(&times, 1.0).unwrap();
    let [mine, its] = [&adjustment, &other].map(|calibration| calibration.scores_f64(&*softmax, &row));
    assert_close("a factor changes nothing", &its, &mine, 1e-14);
    assert!(calibration::logit_adjustment(&[0.5, 0.0], 1.0).unwrap_err().to_string().contains("prior"));
}

#[test]
fn logn() {
    let golden = post_hoc("logn");
    let (mean, variance): (Vec<f64>, Vec<f64>) = (golden.get("/inputs/mean"), golden.get("/inputs/variance"));
    calibrated(&golden, &calibration::logn(&mean, &variance, 8).unwrap());
    let short = calibration::logn(&mean, &variance[1..], 8).unwrap_err().to_string();
    assert!(short.contains("expected 9 values, got 8"));
    assert!(calibration::logn(&[], &[], 0).is_err() && calibration::logn(&[0.0], &[-1.0], 1).is_err());
}

#[test]
fn statistics_of_logits_are_exact() {
    let mut statistics = LogitStatistics::new(2);
    assert_eq!(statistics.variance(), [0.0, 0.0]);
    for row in [[1e8 + 1.0, 2.0], [1e8 + 2.0, 2.0], [1e8 + 6.0, 2.0]] {
        statistics.add(&row).unwrap();
    }
    assert_eq!(statistics.mean(), [1e8 + 3.0, 2.0]);
    assert_close("variance", &statistics.variance(), &[14.0 / 3.0, 0.0], 1e-12);
    let before = statistics.clone();
    assert!(statistics.add(&[1.0]).is_err() && statistics.add(&[1.0, f64::NAN]).is_err());
    assert_eq!(statistics, before);
}

#[test]
fn tau_normalisation() {
    let golden = post_hoc("tau_norm");
    let weights: Vec<Vec<f64>> = golden.get("/inputs/weights");
    let (classes, dimensions) = (weights.len(), weights[0].len());
    // Features that are 1 in one dimension and 0 in the others read a column of the weights.
    let column = |rows: &[Vec<f64>], at: usize| rows.iter().map(|row| row[at]).collect::<Vec<_>>();
    let by_dimension: Vec<f64> = (0..dimensions).flat_map(|at| column(&weights, at)).collect();
    let bias: Vec<f64> = (0..classes).map(|class| class as f64 - 2.0).collect();
    let after: BTreeMap<String, Vec<Vec<f64>>> = golden.get("/weights_after");
    assert_eq!(after.len(), 2);
    for (tau, expected) in after {
        let normed = tau_norm(&by_dimension, &bias, classes, tau.parse().unwrap()).unwrap();
        for at in 0..dimensions {
            let logits: Vec<f64> = column(&weights, at).iter().zip(&bias).map(|(w, b)| w + b).collect();
            assert_close("weights", &normed.logits_f64(&logits), &column(&expected, at), 1e-12);
        }
        // The same classifier with its last row as background, which stays.
        let normed = tau_norm(&by_dimension, &bias, classes - 1, tau.parse().unwrap()).unwrap();
        assert_eq!(normed.logits_f64(&bias)[classes - 1], bias[classes - 1]);
    }
    let zero = tau_norm(&[0.0, 3.0, 0.0, 4.0], &[0.0, 0.0], 2, 1.0).unwrap();
    assert_eq!(zero.logits_f64(&[0.0, 5.0]), [0.0, 1.0]);
    assert!(tau_norm(&[1.0; 3], &[0.0; 2], 2, 1.0).is_err() && tau_norm(&[], &[], 1, 1.0).is_err());
    assert_eq!((TAUS[0], TAUS[10], TAUS[20]), (0.0, 1.0, 2.0));
}
