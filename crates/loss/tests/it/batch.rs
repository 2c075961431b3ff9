//! Random batches whose logits are exact in f32, and the comparisons that several modules share.

use burn::tensor::{Device, Tensor, TensorData};
use equipoise_loss::{
    ClassLoss, ClassTargets, GradientLedger, Label, LedgerDelta, LossError, LossStep, Memory, TrainingFacts, registry,
};
use serde_json::{Value, json};

/// A loss of the registry with the options of a JSON object.
pub fn build(name: &str, options: Value, facts: &TrainingFacts) -> Result<Box<dyn ClassLoss>, LossError> {
    registry::build(name, options.as_object().unwrap(), facts)
}

/// SplitMix64: a few lines, the same numbers on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Uniform in `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Where the tensors of the tests live: on the CPU, or where `EQUIPOISE_TEST_DEVICE` says in a build with that feature.
pub fn device() -> Device {
    match std::env::var("EQUIPOISE_TEST_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Device::flex(),
        #[cfg(feature = "wgpu")]
        Ok("wgpu") => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        Ok(other) => panic!("EQUIPOISE_TEST_DEVICE: this build has no `{other}`"),
    }
}

/// Whether the tests run on the CPU, which promises more than other devices.
pub fn on_cpu() -> bool {
    device() == Device::flex()
}

/// What a batch has besides labels.
#[derive(Clone, Copy, Default)]
pub struct Extras {
    pub ignored: bool,
    pub weights: bool,
    pub judged: bool,
}

impl Extras {
    /// None, each alone, and all at once.
    pub const ALL: [Extras; 5] = [
        Extras { ignored: false, weights: false, judged: false },
        Extras { ignored: true, weights: false, judged: false },
        Extras { ignored: false, weights: true, judged: false },
        Extras { ignored: false, weights: false, judged: true },
        Extras { ignored: true, weights: true, judged: true },
    ];
}

/// One batch in the parts that targets are built from.
#[derive(Clone)]
pub struct Batch {
    pub classes: usize,
    pub channels: usize,
    pub labels: Vec<Label>,
    pub weights: Option<Vec<f32>>,
    pub judged: Option<Vec<bool>>,
    pub quality: Option<Vec<f32>>,
    pub logits: Vec<f64>,
    pub ledger: GradientLedger,
}

impl Batch {
    /// A batch with logits in ±6, every third row background, and a ledger in the middle of a training.
    pub fn random(seed: u64, rows: usize, classes: usize, channels: usize, extras: Extras) -> Self {
        let mut random = Random(seed);
        let mut labels = Vec::with_capacity(rows);
        for row in 0..rows {
            labels.push(match row % 6 {
                4 if extras.ignored => Label::Ignored,
                1 | 5 => Label::Background,
                _ => Label::Class(random.below(classes)),
            });
        }
        let weights = (0..rows).map(|_| random.between(0.0, 2.0) as f32).collect();
        let judged = (0..rows * classes)
            .map(|at| labels[at / classes] == Label::Class(at % classes) || random.below(3) > 0)
            .collect();
        let quality = extras.weights.then(|| (0..rows).map(|_| random.between(0.0, 1.0) as f32).collect());
        let logits = (0..rows * channels).map(|_| f64::from(random.between(-6.0, 6.0) as f32)).collect();
        Self {
            classes,
            channels,
            labels,
            weights: extras.weights.then_some(weights),
            judged: extras.judged.then_some(judged),
            quality,
            logits,
            ledger: mid_training(&mut random, classes),
        }
    }

    /// A batch for this loss: its channels, and a ledger that serves it.
    pub fn of(loss: &dyn ClassLoss, seed: u64, rows: usize, classes: usize, extras: Extras) -> Self {
        let batch = Self::random(seed, rows, classes, loss.channels(classes), extras);
        let mut random = Random(seed ^ 0xfeed);
        let ledger = batch.ledger.with_discount(loss.discount()).unwrap();
        let ledger = match loss.memory() {
            None => ledger,
            Some(spec) => {
                let values = (0..spec.len(classes)).map(|_| random.between(0.01, 1.0)).collect();
                ledger.with_memory(Memory { loss: spec.loss.into(), rule: spec.rule, values }).unwrap()
            }
        };
        Self { ledger, ..batch }
    }

    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    pub fn targets(&self) -> ClassTargets {
        let mut targets = ClassTargets::new(self.labels.clone(), self.classes).unwrap();
        if let Some(weights) = &self.weights {
            targets = targets.with_row_weights(weights.clone()).unwrap();
        }
        if let Some(judged) = &self.judged {
            targets = targets.with_judged(judged.clone()).unwrap();
        }
        if let Some(quality) = &self.quality {
            targets = targets.with_quality(quality.clone()).unwrap();
        }
        targets
    }

    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        tensor(&self.logits, self.channels, device)
    }

    /// The rows from `start` to `end` as a batch of their own.
    pub fn part(&self, start: usize, end: usize) -> Self {
        Self {
            labels: self.labels[start..end].to_vec(),
            weights: self.weights.as_ref().map(|weights| weights[start..end].to_vec()),
            judged: self.judged.as_ref().map(|judged| judged[start * self.classes..end * self.classes].to_vec()),
            quality: self.quality.as_ref().map(|quality| quality[start..end].to_vec()),
            logits: self.logits[start * self.channels..end * self.channels].to_vec(),
            ..self.clone()
        }
    }
}

