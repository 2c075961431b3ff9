//! `weights pretrain`: a backbone from nothing but the drawings in the program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use equipoise_data::write_atomically;
use equipoise_detect::weights::to_safetensors;
use equipoise_train::pretrain::{PretrainConfig, Pretrainer};

use crate::Outcome;
use crate::device::DeviceArgs;
use crate::output::print;

/// Pretrain a backbone on crops of single drawings, none of them a class of the demo set
#[derive(clap::Args)]
pub struct Args {
    /// Backbone
    #[arg(long, default_value = "light", value_name = "NAME")]
    backbone: String,
    /// Side of a crop in pixels
    #[arg(long, default_value_t = 64, value_name = "PIXELS")]
    side: usize,
    /// Crops of a step
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Steps
    #[arg(long, default_value_t = 3000, value_name = "N")]
    steps: u64,
    /// Peak of the learning rate
    #[arg(long, default_value_t = 0.1, value_name = "RATE")]
    lr: f64,
    /// Seed of weights and crops
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// File to write, safetensors with f16 values
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Steps between lines of the log.
const LOG_EVERY: u64 = 50;
/// Batches of crops that the accuracy at the end is taken on.
const VALIDATION_BATCHES: u64 = 32;

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    }
    args.device.start_threads()?;
    let config = PretrainConfig {
        backbone: args.backbone,
        side: args.side,
        batch: args.batch as usize,
        steps: args.steps,
        lr: args.lr,
        seed: args.seed,
    };
    print(&format!("{config:?}\n"))?;
    let mut pretrainer = Pretrainer::new(config, &args.device.device()?)?;
    let (mut loss, mut accuracy) = (0.0, 0.0);
    while let Some(report) = pretrainer.step()? {
        loss += report.loss;
        accuracy += report.accuracy;
        if report.step % LOG_EVERY == 0 || report.step == report.total_steps {
            let steps = (report.step - 1) % LOG_EVERY + 1;
            let (mean_loss, mean_accuracy) = (loss / steps as f64, accuracy / steps as f64);
            print(&format!(
                "step {}/{} loss {mean_loss:.3} accuracy {mean_accuracy:.3}\n",
                report.step, report.total_steps
            ))?;
            (loss, accuracy) = (0.0, 0.0);
        }
    }
    let right = pretrainer.validate(VALIDATION_BATCHES);
    print(&format!("accuracy on {VALIDATION_BATCHES} batches of unseen crops: {right:.3}\n"))?;
    let bytes = to_safetensors(&pretrainer.weights(), true, BTreeMap::new());
    write_atomically(&args.out, &bytes)?;
    print(&format!("wrote {} ({} kB)\n", args.out.display(), bytes.len() / 1000))?;
    Ok(Outcome::Fine)
}
