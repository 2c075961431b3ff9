//! Compares our detectors with torchvision's: `cargo run --release -p equipoise-train --example torchvision_parity -- FOLDER`, on the folder that
//! `parity/torchvision_detectors.py` made.
//!
//! The built-in recipe `torchvision`, weights by torchvision's names. Prints the largest difference of each kind, relative to the
//! largest number of the tensor, and exits with 1 if one is above its limit.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use equipoise_data::{Batch, BatchImage, Bitmap, Dataset, EpochKey, ImageId, ImageRecord, load_batch, picture};
use equipoise_detect::weights::{self, Weight, Weights, from_safetensors, with_weights};
use equipoise_detect::{DetectorConfig, FasterRcnn, Found, ParamPath, naming, torchvision};
use equipoise_loss::{ClassLoss, GradientLedger, TrainingFacts};
use equipoise_train::Recipe;
use serde::Deserialize;

const RECIPE: &str = include_str!("../../cli/recipes/torchvision.toml");
/// A hundred layers of f32 sums in another order.
const LIMIT: f64 = 1e-4;
/// A unit whose input is within a rounding error of 0 may be open on one side and closed on the other, and everything below it then
/// has another gradient. So gradients are compared with torchvision's in float64, from which ours may be at most this many times as far
/// as torchvision's own in f32 are, or as far as [`LIMIT`]: in the worst of all cases, since it is chance which side opens a unit in which case.
const TIMES_THEIRS: f64 = 2.0;
/// Pixels are whole levels of grey here, and not there: one level, in units of the smallest deviation.
const ONE_LEVEL: f64 = 1.05 / 255.0 / 0.224;

/// Ours, and theirs in f32.
const HEADS: [&str; 2] = ["gradients of heads", "gradients of heads, theirs"];
const BELOW: [&str; 2] = ["gradients below", "gradients below, theirs"];

#[derive(Deserialize)]
struct Plan {
    cases: Vec<Case>,
    loader: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    batches: usize,
    overrides: Vec<String>,
}

/// The largest difference of each kind.
#[derive(Default)]
struct Verdict {
    worst: BTreeMap<String, f64>,
}

impl Verdict {
    fn note(&mut self, kind: &str, difference: f64) {
        let worst = self.worst.entry(kind.to_string()).or_default();
        // A NaN is the worst of all.
        *worst = if difference.is_nan() { f64::INFINITY } else { worst.max(difference) };
    }

    fn compare(&mut self, kind: &str, ours: &[f32], theirs: &[f32]) {
        self.note(kind, difference(ours, theirs));
    }
}

/// Largest difference over the largest number; infinite where the lengths differ.
fn difference(ours: &[f32], theirs: &[f32]) -> f64 {
    if ours.len() != theirs.len() {
        return f64::INFINITY;
    }
    let scale = theirs.iter().fold(1e-12_f32, |most, value| most.max(value.abs()));
    let apart = ours.iter().zip(theirs).map(|(a, b)| f64::from((a - b).abs()));
    apart.fold(0.0, |most: f64, apart| if apart.is_nan() { f64::INFINITY } else { most.max(apart) }) / f64::from(scale)
}

fn read(path: &Path) -> Result<Weights, Box<dyn Error>> {
    Ok(from_safetensors(&std::fs::read(path)?, path)?)
}

fn values<'a>(tensors: &'a Weights, name: &str) -> &'a [f32] {
    tensors.get(name).map_or(&[], |tensor| &tensor.values)
}

fn boxes(values: &[f32]) -> Vec<[f32; 4]> {
    values.as_chunks::<4>().0.to_vec()
}

/// The batch that torchvision saw.
fn batch(tensors: &Weights) -> Batch {
    let pixels = &tensors["pixels"];
    let shape = [0, 1, 2, 3].map(|axis| pixels.shape[axis]);
    let image = |index: usize| {
        let size = [0, 1].map(|axis| values(tensors, &format!("size.{index}"))[axis] as usize);
        let masks = values(tensors, &format!("truth.masks.{index}"));
        let mask = |bits: &[f32]| Some(Bitmap::from_fn([0, 0, size[1], size[0]], |x, y| bits[y * size[1] + x] > 0.5));
        BatchImage {
            index,
            id: ImageId(index as u64),
            size,
            original: size,
            scale: [1.0; 2],
            offset: [0.0; 2],
            flipped: false,
            boxes: boxes(values(tensors, &format!("truth.boxes.{index}"))),
            // Background is class 0 there.
            classes: values(tensors, &format!("truth.labels.{index}"))
                .iter()
                .map(|label| *label as usize - 1)
                .collect(),
            masks: masks.chunks_exact(size[0] * size[1]).map(mask).collect(),
            crowds: vec![],
            exhaustive: None,
        }
    };
    Batch { pixels: pixels.values.clone(), shape, images: (0..shape[0]).map(image).collect() }
}

