//! What learns: detector, loss, ledger and optimizer, and one step of them. It knows no data set, no schedule and no disk.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use equipoise_data::{Batch, ClassList};
use equipoise_detect::Detector;
use equipoise_detect::weights::{self, Weights};
use equipoise_loss::{ClassLoss, GradientLedger, LedgerDelta, LossError, TrainingFacts};

use crate::checkpoint::{Checkpoint, CheckpointState, to_device, to_host};
use crate::recipe::LedgerCommit;
use crate::sgd::{self, FlatTensors, Sgd};
use crate::{Recipe, Result, TrainError, average, initial_weights};

/// A detector with its loss and everything that its training remembers.
pub struct Learner {
    recipe: Recipe,
    device: Device,
    /// `None` only while the optimizer has it.
    detector: Option<Detector>,
    loss: Box<dyn ClassLoss>,
    facts: TrainingFacts,
    ledger: GradientLedger,
    sgd: Sgd,
    average: Weights,
    step: u64,
    notes: Vec<String>,
}

/// What a step of a learner did.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// Values of the losses by name, the classification first, in the mean of the passes.
    pub losses: Vec<(&'static str, f64)>,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f64,
}

impl Learner {
    /// A detector for `classes` that has learnt nothing but the recipe's initial weights; the loss is told `facts`.
    ///
    /// # Errors
    /// When recipe and weights do not fit, or the loss needs facts that are not there.
    pub fn new(recipe: Recipe, classes: &ClassList, facts: TrainingFacts, device: &Device) -> Result<Self> {
        check_frozen(&recipe)?;
        let (weights, decouple, config) = (recipe.weights.clone(), recipe.decouple, recipe.detector.clone());
        let mut notes = Vec::new();
        let fresh = Self::fresh(recipe, classes.ids.len(), facts, device, |detector, loss| match decouple {
            None => {
                let (detector, left_out) = initial_weights::load(detector, &config, &weights, classes)?;
                notes = left_out;
                Ok(detector)
            }
            Some(decouple) => initial_weights::load_first_stage(detector, &weights, decouple, loss, classes),
        })?;
        Ok(Self { notes, ..fresh })
    }

    /// The learner of a checkpoint.
    pub(crate) fn from_checkpoint(checkpoint: Checkpoint, device: &Device) -> Result<Self> {
        let CheckpointState { recipe, step, facts, ledger, classes, .. } = checkpoint.state;
        let model = checkpoint.model;
        let fresh = Self::fresh(recipe, classes.ids.len(), facts, device, |detector, _| {
            Ok(weights::with_weights(detector, model, |_| false)?)
        })?;
        Ok(Self {
            sgd: Sgd::with_velocity(to_device(checkpoint.velocity, &device.clone().inner())),
            average: checkpoint.average,
            ledger,
            step,
            ..fresh
        })
    }

    /// A learner before its first step, whose detector `load` has given its weights.
    fn fresh(
        recipe: Recipe,
        num_classes: usize,
        facts: TrainingFacts,
        device: &Device,
        load: impl FnOnce(Detector, &dyn ClassLoss) -> Result<Detector>,
    ) -> Result<Self> {
        let device = device.clone().autodiff();
        let loss = recipe.loss.build(&facts)?;
        let detector = Detector::new(&recipe.detector, num_classes, &*loss, recipe.seed, &device)?;
        check_stride(&recipe, &detector)?;
        let detector = load(detector, &*loss)?;
        let detector = match recipe.decouple {
            Some(decouple) => decouple.method.freeze(detector),
            None => detector,
        };
        Ok(Self {
            recipe,
            device,
            detector: Some(detector),
            ledger: GradientLedger::of(&*loss, num_classes),
            loss,
            facts,
            sgd: Sgd::default(),
            average: Weights::new(),
            step: 0,
            notes: Vec::new(),
        })
    }

    /// One optimizer step at the rate `lr` on as many batches as the recipe accumulates.
    ///
    /// A step that fails leaves detector, ledger and optimizer as they were.
    ///
    /// # Errors
    /// When there is no batch, a target does not fit, or a term of the loss is not finite.
    pub fn step(&mut self, lr: f64, mut next_batch: impl FnMut() -> Result<Batch>) -> Result<Learned> {
        let mut gradients = FlatTensors::new();
        let mut delta = LedgerDelta::zeros(self.ledger.num_classes());
        // Becomes the run's ledger when the step is done: a step that fails in the middle leaves no trace.
        let mut ledger = self.ledger.clone();
        let mut losses: Vec<(&'static str, f64)> = Vec::new();
        for pass in 0..self.recipe.accumulate {
            let batch = next_batch()?;
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
            let scale = self.recipe.detector.precision().loss_scale();
            let total = if scale == 1.0 { total } else { total.mul_scalar(scale) };
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
        Ok(Learned { losses, grad_norm })
    }

    /// Means over the passes, clips and steps; returns the norm before clipping.
    fn update(&mut self, gradients: FlatTensors, lr: f64) -> Result<f64> {
        let mean = 1.0 / (self.recipe.accumulate as f64 * self.recipe.detector.precision().loss_scale());
        let norm = mean * sgd::norm(&gradients);
        self.finite("gradient norm", norm)?;
        let most = self.recipe.optimizer.clip_norm;
        let clip = if most > 0.0 && norm > most { most / norm } else { 1.0 };
        // By value, so that the optimizer holds the only handle on each tensor and can write where it lies.
        let detector = self.detector.take().expect("the detector is back after every update");
        self.detector = Some(self.sgd.update(detector, gradients, mean * clip, lr, self.recipe.optimizer));
        Ok(norm)
    }

    /// The detector as it learns.
    pub(crate) fn module(&self) -> &Detector {
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

    /// Everything of it as a checkpoint with this state.
    pub(crate) fn checkpoint(&self, state: CheckpointState) -> Checkpoint {
        Checkpoint {
            state,
            model: weights::weights_of(self.module()),
            velocity: to_host(self.sgd.velocity()),
            average: self.average.clone(),
        }
    }

    /// The detector for inference, with the averaged weights where the recipe asks for them.
    ///
    /// # Errors
    /// When weights and detector do not fit, which would be a defect.
    pub fn detector(&self) -> Result<Detector> {
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

    /// What the loss was told about the training.
    pub fn facts(&self) -> &TrainingFacts {
        &self.facts
    }

    /// What of the initial weights was left out.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The gradient ledger.
    pub fn ledger(&self) -> &GradientLedger {
        &self.ledger
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }
}

/// Refuses to freeze layers that nothing has trained.
fn check_frozen(recipe: &Recipe) -> Result<()> {
    let frozen = recipe.detector.frozen_stages();
    if frozen == 0 || !recipe.weights.is_empty() {
        return Ok(());
    }
    Err(TrainError::Recipe {
        origin: "`detector.frozen_stages`".into(),
        reason: format!(
            "{frozen} parts of the backbone would stay random, since `weights` is empty; give `weights` (\"light\" for the light backbone, or a file by torchvision's names; `equipoise weights list` knows some), or train all with detector.frozen_stages=0 and detector.norm=\"group\""
        ),
    })
}

fn check_stride(recipe: &Recipe, detector: &Detector) -> Result<()> {
    let (stride, needed) = (recipe.loader.stride, detector.picture_stride());
    if stride.is_multiple_of(needed) {
        return Ok(());
    }
    Err(TrainError::Recipe {
        origin: "`loader.stride`".into(),
        reason: format!(
            "{stride} does not fit the backbone `{}`: use a multiple of {needed}",
            recipe.detector.backbone()
        ),
    })
}
