//! Help: every command explains itself, and the pages in the repository are what the program says.

use std::path::Path;

use crate::program::{equipoise, fine};

const COMMANDS: [&str; 10] =
    ["demo", "train", "compare", "eval", "predict", "report", "losses", "explain", "weights", "bench"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_command_is_listed_and_explains_itself() {
    let list = fine(here(), &["--help"]);
    for command in COMMANDS {
        assert!(list.lines().any(|line| line.trim_start().starts_with(command)), "{command} is not listed");
        let help = fine(here(), &[command, "--help"]);
        let usage = help.lines().find(|line| line.starts_with("Usage: ")).expect("a usage line");
        assert!(usage.contains(&format!("equipoise {command}")), "{usage}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        let (flags, help) = (help.matches("\n      --").count(), help.trim_end());
        assert!(flags == 0 || help.contains("Print help"), "{help}");
    }
}

#[test]
fn without_a_command_the_help_is_an_error() {
    let ran = equipoise(here(), &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("Usage: equipoise"), "{}", ran.err);
}

#[test]
fn a_command_that_is_nearly_right_is_suggested() {
    let ran = equipoise(here(), &["trian"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("'train'"), "{}", ran.err);
}

#[test]
fn the_pages_in_the_repository_are_up_to_date() {
    for page in ["losses", "cli"] {
        let kept = std::fs::read_to_string(here().join(format!("../../docs/{page}.md"))).unwrap_or_default();
        assert!(fine(here(), &["docs", page]) == kept, "docs/{page}.md is old; run `cargo xtask docs`");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(fine(here(), &["--version"]).trim(), format!("equipoise {}", env!("CARGO_PKG_VERSION")));
}
