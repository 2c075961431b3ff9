//! Pages that the program writes about itself, and whether those in the repository are up to date.

use std::fs;
use std::process::Command;

use crate::root;

/// Page and the words that make the program print it.
const PAGES: &[(&str, &[&str])] = &[("docs/losses.md", &["docs", "losses"]), ("docs/cli.md", &["docs", "cli"])];

/// What to do with the pages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write them.
    Write,
    /// Compare them.
    Check,
}

/// Writes or compares every page.
pub fn run(mode: Mode) -> Result<(), String> {
    let mut stale = Vec::new();
    for (page, words) in PAGES {
        let path = root().join(page);
        let fresh = printed(words)?;
        let kept = fs::read_to_string(&path).unwrap_or_default();
        if mode == Mode::Check {
            stale.extend((kept != fresh).then_some(*page));
            continue;
        }
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, &fresh))
            .map_err(|error| format!("cannot write `{page}`: {error}"))?;
        println!("{page} {}", if kept == fresh { "was up to date" } else { "written" });
    }
    if stale.is_empty() {
        Ok(())
    } else {
        Err(format!("{} differ from the program; run `cargo xtask docs`", stale.join(", ")))
    }
}

fn printed(words: &[&str]) -> Result<String, String> {
    // All targets, as in every other step: without them the features of dependencies differ, and Burn would be compiled anew.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--workspace", "--all-targets", "--locked", "--quiet"])
        .current_dir(root())
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("the program does not build".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let program = target.join("debug").join(format!("equipoise{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&program).args(words).output();
    let output = output.map_err(|error| format!("cannot run `{}`: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("`equipoise {}` failed: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("`equipoise {}`: {error}", words.join(" ")))
}
