//! Golden numbers of the losses that draw: the draws come with the numbers, so that no generator has to match.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

use crate::{
    Acsl, AcslConfig, Bags, BagsConfig, ClassLoss, ClassTargets, DropLoss, DropLossConfig, Federated, Label,
    LossStepF64, TrainingFacts,
};

/// One loss of one case.
struct Golden {
    loss: Value,
    targets: ClassTargets,
    size: String,
}

impl Golden {
    fn all(name: &str) -> Vec<Self> {
        let file: Value = serde_json::from_str(include_str!("../tests/it/fixtures/rivals.json")).unwrap();
        let cases: BTreeMap<String, Value> = serde_json::from_value(file["cases"].clone()).unwrap();
        let golden = |(size, case): (String, Value)| {
            let labels: Vec<usize> = serde_json::from_value(case["labels"].clone()).unwrap();
            let classes = case["num_classes"].as_u64().unwrap() as usize;
            let targets = ClassTargets::from_indices(&labels, classes).unwrap();
            Self { loss: case["losses"][name].clone(), targets, size }
        };
        cases.into_iter().map(golden).collect()
    }

    fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        serde_json::from_value(self.loss.pointer(path).unwrap_or_else(|| panic!("no {path}")).clone()).unwrap()
    }

    fn logits(&self) -> Vec<Vec<f64>> {
        self.get("/logits")
    }

    fn tensor(&self, logits: &[Vec<f64>]) -> Tensor<2> {
        let values: Vec<f32> = logits.concat().into_iter().map(|z| z as f32).collect();
        let shape = [logits.len(), logits[0].len()];
        Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff()).require_grad()
    }

    /// Compares the float64 loop, the tensor terms divided by `normalizer`, and the scores.
    fn compare(&self, loss: &dyn ClassLoss, step: LossStepF64, leaf: Tensor<2>, terms: Tensor<2>, order: &[usize]) {
        let arrange = |rows: Vec<Vec<f64>>| -> Vec<f64> {
            rows.iter().flat_map(|row| order.iter().map(|column| row[*column])).collect()
        };
        let (value, gradient): (f64, Vec<f64>) = (self.get("/loss"), arrange(self.get("/grad")));
        close(&self.size, &[step.value], &[value], 1e-12);
        close(&self.size, &step.gradient, &gradient, 1e-12);
        let sum = terms.sum().div_scalar(loss.normalizer(&self.targets));
        close(&self.size, &[f64::from(sum.clone().inner().into_scalar::<f32>())], &[value], 1e-5);
        let got = leaf.grad(&sum.backward()).unwrap().to_data_as::<f32>().try_to_vec::<f32>().unwrap();
        close(&self.size, &got.into_iter().map(f64::from).collect::<Vec<_>>(), &gradient, 1e-6);
        let scores: Vec<Vec<f64>> = self.get("/scores");
        let logits = self.logits();
        let rows = logits.iter().map(|row| order.iter().map(|column| row[*column]).collect::<Vec<_>>());
        let got: Vec<f64> = rows.flat_map(|row| loss.scores_f64(&row)).collect();
        close(&self.size, &got, &scores.concat(), 1e-12);
    }

    fn facts(&self, counts: Vec<f64>, images: u64) -> TrainingFacts {
        let counts: Vec<u64> = counts.into_iter().map(|count| count.round() as u64).collect();
        TrainingFacts { image_counts: counts.clone(), instance_counts: counts, images, ..TrainingFacts::default() }
    }
}

#[track_caller]
fn close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {got}, expected {expected}");
    }
}

fn columns(logits: &[Vec<f64>]) -> Vec<usize> {
    (0..logits[0].len()).collect()
}

