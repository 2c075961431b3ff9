//! `data doctor`: what is wrong or odd, why it matters, and what to do.

use std::path::{Path, PathBuf};

use equipoise_data::{
    Dataset, FORMATS, Finding, Lost, ReadConfig, Repair, Severity, WriteConfig, examine, format_name, repair,
    write_with,
};

use super::{NOT_COPIED, SetArgs};
use crate::Outcome;
use crate::commands::train::note_found;
use crate::output::{print, print_json, width, wrap};

/// Find what is wrong with a data set before a training does, and repair a copy
///
/// Exit code 1 when errors were found: what stops a training, or makes its scores mean nothing. 2 when a file cannot be read at all.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    set: SetArgs,
    /// Validation annotations: also finds what the two sets must not share, and what they must
    #[arg(long, value_name = "PATH")]
    val: Option<PathBuf>,
    /// Folder of the validation pictures [default: found beside the annotations]
    #[arg(long, value_name = "DIR", requires = "val")]
    val_images: Option<PathBuf>,
    /// Leave the pictures unread: much faster, and blind to those that are missing, damaged, of another size or there twice
    #[arg(long)]
    no_pictures: bool,
    /// Write a repaired copy to this new file, or new folder for yolo, openimages and roboflow, without key points and fields of other programs.
    /// What needs a decision stays and is listed
    #[arg(long, value_name = "OUT", conflicts_with = "val")]
    fix: Option<PathBuf>,
    /// Format of the copy [default: that of the data]
    #[arg(long, value_name = "NAME", requires = "fix")]
    to: Option<String>,
    /// Copy the pictures where the format keeps them in its own folders; they are linked otherwise
    #[arg(long, requires = "fix")]
    copy_pictures: bool,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// What a repair did, and what it left.
#[derive(serde::Serialize)]
struct Fixed {
    repairs: Vec<Repair>,
    left: Vec<Finding>,
    lost: Vec<String>,
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    // What a training would be refused for is counted, so that all of it is seen at once.
    let lenient = |images| ReadConfig { images, lenient: true };
    let mut train = Dataset::read_with(&args.set.data, &lenient(args.set.images.as_deref()))?;
    note_found(&args.set.data, &train);
    if let Some(out) = &args.fix {
        return fix(&mut train, out, &args);
    }
    let val = |path: &PathBuf| Dataset::read_validation_with(path, &lenient(args.val_images.as_deref()));
    let val = args.val.as_ref().map(val).transpose()?;
    if let (Some(path), Some(val)) = (&args.val, &val) {
        note_found(path, val);
    }
    let findings = examine(&train, val.as_ref(), !args.no_pictures);
    if args.json {
        print_json(&findings)?;
    } else {
        print(&text(&findings))?;
    }
    Ok(outcome(&findings))
}

fn outcome(findings: &[Finding]) -> Outcome {
    let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    if wrong { Outcome::GateFailed } else { Outcome::Fine }
}

/// Repairs `dataset`, writes it and says what was done and what is left.
fn fix(dataset: &mut Dataset, out: &Path, args: &Args) -> anyhow::Result<Outcome> {
    let format = args.to.as_deref().map_or_else(|| format_name(&args.set.data), Ok)?;
    anyhow::ensure!(FORMATS.iter().any(|known| known.name() == format), "unknown format `{format}`");
    anyhow::ensure!(
        !out.exists() || is_empty_folder(out),
        "`{}` is in the way: name a new file or folder",
        out.display()
    );
    let repairs = repair(dataset, !args.no_pictures);
    let lost = write_with(dataset, format, out, &WriteConfig { copy_pictures: args.copy_pictures, masks: true })?;
    let left = examine(dataset, None, !args.no_pictures);
    let lost = lost.iter().map(Lost::to_string).collect();
    let fixed = Fixed { repairs, left, lost, out: out.to_path_buf() };
    if args.json {
        print_json(&fixed)?;
    } else {
        print(&fixed_text(&fixed, format, dataset))?;
    }
    Ok(outcome(&fixed.left))
}

fn is_empty_folder(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn fixed_text(fixed: &Fixed, format: &str, dataset: &Dataset) -> String {
    let mut text = String::new();
    for Repair { what, count, action } in &fixed.repairs {
        text += &format!("fixed: {count} {what}: {action}\n");
    }
    if fixed.repairs.is_empty() {
        text += "there was nothing to repair\n";
    }
    let objects: usize = dataset.images.iter().map(|image| image.objects.len()).sum();
    text += &format!(
        "wrote {} images and {objects} objects as {format} to {}\n",
        dataset.images.len(),
        fixed.out.display()
    );
    text += NOT_COPIED;
    text.extend(fixed.lost.iter().map(|lost| format!("lost  {lost}\n")));
    if fixed.left.is_empty() {
        return text + "nothing else was found\n";
    }
    text + "\nLeft, since it needs a decision or is no error:\n\n" + &self::text(&fixed.left)
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
