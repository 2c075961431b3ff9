//! `data build demo`: the built-in set in a folder.

use std::path::PathBuf;

use equipoise_data::demo::{DemoConfig, build};

use crate::Outcome;
use crate::output::print;

/// The long-tailed set of the demo: drawings pasted onto made-up backgrounds, as PNG and LVIS JSON
#[derive(clap::Args)]
pub struct Args {
    /// Folder to build in
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Seed: another one gives other pictures, and other classes at the tail
    #[arg(long, default_value_t = DemoConfig::default().seed, value_name = "N")]
    seed: u64,
    /// Classes
    #[arg(long, default_value_t = DemoConfig::default().categories, value_name = "N")]
    categories: usize,
    /// Training pictures
    #[arg(long, default_value_t = DemoConfig::default().images, value_name = "N")]
    images: usize,
    /// Most training pictures of a class, above 100
    #[arg(long, default_value_t = DemoConfig::default().frequent_images, value_name = "N")]
    frequent_images: usize,
    /// Side of a picture in pixels
    #[arg(long, default_value_t = DemoConfig::default().side, value_name = "PIXELS")]
    side: u32,
    /// Threads, 0 for all cores
    #[arg(long, default_value_t = 0, value_name = "N")]
    threads: usize,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let config = DemoConfig {
        seed: args.seed,
        categories: args.categories,
        images: args.images,
        frequent_images: args.frequent_images,
        side: args.side,
        ..DemoConfig::default()
    };
    let set = build(&args.dir, &config, args.threads)?;
    print(&format!("train {}\nval   {}\n", set.train.display(), set.val.display()))?;
    Ok(Outcome::Fine)
}
