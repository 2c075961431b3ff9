//! `data stats`: how much there is, and how long the tail is.

use std::path::PathBuf;

use equipoise_data::{Dataset, Group, Quantiles, Stats, write_atomically};
use equipoise_eval::figure::class_histogram;
use equipoise_eval::report::stats_page;
use equipoise_eval::table::{Align, Table};

use crate::Outcome;
use crate::commands::train::{note_found, warn};
use crate::output::{print, print_json};

/// Show what a data set holds and how long its tail is
#[derive(clap::Args)]
pub struct Args {
    /// Annotations, or a folder that holds some
    #[arg(value_name = "PATH")]
    data: PathBuf,
    /// Training annotations: rare, common and frequent are counted there [default: as the data have them]
    #[arg(long, value_name = "PATH")]
    train: Option<PathBuf>,
    /// Also list every class
    #[arg(long)]
    classes: bool,
    /// Draw the histogram of classes into this SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write everything as one offline page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Rows of the histogram, and characters of its longest bar.
const BARS: (usize, usize) = (20, 50);

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let mut dataset = Dataset::read(&args.data, None)?;
    if let Some(train) = &args.train {
        dataset.adopt_counts_from(&Dataset::read(train, None)?)?;
    }
    note_found(&args.data, &dataset);
    warn(&dataset);
    let stats = Stats::of(&dataset);
    if let Some(path) = &args.svg {
        let figure = class_histogram(&dataset);
        let figure = figure.ok_or_else(|| anyhow::anyhow!("there is no class to draw in `{}`", args.data.display()))?;
        write_atomically(path, figure.svg.as_bytes())?;
    }
    if let Some(path) = &args.html {
        write_atomically(path, stats_page(&dataset, &stats).as_bytes())?;
    }
    if args.json {
        print_json(&stats)?;
        return Ok(Outcome::Fine);
    }
    let mut text = format!("{}\n\n{}\n{}\n{}", overview(&stats), groups(&stats), sizes(&stats), histogram(&stats));
    if args.classes {
        text += &format!("\n{}", classes(&stats));
    }
    print(&text)?;
    Ok(Outcome::Fine)
}

fn overview(stats: &Stats) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.2}"));
    format!(
        "{} images, {} of them without objects\n{} objects, {} crowd regions\n{} classes, {} of them without objects\nimbalance factor {}, Gini of images {}, of objects {}",
        stats.images,
        stats.images_without_objects,
        stats.objects,
        stats.crowds,
        stats.categories,
        stats.categories_without_object,
        stats.imbalance_factor.map_or_else(|| "–".into(), |factor| format!("{factor:.0}")),
        number(stats.gini_images),
        number(stats.gini_instances),
    )
}

fn groups(stats: &Stats) -> String {
    let mut table = Table::new(&[
        ("group", Align::Left),
        ("classes", Align::Right),
        ("class-image pairs", Align::Right),
        ("objects", Align::Right),
        ("yes : no", Align::Right),
    ]);
    for row in &stats.groups {
        table.row(&[
            name(row.group),
            &row.categories.to_string(),
            &row.class_images.to_string(),
            &row.instances.to_string(),
            &odds(row.median_ratio),
        ]);
    }
    table.render()
}

/// A ratio of positives to negatives as odds.
fn odds(ratio: Option<f64>) -> String {
    let ratio = ratio.filter(|ratio| *ratio > 0.0);
    ratio.map_or_else(|| "–".into(), |ratio| format!("1 : {:.0}", 1.0 / ratio))
}

/// What a group is called.
pub fn name(group: Group) -> &'static str {
    match group {
        Group::Rare => "rare",
        Group::Common => "common",
        Group::Frequent => "frequent",
    }
}

fn sizes(stats: &Stats) -> String {
    let mut table = Table::new(&[
        ("boxes", Align::Left),
        ("least", Align::Right),
        ("5 %", Align::Right),
        ("25 %", Align::Right),
        ("median", Align::Right),
        ("75 %", Align::Right),
        ("95 %", Align::Right),
        ("most", Align::Right),
    ]);
    let boxes = &stats.boxes;
    for (title, values, digits) in [
        ("side in pixels", boxes.side, 0),
        ("side by picture's", boxes.relative_side, 2),
        ("width by height", boxes.aspect, 2),
    ] {
        if let Some(Quantiles { min, p5, p25, median, p75, p95, max }) = values {
            let cells = [min, p5, p25, median, p75, p95, max].map(|value| format!("{value:.digits$}"));
            table.row(&[&[title.to_string()][..], &cells].concat());
        }
    }
    format!(
        "{}{} small (below 32²), {} medium, {} large (96² and more)\n",
        table.render(),
        boxes.small,
        boxes.medium,
        boxes.large
    )
}

/// Classes by their images, most first, in at most so many rows; bars are logarithmic.
fn histogram(stats: &Stats) -> String {
    let mut classes: Vec<_> = stats.classes.iter().collect();
    classes.sort_by_key(|class| (std::cmp::Reverse(class.images), class.id));
    let (rows, width) = BARS;
    let most = classes.first().map_or(0, |class| class.images);
    let log = |images: f64| (images + 1.0).ln();
    let mut table = Table::new(&[("classes", Align::Right), ("images", Align::Right), ("(log scale)", Align::Left)]);
    let per_row = classes.len().div_ceil(rows).max(1);
    for (index, chunk) in classes.chunks(per_row).enumerate() {
        let mean = chunk.iter().map(|class| class.images).sum::<u64>() as f64 / chunk.len() as f64;
        let length = (width as f64 * log(mean) / log(most as f64).max(1e-9)).round() as usize;
        let (first, last) = (index * per_row + 1, index * per_row + chunk.len());
        let label = if per_row == 1 { chunk[0].name.clone() } else { format!("{first}–{last}") };
        table.row(&[label, format!("{mean:.0}"), "█".repeat(length)]);
    }
    table.render()
}

fn classes(stats: &Stats) -> String {
    let columns = [
        ("id", Align::Right),
        ("class", Align::Left),
        ("group", Align::Left),
        ("images", Align::Right),
        ("objects", Align::Right),
        ("yes : no", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for class in &stats.classes {
        let (id, images, instances) = (class.id.0.to_string(), class.images.to_string(), class.instances.to_string());
        table.row(&[&id, &class.name, name(class.group), &images, &instances, &odds(class.ratio)]);
    }
    table.render()
}
