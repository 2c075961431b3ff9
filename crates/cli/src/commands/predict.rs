//! `predict`: pictures in, boxes and masks out.

mod pictures;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use equipoise_data::{ClassList, Dataset, ImageId, picture::Picture, write_atomically};
use equipoise_eval::diagnosis::Thresholds;
use equipoise_eval::{Detection, LabelledBox, annotate, write_detections};
use equipoise_train::{Checkpoint, Predictor};
use image::RgbImage;
use rayon::prelude::*;
use serde::Serialize;

use crate::Outcome;
use crate::device::DeviceArgs;
use crate::output::{print, print_json};
use crate::progress::Progress;
use crate::scoring::Model;

/// Find objects in pictures with a trained detector
///
/// Writes detections.json (COCO results), images.json (which id is which picture) and annotated pictures.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("input").required(true).args(["images", "data"]))]
pub struct Args {
    /// A run directory, a checkpoint folder or a checkpoint file
    #[arg(long, visible_alias = "checkpoint", value_name = "PATH")]
    run: PathBuf,
    /// Pictures (JPEG or PNG), folders that are searched for them, or patterns such as 'photos/*.jpg'; turned as their EXIF says
    #[arg(long, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// The pictures of a data set of the same classes: a COCO or LVIS JSON file
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Folder of the pictures of --data [default: found beside the file]
    #[arg(long, value_name = "DIR", requires = "data")]
    data_images: Option<PathBuf>,
    /// Pictures in a forward pass; all of them are padded to the largest
    #[arg(long, value_name = "N", default_value_t = Predictor::BATCH as u32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Where to put the results
    #[arg(long, value_name = "DIR", default_value = "predictions")]
    out: PathBuf,
    /// Draw boxes that score at least this; detections.json keeps all [default: the thresholds of `eval --thresholds --store`, else 0.3]
    #[arg(long, value_name = "SCORE")]
    score_threshold: Option<f32>,
    /// Draw at most this many boxes on a picture, the best
    #[arg(long, value_name = "N", default_value_t = 30)]
    max_boxes: usize,
    /// Draw no pictures
    #[arg(long)]
    no_pictures: bool,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Serialize)]
struct Summary {
    pictures: usize,
    skipped: usize,
    detections: usize,
    drawn: usize,
    /// Decoding, the detector and what follows; not the drawing.
    pictures_per_second: f64,
    results: String,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    if let Some(threshold) = args.score_threshold.filter(|threshold| !threshold.is_finite()) {
        bail!("--score-threshold is {threshold}; give a score, 0 to 1");
    }
    let device = args.device.device()?;
    args.device.start_threads()?;
    let checkpoint = Checkpoint::read(&args.run)?;
    let mut dataset = dataset(&args, &checkpoint)?;
    let asked = dataset.images.len();
    // Annotations belong to pixels as the recipe reads them; pictures without any, to what a viewer shows.
    let mut recipe = checkpoint.state.recipe.clone();
    recipe.loader.upright |= args.data.is_none();
    pictures::keep_readable(&mut dataset, recipe.loader.upright)?;
    let (skipped, dataset) = (asked - dataset.images.len(), Arc::new(dataset));
    let (detector, loss) = checkpoint.detector(&device)?;
    let model = Model { detector: &detector, loss: &*loss, recipe: &recipe, device: &device };
    let task = Progress::new().task("predict", dataset.images.len() as u64);
    let started = Instant::now();
    let Some(detections) = model.predict_by(args.batch as usize, &dataset, &task)? else { return Ok(Outcome::Stopped) };
    let seconds = started.elapsed().as_secs_f64();
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create `{}`", args.out.display()))?;
    let results = args.out.join("detections.json");
    write_detections(&results, &detections)?;
    write_atomically(&args.out.join("images.json"), &pictures::list(&dataset)?)?;
    let shown = Shown::of(&args, &checkpoint);
    let drawn = if args.no_pictures { 0 } else { draw(&args, &shown, recipe.loader.upright, &dataset, &detections)? };
    let results = results.display().to_string();
    let (pictures, detections) = (dataset.images.len(), detections.len());
    let pictures_per_second = pictures as f64 / seconds.max(1e-9);
    let summary = Summary { pictures, skipped, detections, drawn, pictures_per_second, results };
    report(&args, &shown, &summary)?;
    Ok(Outcome::Fine)
}

