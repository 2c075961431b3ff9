//! Running the program.

use std::path::Path;
use std::process::Command;

/// What a run of the program left.
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `equipoise` with these arguments in `dir`.
pub fn equipoise(dir: &Path, args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_equipoise")).args(args).current_dir(dir).output().unwrap();
    Ran {
        code: output.status.code().expect("the program was not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs it where it must succeed; its standard output.
pub fn fine(dir: &Path, args: &[&str]) -> String {
    let ran = equipoise(dir, args);
    assert_eq!(ran.code, 0, "equipoise {}: {}", args.join(" "), ran.err);
    ran.out
}

/// Runs it where it must fail with an error; its standard error.
pub fn refused(dir: &Path, args: &[&str]) -> String {
    let ran = equipoise(dir, args);
    assert_eq!(ran.code, 2, "equipoise {}: {}{}", args.join(" "), ran.out, ran.err);
    assert!(ran.err.starts_with("error: ") || ran.err.contains("\nerror: "), "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran.err
}
