//! `train`: one detector on a data set.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use burn::tensor::Device;
use equipoise_data::Dataset;
use equipoise_eval::record::{RunDir, Timing};
use equipoise_eval::table::percent;
use equipoise_loss::registry;
use equipoise_train::{Checkpoint, DecoupleMethod, Recipe, TrainError, Trainer};

use crate::Outcome;
use crate::calibrate::{self, Calibrator, Tried};
use crate::device::DeviceArgs;
use crate::follow::Follower;
use crate::output::print;
use crate::progress::{Progress, Task};
use crate::run_data::RunData;
use crate::scoring::{Model, Validation};

/// Recipes inside the program.
const RECIPES: [(&str, &str); 6] = [
    ("light", include_str!("../../recipes/light.toml")),
    ("lite0", include_str!("../../recipes/lite0.toml")),
    ("resnet50", include_str!("../../recipes/resnet50.toml")),
    ("torchvision", include_str!("../../recipes/torchvision.toml")),
    ("dense", include_str!("../../recipes/dense.toml")),
    ("demo", super::demo::RECIPE),
];

/// Train a detector on a COCO or LVIS data set
#[derive(clap::Args)]
pub struct Args {
    /// Annotations to train on: a COCO or LVIS JSON file, or a folder that holds one [default with --resume and --from: as before]
    #[arg(long, value_name = "PATH", required_unless_present_any = ["resume", "from"])]
    data: Option<PathBuf>,
    /// Folder of the training pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Annotations to score on after training [default with --resume: as before]
    #[arg(long, value_name = "PATH")]
    val: Option<PathBuf>,
    /// Folder of the validation pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    val_images: Option<PathBuf>,
    /// Recipe: a TOML file, whose keys win over the published defaults, or the name of a built-in one: light for small pictures and
    /// a CPU, lite0 from a backbone pretrained on ImageNet (`equipoise weights list`), resnet50 as published for LVIS, torchvision as that library has
    /// it, dense with a detector of one stage for a CPU, demo as that command has it
    #[arg(long, value_name = "FILE|NAME", default_value = "light")]
    recipe: PathBuf,
    /// Start from the weights of a trained run, with its recipe and, unless named, its data
    #[arg(long, value_name = "RUN", conflicts_with_all = ["resume", "recipe"])]
    from: Option<PathBuf>,
    /// Second stage of decoupled training on --from, where the classifier alone learns: crt, lws, tau-norm or bags
    #[arg(long, value_name = "METHOD", requires = "from", value_parser = DecoupleMethod::ALL.map(|(name, _)| name))]
    decouple: Option<String>,
    /// Loss (see `equipoise losses`)
    #[arg(long, value_name = "NAME")]
    loss: Option<String>,
    /// How often the data set is seen
    #[arg(long, value_name = "N")]
    epochs: Option<f64>,
    /// Pictures in a batch
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Longer side of pictures in pixels
    #[arg(long, value_name = "PIXELS")]
    imgsz: Option<usize>,
    /// Seed of weights, order and augmentation
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Override a key of the recipe, such as optimizer.lr=0.01; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Run directory
    #[arg(long, value_name = "DIR", default_value = "runs/train")]
    out: PathBuf,
    /// Go on with the run in --out from its last checkpoint, with its own recipe
    #[arg(long, conflicts_with_all = ["recipe", "loss", "epochs", "batch", "imgsz", "seed", "overrides"])]
    resume: bool,
    /// Protocol of the scores: lvis or coco
    #[arg(long, value_name = "NAME", default_value = "lvis")]
    protocol: String,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A recipe inside the program by its name, or a file.
pub fn named_recipe(path: &Path, overrides: &[String]) -> anyhow::Result<Recipe> {
    let built_in = RECIPES.iter().find(|(name, _)| path.as_os_str() == *name);
    Ok(match built_in {
        Some((name, text)) => Recipe::parse(&format!("`{name}`"), text, overrides)?,
        None => Recipe::read(path, overrides)?,
    })
}

impl Args {
    fn recipe(&self) -> anyhow::Result<Recipe> {
        let mut overrides = Vec::new();
        let mut flag = |key: &str, value: Option<String>| overrides.extend(value.map(|value| format!("{key}={value}")));
        flag("loss.name", self.loss.as_ref().map(|name| format!("{name:?}")));
        flag("epochs", self.epochs.map(|epochs| format!("{epochs:?}")));
        flag("batch", self.batch.map(|batch| batch.to_string()));
        flag("loader.image_size", self.imgsz.map(|size| size.to_string()));
        flag("seed", self.seed.map(|seed| seed.to_string()));
        overrides.extend(self.overrides.iter().cloned());
        let Some(from) = &self.from else { return named_recipe(&self.recipe, &overrides) };
        let path = RunDir::new(from).recipe();
        if !path.is_file() {
            bail!("--from: `{}` is not a run directory: it has no `recipe.toml`", from.display());
        }
        // The flags win over what the method asks for.
        let mut first = vec![format!("weights={:?}", from.display().to_string())];
        first.extend(self.decouple().iter().flat_map(|method| method.overrides()));
        first.append(&mut overrides);
        Ok(Recipe::read(&path, &first)?)
    }

