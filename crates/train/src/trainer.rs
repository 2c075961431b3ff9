//! The loop: batches in, a learner's steps, a record on disk.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use equipoise_data::{ClassList, Counts, Dataset, LoaderConfig, sampler};
use equipoise_detect::Detector;
use equipoise_eval::record::{HistoryWriter, LedgerRow, LedgerWriter, RunDir, RunMeta};
use equipoise_loss::{ClassLoss, GradientLedger, TrainingFacts};

use crate::checkpoint::{Checkpoint, CheckpointState, DataMark};
use crate::learner::Learner;
use crate::stream::Stream;
use crate::window::Window;
use crate::{Recipe, Result, TrainError};

/// A training: its state, its record on disk, and how to go one step further.
pub struct Trainer {
    learner: Learner,
    dataset: Arc<Dataset>,
    classes: ClassList,
    dir: RunDir,
    stream: Stream,
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
        let classes = ClassList::of(&dataset);
        let learner = Learner::new(recipe.clone(), &classes, training_facts(&recipe, &dataset), device)?;
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
            parameters: learner.module().num_params() as u64,
            version: env!("CARGO_PKG_VERSION").into(),
            ..RunMeta::default()
        };
        meta.write(&dir.meta())?;
        let (history, snapshots) = (HistoryWriter::create(&dir.history())?, LedgerWriter::create(&dir.ledger())?);
        let classes = ClassList::of(&dataset);
        let window = Window::default();
        let trainer = Self { stream, classes, window, learner, dataset, dir, total_steps, history, snapshots };
        if total_steps == 0 {
            // What no step follows is done.
            trainer.save()?;
        }
        Ok(trainer)
    }

    /// Goes on with the run in `dir` from its last checkpoint, with the recipe that the checkpoint holds.
    ///
    /// # Errors
    /// When there is no checkpoint, it is damaged, or it belongs to other classes.
    pub fn resume(dataset: Arc<Dataset>, dir: RunDir, device: &Device) -> Result<Self> {
        let path = dir.last_checkpoint();
        let checkpoint = Checkpoint::read(&path)?;
        let classes = ClassList::of(&dataset);
        checkpoint.check_classes(&path, &classes)?;
        checkpoint.check_data(&path, &dataset)?;
        let window = checkpoint.state.window.clone();
        let learner = Learner::from_checkpoint(checkpoint, device)?;
        let (recipe, step) = (learner.recipe(), learner.steps_done());
        // First: it refuses an empty data set, whose stream would never hand out a batch.
        let total_steps = total_steps(recipe, &dataset)?;
        Ok(Self {
            stream: stream(recipe, &dataset, step * recipe.accumulate as u64)?,
            total_steps,
            history: HistoryWriter::resume(&dir.history(), step)?,
            snapshots: LedgerWriter::resume(&dir.ledger(), step)?,
            window,
            learner,
            dataset,
            classes,
            dir,
        })
    }

    /// One optimizer step, or `None` when the run is done.
    ///
    /// # Errors
    /// When a picture cannot be read, a term of the loss is not finite, or the record cannot be written.
    pub fn step(&mut self) -> Result<Option<StepReport>> {
        if self.steps_done() >= self.total_steps {
            return Ok(None);
        }
        let lr = self.recipe().optimizer.lr * self.recipe().schedule.factor_at(self.steps_done(), self.total_steps);
        let mut images = 0;
        let learned = self.learner.step(lr, || {
            let batch = self.stream.next_batch()?;
            images += batch.images.len();
            Ok(batch)
        })?;
        let report = StepReport {
            step: self.steps_done(),
            total_steps: self.total_steps,
            epoch: self.epoch(),
            lr,
            losses: learned.losses,
            grad_norm: learned.grad_norm,
            images,
        };
        self.record(&report)?;
        Ok(Some(report))
    }

    /// Steps between validations, or `None` when the recipe asks for none.
    pub fn validate_every(&self) -> Option<u64> {
        let epochs = self.recipe().validate_every;
        let steps = epochs * self.total_steps as f64 / self.recipe().epochs;
        (epochs > 0.0).then_some((steps.round() as u64).max(1))
    }

    /// How often the data set has been seen.
    pub fn epoch(&self) -> f64 {
        let images = self.steps_done() * self.recipe().images_of_a_step();
        images as f64 / self.dataset.images.len() as f64
    }

    fn record(&mut self, report: &StepReport) -> Result<()> {
        let (step, recipe) = (self.steps_done(), self.learner.recipe());
        let last = step == self.total_steps;
        self.window.add(report);
        if step.is_multiple_of(recipe.log_every) || last {
            self.history.add(&self.window.take(report))?;
        }
        let every = (self.total_steps / recipe.snapshots.max(1)).max(1);
        if last || (recipe.snapshots > 0 && step.is_multiple_of(every)) {
            self.snapshots.add(&ledger_rows(self.loss(), self.ledger(), &self.dataset, step))?;
        }
        if last || (recipe.save_every > 0 && step.is_multiple_of(recipe.save_every)) {
            self.save()?;
        }
        Ok(())
    }

    /// Writes the last checkpoint.
    ///
    /// # Errors
    /// When it cannot be written; the one before is then intact.
    pub fn save(&self) -> Result<()> {
        self.checkpoint().write(&self.dir.last_checkpoint())
    }

    /// Writes the best checkpoint.
    ///
    /// # Errors
    /// When it cannot be written; the one before is then intact.
    pub fn save_best(&self) -> Result<()> {
        self.checkpoint().write(&self.dir.best_checkpoint())
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = CheckpointState {
            format: 1,
            step: self.steps_done(),
            recipe: self.recipe().clone(),
            classes: self.classes.clone(),
            facts: self.learner.facts().clone(),
            ledger: self.ledger().clone(),
            window: self.window.clone(),
            data: DataMark::of(&self.dataset),
            calibration: None,
            thresholds: None,
        };
        self.learner.checkpoint(state)
    }

    /// The detector for inference, with the averaged weights where the recipe asks for them.
    ///
    /// # Errors
    /// When weights and detector do not fit, which would be a defect.
    pub fn detector(&self) -> Result<Detector> {
        self.learner.detector()
    }

    /// What of the initial weights was left out.
    pub fn notes(&self) -> &[String] {
        self.learner.notes()
    }

    /// The loss.
    pub fn loss(&self) -> &dyn ClassLoss {
        self.learner.loss()
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        self.learner.recipe()
    }

    /// The gradient ledger.
    pub fn ledger(&self) -> &GradientLedger {
        self.learner.ledger()
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.learner.steps_done()
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

/// What the loss is told: the counts of exactly these pictures.
pub fn training_facts(recipe: &Recipe, dataset: &Dataset) -> TrainingFacts {
    let counts = Counts::of(dataset);
    TrainingFacts {
        image_counts: counts.images,
        instance_counts: counts.instances,
        images: dataset.images.len() as u64,
        seed: recipe.seed,
        steps: whole_steps(recipe, dataset),
    }
}

/// Steps that the epochs of the recipe come to.
fn whole_steps(recipe: &Recipe, dataset: &Dataset) -> u64 {
    (recipe.epochs * dataset.images.len() as f64 / recipe.images_of_a_step() as f64).floor() as u64
}

fn total_steps(recipe: &Recipe, dataset: &Dataset) -> Result<u64> {
    if recipe.decouple.is_some_and(|decouple| !decouple.method.trains()) {
        return Ok(0);
    }
    let steps = whole_steps(recipe, dataset);
    if dataset.images.len() < recipe.batch || steps == 0 {
        let (path, batch) = (dataset.source.clone(), recipe.batch);
        return Err(TrainError::TooFewImages { path, images: dataset.images.len(), batch });
    }
    Ok(steps)
}

fn stream(recipe: &Recipe, dataset: &Arc<Dataset>, batches: u64) -> Result<Stream> {
    let sampler = sampler(&recipe.sampler.name, &recipe.sampler.options)?;
    let loader = LoaderConfig { masks: recipe.detector.masks(), ..recipe.loader };
    Stream::new(dataset.clone(), sampler, loader, recipe.seed, recipe.batch, batches)
}

fn write_text(path: &std::path::Path, text: &str) -> Result<()> {
    Ok(equipoise_data::write_atomically(path, text.as_bytes())?)
}