fn predict(verdict: &mut Verdict, detector: &FasterRcnn, loss: &dyn ClassLoss, recipe: &Recipe, theirs: &Weights) {
    let (device, batch) = (Device::flex(), batch(theirs));
    let levels = detector.levels(&batch, &device);
    for (level, map) in levels.iter().enumerate() {
        verdict.compare("pyramid", &weights::host(map), values(theirs, &format!("level.{level}")));
    }
    for (key, training) in [("proposals", false), ("train_proposals", true)] {
        for (image, proposals) in detector.propose(&batch, &levels, training).iter().enumerate() {
            // Proposals whose scores are the same in f32 may change places.
            let in_order = |mut boxes: Vec<[f32; 4]>| {
                boxes.sort_by_key(|bbox| bbox.map(|value| (value * 16.0).round() as i64));
                boxes.into_flattened()
            };
            let theirs = boxes(values(theirs, &format!("{key}.{image}")));
            verdict.compare(key, &in_order(proposals.clone()), &in_order(theirs));
        }
    }
    for (image, found) in detector.detect(&batch, &device, loss, &recipe.detect).iter().enumerate() {
        let theirs = |key: &str| values(theirs, &format!("found.{key}.{image}"));
        let of = |value: fn(&Found) -> f32| found.iter().map(value).collect::<Vec<f32>>();
        let bboxes: Vec<f32> = found.iter().flat_map(|found| found.bbox).collect();
        verdict.compare("boxes", &bboxes, theirs("boxes"));
        verdict.compare("scores", &of(|found| found.score), theirs("scores"));
        verdict.compare("classes", &of(|found| found.class as f32 + 1.0), theirs("labels"));
        if recipe.detector.masks() {
            let chances = found.iter().flat_map(|found| found.mask.iter().flat_map(|mask| mask.chances.clone()));
            // Beyond 6 a chance in f32 has too few digits left to tell its logit.
            let clamp = |logit: f32| logit.clamp(-6.0, 6.0);
            let logit = |p: f32| clamp((f64::from(p) / (1.0 - f64::from(p))).ln() as f32);
            let expected: Vec<f32> = theirs("masks").iter().map(|logit| clamp(*logit)).collect();
            verdict.compare("mask logits", &chances.map(logit).collect::<Vec<f32>>(), &expected);
        }
    }
}

/// Gradients by the path of their parameter.
struct Reader {
    path: ParamPath,
    gradients: Gradients,
    found: Weights,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(&mut self.gradients) {
            let weight = Weight { shape: gradient.dims().to_vec(), values: weights::host(&gradient) };
            self.found.insert(self.path.name(), weight);
        }
    }
}

fn train(
    verdict: &mut Verdict,
    detector: &FasterRcnn,
    loss: &dyn ClassLoss,
    classes: usize,
    theirs: &Weights,
) -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    let output = detector.forward_train(&batch(theirs), &device, 0)?;
    let class = loss.step(output.logits.clone(), &output.targets, &GradientLedger::of(loss, classes))?;
    verdict.compare("losses", &[class.value as f32], values(theirs, "loss.loss_classifier"));
    let mut total = (output.logits * Tensor::from_inner(class.gradient)).sum();
    for (name, loss) in output.losses {
        let theirs_name = match name {
            "rpn_objectness" => "loss.loss_objectness",
            "rpn_box" => "loss.loss_rpn_box_reg",
            "box" => "loss.loss_box_reg",
            _ => "loss.loss_mask",
        };
        verdict.compare("losses", &[loss.clone().inner().into_scalar::<f32>()], values(theirs, theirs_name));
        total = total + loss;
    }
    let mut reader = Reader { path: ParamPath::default(), gradients: total.backward(), found: Weights::new() };
    detector.visit(&mut reader);
    let named = |prefix: &str| {
        let own =
            theirs.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_string(), value.clone())));
        torchvision::rename_detector(own.collect())
    };
    let (rounded, exact) = (named("grad."), named("exact."));
    let names: BTreeSet<&String> = exact.keys().chain(reader.found.keys()).collect();
    for name in names {
        let of = |gradients: &Weights| gradients.get(name).map(|gradient| gradient.values.clone()).unwrap_or_default();
        let below = name.starts_with("backbone.") || name.starts_with("fpn.");
        for (kind, gradients) in (if below { BELOW } else { HEADS }).into_iter().zip([&reader.found, &rounded]) {
            verdict.note(kind, difference(&of(gradients), &of(&exact)));
        }
    }
    Ok(())
}

