//! Training steps and predictions of whole detectors, on made-up pictures of given size.

use burn::tensor::Device;
use equipoise_data::{Batch, BatchImage, CategoryId, ClassList, ImageId};
use equipoise_detect::DetectConfig;
use equipoise_loss::TrainingFacts;
use equipoise_train::{Learner, Recipe};

use super::measure::{Case, noise};

/// Classes of LVIS v1.
const CLASSES: usize = 1203;
/// Objects in a picture.
const OBJECTS: usize = 8;

/// A detector on pictures of a size.
struct Setting {
    name: &'static str,
    batch: usize,
    side: usize,
    classes: usize,
    recipe: &'static str,
}

/// ResNet-18 with everything else as published: all layers train, since there are no weights to freeze.
const RESNET18: &str = "detector.backbone = \"resnet18\"\ndetector.frozen_stages = 0\n";

/// Training steps from random weights, at a rate that changes next to nothing.
pub fn training(device: &Device) -> anyhow::Result<Vec<Case>> {
    let settings = [
        Setting { name: "light, step", batch: 8, side: 192, classes: 60, recipe: crate::commands::demo::RECIPE },
        Setting { name: "resnet18, step", batch: 2, side: 256, classes: CLASSES, recipe: RESNET18 },
    ];
    settings.into_iter().map(|setting| step(&setting, device)).collect()
}

/// Predictions.
pub fn prediction(device: &Device) -> anyhow::Result<Vec<Case>> {
    let settings = [
        Setting { name: "light, predict", batch: 1, side: 192, classes: 60, recipe: crate::commands::demo::RECIPE },
        Setting { name: "resnet18, predict", batch: 1, side: 320, classes: CLASSES, recipe: RESNET18 },
    ];
    settings.into_iter().map(|setting| predict(&setting, device)).collect()
}

impl Setting {
    fn learner(&self, device: &Device) -> anyhow::Result<Learner> {
        let ids = (0..self.classes as u64).map(CategoryId);
        let classes = ClassList { names: ids.clone().map(|id| id.0.to_string()).collect(), ids: ids.collect() };
        Ok(Learner::new(Recipe::parse(self.name, self.recipe, &[])?, &classes, TrainingFacts::default(), device)?)
    }

    fn shape(&self) -> String {
        format!("{} of {} px, {} classes", self.batch, self.side, self.classes)
    }

    fn pictures(&self) -> Batch {
        let mut random = noise(12);
        let shape = [self.batch, 3, self.side, self.side];
        let pixels = (0..shape.iter().product()).map(|_| 2.0 * random() - 1.0).collect();
        let side = self.side as f32;
        let mut image = |index: usize| {
            let mut bbox = || {
                let [w, h] = [0; 2].map(|_| side * (0.1 + 0.4 * random()));
                let [x, y] = [(side - w) * random(), (side - h) * random()];
                [x, y, x + w, y + h]
            };
            let boxes: Vec<_> = (0..OBJECTS).map(|_| bbox()).collect();
            BatchImage {
                index,
                id: ImageId(index as u64),
                size: [self.side; 2],
                original: [self.side; 2],
                scale: [1.0; 2],
                offset: [0.0; 2],
                flipped: false,
                classes: (0..OBJECTS).map(|object| (index * OBJECTS + object) % self.classes).collect(),
                boxes,
                masks: vec![],
                crowds: vec![],
                exhaustive: None,
            }
        };
        Batch { pixels, shape, images: (0..self.batch).map(&mut image).collect() }
    }
}

fn step(setting: &Setting, device: &Device) -> anyhow::Result<Case> {
    let (mut learner, pictures) = (setting.learner(device)?, setting.pictures());
    let work = move || {
        learner.step(1e-6, || Ok(pictures.clone()))?;
        Ok(())
    };
    Ok(Case::new(setting.name, &setting.shape(), work).with_units(setting.batch, "pictures"))
}

/// A score threshold at which random weights find nothing: what is timed is the network, not the sorting of noise.
fn predict(setting: &Setting, device: &Device) -> anyhow::Result<Case> {
    let learner = setting.learner(device)?;
    let (detector, pictures, device) = (learner.detector()?, setting.pictures(), device.clone());
    let limits = DetectConfig { score_threshold: 0.05, ..DetectConfig::default() };
    let work = move || {
        std::hint::black_box(detector.detect(&pictures, &device, learner.loss(), &limits));
        Ok(())
    };
    Ok(Case::new(setting.name, &setting.shape(), work).with_units(setting.batch, "pictures"))
}
