//! `weights import`: a file of another program as one that trainings here start from, with a report of what fits.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::tensor::Device;
use equipoise_data::write_atomically;
use equipoise_detect::backbone::{BACKBONES, Backbone, BackboneSpec};
use equipoise_detect::layers::NormKind;
use equipoise_detect::weights::{Weights, to_safetensors, weights_of};
use equipoise_detect::{Detector, DetectorCard, DetectorConfig, Fit, Init, WeightFile, naming};
use equipoise_loss::TrainingFacts;
use equipoise_train::{KnownWeights, initial_weights};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::commands::train::named_recipe;
use crate::output::{print, print_json};

/// Turn a PyTorch or safetensors file into weights that a training starts from, and say what of it fits
///
/// A pickle is read as data: nothing in it is run. Names of torchvision's residual networks and of EfficientNet-Lite become those of the detectors here.
#[derive(clap::Args)]
pub struct Args {
    /// A safetensors file, or one that torch.save wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write the weights, as safetensors; without it only the report is made
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Compare with the detector of this recipe, a TOML file or the name of a built-in one [default: the backbone that fits best]
    #[arg(long, value_name = "FILE|NAME")]
    recipe: Option<PathBuf>,
    /// Override a key of the recipe, such as detector.backbone=resnet18; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "recipe")]
    overrides: Vec<String>,
    /// Classes of the training to come: what the file has for another number starts fresh
    #[arg(long, value_name = "N", default_value_t = 80, requires = "recipe", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    classes: u32,
    /// Where the file is from, kept in the written one [default: what is known of it]
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Its licence, kept in the written one [default: what is known of it]
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// Write 16-bit values, half as large
    #[arg(long)]
    half: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    sha256: String,
    naming: Option<&'static str>,
    source: Option<String>,
    licence: Option<String>,
    compared_with: String,
    /// Tensors of the file that belong to no detector here: classifiers of pictures, counters.
    left_out: Vec<String>,
    /// Matched tensors whose size depends on the classes are kept; misshapen ones start fresh.
    fresh: Vec<String>,
    #[serde(flatten)]
    fit: Fit,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    if !args.file.exists()
        && let Some(known) = KnownWeights::wanted(&args.file)
    {
        let [install, import] = known.commands();
        bail!("`{}` is not here; get it by\n  {install}\n  {import}", args.file.display());
    }
    let sha256 = hash(&args.file)?;
    let known = KnownWeights::of_hash(&sha256);
    let weights = read(&args.file)?;
    let (compared_with, card, fit) = compare(&args, &weights.ours)?;
    let text = |given: &Option<String>, known: Option<&str>| given.clone().or(known.map(str::to_string));
    let misshapen = fit.misshapen.iter().map(|tensor| tensor.name.clone());
    let report = Report {
        file: args.file.clone(),
        naming: weights.naming,
        source: text(&args.source, known.map(|known| known.source)),
        licence: text(&args.licence, known.map(|known| known.licence)),
        compared_with,
        left_out: weights.left_out,
        fresh: misshapen.filter(|name| card.depends_on_classes(name)).collect(),
        sha256,
        fit,
    };
    print_report(&report, args.json)?;
    refuse_misfit(&report)?;
    let Some(out) = &args.out else { return Ok(Outcome::Fine) };
    let unexpected = &report.fit.unexpected;
    let kept: Weights = weights.ours.into_iter().filter(|(name, _)| !unexpected.contains(name)).collect();
    let bytes = to_safetensors(&kept, args.half, metadata(&report));
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    }
    write_atomically(out, &bytes)?;
    if !args.json {
        print(&format!("wrote {} ({:.1} MB)\n", out.display(), bytes.len() as f64 / 1e6))?;
    }
    Ok(Outcome::Fine)
}

struct Imported {
    ours: Weights,
    naming: Option<&'static str>,
    left_out: Vec<String>,
}

fn read(path: &Path) -> anyhow::Result<Imported> {
    let file = WeightFile::open(path)?;
    if equipoise_train::is_checkpoint(&file.metadata) {
        let ours = initial_weights::read(&path.to_string_lossy())?;
        return Ok(Imported { ours, naming: None, left_out: Vec::new() });
    }
    let all: Vec<String> = file.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let theirs = file.read()?;
    let naming = naming::naming_of(&theirs);
    // One by one, to know which names the naming drops.
    let dropped = |name: &String| match (theirs.get(name), naming) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(_), Some(naming)) => (naming.rename)([(name.clone(), Default::default())].into()).is_empty(),
    };
    let left_out = all.into_iter().filter(dropped).collect();
    Ok(Imported { naming: naming.map(|naming| naming.name), left_out, ours: naming::to_ours(theirs) })
}

