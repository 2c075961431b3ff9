//! `data preview`: what a sampler makes of a data set, before a training spends hours on it.

use std::path::PathBuf;

use equipoise_data::{Dataset, Group, SAMPLERS, SamplerConfig, effective_counts, sampler};
use equipoise_eval::table::{Align, Table};
use serde::Serialize;

use super::stats::name;
use crate::Outcome;
use crate::output::{print, print_json};

/// Show how often each class comes with a sampler
#[derive(clap::Args)]
pub struct Args {
    /// Training annotations, or a folder that holds some
    #[arg(value_name = "PATH")]
    data: PathBuf,
    /// Sampler, as in a recipe
    #[arg(long, value_name = "NAME", default_value = "repeat-factor")]
    sampler: String,
    /// Share of images, or of objects, below which classes repeat
    #[arg(long, value_name = "T", default_value_t = SamplerConfig::default().repeat_threshold)]
    repeat_threshold: f64,
    /// Seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Epochs to count; the mean is shown
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    epochs: u64,
    /// List every class
    #[arg(long)]
    classes: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Preview {
    sampler: String,
    images_per_epoch: f64,
    /// Why nothing happens, where nothing does.
    changes_nothing: Option<String>,
    classes: Vec<ClassPreview>,
}

#[derive(Serialize)]
struct ClassPreview {
    id: u64,
    name: String,
    group: Group,
    /// Images with the class: in the data, and in the mean of an epoch.
    images: u64,
    images_per_epoch: f64,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let config = SamplerConfig { repeat_threshold: args.repeat_threshold, ..SamplerConfig::default() };
    let sampler = sampler(&args.sampler, &config)?;
    let dataset = Dataset::read(&args.data, None)?;
    let plain: Vec<usize> = (0..dataset.images.len()).collect();
    let before = effective_counts(&dataset, &plain);
    let (mut shown, mut drawn) = (vec![0; dataset.num_classes()], 0);
    for epoch in 0..args.epochs {
        let order = sampler.epoch(&dataset, args.seed, epoch);
        drawn += order.len();
        shown.iter_mut().zip(effective_counts(&dataset, &order).images).for_each(|(sum, count)| *sum += count);
    }
    let mean = |sum: u64| sum as f64 / args.epochs as f64;
    let class = |((category, &images), &sum): ((&equipoise_data::Category, _), _)| ClassPreview {
        id: category.id.0,
        name: category.name.clone(),
        group: category.group,
        images,
        images_per_epoch: mean(sum),
    };
    let preview = Preview {
        sampler: sampler.describe(),
        images_per_epoch: mean(drawn as u64),
        changes_nothing: sampler.changes_nothing(&dataset),
        classes: dataset.categories.iter().zip(&before.images).zip(&shown).map(class).collect(),
    };
    if args.json {
        print_json(&preview)?;
    } else {
        print(&text(&args, &preview, dataset.images.len()))?;
    }
    if let Some(reason) = &preview.changes_nothing {
        eprintln!("warning: this sampler changes nothing: {reason}");
    }
    Ok(Outcome::Fine)
}

fn text(args: &Args, preview: &Preview, images: usize) -> String {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("images", Align::Right),
        ("in an epoch", Align::Right),
        ("times", Align::Right),
    ]);
    let mut row = |title: &str, images: u64, shown: f64| {
        let times = if images > 0 { format!("{:.2}", shown / images as f64) } else { "–".into() };
        table.row(&[title, &images.to_string(), &format!("{shown:.1}"), &times]);
    };
    row("all images", images as u64, preview.images_per_epoch);
    for group in [Group::Rare, Group::Common, Group::Frequent] {
        let of = || preview.classes.iter().filter(|class| class.group == group);
        let title = format!("{} classes, {}", of().count(), name(group));
        row(&title, of().map(|class| class.images).sum(), of().map(|class| class.images_per_epoch).sum());
    }
    if args.classes {
        preview.classes.iter().for_each(|class| row(&class.name, class.images, class.images_per_epoch));
    }
    let known = SAMPLERS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    format!("{}\n{} epochs; samplers: {known}\n\n{}", preview.sampler, args.epochs, table.render())
}
