//! The second stage of decoupled training: what learns, what stays, and what is refused.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use equipoise_data::Dataset;
use equipoise_detect::weights::Weights;
use equipoise_eval::record::RunDir;
use equipoise_loss::calibration::norcal;
use equipoise_train::{Checkpoint, DecoupleMethod, Recipe, RowStatistics, TrainError, Trainer};

use crate::world::{CLASSES, dataset, finish, recipe, run, start};

/// The recipe of a second stage on the run in `first`.
fn second(first: &Path, method: DecoupleMethod, more: &[&str]) -> Recipe {
    let mut keys = vec![format!("weights={:?}", first.display().to_string())];
    keys.extend(method.overrides());
    keys.extend(more.iter().map(ToString::to_string));
    recipe(&keys.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Names whose values differ, or that one of both lacks.
fn changed(before: &Weights, after: &Weights) -> Vec<String> {
    after.iter().filter(|(name, weight)| before.get(*name) != Some(weight)).map(|(name, _)| name.clone()).collect()
}

fn first_stage(data: &Arc<Dataset>, dir: &Path, loss: &str) -> Weights {
    run(recipe(&[&format!("loss.name={loss}")]), data, dir).model
}

#[test]
fn the_classifier_alone_learns() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("first");
    let first = first_stage(&data, &folder, "softmax_ce");
    let classifier = ["roi_head.classifier.bias", "roi_head.classifier.weight"];
    let cases: [(_, &[&str]); 3] = [
        (DecoupleMethod::Crt, &classifier),
        (DecoupleMethod::Bags, &classifier),
        (DecoupleMethod::Lws, &["roi_head.scales"]),
    ];
    for (method, learns) in cases {
        let recipe = second(&folder, method, &[]);
        let out = dir.path().join(method.title());
        let mut trainer = start(recipe.clone(), &data, &out);
        trainer.save().unwrap();
        let fresh = Checkpoint::read(&out).unwrap().model;
        assert_eq!(changed(&first, &fresh), learns, "{method:?} before its first step");
        finish(&mut trainer);
        let last = Checkpoint::read(&out).unwrap();
        assert_eq!(changed(&fresh, &last.model), learns, "{method:?}");
        assert_eq!(last.velocity.keys().collect::<Vec<_>>(), learns, "{method:?} has velocity for what learns");
        if method == DecoupleMethod::Lws {
            assert_eq!(fresh["roi_head.scales"].values, [1.0; CLASSES + 1]);
        } else {
            assert_eq!(recipe.sampler.name == "class-aware", method == DecoupleMethod::Crt);
        }
    }
}

#[test]
fn a_second_stage_resumes_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("first");
    first_stage(&data, &folder, "sigmoid_bce");
    let recipe = second(&folder, DecoupleMethod::Lws, &["ema=0.9"]);
    let whole = run(recipe.clone(), &data, &dir.path().join("whole"));
    let halves = dir.path().join("halves");
    let mut trainer = start(recipe, &data, &halves);
    for _ in 0..3 {
        trainer.step().unwrap();
    }
    drop(trainer);
    finish(&mut Trainer::resume(data.clone(), RunDir::new(&halves), &Device::flex()).unwrap());
    let resumed = Checkpoint::read(&halves).unwrap();
    assert_eq!((resumed.model, resumed.average), (whole.model, whole.average));
}

#[test]
fn tau_normalisation_takes_no_step() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("first");
    let first = first_stage(&data, &folder, "softmax_ce");
    let normed = run(second(&folder, DecoupleMethod::TauNorm, &["decouple.tau=1.0"]), &data, &dir.path().join("tau"));
    assert_eq!(normed.state.step, 0);
    assert_eq!(changed(&first, &normed.model), ["roi_head.classifier.bias", "roi_head.classifier.weight"]);
    let length = |weights: &Weights, class: usize| {
        let column = weights["roi_head.classifier.weight"].values.iter().skip(class).step_by(CLASSES + 1);
        column.map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt()
    };
    for class in 0..CLASSES {
        assert!((length(&normed.model, class) - 1.0).abs() < 1e-6, "class {class}");
        assert_eq!(normed.model["roi_head.classifier.bias"].values[class], 0.0);
    }
    assert_eq!(length(&normed.model, CLASSES), length(&first, CLASSES), "background stays");
}

