//! The program `equipoise`: trains, scores and explains object detectors that keep their rare classes.
//!
//! The only crate that prints, reads flags and chooses a backend. A command is one file in `commands` and one line below.
//!
//! Exit codes: 0 fine, 1 a gate failed, 2 an error (its message, then `cause:` lines), 130 stopped by Ctrl-C.

mod calibrate;
mod cells;
mod commands;
mod device;
mod follow;
mod interrupt;
mod memory_kernel;
mod output;
mod progress;
mod run_data;
mod scoring;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a command ends with when nothing broke.
pub enum Outcome {
    /// All is well: exit code 0.
    Fine,
    /// The command ran, but what it checked does not hold: exit code 1.
    GateFailed,
    /// The user stopped it, and it said how to go on: exit code 130, as shells give for Ctrl-C.
    Stopped,
}

/// Trains, scores and explains object detectors that keep their rare classes.
#[derive(Parser)]
#[command(name = "equipoise", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Data(commands::data::Args),
    Demo(commands::demo::Args),
    Train(commands::train::Args),
    Compare(commands::compare::Args),
    Eval(commands::eval::Args),
    Predict(commands::predict::Args),
    Report(commands::report::Args),
    Losses(commands::losses::Args),
    Explain(commands::explain::Args),
    Weights(commands::weights::Args),
    Bench(commands::bench::Args),
    #[command(hide = true)]
    Docs(commands::docs::Args),
}

impl Command {
    fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Command::Data(args) => commands::data::run(args),
            Command::Demo(args) => commands::demo::run(args),
            Command::Train(args) => commands::train::run(args),
            Command::Compare(args) => commands::compare::run(args),
            Command::Eval(args) => commands::eval::run(args),
            Command::Predict(args) => commands::predict::run(args),
            Command::Report(args) => commands::report::run(args),
            Command::Losses(args) => commands::losses::run(args),
            Command::Explain(args) => commands::explain::run(args),
            Command::Weights(args) => commands::weights::run(args),
            Command::Bench(args) => commands::bench::run(args),
            Command::Docs(args) => commands::docs::run(args),
        }
    }
}

/// The program's own description, for its pages.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Runs the program with these arguments, the first being its name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    memory_kernel::keep_freed_memory();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * 2);
        }
    };
    match cli.command.run() {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::GateFailed) => ExitCode::from(1),
        Ok(Outcome::Stopped) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("cause: {cause}");
            }
            ExitCode::from(2)
        }
    }
}
