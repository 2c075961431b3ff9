//! `train`: one detector on a data set.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use equipoise_data::Dataset;
use equipoise_eval::record::{RunDir, Timing};
use equipoise_eval::table::percent;
use equipoise_loss::registry;
use equipoise_train::{Recipe, Trainer};

use crate::Outcome;
use crate::device::DeviceArgs;
use crate::output::print;
use crate::progress::{Progress, Task};
use crate::scoring::Model;

/// Train a detector on a COCO or LVIS data set
#[derive(clap::Args)]
pub struct Args {
    /// Annotations to train on: a COCO or LVIS JSON file, or a folder that holds one
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Folder of the training pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Annotations to score on after training
    #[arg(long, value_name = "PATH")]
    val: Option<PathBuf>,
    /// Folder of the validation pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    val_images: Option<PathBuf>,
    /// Recipe in TOML; what it leaves out has the default of its part
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
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
        Ok(match &self.recipe {
            Some(path) => Recipe::read(path, &overrides)?,
            None => Recipe::parse("defaults", "", &overrides)?,
        })
    }
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    // A typing error must not wait for the end of the training.
    equipoise_eval::protocol::protocol(&args.protocol)?;
    let device = args.device.device()?;
    rayon::ThreadPoolBuilder::new().num_threads(args.device.threads()).build_global().ok();
    let train = Arc::new(Dataset::read(&args.data, args.images.as_deref())?);
    warn(&train);
    let val = match &args.val {
        Some(path) => {
            let mut val = Dataset::read(path, args.val_images.as_deref())?;
            val.adopt_counts_from(&train)?;
            warn(&val);
            Some(Arc::new(val))
        }
        None => None,
    };
    let dir = RunDir::new(&args.out);
    let mut trainer = if args.resume {
        Trainer::resume(train.clone(), dir.clone(), &device)?
    } else {
        let recipe = args.recipe()?;
        let title = registry::find(&recipe.loss.name)?.card.title;
        Trainer::start(recipe, title, train.clone(), dir.clone(), &device)?
    };
    crate::interrupt::listen();
    let progress = Progress::new();
    let mut timing = Timing::default();
    let task = progress.task("train", trainer.total_steps());
    let done = steps(&mut trainer, &task, &mut timing)?;
    if !done {
        eprintln!(
            "stopped at step {}; go on with: equipoise train --data {} --out {} --resume",
            trainer.steps_done(),
            args.data.display(),
            args.out.display()
        );
        return Ok(Outcome::Fine);
    }
    timing.write(&dir.timing())?;
    print(&format!("trained {} steps; checkpoint in {}\n", trainer.steps_done(), dir.last_checkpoint().display()))?;
    if let Some(val) = val {
        let detector = trainer.detector()?;
        let model = Model { detector: &detector, loss: trainer.loss(), recipe: trainer.recipe(), device: &device };
        let task = progress.task("predict", val.images.len() as u64);
        let evaluation = model.score(&dir, &args.protocol, &train, &val, &task, &mut timing)?;
        for (key, value) in evaluation.metrics.iter() {
            print(&format!("{key:<6} {}\n", percent(value)))?;
        }
    }
    Ok(Outcome::Fine)
}

/// Steps until the run is done (true) or the user asks to stop (false, with a checkpoint written).
pub fn steps(trainer: &mut Trainer, task: &Task, timing: &mut Timing) -> anyhow::Result<bool> {
    let started = Instant::now();
    let mut images = 0;
    while let Some(report) = trainer.step()? {
        images += report.images;
        task.step(&report);
        if crate::interrupt::asked() {
            trainer.save().context("the checkpoint could not be written")?;
            task.finish();
            return Ok(false);
        }
    }
    task.finish();
    timing.train_seconds = started.elapsed().as_secs_f64();
    timing.images_per_second = images as f64 / timing.train_seconds.max(1e-9);
    Ok(true)
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
