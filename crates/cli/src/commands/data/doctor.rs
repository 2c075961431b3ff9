//! `data doctor`: what is wrong or odd, why it matters, and what to do.

use std::path::PathBuf;

use equipoise_data::{Dataset, Finding, Severity, examine};

use crate::Outcome;
use crate::output::{print, print_json, width, wrap};

/// Find what is wrong with a data set before a training does
///
/// Exit code 1 when errors were found: what stops a training, or makes its scores mean nothing.
#[derive(clap::Args)]
pub struct Args {
    /// Training annotations, or a folder that holds some
    #[arg(value_name = "PATH")]
    data: PathBuf,
    /// Folder of the training pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Validation annotations: also finds what the two sets must not share, and what they must
    #[arg(long, value_name = "PATH")]
    val: Option<PathBuf>,
    /// Folder of the validation pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR", requires = "val")]
    val_images: Option<PathBuf>,
    /// Leave the pictures unread: much faster, and blind to those that are missing, damaged, of another size or in both sets
    #[arg(long)]
    no_pictures: bool,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let train = Dataset::read(&args.data, args.images.as_deref())?;
    let val = args.val.as_ref().map(|path| Dataset::read_validation(path, args.val_images.as_deref())).transpose()?;
    let findings = examine(&train, val.as_ref(), !args.no_pictures);
    if args.json {
        print_json(&findings)?;
    } else {
        print(&text(&findings))?;
    }
    let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if wrong { Outcome::GateFailed } else { Outcome::Fine })
}

fn text(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing found\n".into();
    }
    let mut text = String::new();
    for finding in findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        text += &format!("{severity}: {} {}\n", finding.count, finding.what);
        for (title, part) in [("such as", &finding.example), ("why", &finding.why), ("fix", &finding.fix)] {
            for (at, line) in wrap(part, width() - 11).into_iter().enumerate() {
                text += &format!("  {:<8} {line}\n", if at == 0 { title } else { "" });
            }
        }
        text.push('\n');
    }
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counts = [of(Severity::Error), of(Severity::Warning), of(Severity::Note)];
    text + &format!("{} kinds of errors, {} of warnings, {} of notes\n", counts[0], counts[1], counts[2])
}
