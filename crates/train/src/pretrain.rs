//! Pretraining of a backbone on crops of single drawings, none of them a class of the demo set.
//!
//! A detector that starts from random weights needs most of a short run to learn edges and shapes. Here the backbone learns
//! them once, as a classifier with batch normalisation and softmax over the crops' classes; the detector then starts from its
//! weights with the statistics frozen.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use equipoise_data::demo::CropSet;
use equipoise_data::{IMAGENET_MEAN, IMAGENET_STD};
use equipoise_detect::Init;
use equipoise_detect::backbone::{Backbone, BackboneSpec};
use equipoise_detect::layers::{Linear, NormKind};
use equipoise_detect::weights::{Weights, weights_of};
use rayon::prelude::*;

use crate::recipe::{OptimizerConfig, ScheduleConfig, ScheduleKind};
use crate::sgd::{self, FlatTensors, Sgd};
use crate::{Result, TrainError};

/// Size and schedule of a pretraining.
#[derive(Clone, Debug, PartialEq)]
pub struct PretrainConfig {
    /// Name of the backbone.
    pub backbone: String,
    /// Side of a crop in pixels.
    pub side: usize,
    /// Crops of a step.
    pub batch: usize,
    /// Steps.
    pub steps: u64,
    /// Peak of the learning rate.
    pub lr: f64,
    /// Seed of weights and crops.
    pub seed: u64,
}

impl Default for PretrainConfig {
    fn default() -> Self {
        Self { backbone: "light".into(), side: 64, batch: 64, steps: 3000, lr: 0.1, seed: 1 }
    }
}

#[derive(Module, Debug)]
struct Classifier {
    backbone: Backbone,
    head: Linear,
}

impl Classifier {
    /// `[N, 3, S, S]` → `[N, K]`: mean of the last map, then a linear layer.
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let map = self.backbone.forward(x).pop().expect("a backbone has a stage");
        let [images, channels, height, width] = map.dims();
        let pooled = map.reshape([images, channels, height * width]).mean_dim(2).reshape([images, channels]);
        self.head.forward(pooled)
    }
}

/// A pretraining under way.
pub struct Pretrainer {
    config: PretrainConfig,
    crops: CropSet,
    device: Device,
    model: Classifier,
    sgd: Sgd,
    schedule: ScheduleConfig,
    step: u64,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PretrainReport {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub total_steps: u64,
    /// Cross-entropy of the batch before the step.
    pub loss: f64,
    /// Share of the batch whose class scored highest.
    pub accuracy: f64,
}

impl Pretrainer {
    /// A pretraining with fresh weights.
    ///
    /// # Errors
    /// When backbone or side are unknown.
    pub fn new(config: PretrainConfig, device: &Device) -> Result<Self> {
        let spec = BackboneSpec::find(&config.backbone)?;
        let crops = CropSet::new(config.side)?;
        let device = device.clone().autodiff();
        let mut init = Init::new(config.seed, &device);
        let channels = spec.channels();
        let backbone = Backbone::new(spec, NormKind::Batch, 0, &mut init);
        let head = Linear::new(&mut init, channels[channels.len() - 1], 0.01, vec![0.0; crops.num_classes()]);
        let warmup_steps = (config.steps / 20).max(1);
        let schedule =
            ScheduleConfig { kind: ScheduleKind::Cosine, factor: 0.0, warmup_steps, ..ScheduleConfig::default() };
        Ok(Self { model: Classifier { backbone, head }, sgd: Sgd::default(), step: 0, config, crops, device, schedule })
    }

    /// One step, or `None` when all are done.
    ///
    /// # Errors
    /// When the loss is not finite.
    pub fn step(&mut self) -> Result<Option<PretrainReport>> {
        if self.step >= self.config.steps {
            return Ok(None);
        }
        let (pixels, labels) = self.batch(self.config.seed, self.step);
        let logits = self.model.forward(pixels);
        let accuracy = accuracy(&logits, &labels);
        let classes = self.crops.num_classes();
        let indices = Tensor::<2, Int>::from_data(TensorData::new(labels, [self.config.batch, 1]), &self.device);
        let one_hot = Tensor::<2>::zeros([self.config.batch, classes], &self.device).scatter(
            1,
            indices,
            Tensor::ones([self.config.batch, 1], &self.device),
            burn::tensor::IndexingUpdateOp::Add,
        );
        let loss = (activation::log_softmax(logits, 1) * one_hot).sum().div_scalar(-(self.config.batch as f32));
        let value = f64::from(loss.clone().inner().into_scalar::<f32>());
        if !value.is_finite() {
            return Err(TrainError::NotFinite { step: self.step + 1, term: "cross-entropy".into(), value });
        }
        let mut gradients = FlatTensors::new();
        sgd::add_gradients(&mut gradients, &self.model, loss.backward());
        let lr = self.config.lr * self.schedule.factor_at(self.step, self.config.steps);
        let optimizer = OptimizerConfig { lr, weight_decay: 5e-4, ..OptimizerConfig::default() };
        self.model = self.sgd.update(self.model.clone(), gradients, 1.0, lr, optimizer);
        self.step += 1;
        Ok(Some(PretrainReport { step: self.step, total_steps: self.config.steps, loss: value, accuracy }))
    }

    /// Accuracy by the running statistics on `batches` batches of crops that training has not drawn.
    pub fn validate(&self, batches: u64) -> f64 {
        let model = self.model.valid();
        let device = self.device.clone().inner();
        let seed = self.config.seed ^ 0x5eed_0000_0000_0000;
        let score = |batch| {
            let (pixels, labels) = self.batch(seed, batch);
            accuracy(&model.forward(pixels.inner().to_device(&device)), &labels)
        };
        (0..batches).map(score).sum::<f64>() / batches.max(1) as f64
    }

    /// The backbone's weights, under the names that a detector uses.
    pub fn weights(&self) -> Weights {
        weights_of(&self.model.valid()).into_iter().filter(|(name, _)| name.starts_with("backbone.")).collect()
    }

    fn batch(&self, seed: u64, batch: u64) -> (Tensor<4>, Vec<i64>) {
        let (side, count) = (self.config.side, self.config.batch);
        let first = batch * count as u64;
        let crops: Vec<(Vec<u8>, usize)> =
            (0..count as u64).into_par_iter().map(|index| self.crops.crop(seed, first + index)).collect();
        let mut pixels = Vec::with_capacity(count * 3 * side * side);
        let mut labels = Vec::with_capacity(count);
        for (rgb, class) in crops {
            for channel in 0..3 {
                let (mean, std) = (IMAGENET_MEAN[channel], IMAGENET_STD[channel]);
                pixels
                    .extend(rgb.iter().skip(channel).step_by(3).map(|value| (f32::from(*value) / 255.0 - mean) / std));
            }
            labels.push(class as i64);
        }
        let data = TensorData::new(pixels, [count, 3, side, side]);
        (Tensor::from_data(data, &self.device), labels)
    }
}

fn accuracy(logits: &Tensor<2>, labels: &[i64]) -> f64 {
    let [rows, classes] = logits.dims();
    let values = equipoise_detect::weights::host(logits);
    let right = values.chunks_exact(classes).zip(labels).filter(|(row, label)| {
        let best = (0..classes).max_by(|a, b| row[*a].total_cmp(&row[*b]));
        best == usize::try_from(**label).ok()
    });
    right.count() as f64 / rows.max(1) as f64
}
