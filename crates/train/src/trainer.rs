//! The loop.

use std::sync::Arc;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use equipoise_data::{ClassList, Dataset, sampler};
use equipoise_detect::FasterRcnn;
use equipoise_detect::weights::{self, Weights};
use equipoise_eval::record::{HistoryRow, HistoryWriter, LedgerRow, LedgerWriter, RunDir, RunMeta};
use equipoise_loss::{ClassLoss, EqlV2, GradientLedger, LedgerDelta, LossError};

use crate::checkpoint::{Checkpoint, CheckpointState, to_device, to_host};
use crate::sgd::{self, FlatTensors, Sgd};
use crate::stream::Stream;
use crate::{Recipe, Result, TrainError, average, initial_weights};

/// A training: its state, its record on disk, and how to go one step further.
pub struct Trainer {
    recipe: Recipe,
    dataset: Arc<Dataset>,
    classes: ClassList,
    device: Device,
    dir: RunDir,
    detector: FasterRcnn,
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
            batch: (recipe.batch * recipe.accumulate) as u64,
            parameters: detector.num_params() as u64,
            protocol: String::new(),
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
            window: Window::new(),
            recipe,
            dataset,
            device,
            dir,
            detector,
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
        let CheckpointState { recipe, step, ledger, .. } = checkpoint.state;
        let loss = recipe.loss.build()?;
        let detector = FasterRcnn::new(&recipe.detector, dataset.num_classes(), &*loss, recipe.seed, &device)?;
        check_stride(&recipe, &detector)?;
        // First: it refuses an empty data set, whose stream would never hand out a batch.
        let total_steps = total_steps(&recipe, &dataset)?;
        Ok(Self {
            detector: weights::with_weights(detector, checkpoint.model, |_| false)?,
            stream: stream(&recipe, &dataset, step * recipe.accumulate as u64)?,
            total_steps,
            history: HistoryWriter::resume(&dir.history(), step)?,
            snapshots: LedgerWriter::resume(&dir.ledger(), step)?,
            sgd: Sgd::with_velocity(to_device(checkpoint.velocity, &device.clone().inner())),
            average: checkpoint.average,
            window: Window::new(),
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
        let mut losses: Vec<(&'static str, f64)> = Vec::new();
        let mut images = 0;
        for pass in 0..self.recipe.accumulate {
            let batch = self.stream.next_batch()?;
            images += batch.images.len();
            let output = self.detector.forward_train(&batch, &self.device, self.pass_seed(pass))?;
            let class = self.loss.step(output.logits.clone(), &output.targets, &self.ledger);
            let class = class.map_err(|error| self.named(error))?;
            self.note(&mut losses, "classification", class.value)?;
            // The gradient of this product with respect to the weights is the classification loss's.
            let mut total = (output.logits * Tensor::from_inner(class.gradient)).sum();
            for (name, loss) in output.losses {
                self.note(&mut losses, name, f64::from(loss.clone().inner().into_scalar::<f32>()))?;
                total = total + loss;
            }
            sgd::add_gradients(&mut gradients, &self.detector, total.backward());
            delta += &class.delta;
        }
        let grad_norm = self.update(gradients, lr)?;
        self.ledger.commit(&delta)?;
        self.step += 1;
        if self.recipe.ema > 0.0 {
            let weights = weights::weights_of(&self.detector);
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
        // The optimizer maps the detector by value; the clone only shares its tensors until they are replaced.
        let detector = self.detector.clone();
        self.detector = self.sgd.update(detector, gradients, mean * clip, lr, self.recipe.optimizer);
        Ok(norm)
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
        let images = self.step * (self.recipe.batch * self.recipe.accumulate) as u64;
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
            self.snapshots.add(&ledger_rows(&self.ledger, &self.dataset, self.step))?;
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
        };
        let checkpoint = Checkpoint {
            state,
            model: weights::weights_of(&self.detector),
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
        let detector = self.detector.valid();
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

/// A snapshot of the ledger as rows; `q` and `r` are the weights that EQL v2 with its defaults makes of the ratio.
pub fn ledger_rows(ledger: &GradientLedger, dataset: &Dataset, step: u64) -> Vec<LedgerRow> {
    let mapping = EqlV2::default();
    let row = |(class_index, category): (usize, &equipoise_data::Category)| {
        let ratio = ledger.ratio(class_index);
        let (q, r) = mapping.weights(ratio);
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
            ratio,
            q,
            r,
        }
    };
    dataset.categories.iter().enumerate().map(row).collect()
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
    let images = recipe.batch * recipe.accumulate;
    let steps = (recipe.epochs * dataset.images.len() as f64 / images as f64).floor();
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

/// Means of the steps since the last row of the history.
struct Window {
    since: Instant,
    steps: f64,
    images: usize,
    losses: Vec<(&'static str, f64)>,
    grad_norm: f64,
}

impl Window {
    fn new() -> Self {
        Self { since: Instant::now(), steps: 0.0, images: 0, losses: Vec::new(), grad_norm: 0.0 }
    }

    fn add(&mut self, report: &StepReport) {
        self.steps += 1.0;
        self.images += report.images;
        self.grad_norm += report.grad_norm;
        for (name, value) in &report.losses {
            match self.losses.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += value,
                None => self.losses.push((name, *value)),
            }
        }
    }

    fn take(&mut self, report: &StepReport) -> HistoryRow {
        let window = std::mem::replace(self, Self::new());
        let mean = |wanted: &str| {
            window.losses.iter().find(|(name, _)| *name == wanted).map_or(0.0, |(_, sum)| sum / window.steps)
        };
        HistoryRow {
            step: report.step,
            epoch: report.epoch,
            lr: report.lr,
            loss: window.losses.iter().map(|(_, sum)| sum).sum::<f64>() / window.steps,
            classification: mean("classification"),
            box_regression: mean("box"),
            rpn_objectness: mean("rpn_objectness"),
            rpn_box: mean("rpn_box"),
            grad_norm: window.grad_norm / window.steps,
            images_per_second: window.images as f64 / window.since.elapsed().as_secs_f64().max(1e-9),
        }
    }
}