    fn decouple(&self) -> Option<DecoupleMethod> {
        let name = self.decouple.as_deref()?;
        DecoupleMethod::ALL.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
    }

    /// The exponent of tau-normalisation, chosen on training pictures unless the user named one; `None` when the user stopped it.
    fn choose_tau(&self, recipe: &mut Recipe, train: &Dataset, device: &Device) -> anyhow::Result<Option<()>> {
        let (Some(from), Some(decouple)) = (&self.from, &mut recipe.decouple) else { return Ok(Some(())) };
        let named = self.overrides.iter().any(|item| item.trim_start().starts_with("decouple"));
        if decouple.method != DecoupleMethod::TauNorm || named {
            return Ok(Some(()));
        }
        let (checkpoint, protocol, progress) = (Checkpoint::read(from)?, &self.protocol, Progress::new());
        let mut calibrator = Calibrator { checkpoint, train, protocol, device, progress: &progress };
        let asked = calibrate::parse("tau-norm").map_err(|error| anyhow!(error))?;
        let Some(chosen) = calibrator.choose(asked)? else { return Ok(None) };
        let best =
            chosen.tried.iter().filter(|tried| tried.parameter.is_some()).fold(None, |best: Option<&Tried>, next| {
                let ap = |tried: &Tried| tried.metrics.get("AP").unwrap_or(0.0);
                Some(best.filter(|best| ap(best) >= ap(next)).unwrap_or(next))
            });
        for tried in &chosen.tried {
            let tau = tried.parameter.map_or_else(|| "as it was".into(), |tau| format!("tau {tau}"));
            eprintln!("{tau}: AP {} on {} training pictures", percent(tried.metrics.get("AP")), chosen.pictures);
        }
        decouple.tau = best.and_then(|tried| tried.parameter).unwrap_or(decouple.tau);
        Ok(Some(()))
    }

    /// Where the data are: as the flags say, and where they are silent on a resumed run, as before.
    fn run_data(&self) -> anyhow::Result<RunData> {
        let before = match (&self.from, self.resume) {
            (Some(from), _) => RunData::of(from),
            (None, true) => RunData::of(&self.out),
            (None, false) => None,
        };
        let (train, train_images) = match (&self.data, &before) {
            (Some(path), _) => (path.clone(), self.images.clone()),
            (None, Some(data)) => (data.train.clone(), self.images.clone().or_else(|| data.train_images.clone())),
            (None, None) => {
                let run = self.from.as_ref().unwrap_or(&self.out);
                bail!("the data of `{}` are not where they were; name them with --data", run.display())
            }
        };
        let (val, val_images) = match (&self.val, before) {
            (None, Some(data)) => (data.val, self.val_images.clone().or(data.val_images)),
            (val, _) => (val.clone(), self.val_images.clone()),
        };
        Ok(RunData { train, train_images, val, val_images })
    }

