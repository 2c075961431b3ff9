//! The recipe: every parameter of a run, in TOML.

use std::path::Path;

use equipoise_data::{LoaderConfig, SamplerConfig};
use equipoise_detect::{DetectConfig, DetectorCard, DetectorConfig};
use equipoise_loss::{ClassLoss, TrainingFacts, registry};
use serde::{Deserialize, Serialize};

use crate::{Result, TrainError};

/// Every parameter of a run. What a file leaves out has the default of its part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// How often the data set is seen; with a sampler that repeats images, the number of steps stays the same.
    pub epochs: f64,
    /// Images of a forward pass.
    pub batch: usize,
    /// Forward passes of an optimizer step.
    pub accumulate: usize,
    /// Seed of weights, order, augmentation and sampling.
    pub seed: u64,
    /// Initial weights: a backbone shipped with the program ("light"), a safetensors file, or "" for none.
    pub weights: String,
    /// When gradient sums enter the ledger; it matters with `accumulate` above 1 alone.
    pub ledger: LedgerCommit,
    /// Decay of the moving average of the weights that is scored instead of them; 0 is off.
    pub ema: f64,
    /// Ledger snapshots over the run, beside the last.
    pub snapshots: u64,
    /// Steps between rows of `history.csv`.
    pub log_every: u64,
    /// Steps between checkpoints; 0 keeps only the one at the end.
    pub save_every: u64,
    /// Epochs between validations during the run, whose best by AP is kept in `checkpoints/best`; 0 scores at the end alone.
    pub validate_every: f64,
    /// The classification loss.
    pub loss: LossRecipe,
    /// The sampler.
    pub sampler: SamplerRecipe,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// The learning rate over time.
    pub schedule: ScheduleConfig,
    /// Size and augmentation of pictures.
    pub loader: LoaderConfig,
    /// The detector.
    pub detector: DetectorConfig,
    /// Which detections are kept.
    pub detect: DetectConfig,
}

impl Default for Recipe {
    /// Twelve epochs of batch 16 as in the published LVIS recipes.
    fn default() -> Self {
        Self {
            epochs: 12.0,
            batch: 16,
            accumulate: 1,
            seed: 0,
            weights: String::new(),
            ledger: LedgerCommit::default(),
            ema: 0.0,
            snapshots: 12,
            log_every: 10,
            save_every: 500,
            validate_every: 0.0,
            loss: LossRecipe::default(),
            sampler: SamplerRecipe::default(),
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            loader: LoaderConfig::default(),
            detector: DetectorConfig::default(),
            detect: DetectConfig::default(),
        }
    }
}

/// When the gradient sums of a forward pass enter the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerCommit {
    /// Once for each optimizer step, so that accumulation changes nothing.
    #[default]
    Step,
    /// After each forward pass, as the authors' code does (`tztztztztz/eqlv2`): the weights move inside a step.
    Forward,
}

/// Name and options of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LossRecipe {
    /// Name in the registry.
    pub name: String,
    /// Its options; what is missing has the published value.
    #[serde(flatten)]
    pub options: registry::Options,
}

impl Default for LossRecipe {
    fn default() -> Self {
        Self { name: "eqlv2".into(), options: registry::Options::new() }
    }
}

impl LossRecipe {
    /// The loss for this training.
    ///
    /// # Errors
    /// When name or options are unknown, or the loss needs counts that the facts do not have.
    pub fn build(&self, facts: &TrainingFacts) -> Result<Box<dyn ClassLoss>> {
        Ok(registry::build(&self.name, &self.options, facts)?)
    }

    /// Refuses a loss that is made for other heads than the detector's. An unknown name is refused by [`LossRecipe::build`].
    fn check_head(&self, detector: DetectorCard) -> std::result::Result<(), String> {
        let Ok(entry) = registry::find(&self.name) else { return Ok(()) };
        entry.check_head(&self.options, detector.head).map_err(|error| {
            format!("{error}, and the detector is {}. See `equipoise losses` for losses that fit", detector.title)
        })
    }
}

/// Name and options of the sampler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplerRecipe {
    /// Name in the registry.
    pub name: String,
    /// Its options.
    #[serde(flatten)]
    pub options: SamplerConfig,
}

impl Default for SamplerRecipe {
    fn default() -> Self {
        Self { name: "uniform".into(), options: SamplerConfig::default() }
    }
}

/// Stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Learning rate after warm-up.
    pub lr: f64,
    /// Momentum.
    pub momentum: f64,
    /// Weight decay, added to the gradient.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 is off.
    pub clip_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self { lr: 0.02, momentum: 0.9, weight_decay: 1e-4, clip_norm: 0.0 }
    }
}

/// Shape of the learning rate after warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Times `factor` at each milestone.
    Step,
    /// Half a cosine down to `factor` times the rate.
    Cosine,
}

/// The learning rate over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Shape after warm-up.
    pub kind: ScheduleKind,
    /// Parts of the run, 0 to 1, at which a step schedule drops.
    pub milestones: Vec<f64>,
    /// Factor of each drop, or of the cosine's end.
    pub factor: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: u64,
    /// Factor at the first step.
    pub warmup_factor: f64,
}

impl Default for ScheduleConfig {
    /// Drops after 8 and 11 of 12 epochs, 500 steps of warm-up from 0.001.
    fn default() -> Self {
        Self {
            kind: ScheduleKind::Step,
            milestones: vec![8.0 / 12.0, 11.0 / 12.0],
            factor: 0.1,
            warmup_steps: 500,
            warmup_factor: 0.001,
        }
    }
}

