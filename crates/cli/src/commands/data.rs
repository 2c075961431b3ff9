//! `data`: what a data set holds, what is wrong with it, what a sampler would do, and sets that the program can make.

mod convert;
mod demo_set;
mod doctor;
mod emojivis_set;
mod preview;
mod sheet;
mod stats;

use std::path::PathBuf;

use crate::Outcome;

/// Look at data sets, and make some
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What no data set of this program holds, and no count of losses can name.
const NOT_COPIED: &str = "note  key points and fields of other programs are not copied\n";

/// A data set and its pictures.
#[derive(clap::Args)]
struct SetArgs {
    /// Annotations, or a folder that holds some, in any format that is read
    #[arg(value_name = "PATH")]
    data: PathBuf,
    /// Folder of the pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
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
