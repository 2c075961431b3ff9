//! `data convert`: from one format to another, saying what the other cannot hold.

use std::path::PathBuf;

use equipoise_data::{Dataset, FORMATS, Hierarchy, WriteConfig, format_name, write_splits, write_with};

use super::{NOT_COPIED, SetArgs};
use crate::Outcome;
use crate::commands::train::{note_found, warn};
use crate::output::print;

/// Write a data set in another format
///
/// What the other format cannot hold is counted and named. Nothing is written over the source.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    set: SetArgs,
    /// Validation annotations, for yolo and roboflow, whose folder holds both
    #[arg(long, value_name = "PATH")]
    val: Option<PathBuf>,
    /// Split to read, of a data set whose file names several [default: train]
    #[arg(long, value_name = "NAME", conflicts_with = "val")]
    split: Option<String>,
    /// Format to write: coco, lvis (version 1, for which pictures of COCO also get a `coco_url`), lvis-v0.5, yolo, openimages or roboflow
    #[arg(long, value_name = "NAME")]
    to: String,
    /// New file, or new folder for yolo, openimages and roboflow
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Class hierarchy of Open Images, JSON: a box also becomes one of every class above its own, as in the challenge
    #[arg(long, value_name = "FILE")]
    hierarchy: Option<PathBuf>,
    /// Copy the pictures where the format keeps them in its own folders; they are linked otherwise
    #[arg(long)]
    copy_pictures: bool,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    // A typing error must not cost the reading of a gigabyte.
    if !FORMATS.iter().any(|format| format.name() == args.to) {
        let known = FORMATS.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ");
        anyhow::bail!("unknown format `{}`; known: {known}", args.to);
    }
    let holds_splits = ["yolo", "roboflow"].contains(&args.to.as_str());
    if args.val.is_some() && !holds_splits {
        anyhow::bail!("a {} file holds one split; write the validation set by a command of its own", args.to);
    }
    let images = args.set.images.as_deref();
    let mut dataset = match &args.split {
        Some(split) => Dataset::read_split(&args.set.data, images, split)?,
        None => Dataset::read(&args.set.data, images)?,
    };
    note_found(&args.set.data, &dataset);
    warn(&dataset);
    if let Some(path) = &args.hierarchy {
        let format = format_name(&args.set.data)?;
        anyhow::ensure!(
            format == "openimages",
            "--hierarchy is for Open Images, and `{}` is {format}",
            args.set.data.display()
        );
        Hierarchy::read(path, &args.set.data)?.expand(&mut dataset);
    }
    let config = WriteConfig { copy_pictures: args.copy_pictures, masks: true };
    let lost = match &args.val {
        Some(path) => {
            let val = Dataset::read_validation(path, None)?;
            note_found(path, &val);
            warn(&val);
            write_splits(&[("train", &dataset), ("val", &val)], &args.to, &args.out, &config)?
        }
        None => write_with(&dataset, &args.to, &args.out, &config)?,
    };
    let objects: usize = dataset.images.iter().map(|image| image.objects.len()).sum();
    let mut text = format!(
        "wrote {} images, {objects} objects and {} classes as {} to {}\n",
        dataset.images.len(),
        dataset.num_classes(),
        args.to,
        args.out.display()
    );
    text += NOT_COPIED;
    for lost in &lost {
        text += &format!("lost  {lost}\n");
    }
    if holds_splits && args.val.is_none() {
        text += "note  there is no validation set in it, which other programs ask for: write both sets at once with --val PATH\n";
    }
    print(&text)?;
    Ok(Outcome::Fine)
}
