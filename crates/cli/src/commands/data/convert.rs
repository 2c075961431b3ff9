//! `data convert`: from one format to another, saying what the other cannot hold.

use std::path::PathBuf;

use equipoise_data::{Dataset, FORMATS, WriteConfig, write_with, write_yolo};

use crate::Outcome;
use crate::commands::train::warn;
use crate::output::print;

/// Write a data set in another format
///
/// What the other format cannot hold is counted and named. Nothing is written over the source.
#[derive(clap::Args)]
pub struct Args {
    /// Annotations, or a folder that holds some, in any format that is read
    #[arg(value_name = "PATH")]
    data: PathBuf,
    /// Folder of the pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Validation annotations, for yolo, whose folder holds both
    #[arg(long, value_name = "PATH")]
    val: Option<PathBuf>,
    /// Split to read, of a data set whose file names several [default: train]
    #[arg(long, value_name = "NAME", conflicts_with = "val")]
    split: Option<String>,
    /// Format to write: coco, lvis or yolo
    #[arg(long, value_name = "NAME")]
    to: String,
    /// New file, or new folder for yolo
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
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
    if args.val.is_some() && args.to != "yolo" {
        anyhow::bail!("a {} file holds one split; write the validation set by a command of its own", args.to);
    }
    let images = args.images.as_deref();
    let dataset = match &args.split {
        Some(split) => Dataset::read_split(&args.data, images, split)?,
        None => Dataset::read(&args.data, images)?,
    };
    warn(&dataset);
    let config = WriteConfig { copy_pictures: args.copy_pictures };
    let lost = match &args.val {
        Some(val) => {
            let val = Dataset::read_validation(val, None)?;
            warn(&val);
            write_yolo(&[("train", &dataset), ("val", &val)], &args.out, &config)?
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
    for lost in &lost {
        text += &format!("lost  {} {}\n", lost.count, lost.what);
    }
    print(&text)?;
    Ok(Outcome::Fine)
}