/// What the weights were compared with, and how they fit.
fn compare(args: &Args, weights: &Weights) -> anyhow::Result<(String, DetectorCard, Fit)> {
    let device = Device::default();
    let Some(path) = &args.recipe else {
        let (name, fit) = best_backbone(weights, &device)?;
        return Ok((name, DetectorConfig::default().card(), fit));
    };
    let recipe = named_recipe(path, &args.overrides)?;
    let classes = args.classes as usize;
    // Counts of a data set change what a loss weighs, and no shape.
    let counts = vec![1; classes];
    let facts = TrainingFacts { image_counts: counts.clone(), instance_counts: counts, images: 1, seed: 0, steps: 1 };
    let loss = recipe.loss.build(&facts)?;
    let detector = Detector::new(&recipe.detector, classes, &*loss, recipe.seed, &device)?;
    let name = format!("the detector of `{}` with {classes} classes", path.display());
    Ok((name, detector.card(), Fit::of(weights, &weights_of(&detector))))
}

/// The backbone that most tensors fit.
fn best_backbone(weights: &Weights, device: &Device) -> anyhow::Result<(String, Fit)> {
    let fit = |spec: &BackboneSpec| {
        let backbone = Backbone::new(spec, NormKind::Frozen, 0, &mut Init::new(0, device));
        let named = weights_of(&backbone).into_iter().map(|(name, weight)| (format!("backbone.{name}"), weight));
        (format!("the backbone `{}`", spec.name), Fit::of(weights, &named.collect()))
    };
    let best = BACKBONES.iter().map(fit).max_by_key(|(_, fit)| {
        (fit.matched.len(), std::cmp::Reverse(fit.missing.len() + fit.misshapen.len() + fit.unexpected.len()))
    });
    best.context("there is no backbone to compare with")
}

fn print_report(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(report);
    }
    let fit = &report.fit;
    let mut out = format!("{}: sha256 {}\n", report.file.display(), report.sha256);
    let unknown = "unknown; say it with";
    let _ = writeln!(out, "source: {}", report.source.clone().unwrap_or(format!("{unknown} --source")));
    let _ = writeln!(out, "licence: {}", report.licence.clone().unwrap_or(format!("{unknown} --licence")));
    if let Some(naming) = report.naming {
        let _ = writeln!(out, "names: {naming}");
    }
    let _ = writeln!(out, "compared with {}:", report.compared_with);
    let _ = writeln!(out, "  {} tensors fit", fit.matched.len());
    let mut group = |what: &str, names: &[String]| {
        if !names.is_empty() {
            let _ = writeln!(out, "  {} {what}: {}", names.len(), shorten(names));
        }
    };
    group("are missing from the file and start fresh", &fit.missing);
    group("are unknown to it and dropped", &fit.unexpected);
    let (counters, classifier): (Vec<String>, Vec<String>) =
        report.left_out.iter().cloned().partition(|name| name.ends_with("num_batches_tracked"));
    group("belong to a classifier of pictures and are left out", &classifier);
    group("count batches and are left out", &counters);
    for tensor in &fit.misshapen {
        let fresh = if report.fresh.contains(&tensor.name) { "; starts fresh" } else { "" };
        let _ = writeln!(
            out,
            "  `{}` has shape {:?} in the file and {:?} in the detector{fresh}",
            tensor.name, tensor.file, tensor.detector
        );
    }
    print(&out)
}

/// The first few names.
fn shorten(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A file that no training could start from is not written.
fn refuse_misfit(report: &Report) -> anyhow::Result<()> {
    let fit = &report.fit;
    if let Some(tensor) = fit.misshapen.iter().find(|tensor| !report.fresh.contains(&tensor.name)) {
        bail!(
            "`{}` has another shape: the file is of another backbone or of other sizes; give its own with --recipe, or --set detector.backbone=NAME",
            tensor.name
        );
    }
    if let Some(name) = fit.missing.iter().find(|name| name.starts_with("backbone.")) {
        bail!("the file lacks `{name}` of {}; it belongs to another model", report.compared_with);
    }
    Ok(())
}

fn metadata(report: &Report) -> BTreeMap<String, String> {
    let name = report.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut entries = vec![("source_file", Some(name)), ("source_sha256", Some(report.sha256.clone()))];
    entries.extend([("source", report.source.clone()), ("licence", report.licence.clone())]);
    entries.push(("converted_by", Some(format!("equipoise {}", env!("CARGO_PKG_VERSION")))));
    entries.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?))).collect()
}

/// SHA-256 of a file, as hexadecimal digits.
fn hash(path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read `{}`", path.display());
    let mut file = std::fs::File::open(path).with_context(cannot)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer).with_context(cannot)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