/// The loader by the same recipe on the same files: sizes, padding and pixels.
fn load(verdict: &mut Verdict, folder: &Path, overrides: &[String]) -> Result<(), Box<dyn Error>> {
    let config = Recipe::parse("torchvision", RECIPE, overrides)?.loader.without_augmentation();
    let theirs = read(&folder.join("transform.safetensors"))?;
    let count = theirs.keys().filter(|name| name.starts_with("size.")).count();
    let record = |at: usize| -> Result<ImageRecord, Box<dyn Error>> {
        let path: PathBuf = folder.join(format!("picture{at}.png"));
        let [width, height] = picture::dimensions(&path)?;
        let (objects, negative, not_exhaustive) = (vec![], vec![], vec![]);
        Ok(ImageRecord { id: ImageId(at as u64), path, width, height, objects, negative, not_exhaustive })
    };
    let images = (0..count).map(record).collect::<Result<Vec<_>, _>>()?;
    let dataset = Dataset { source: folder.into(), categories: vec![], images, federated: false, warnings: vec![] };
    for at in 0..count {
        let batch = load_batch(&dataset, &[at], &config, EpochKey::default(), 0)?;
        let size = batch.images[0].size.map(|side| side as f32);
        verdict.compare("picture sizes", &size, values(&theirs, &format!("size.{at}")));
        let expected = values(&theirs, &format!("pixels.{at}"));
        let same = batch.pixels.len() == expected.len();
        let apart = batch.pixels.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        verdict.note("pixels, absolute", if same { apart } else { f64::INFINITY });
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("give the folder of parity/torchvision_detectors.py")?);
    let plan: Plan = serde_json::from_slice(&std::fs::read(folder.join("cases.json"))?)?;
    let (mut right, mut gradients) = (true, Verdict::default());
    let mut report = |name: &str, verdict: Verdict| {
        println!("{name}");
        for (kind, worst) in verdict.worst {
            let limit = match kind.as_str() {
                "pixels, absolute" => ONE_LEVEL,
                kind if kind.starts_with("gradients") => {
                    gradients.note(kind, worst);
                    f64::INFINITY
                }
                _ => LIMIT,
            };
            let passes = worst <= limit;
            right &= passes;
            println!("  {kind:26} {worst:.1e}{}", if passes { "" } else { "  TOO FAR" });
        }
    };
    let mut verdict = Verdict::default();
    load(&mut verdict, &folder, &plan.loader)?;
    report("pictures", verdict);
    for case in &plan.cases {
        let recipe = Recipe::parse("torchvision", RECIPE, &case.overrides)?;
        let loss = recipe.loss.build(&TrainingFacts::default())?;
        let make = |device: &Device| -> Result<FasterRcnn, Box<dyn Error>> {
            let DetectorConfig::FasterRcnn(config) = &recipe.detector else { return Err("another detector".into()) };
            let fresh = FasterRcnn::new(config, case.classes, &*loss, 0, device)?;
            let theirs = naming::to_ours(read(&folder.join(format!("{}.safetensors", case.name)))?);
            Ok(with_weights(fresh, theirs, |_| false)?)
        };
        let (still, learning) = (make(&Device::flex())?, make(&Device::flex().autodiff())?);
        let mut verdict = Verdict::default();
        for at in 0..case.batches {
            let theirs = read(&folder.join(format!("{}.batch{at}.safetensors", case.name)))?;
            predict(&mut verdict, &still, &*loss, &recipe, &theirs);
            train(&mut verdict, &learning, &*loss, case.classes, &theirs)?;
        }
        report(&case.name, verdict);
    }
    for [ours, theirs] in [HEADS, BELOW] {
        let of = |kind: &str| gradients.worst.get(kind).copied().unwrap_or(f64::INFINITY);
        let passes = of(ours) <= LIMIT.max(TIMES_THEIRS * of(theirs));
        right &= passes;
        println!("{ours}: {:.1e}, theirs {:.1e}{}", of(ours), of(theirs), if passes { "" } else { "  TOO FAR" });
    }
    if right { Ok(()) } else { Err("our numbers are not torchvision's".into()) }
}
