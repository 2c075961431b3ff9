//! `data preview`: what a sampler and augmentation make of a data set, before a training spends hours on it.

use std::path::PathBuf;
use std::sync::Arc;

use equipoise_data::{Dataset, Group, Rounding, SAMPLERS, effective_counts, sampler};
use equipoise_eval::table::{Align, Table};
use equipoise_train::Recipe;
use serde::Serialize;

use super::sheet::write_sheet;
use super::stats::name;
use crate::Outcome;
use crate::commands::train::named_recipe;
use crate::output::{print, print_json};

/// Show how often each class comes with a sampler, and pictures as a training would see them
#[derive(clap::Args)]
pub struct Args {
    /// Training annotations, or a folder that holds some
    #[arg(value_name = "PATH")]
    data: PathBuf,
    /// Folder of the pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Recipe whose sampler and augmentation are shown: a TOML file or the name of a built-in one
    #[arg(long, value_name = "FILE|NAME")]
    recipe: Option<PathBuf>,
    /// Override a key of the recipe, such as loader.mosaic.chance=0.5; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Sampler, as in a recipe [default: that of the recipe, without one repeat-factor]
    #[arg(long, value_name = "NAME")]
    sampler: Option<String>,
    /// Share of images, or of objects, below which classes repeat [default: that of the recipe]
    #[arg(long, value_name = "T")]
    repeat_threshold: Option<f64>,
    /// How repeat-factor samplers round: stochastic or ceil [default: that of the recipe]
    #[arg(long, value_name = "HOW", value_parser = rounding)]
    rounding: Option<Rounding>,
    /// Write a contact sheet: pictures as the training gets them, with their boxes
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    /// Pictures on the sheet
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=400))]
    pictures: u64,
    /// Seed [default: that of the recipe]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
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

fn rounding(name: &str) -> Result<Rounding, String> {
    let all = [Rounding::Stochastic, Rounding::Ceil];
    all.into_iter().find(|rounding| rounding.name() == name).ok_or("give stochastic or ceil".into())
}

impl Args {
    /// The recipe that is shown, with the flags on top.
    fn recipe(&self) -> anyhow::Result<Recipe> {
        let mut shown = match &self.recipe {
            Some(named) => named_recipe(named, &self.overrides)?,
            None => Recipe::parse("--set", "sampler.name = \"repeat-factor\"", &self.overrides)?,
        };
        let options = &mut shown.sampler.options;
        options.repeat_threshold = self.repeat_threshold.unwrap_or(options.repeat_threshold);
        options.rounding = self.rounding.unwrap_or(options.rounding);
        shown.sampler.name = self.sampler.clone().unwrap_or(shown.sampler.name);
        shown.seed = self.seed.unwrap_or(shown.seed);
        Ok(shown)
    }
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
    let recipe = args.recipe()?;
    recipe.loader.check()?;
    let sampler = sampler(&recipe.sampler.name, &recipe.sampler.options)?;
    let dataset = Arc::new(Dataset::read(&args.data, args.images.as_deref())?);
    let plain: Vec<usize> = (0..dataset.images.len()).collect();
    let before = effective_counts(&dataset, &plain);
    let (mut shown, mut drawn) = (vec![0; dataset.num_classes()], 0);
    for epoch in 0..args.epochs {
        let order = sampler.epoch(&dataset, recipe.seed, epoch);
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
    if let Some(file) = &args.sheet {
        let order = sampler.epoch(&dataset, recipe.seed, 0);
        let shown = write_sheet(file, &dataset, &order, &recipe, args.pictures as usize)?;
        eprintln!("{shown} pictures of the first epoch in {}", file.display());
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