#[test]
fn droploss() {
    for golden in Golden::all("droploss") {
        // Frequencies are exact parts of 8,000 images.
        let frequencies: Vec<f64> = golden.get("/inputs/image_frequency");
        let facts = golden.facts(frequencies.into_iter().map(|frequency| frequency * 8000.0).collect(), 8000);
        let config = DropLossConfig { lambda: golden.get("/params/lambda"), ..DropLossConfig::default() };
        let loss = DropLoss::new(config, &facts).unwrap();
        let uniform: Vec<Vec<f64>> = golden.get("/inputs/uniform");
        let weights = loss.weights_by(&golden.targets, |row, class| uniform[row][class]);
        let logits = golden.logits();
        let expected: Vec<Vec<f64>> = golden.get("/weights");
        let got: Vec<f64> = (0..logits.len())
            .flat_map(|row| (0..logits[0].len()).map(move |column| (row, column)))
            .map(|(row, column)| weights.weight.at(row, column))
            .collect();
        assert_eq!(got, expected.concat());
        let leaf = golden.tensor(&logits);
        let step = weights.step_f64(&loss, &logits.concat(), &golden.targets);
        golden.compare(&loss, step, leaf.clone(), weights.terms(leaf, &golden.targets), &columns(&logits));
    }
}

#[test]
fn federated() {
    for golden in Golden::all("federated") {
        let counts: Vec<f64> = golden.get("/inputs/image_counts");
        let loss = Federated::new(crate::FederatedConfig::default(), &golden.facts(counts, 1)).unwrap();
        let subset: Vec<usize> = golden.get("/inputs/subset");
        let weights = Federated::weights_of(&subset, golden.targets.num_classes());
        let logits = golden.logits();
        let leaf = golden.tensor(&logits);
        let step = weights.step_f64(&loss, &logits.concat(), &golden.targets);
        golden.compare(&loss, step, leaf.clone(), weights.terms(leaf, &golden.targets), &columns(&logits));
    }
}

#[test]
fn acsl() {
    for golden in Golden::all("acsl") {
        let groups: Vec<String> = golden.get("/inputs/groups");
        let count = |group: &String| match group.as_str() {
            "r" => 10.0,
            "c" => 100.0,
            _ => 101.0,
        };
        let loss = Acsl::new(AcslConfig::default(), &golden.facts(groups.iter().map(count).collect(), 1)).unwrap();
        let drawn = ["rare", "common", "frequent"].map(|group| golden.get(&format!("/inputs/background_rows_{group}")));
        let logits = golden.logits();
        let leaf = golden.tensor(&logits);
        let weights = loss.weights_by(&golden.targets, &drawn);
        let step = weights.step_f64(&loss, &logits.concat(), &golden.targets);
        golden.compare(&loss, step, leaf.clone(), weights.terms(leaf, &golden.targets), &columns(&logits));
    }
}

#[test]
fn bags() {
    for golden in Golden::all("bags") {
        let config = BagsConfig { beta: golden.get("/params/beta"), ..BagsConfig::default() };
        let loss = Bags::new(config, &golden.facts(golden.get("/inputs/instance_counts"), 1)).unwrap();
        let weights: Vec<Vec<f64>> = golden.get("/group_row_weights");
        let sums: Vec<f64> = golden.get("/group_normalizers");
        let weights: [Vec<f64>; 5] =
            weights.into_iter().map(Bags::normalized).collect::<Vec<_>>().try_into().expect("five groups");
        for ((weights, sum), group) in weights.iter().zip(sums).zip(0..) {
            assert!(weights.iter().all(|weight| *weight == 0.0 || *weight == 1.0 / sum), "group {group}");
        }
        // Column of the file for each of ours: members by group, then background, then "others" of each group.
        let groups: Vec<Vec<usize>> = golden.get("/groups");
        let first: Vec<usize> = golden.get("/group_first_column");
        let mut order = vec![0; golden.targets.num_classes() + 1];
        for (members, first) in groups.iter().zip(&first) {
            members.iter().enumerate().for_each(|(at, class)| order[*class] = first + 1 + at);
        }
        order.extend(&first);
        let arranged: Vec<Vec<f64>> =
            golden.logits().iter().map(|row| order.iter().map(|column| row[*column]).collect()).collect();
        let leaf = golden.tensor(&arranged);
        let step = loss.step_by(&arranged.concat(), &golden.targets, &weights);
        let terms = loss.terms_by(leaf.clone(), &golden.targets, &weights);
        golden.compare(&loss, step, leaf, terms, &order);
        let members = golden.targets.labels().iter().filter(|label| matches!(label, Label::Class(_))).count();
        assert!(members > 0);
    }
}
