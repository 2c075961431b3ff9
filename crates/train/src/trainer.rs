//! The loop.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use equipoise_data::{ClassList, Dataset, sampler};
use equipoise_detect::FasterRcnn;
use equipoise_detect::weights::{self, Weights};
use equipoise_eval::record::{HistoryWriter, LedgerRow, LedgerWriter, RunDir, RunMeta};
use equipoise_loss::{ClassLoss, GradientLedger, LedgerDelta, LossError};

use crate::checkpoint::{Checkpoint, CheckpointState, DataMark, to_device, to_host};
use crate::recipe::LedgerCommit;
use crate::sgd::{self, FlatTensors, Sgd};
use crate::stream::Stream;
use crate::window::Window;
use crate::{Recipe, Result, TrainError, average, initial_weights};

/// A training: its state, its record on disk, and how to go one step further.
pub struct Trainer {
    recipe: Recipe,
    dataset: Arc<Dataset>,
    classes: ClassList,
    device: Device,
    dir: RunDir,
    /// `None` only while the optimizer has it.
    detector: Option<FasterRcnn>,
    loss: Box<dyn ClassLoss>,
    ledger: GradientLedger,
    sgd: Sgd,
    average: Weights,
    stream: Stream,
    step: u64,
    total_steps: u64,
    history: HistoryWriter,
    snapshots: LedgerWriter,
    window: Window,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Steps done, this one included.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// How often the data set has been seen.
    pub epoch: f64,
    /// Learning rate.
    pub lr: f64,
    /// Values of the losses by name, the classification first.
    pub losses: Vec<(&'static str, f64)>,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Images of the step.
    pub images: usize,
}

impl StepReport {
    /// Sum of the losses.
    pub fn loss(&self) -> f64 {
        self.losses.iter().map(|(_, value)| value).sum()
    }
}

impl Trainer {
    /// A new run in an empty directory.
    ///
    /// # Errors
    /// When recipe, data and initial weights do not fit, or the directory holds a run already.
    pub fn start(recipe: Recipe, title: &str, dataset: Arc<Dataset>, dir: RunDir, device: &Device) -> Result<Self> {
        // A run that stopped before its first checkpoint has nothing to lose.
        if Checkpoint::file(&dir.last_checkpoint()).exists() {
            return Err(TrainError::RunExists { path: dir.root().to_path_buf() });
        }
        check_frozen(&recipe)?;
        let device = device.clone().autodiff();
        let loss = recipe.loss.build()?;
        let detector = FasterRcnn::new(&recipe.detector, dataset.num_classes(), &*loss, recipe.seed, &device)?;
        let detector = initial_weights::load(detector, &recipe.weights)?;
        check_stride(&recipe, &detector)?;
        let (total_steps, stream) = (total_steps(&recipe, &dataset)?, stream(&recipe, &dataset, 0)?);
        // Nothing is written before everything fits: a folder with half a run would refuse the next try.
        let dir = RunDir::create(dir.root())?;
        write_text(&dir.recipe(), &recipe.to_toml())?;
        let name = dir.root().file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
        let meta = RunMeta {
            name,
            title: title.to_string(),
            loss: recipe.loss.name.clone(),
            sampler: recipe.sampler.name.clone(),
            seed: recipe.seed,
            steps: total_steps,
            lr: recipe.optimizer.lr,
            batch: recipe.images_of_a_step(),
            parameters: detector.num_params() as u64,
            ..RunMeta::default()
        };
        meta.write(&dir.meta())?;
        let (history, snapshots) = (HistoryWriter::create(&dir.history())?, LedgerWriter::create(&dir.ledger())?);
        Ok(Self {
            stream,
            classes: ClassList::of(&dataset),
            ledger: GradientLedger::new(dataset.num_classes()),
            sgd: Sgd::default(),
            average: Weights::new(),
            step: 0,
            window: Window::default(),
            recipe,
            dataset,
            device,
            dir,
            detector: Some(detector),
            loss,
            total_steps,
            history,
            snapshots,
        })
    }

    /// Goes on with the run in `dir` from its last checkpoint, with the recipe that the checkpoint holds.
    ///
    /// # Errors
    /// When there is no checkpoint, it is damaged, or it belongs to other classes.
    pub fn resume(dataset: Arc<Dataset>, dir: RunDir, device: &Device) -> Result<Self> {
        let device = device.clone().autodiff();
        let path = dir.last_checkpoint();
        let checkpoint = Checkpoint::read(&path)?;
        let classes = ClassList::of(&dataset);
        checkpoint.check_classes(&path, &classes)?;
        checkpoint.check_data(&path, &dataset)?;
        let CheckpointState { recipe, step, ledger, window, .. } = checkpoint.state;
        let loss = recipe.loss.build()?;
        let detector = FasterRcnn::new(&recipe.detector, dataset.num_classes(), &*loss, recipe.seed, &device)?;
        check_stride(&recipe, &detector)?;
        // First: it refuses an empty data set, whose stream would never hand out a batch.
        let total_steps = total_steps(&recipe, &dataset)?;
        Ok(Self {
            detector: Some(weights::with_weights(detector, checkpoint.model, |_| false)?),
            stream: stream(&recipe, &dataset, step * recipe.accumulate as u64)?,
            total_steps,
            history: HistoryWriter::resume(&dir.history(), step)?,
            snapshots: LedgerWriter::resume(&dir.ledger(), step)?,
            sgd: Sgd::with_velocity(to_device(checkpoint.velocity, &device.clone().inner())),
            average: checkpoint.average,
            window,
            recipe,
            dataset,
            classes,
            device,
            dir,
            loss,
            ledger,
            step,
        })
    }

