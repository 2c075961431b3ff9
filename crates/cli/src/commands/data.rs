//! `data`: what a data set holds, what is wrong with it, what a sampler would do, and sets that the program can make.

mod convert;
mod demo_set;
mod doctor;
mod emojivis_set;
mod preview;
mod sheet;
mod stats;

use crate::Outcome;

/// Look at data sets, and make some
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Stats(stats::Args),
    Doctor(doctor::Args),
    Preview(preview::Args),
    Convert(convert::Args),
    /// Build a data set in a folder
    #[command(subcommand)]
    Build(Set),
}

#[derive(clap::Subcommand)]
enum Set {
    Demo(demo_set::Args),
    #[command(name = "emojivis")]
    EmojiVis(emojivis_set::Args),
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    match args.action {
        Action::Stats(args) => stats::run(args),
        Action::Doctor(args) => doctor::run(args),
        Action::Preview(args) => preview::run(args),
        Action::Convert(args) => convert::run(args),
        Action::Build(Set::Demo(args)) => demo_set::run(args),
        Action::Build(Set::EmojiVis(args)) => emojivis_set::run(args),
    }
}
