//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    equipoise::run(std::env::args_os())
}