    /// One optimizer step, or `None` when the run is done.
    ///
    /// # Errors
    /// When a picture cannot be read, a term of the loss is not finite, or the record cannot be written.
    pub fn step(&mut self) -> Result<Option<StepReport>> {
        if self.step >= self.total_steps {
            return Ok(None);
        }
        let lr = self.recipe.optimizer.lr * self.recipe.schedule.factor_at(self.step, self.total_steps);
        let mut gradients = FlatTensors::new();
        let mut delta = LedgerDelta::zeros(self.ledger.num_classes());
        // Becomes the run's ledger when the step is done: a step that fails in the middle leaves no trace.
        let mut ledger = self.ledger.clone();
        let mut losses: Vec<(&'static str, f64)> = Vec::new();
        let mut images = 0;
        for pass in 0..self.recipe.accumulate {
            let batch = self.stream.next_batch()?;
            images += batch.images.len();
            let output = self.module().forward_train(&batch, &self.device, self.pass_seed(pass))?;
            let class = self.loss.step(output.logits.clone(), &output.targets, &ledger);
            let class = class.map_err(|error| self.named(error))?;
            self.note(&mut losses, "classification", class.value)?;
            // The gradient of this product with respect to the weights is the classification loss's.
            let mut total = (output.logits * Tensor::from_inner(class.gradient)).sum();
            for (name, loss) in output.losses {
                self.note(&mut losses, name, f64::from(loss.clone().inner().into_scalar::<f32>()))?;
                total = total + loss;
            }
            sgd::add_gradients(&mut gradients, self.module(), total.backward());
            match self.recipe.ledger {
                LedgerCommit::Step => delta += &class.delta,
                LedgerCommit::Forward => ledger.commit(&class.delta)?,
            }
        }
        ledger.commit(&delta)?;
        let grad_norm = self.update(gradients, lr)?;
        self.ledger = ledger;
        self.step += 1;
        if self.recipe.ema > 0.0 {
            let weights = weights::weights_of(self.module());
            average::update_average(&mut self.average, weights, self.recipe.ema, self.step);
        }
        let passes = self.recipe.accumulate as f64;
        losses.iter_mut().for_each(|(_, value)| *value /= passes);
        let report = StepReport {
            step: self.step,
            total_steps: self.total_steps,
            epoch: self.epoch(),
            lr,
            losses,
            grad_norm,
            images,
        };
        self.record(&report)?;
        Ok(Some(report))
    }

    /// Means over the passes, clips and steps; returns the norm before clipping.
    fn update(&mut self, gradients: FlatTensors, lr: f64) -> Result<f64> {
        let mean = 1.0 / self.recipe.accumulate as f64;
        let norm = mean * sgd::norm(&gradients);
        self.finite("gradient norm", norm)?;
        let most = self.recipe.optimizer.clip_norm;
        let clip = if most > 0.0 && norm > most { most / norm } else { 1.0 };
        // By value, so that the optimizer holds the only handle on each tensor and can write where it lies.
        let detector = self.detector.take().expect("the detector is back after every update");
        self.detector = Some(self.sgd.update(detector, gradients, mean * clip, lr, self.recipe.optimizer));
        Ok(norm)
    }

    fn module(&self) -> &FasterRcnn {
        self.detector.as_ref().expect("the detector is back after every update")
    }

    fn note(&self, losses: &mut Vec<(&'static str, f64)>, name: &'static str, value: f64) -> Result<()> {
        self.finite(name, value)?;
        match losses.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += value,
            None => losses.push((name, value)),
        }
        Ok(())
    }

    /// A logit that is not finite, as the term of a step that broke.
    fn named(&self, error: LossError) -> TrainError {
        match error {
            LossError::NotFinite { value, .. } => {
                TrainError::NotFinite { step: self.step + 1, term: "classification (a logit)".into(), value }
            }
            other => other.into(),
        }
    }

    fn finite(&self, term: &str, value: f64) -> Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        Err(TrainError::NotFinite { step: self.step + 1, term: term.to_string(), value })
    }

    /// Which boxes train depends on (seed, step, pass) alone.
    fn pass_seed(&self, pass: usize) -> u64 {
        let pass = self.step * self.recipe.accumulate as u64 + pass as u64;
        self.recipe.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(pass)
    }