fn dataset(args: &Args, checkpoint: &Checkpoint) -> anyhow::Result<Dataset> {
    let Some(path) = &args.data else {
        let state = &checkpoint.state;
        return pictures::unlabelled(&args.images, &state.classes, &state.facts.image_counts);
    };
    let dataset = Dataset::read(path, args.data_images.as_deref())?;
    checkpoint.check_classes(&args.run, &ClassList::of(&dataset))?;
    Ok(dataset)
}

/// Which detections are drawn.
enum Shown<'a> {
    Above(f32),
    ByClass(&'a Thresholds),
}

impl<'a> Shown<'a> {
    fn of(args: &Args, checkpoint: &'a Checkpoint) -> Self {
        match (args.score_threshold, &checkpoint.state.thresholds) {
            (Some(score), _) => Self::Above(score),
            (None, Some(thresholds)) => Self::ByClass(thresholds),
            (None, None) => Self::Above(0.3),
        }
    }

    fn shows(&self, class: usize, score: f32) -> bool {
        match self {
            Self::Above(least) => score >= *least,
            Self::ByClass(thresholds) => thresholds.shows(class, f64::from(score)),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Above(least) => format!("score at least {least}"),
            Self::ByClass(thresholds) => {
                format!("reach the score of their class at which {} % are right", 100.0 * thresholds.precision)
            }
        }
    }
}

/// Draws every picture into `pictures/`; returns the number of boxes.
fn draw(
    args: &Args,
    shown: &Shown,
    upright: bool,
    dataset: &Dataset,
    detections: &[Detection],
) -> anyhow::Result<usize> {
    let folder = args.out.join("pictures");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let classes: BTreeMap<_, _> = dataset.categories.iter().enumerate().map(|(class, c)| (c.id, (class, c))).collect();
    let mut boxes: BTreeMap<ImageId, Vec<LabelledBox>> = BTreeMap::new();
    for detection in detections {
        if let Some((class, category)) = classes.get(&detection.category)
            && shown.shows(*class, detection.score)
        {
            boxes.entry(detection.image).or_default().push(LabelledBox {
                bbox: detection.bbox,
                name: format!("{} ({})", category.name, category.group.letter()),
                score: Some(detection.score),
                class: *class,
                mask: detection.mask.clone(),
            });
        }
    }
    for found in boxes.values_mut() {
        found.sort_by(|a, b| b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0)));
        found.truncate(args.max_boxes);
    }
    let names = pictures::output_names(dataset);
    dataset.images.par_iter().zip(&names).try_for_each(|(image, name)| {
        let boxes = boxes.get(&image.id).map_or(&[][..], Vec::as_slice);
        draw_one(pictures::decoder(upright)(&image.path)?, boxes, &folder.join(name))
            .with_context(|| format!("cannot draw `{}`", image.path.display()))
    })?;
    Ok(boxes.values().map(Vec::len).sum())
}

fn draw_one(picture: Picture, boxes: &[LabelledBox], out: &Path) -> anyhow::Result<()> {
    let (width, height) = (picture.width(), picture.height());
    let picture =
        RgbImage::from_raw(width, height, picture.pixels().to_vec()).context("its pixels do not fit its size")?;
    let mut bytes = Vec::new();
    annotate(&picture, boxes)?.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png)?;
    Ok(write_atomically(out, &bytes)?)
}

fn report(args: &Args, shown: &Shown, summary: &Summary) -> anyhow::Result<()> {
    if args.json {
        return print_json(summary);
    }
    let Summary { pictures, detections, drawn, results, pictures_per_second: speed, .. } = summary;
    let mut text = format!("{detections} detections on {pictures} pictures in {results}\n");
    text += &format!("{speed:.1} pictures/s, {:.1} ms each, decoding included\n", 1e3 / speed.max(1e-9));
    if !args.no_pictures {
        let folder = args.out.join("pictures");
        text += &format!("{drawn} of them {} and are drawn in {}\n", shown.words(), folder.display());
        text += "(r), (c), (f): rare, common, frequent in training\n";
    }
    print(&text)
}
