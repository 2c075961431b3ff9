//! Everything that must hold, cheapest first. Each command is printed, so that it can be repeated by hand.
//!
//! Every step builds the whole workspace with one set of features: with another set, Burn would be compiled anew.

use std::path::Path;
use std::process::Command;

use crate::{arrows, docs, golden, root};

/// Runs all steps and stops at the first that fails.
pub fn run() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"])?;
    step("cargo xtask arrows", arrows::run)?;
    if Path::new(&golden::default_dir()).is_dir() {
        step("cargo xtask golden", || golden::run(None))?;
    }
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    step("cargo xtask docs --check", || docs::run(docs::Mode::Check))?;
    cargo(&["test", "--workspace", "--doc", "--locked"])?;
    cargo(&["nextest", "run", "--workspace", "--locked"])
}

fn step(name: &str, run: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("\n$ {name}");
    run()
}

fn cargo(args: &[&str]) -> Result<(), String> {
    println!("\n$ cargo {}", args.join(" "));
    let status = Command::new(env!("CARGO")).args(args).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`cargo {}` failed ({status})", args.join(" "))),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}
