//! `weights export`: a trained detector as a file for other programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use equipoise_data::{IMAGENET_MEAN, IMAGENET_STD, write_atomically};
use equipoise_detect::DetectorConfig;
use equipoise_detect::onnx::to_onnx;
use equipoise_detect::weights::{Weights, to_safetensors};
use equipoise_loss::{ClassLoss, Classifier};
use equipoise_train::{Checkpoint, rescale_classifier};

use crate::Outcome;
use crate::output::print;

/// Write a trained detector for other programs: its weights, or as ONNX the whole of it
///
/// The moving average of the weights is taken where there is one.
#[derive(clap::Args)]
pub struct Args {
    /// A run directory, a checkpoint folder or a checkpoint
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// safetensors: the weights by name; onnx: pictures in, boxes, scores, classes and masks out
    #[arg(long, value_enum, value_name = "NAME", default_value = "safetensors")]
    format: Format,
    /// Height and width of the pictures of an ONNX file, multiples of 32 [default: the recipe's longer side, squared]
    #[arg(long, num_args = 2, value_names = ["HEIGHT", "WIDTH"])]
    size: Option<Vec<usize>>,
    /// Write 16-bit values, half as large; safetensors alone
    #[arg(long, conflicts_with = "size")]
    half: bool,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Format {
    Safetensors,
    Onnx,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let checkpoint = Checkpoint::read(&args.run)?;
    let metadata = metadata(&checkpoint)?;
    let bytes = match args.format {
        Format::Safetensors => to_safetensors(&checkpoint.scored_weights(), args.half, metadata),
        Format::Onnx => onnx(checkpoint, args.size.as_deref(), &metadata)?,
    };
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    }
    write_atomically(&args.out, &bytes)?;
    print(&format!("wrote {} ({:.1} MB)\n", args.out.display(), bytes.len() as f64 / 1e6))?;
    Ok(Outcome::Fine)
}

/// Puts a scale and a shift of every logit into the classifier, so that the file needs no layer for them.
fn fold(weights: &mut Weights, loss: &dyn ClassLoss, scale: &[f64], shift: &[f64]) -> anyhow::Result<()> {
    if loss.classifier() != Classifier::Linear {
        bail!(
            "--format onnx: the calibration of a classifier by cosines cannot be written; take it out with `eval --calibrate none --store`"
        );
    }
    rescale_classifier(weights, scale, shift).map_err(|reason| anyhow!(reason))
}

fn onnx(
    checkpoint: Checkpoint,
    size: Option<&[usize]>,
    metadata: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<u8>> {
    let state = checkpoint.state.clone();
    let recipe = &state.recipe;
    let size = match size {
        Some(&[height, width]) => [height, width],
        _ => [recipe.loader.image_size.next_multiple_of(recipe.loader.stride.max(1)); 2],
    };
    let loss = recipe.loss.build(&state.facts)?;
    let mut weights = checkpoint.scored_weights();
    let classes = state.classes.ids.len();
    if let Some(scales) = weights.remove("roi_head.scales") {
        let scales: Vec<f64> = scales.values.iter().map(|value| f64::from(*value)).collect();
        fold(&mut weights, &*loss, &scales, &vec![0.0; scales.len()])?;
    }
    if let Some(calibration) = &state.calibration {
        fold(&mut weights, &*loss, calibration.scale(), calibration.shift())?;
    }
    let DetectorConfig::FasterRcnn(detector) = &recipe.detector else {
        bail!(
            "--format onnx writes Faster R-CNN; this run has {}: export it as safetensors",
            recipe.detector.card().title
        );
    };
    Ok(to_onnx(detector, &weights, &*loss, classes, &recipe.detect, size, metadata)?)
}

/// What a file says about itself.
fn metadata(checkpoint: &Checkpoint) -> anyhow::Result<BTreeMap<String, String>> {
    let state = &checkpoint.state;
    let entries = [
        ("average", (!checkpoint.average.is_empty()).to_string()),
        ("classes", serde_json::to_string(&state.classes)?),
        ("made_by", format!("equipoise {}", env!("CARGO_PKG_VERSION"))),
        ("mean", format!("{IMAGENET_MEAN:?}")),
        ("recipe", state.recipe.to_toml()),
        ("std", format!("{IMAGENET_STD:?}")),
        ("step", state.step.to_string()),
    ];
    Ok(entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
}
