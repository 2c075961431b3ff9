//! `weights list`: what a file of weights holds, or which ones can be had.

use std::collections::BTreeMap;
use std::path::PathBuf;

use equipoise_detect::weights::Weights;
use equipoise_detect::{TensorEntry, WeightFile, naming};
use equipoise_eval::table::{Align, Table};
use equipoise_train::{Checkpoint, KNOWN_WEIGHTS};
use serde::Serialize;

use crate::Outcome;
use crate::output::{print, print_json};

/// Show names, shapes and types of the tensors in a file; without a file, pretrained weights and how to get them
#[derive(clap::Args)]
pub struct Args {
    /// A safetensors or PyTorch file, a checkpoint, or a run directory
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listing {
    file: PathBuf,
    format: &'static str,
    naming: Option<&'static str>,
    metadata: BTreeMap<String, String>,
    values: u64,
    tensors: Vec<TensorEntry>,
}

#[derive(Serialize)]
struct KnownJson {
    name: &'static str,
    backbone: &'static str,
    source: &'static str,
    licence: &'static str,
    sha256: &'static str,
    commands: [String; 2],
}

/// Longest text of a file that is shown: the header of a checkpoint holds a whole ledger.
const MOST_TEXT: usize = 160;

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let Some(path) = args.file else { return known(args.json) };
    let path = if path.is_dir() { Checkpoint::find(&path)? } else { path };
    let file = WeightFile::open(&path)?;
    let (format, metadata, tensors) = (file.format, file.metadata.clone(), file.tensors.clone());
    let names: Weights = tensors.iter().map(|tensor| (tensor.name.clone(), Default::default())).collect();
    let listing = Listing {
        file: path,
        format,
        naming: naming::naming_of(&names).map(|naming| naming.name),
        metadata,
        values: tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>() as u64).sum(),
        tensors,
    };
    if args.json {
        print_json(&listing)?;
    } else {
        print(&text(&listing))?;
    }
    Ok(Outcome::Fine)
}

fn text(listing: &Listing) -> String {
    let mut table = Table::new(&[("name", Align::Left), ("type", Align::Left), ("shape", Align::Left)]);
    for tensor in &listing.tensors {
        table.row(&[&tensor.name, &tensor.dtype, &format!("{:?}", tensor.shape)]);
    }
    let mut out = table.render();
    out += &format!(
        "\n{}: {}, {} tensors, {:.2} million values\n",
        listing.file.display(),
        listing.format,
        listing.tensors.len(),
        listing.values as f64 / 1e6
    );
    if let Some(naming) = listing.naming {
        out += &format!("names: {naming}\n");
    }
    for (key, value) in &listing.metadata {
        let short: String = value.chars().take(MOST_TEXT).collect();
        let more = if short.len() < value.len() { format!(" … ({} bytes)", value.len()) } else { String::new() };
        out += &format!("{key}: {short}{more}\n");
    }
    out
}

fn known(json: bool) -> anyhow::Result<Outcome> {
    let entries: Vec<KnownJson> = KNOWN_WEIGHTS
        .iter()
        .map(|known| KnownJson {
            name: known.name,
            backbone: known.backbone,
            source: known.source,
            licence: known.licence,
            sha256: known.sha256,
            commands: known.commands(),
        })
        .collect();
    if json {
        print_json(&entries)?;
        return Ok(Outcome::Fine);
    }
    let mut out = String::from("light: the small backbone that the program brings; `weights = \"light\"`\n");
    for entry in entries {
        out += &format!("\n{}, for `{}` ({})\n  {}\n", entry.name, entry.backbone, entry.licence, entry.source);
        out.extend(entry.commands.iter().map(|command| format!("    {command}\n")));
    }
    out += "\nAny residual network of torchvision that you have is read as it is: `weights = \"resnet50.pth\"`.\n";
    print(&out)?;
    Ok(Outcome::Fine)
}