    fn epoch(&self) -> f64 {
        let images = self.step * self.recipe.images_of_a_step();
        images as f64 / self.dataset.images.len() as f64
    }

    fn record(&mut self, report: &StepReport) -> Result<()> {
        let last = self.step == self.total_steps;
        self.window.add(report);
        if self.step.is_multiple_of(self.recipe.log_every) || last {
            self.history.add(&self.window.take(report))?;
        }
        let every = (self.total_steps / self.recipe.snapshots.max(1)).max(1);
        if last || (self.recipe.snapshots > 0 && self.step.is_multiple_of(every)) {
            self.snapshots.add(&ledger_rows(&*self.loss, &self.ledger, &self.dataset, self.step))?;
        }
        if last || (self.recipe.save_every > 0 && self.step.is_multiple_of(self.recipe.save_every)) {
            self.save()?;
        }
        Ok(())
    }

    /// Writes the last checkpoint.
    ///
    /// # Errors
    /// When it cannot be written; the one before is then intact.
    pub fn save(&self) -> Result<()> {
        let state = CheckpointState {
            format: 1,
            step: self.step,
            recipe: self.recipe.clone(),
            classes: self.classes.clone(),
            ledger: self.ledger.clone(),
            window: self.window.clone(),
            data: DataMark::of(&self.dataset),
        };
        let checkpoint = Checkpoint {
            state,
            model: weights::weights_of(self.module()),
            velocity: to_host(self.sgd.velocity()),
            average: self.average.clone(),
        };
        checkpoint.write(&self.dir.last_checkpoint())
    }

    /// The detector for inference, with the averaged weights where the recipe asks for them.
    ///
    /// # Errors
    /// When weights and detector do not fit, which would be a defect.
    pub fn detector(&self) -> Result<FasterRcnn> {
        let detector = self.module().valid();
        if self.average.is_empty() {
            return Ok(detector);
        }
        Ok(weights::with_weights(detector, self.average.clone(), |_| false)?)
    }

    /// The loss.
    pub fn loss(&self) -> &dyn ClassLoss {
        &*self.loss
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The gradient ledger.
    pub fn ledger(&self) -> &GradientLedger {
        &self.ledger
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        self.total_steps
    }
}

/// A snapshot of the ledger as rows, with the weights that `loss` makes of it.
pub fn ledger_rows(loss: &dyn ClassLoss, ledger: &GradientLedger, dataset: &Dataset, step: u64) -> Vec<LedgerRow> {
    let row = |(class_index, category): (usize, &equipoise_data::Category)| {
        let (q, r) = loss.side_weights(ledger, class_index);
        LedgerRow {
            step,
            class_index,
            id: category.id,
            name: category.name.clone(),
            group: category.group,
            images: category.images,
            instances: category.instances,
            positive: ledger.positive()[class_index],
            negative: ledger.negative()[class_index],
            ratio: ledger.ratio(class_index),
            q,
            r,
        }
    };
    dataset.categories.iter().enumerate().map(row).collect()
}

/// Refuses to freeze layers that nothing has trained.
fn check_frozen(recipe: &Recipe) -> Result<()> {
    let frozen = recipe.detector.frozen_stages;
    if frozen == 0 || !recipe.weights.is_empty() {
        return Ok(());
    }
    Err(TrainError::Recipe {
        origin: "`detector.frozen_stages`".into(),
        reason: format!(
            "{frozen} parts of the backbone would stay random, since `weights` is empty; give `weights` (\"light\" for the light backbone, or a safetensors file by torchvision's names), or train all with detector.frozen_stages=0 and detector.norm=\"group\""
        ),
    })
}

fn check_stride(recipe: &Recipe, detector: &FasterRcnn) -> Result<()> {
    let (stride, needed) = (recipe.loader.stride, detector.picture_stride());
    if stride.is_multiple_of(needed) {
        return Ok(());
    }
    Err(TrainError::Recipe {
        origin: "`loader.stride`".into(),
        reason: format!(
            "{stride} does not fit the backbone `{}`: use a multiple of {needed}",
            recipe.detector.backbone
        ),
    })
}

fn total_steps(recipe: &Recipe, dataset: &Dataset) -> Result<u64> {
    let steps = (recipe.epochs * dataset.images.len() as f64 / recipe.images_of_a_step() as f64).floor();
    if dataset.images.len() < recipe.batch || steps < 1.0 {
        let (path, batch) = (dataset.source.clone(), recipe.batch);
        return Err(TrainError::TooFewImages { path, images: dataset.images.len(), batch });
    }
    Ok(steps as u64)
}

fn stream(recipe: &Recipe, dataset: &Arc<Dataset>, batches: u64) -> Result<Stream> {
    let sampler = sampler(&recipe.sampler.name, &recipe.sampler.options)?;
    Stream::new(dataset.clone(), sampler, recipe.loader, recipe.seed, recipe.batch, batches)
}

fn write_text(path: &std::path::Path, text: &str) -> Result<()> {
    Ok(equipoise_data::write_atomically(path, text.as_bytes())?)
}