#[test]
fn what_cannot_work_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("first");
    first_stage(&data, &folder, "softmax_ce");
    let parse = |keys: &[String]| Recipe::parse("of the test", "", keys).unwrap_err().to_string();
    assert!(parse(&DecoupleMethod::Crt.overrides()).contains("--from RUN"));
    let weights = format!("weights={:?}", folder.display().to_string());
    assert!(parse(&[weights, "decouple.method=lws".into()]).contains("class_scales"));
    let fails = |recipe: Recipe, data: &Arc<Dataset>| {
        let dir = RunDir::new(dir.path().join("refused"));
        Trainer::start(recipe, "test", data.clone(), dir, &Device::flex()).err().map(|error| error.to_string())
    };
    // The scales of classes that the old classifier does not know would be the scales of noise.
    let mut fewer = Dataset::clone(&data);
    fewer.categories.pop();
    let error = fails(second(&folder, DecoupleMethod::Lws, &[]), &fewer.into()).unwrap();
    assert!(error.contains("the first has 4 classes and the second 3"), "{error}");
    let cosine = dir.path().join("cosine");
    first_stage(&data, &cosine, "ldam");
    let error = fails(second(&cosine, DecoupleMethod::TauNorm, &["loss.name=ldam"]), &data).unwrap();
    assert!(error.contains("length 1"), "{error}");
}

#[test]
fn a_checkpoint_keeps_its_calibration() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let folder = dir.path().join("run");
    let mut checkpoint = run(recipe(&["loss.name=softmax_ce"]), &data, &folder);
    let counts = checkpoint.state.facts.image_counts.clone();
    let calibration = norcal(&counts, CLASSES + 1, 1.0).unwrap();
    checkpoint.state.calibration = Some(calibration.clone());
    let last = RunDir::new(&folder).last_checkpoint();
    checkpoint.write(&last).unwrap();
    let (_, loss) = Checkpoint::read(&folder).unwrap().detector(&Device::flex()).unwrap();
    let row = [0.5, -1.0, 2.0, 0.0, 1.0];
    let plain = recipe(&["loss.name=softmax_ce"]).loss.build(&checkpoint.state.facts).unwrap();
    assert_eq!(loss.scores_f64(&row), calibration.scores_f64(&*plain, &row));
    assert_ne!(loss.scores_f64(&row), plain.scores_f64(&row));
    // One of another head is refused before it is used.
    checkpoint.state.calibration = Some(norcal(&counts, CLASSES + 2, 1.0).unwrap());
    checkpoint.write(&last).unwrap();
    assert!(matches!(Checkpoint::read(&folder), Err(TrainError::Checkpoint { .. })));
}

#[test]
fn rows_are_those_of_training() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), true, false);
    let checkpoint = run(recipe(&["loss.name=softmax_ce"]), &data, &dir.path().join("run"));
    let (detector, _) = checkpoint.detector(&Device::flex()).unwrap();
    let of = |stop_at: u64| {
        RowStatistics::of(&detector, &data, &checkpoint.state.recipe, &Device::flex(), |seen| seen < stop_at).unwrap()
    };
    let rows = of(u64::MAX).unwrap();
    assert_eq!(rows.logits.mean().len(), CLASSES + 1);
    assert!(rows.logits.variance().iter().all(|variance| *variance > 0.0));
    assert_eq!(rows.labels[CLASSES - 1], 0, "the last class has no object");
    assert!(rows.labels[..CLASSES - 1].iter().all(|rows| *rows > 0) && rows.labels[CLASSES] > 0);
    assert_eq!(of(4), None, "the user may stop it");
}