/// A ledger whose ratios run from 0.01 to 10, with one class that has seen no positive and one that has seen nothing.
fn mid_training(random: &mut Random, classes: usize) -> GradientLedger {
    let negative: Vec<f64> = (0..classes).map(|_| random.between(5.0, 50.0)).collect();
    let mut positive: Vec<f64> =
        negative.iter().map(|negative| negative * 10f64.powf(random.between(-2.0, 1.0))).collect();
    let mut negative = negative;
    if classes > 2 {
        positive[classes - 2] = 0.0;
        (positive[classes - 1], negative[classes - 1]) = (0.0, 0.0);
    }
    GradientLedger::from_sums(positive, negative, vec![3.0; classes], 40).unwrap()
}

/// Logits `[R, C]` in f32.
pub fn tensor(logits: &[f64], channels: usize, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = logits.iter().map(|value| *value as f32).collect();
    Tensor::from_data(TensorData::new(values, [logits.len() / channels, channels]), device)
}

/// Values of a tensor, row by row.
pub fn values(tensor: &Tensor<2>) -> Vec<f64> {
    tensor.to_data_as::<f32>().try_to_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
}

/// The tensor step of a batch.
pub fn step(loss: &dyn ClassLoss, batch: &Batch) -> LossStep {
    loss.step(batch.tensor(&device()), &batch.targets(), &batch.ledger).unwrap()
}

/// Counts of a long tail over any number of classes: frequent, common, rare, and one class without an object.
pub fn facts(classes: usize) -> TrainingFacts {
    let count = |class: usize| [2000, 60, 2, 0, 400, 8][class % 6];
    TrainingFacts {
        image_counts: (0..classes).map(|class| count(class) / 2 + count(class) % 2).collect(),
        instance_counts: (0..classes).map(count).collect(),
        images: 4000,
        seed: 5,
        steps: 100,
    }
}

/// A registered loss with some options.
pub struct Variant {
    pub name: String,
    pub entry: &'static registry::Entry,
    pub options: registry::Options,
}

impl Variant {
    /// The loss for a training set with these counts.
    pub fn build(&self, facts: &TrainingFacts) -> Box<dyn ClassLoss> {
        self.entry.build(&self.options, facts).unwrap()
    }

    /// Whether it is one of these, whatever its options.
    pub fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.entry.card.name)
    }
}

/// Every registered loss with its defaults, then with each switch of its card flipped and with a loss weight of 2.5.
pub fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    for entry in registry::LOSSES {
        let mut add = |options: serde_json::Value| {
            let name = format!("{} {options}", entry.card.name);
            variants.push(Variant { name, entry, options: options.as_object().unwrap().clone() });
        };
        add(json!({}));
        for (option, default, _) in entry.card.options {
            match *default {
                "true" => add(json!({ *option: false })),
                "false" => add(json!({ *option: true })),
                _ if *option == "loss_weight" => add(json!({ *option: 2.5 })),
                _ => {}
            }
        }
        match entry.card.name {
            "eqlv2" => {
                add(json!({ "discount": 0.9 }));
                add(json!({ "easy_background": 0.3 }));
            }
            // The ledger of a batch has 40 steps of 100.
            "ldam" => add(json!({ "reweight_after": 0.3 })),
            _ => {}
        }
    }
    variants
}

/// All variants for so many classes.
pub fn losses(classes: usize) -> Vec<(Variant, Box<dyn ClassLoss>)> {
    let facts = facts(classes);
    variants()
        .into_iter()
        .map(|variant| (variant.build(&facts), variant))
        .map(|(loss, variant)| (variant, loss))
        .collect()
}

/// Losses that draw rows or classes: what they do to a row depends on the others.
pub const DRAWING: &[&str] = &["droploss", "federated", "acsl", "bags"];
/// Losses whose classes learn from foreground rows only.
pub const FOREGROUND_ONLY: &[&str] = &["seesaw", "softmax_eql", "softmax_eqlv2"];
/// Losses that leave out elements by design, and LDAM, whose small probabilities are 0 in f32.
pub const SPARSE: &[&str] = &["eql", "droploss", "acsl", "bags", "seesaw", "softmax_eql", "softmax_eqlv2", "ldam"];
/// Losses whose ledger sums have the normaliser inside.
pub const NORMALISED_SUMS: &[&str] = &["efl", "eqfl", "softmax_eql", "softmax_eqlv2", "bags"];

/// Asserts that two lists agree to `tolerance` times the larger of 1 and the expected value.
#[track_caller]
pub fn assert_close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: lengths differ");
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (got - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "{what}, value {at}: got {got}, expected {expected}, off by {error:e}");
    }
}

/// The sums for the memory of a loss, class after class.
pub fn remembered(delta: &LedgerDelta) -> Vec<f64> {
    delta.memory.iter().flatten().flat_map(|(class, row)| [vec![*class as f64], row.clone()].concat()).collect()
}