    /// The command that goes on with this run.
    fn resume_command(&self) -> String {
        let mut command = format!("equipoise train --out {} --resume", self.out.display());
        if self.protocol != "lvis" {
            command += &format!(" --protocol {}", self.protocol);
        }
        if self.device.device != "cpu" {
            command += &format!(" --device {}", self.device.device);
        }
        if let Some(threads) = self.device.threads {
            command += &format!(" --threads {threads}");
        }
        command
    }
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    // A typing error must not wait for the end of the training.
    equipoise_eval::protocol::protocol(&args.protocol)?;
    let device = args.device.device()?;
    args.device.start_threads()?;
    let data = args.run_data()?;
    let train = Arc::new(data.read_train()?);
    note_found(&data.train, &train);
    warn(&train);
    let val = match &data.val {
        Some(path) => {
            let val = Dataset::read_with_training_counts(path, data.val_images.as_deref(), &train)?;
            note_found(path, &val);
            warn(&val);
            Some(Arc::new(val))
        }
        None => None,
    };
    let dir = RunDir::new(&args.out);
    let mut trainer = if args.resume {
        Trainer::resume(train.clone(), dir.clone(), &device)?
    } else {
        let mut recipe = args.recipe()?;
        crate::interrupt::listen();
        if args.choose_tau(&mut recipe, &train, &device)?.is_none() {
            return Ok(Outcome::Stopped);
        }
        if recipe.validate_every > 0.0 && val.is_none() {
            bail!("the recipe has `validate_every`, but there is no validation set; name one with --val");
        }
        let loss = registry::find(&recipe.loss.name)?.card.title;
        let stage = recipe.decouple.map(|decouple| format!(", {}", decouple.method.title())).unwrap_or_default();
        Trainer::start(recipe, &format!("{loss}{stage}"), train.clone(), dir.clone(), &device)?
    };
    for note in trainer.notes() {
        eprintln!("note: weights: {note}");
    }
    for note in trainer.loss().notes() {
        eprintln!("note: loss {}: {note}", trainer.recipe().loss.name);
    }
    data.note(&dir)?;
    crate::interrupt::listen();
    let progress = Progress::new();
    let mut validation = match &val {
        Some(val) => Validation::of(&trainer, &dir, val, &args.protocol, &device)?,
        None => None,
    };
    let task = progress.task("train", trainer.total_steps());
    let mut follower = Follower::new(&dir, trainer.steps_done(), &progress)?;
    let after = |trainer: &Trainer| {
        validation.as_mut().map_or(Ok(()), |validation| validation.after(trainer, &progress))?;
        // A record that cannot be followed is no reason to end a training.
        follower.after_step().unwrap_or_else(|error| progress.say(&format!("warning: {error:#}")));
        Ok(())
    };
    let Some(mut timing) = steps(&mut trainer, &dir, &task, after)? else {
        follower.finish()?;
        eprintln!("stopped at step {}; go on with: {}", trainer.steps_done(), args.resume_command());
        return Ok(Outcome::Stopped);
    };
    print(&format!("trained {} steps; checkpoint in {}\n", trainer.steps_done(), dir.last_checkpoint().display()))?;
    if let Some(val) = &val {
        let detector = trainer.detector()?;
        let model = Model { detector: &detector, loss: trainer.loss(), recipe: trainer.recipe(), device: &device };
        let task = progress.task("predict", val.images.len() as u64);
        let Some(evaluation) = model.score(&dir, &args.protocol, &train, val, &task, &mut timing)? else {
            follower.finish()?;
            eprintln!("stopped before the scores; go on with: {}", args.resume_command());
            return Ok(Outcome::Stopped);
        };
        if let Some(validation) = &mut validation {
            validation.add(&trainer, &evaluation.metrics, &progress)?;
        }
        for (key, value) in evaluation.metrics.iter() {
            print(&format!("{key:<6} {}\n", percent(value)))?;
        }
    }
    follower.finish()?;
    Ok(Outcome::Fine)
}

/// Steps until the run is done, or the user asks to stop (`None`), or something breaks: then a checkpoint is written first,
/// unless the numbers themselves broke. `after` is called after every step. The times are those of all legs of the run.
pub fn steps(
    trainer: &mut Trainer,
    dir: &RunDir,
    task: &Task,
    mut after: impl FnMut(&Trainer) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Timing>> {
    let before =
        if trainer.steps_done() > 0 { Timing::read(&dir.timing()).unwrap_or_default() } else { Timing::default() };
    let (started, first) = (Instant::now(), trainer.steps_done());
    let mut stopped = false;
    while !stopped {
        let report = match trainer.step() {
            Ok(None) => break,
            Ok(Some(report)) => report,
            Err(error) if trainer.steps_done() > first && !matches!(error, TrainError::NotFinite { .. }) => {
                trainer.save().context("the checkpoint could not be written")?;
                let step = trainer.steps_done();
                return Err(error)
                    .context(format!("stopped after step {step}, which is saved; mend the cause and --resume"));
            }
            Err(error) => return Err(error.into()),
        };
        task.step(&report);
        after(trainer)?;
        stopped = crate::interrupt::asked();
    }
    task.finish();
    if stopped {
        trainer.save().context("the checkpoint could not be written")?;
    }
    let mut timing = before;
    timing.train_seconds += started.elapsed().as_secs_f64();
    timing.train_images += (trainer.steps_done() - first) * trainer.recipe().images_of_a_step();
    timing.images_per_second = timing.train_images as f64 / timing.train_seconds.max(1e-9);
    timing.peak_memory_bytes = peak_memory().max(before.peak_memory_bytes);
    timing.write(&dir.timing())?;
    Ok((!stopped).then_some(timing))
}

/// Largest resident memory of this process so far, where the system tells.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Says which file was found when a folder was given.
pub fn note_found(given: &Path, dataset: &Dataset) {
    if given.is_dir() {
        let (images, classes) = (dataset.images.len(), dataset.num_classes());
        eprintln!("found {}: {images} images, {classes} classes", dataset.source.display());
    }
}

/// Says what was odd in a data set.
pub fn warn(dataset: &Dataset) {
    for warning in &dataset.warnings {
        eprintln!(
            "warning: {}: {} {} ({}), such as {}",
            dataset.source.display(),
            warning.count,
            warning.what,
            warning.action,
            warning.example
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_of_the_program_can_be_read() {
        for (name, text) in RECIPES {
            let recipe = Recipe::parse(name, text, &[]).unwrap();
            assert_eq!(Recipe::parse(name, &recipe.to_toml(), &[]).unwrap(), recipe, "{name}");
        }
    }
}