impl Recipe {
    /// The recipe of a file, with `--set key=value` overrides on top.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, or has an unknown key or a wrong value.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| TrainError::Recipe {
            origin: format!("`{}`", path.display()),
            reason: error.to_string(),
        })?;
        Self::parse(&format!("`{}`", path.display()), &text, overrides)
    }

    /// The recipe of a text; `origin` names it in messages.
    ///
    /// # Errors
    /// As [`Recipe::read`].
    pub fn parse(origin: &str, text: &str, overrides: &[String]) -> Result<Self> {
        let wrong =
            |origin: &str, reason: String| TrainError::Recipe { origin: origin.to_string(), reason: hint(reason) };
        // Parsed once by itself, so that a mistake in the file is reported with its line.
        toml::from_str::<Self>(text).map_err(|error| wrong(origin, error.to_string()))?;
        let mut table: toml::Table = toml::from_str(text).map_err(|error| wrong(origin, error.to_string()))?;
        for item in overrides {
            let origin = format!("--set {item}");
            set(&mut table, item).map_err(|reason| wrong(&origin, reason))?;
            toml::Value::Table(table.clone()).try_into::<Self>().map_err(|error| wrong(&origin, error.to_string()))?;
        }
        let recipe: Self =
            toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| wrong(origin, error.to_string()))?;
        recipe.check().map_err(|reason| {
            // The file is to blame only when it is wrong by itself.
            let file = toml::from_str::<Self>(text).is_ok_and(|file| file.check().is_err());
            if file { wrong(origin, reason) } else { wrong(&format!("--set {}", overrides.join(" --set ")), reason) }
        })?;
        Ok(recipe)
    }

    /// The recipe as TOML with every default filled in.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a recipe has only what TOML can write")
    }

    /// Images of an optimizer step.
    pub fn images_of_a_step(&self) -> u64 {
        (self.batch * self.accumulate) as u64
    }

    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let require = |right: bool, key: &str, expected: &str| {
            if right { Ok(()) } else { Err(format!("`{key}` must be {expected}")) }
        };
        let finite = |x: f64, low: f64, high: f64| x.is_finite() && low <= x && x <= high;
        require(finite(self.epochs, 1e-6, 1e6), "epochs", "above 0")?;
        require(self.batch > 0 && self.batch <= 4096, "batch", "1 to 4096")?;
        require(self.accumulate > 0 && self.accumulate <= 4096, "accumulate", "1 to 4096")?;
        require(finite(self.ema, 0.0, 1.0) && self.ema < 1.0, "ema", "at least 0 and below 1")?;
        require(finite(self.validate_every, 0.0, 1e6), "validate_every", "at least 0")?;
        require(self.log_every > 0, "log_every", "at least 1")?;
        self.loss.check_head(self.detector.card())?;
        let (optimizer, schedule) = (&self.optimizer, &self.schedule);
        require(finite(optimizer.lr, 0.0, 1e3), "optimizer.lr", "a finite number of at least 0")?;
        require(finite(optimizer.momentum, 0.0, 1.0), "optimizer.momentum", "0 to 1")?;
        require(finite(optimizer.weight_decay, 0.0, 1e3), "optimizer.weight_decay", "a finite number of at least 0")?;
        require(finite(optimizer.clip_norm, 0.0, 1e30), "optimizer.clip_norm", "a finite number of at least 0")?;
        require(finite(schedule.factor, 0.0, 1.0), "schedule.factor", "0 to 1")?;
        require(finite(schedule.warmup_factor, 0.0, 1.0), "schedule.warmup_factor", "0 to 1")?;
        let parts = schedule.milestones.iter().all(|part| finite(*part, 0.0, 1.0));
        require(parts, "schedule.milestones", "parts of the run, 0 to 1")?;
        // JSON has no infinity: a checkpoint with one in its header could never be read again.
        let again = serde_json::to_string(self).ok().and_then(|text| serde_json::from_str::<Self>(&text).ok());
        require(again.as_ref() == Some(self), "recipe", "made of finite numbers; inf and nan cannot be saved")
    }
}

/// Puts `a.b=value` into the table; a value that is no TOML is taken as a string.
fn set(table: &mut toml::Table, item: &str) -> std::result::Result<(), String> {
    let (key, value) = item.split_once('=').ok_or("expected key=value, such as optimizer.lr=0.01")?;
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"));
    let value = match parsed {
        Ok(mut parsed) => parsed.remove("value").ok_or("expected a value")?,
        Err(_) => toml::Value::String(value.to_string()),
    };
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut table = table;
    for part in parts {
        let inner = table.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        table = inner.as_table_mut().ok_or_else(|| format!("`{part}` is a value, not a table"))?;
    }
    table.insert(last.to_string(), value);
    Ok(())
}

/// Adds the nearest known key to serde's "unknown field" message.
fn hint(reason: String) -> String {
    let Some((_, rest)) = reason.split_once("unknown field `") else { return reason };
    let Some((unknown, known)) = rest.split_once('`') else { return reason };
    let nearest = known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|name| (strsim::damerau_levenshtein(name, unknown), name))
        .filter(|(distance, name)| *distance <= 3 || name.contains(unknown))
        .min();
    match nearest {
        Some((_, name)) => format!("{}\ndid you mean `{name}`?", reason.trim_end()),
        None => reason,
    }
}
