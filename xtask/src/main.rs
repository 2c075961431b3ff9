//! Chores of the repository: `cargo xtask ci`, `arrows`, `docs [--check]`, `golden`. Standard library only, so that it builds in a second.

mod arrows;
mod ci;
mod docs;
mod golden;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  ci              everything that must hold before a change is merged, cheapest first
  arrows          no crate uses a crate that it must not know
  docs [--check]  write docs/losses.md and docs/cli.md from the program, or compare them
  golden [DIR]    the golden numbers of the tests are those in DIR (default ../shared/vectors)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["ci"] => ci::run(),
        ["arrows"] => arrows::run(),
        ["docs"] => docs::run(docs::Mode::Write),
        ["docs", "--check"] => docs::run(docs::Mode::Check),
        ["golden"] => golden::run(None),
        ["golden", dir] => golden::run(Some(dir.as_ref())),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(1)
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}
