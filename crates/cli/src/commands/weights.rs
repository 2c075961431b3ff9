//! `weights`: what a training starts from and what it leaves.

mod export;
mod import;
mod list;
mod pretrain;

use crate::Outcome;

/// Show, import, export or make weights
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    List(list::Args),
    Import(import::Args),
    Export(export::Args),
    Pretrain(pretrain::Args),
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    match args.action {
        Action::List(args) => list::run(args),
        Action::Import(args) => import::run(args),
        Action::Export(args) => export::run(args),
        Action::Pretrain(args) => pretrain::run(args),
    }
}
