//! `bench`: how fast the parts are on this machine.
//!
//! Every part is a file with a function that adds cases; cases of a part run in turns, so that other work on the machine meets all
//! of them alike and their ratios mean something even where the milliseconds do not.

mod data;
mod detection;
mod eval;
mod loss;
mod measure;
mod ops;
mod photos;
mod scale;

use anyhow::bail;
use burn::tensor::Device;
use equipoise_eval::table::{Align, Table};
use serde::Serialize;

use crate::Outcome;
use crate::device::DeviceArgs;
use crate::output::{print, print_json};
use measure::{Case, Measured, measure};

/// Time the parts on this machine: losses, training steps, operations, prediction, data and scores
///
/// Inputs are made up and the same each time. Compare cases of one run; a machine with other work to do is slower at all of them.
#[derive(clap::Args)]
pub struct Args {
    /// Parts to time [default: all but scale, which writes 1.2 GB to the folder for temporary files]
    #[arg(value_name = "PART")]
    parts: Vec<String>,
    /// Seconds for each case, after one run to warm up
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    seconds: f64,
    /// Only cases whose name or shape contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A part of the program that can be timed.
struct Part {
    name: &'static str,
    cases: fn(&Device) -> anyhow::Result<Vec<Case>>,
    /// Only timed when it is named.
    on_demand: bool,
}

const PARTS: [Part; 7] = [
    Part { name: "loss", cases: loss::cases, on_demand: false },
    Part { name: "ops", cases: ops::cases, on_demand: false },
    Part { name: "step", cases: detection::training, on_demand: false },
    Part { name: "predict", cases: detection::prediction, on_demand: false },
    Part { name: "data", cases: data::cases, on_demand: false },
    Part { name: "eval", cases: eval::cases, on_demand: false },
    Part { name: "scale", cases: scale::cases, on_demand: true },
];

#[derive(Serialize)]
struct Report {
    device: String,
    threads: usize,
    /// Largest resident memory of the process in bytes, where the system tells.
    peak_memory_bytes: Option<u64>,
    cases: Vec<Measured>,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    if !(args.seconds > 0.0 && args.seconds <= 3600.0) {
        bail!("--seconds is {}; give a number of seconds above 0 and up to 3600", args.seconds);
    }
    let parts: Vec<&Part> = if args.parts.is_empty() {
        PARTS.iter().filter(|part| !part.on_demand).collect()
    } else {
        args.parts.iter().map(|name| part(name)).collect::<anyhow::Result<_>>()?
    };
    let device = args.device.device()?;
    args.device.start_threads()?;
    let mut measured = Vec::new();
    for part in parts {
        let mut cases = (part.cases)(&device)?;
        cases.retain(|case| case.name.contains(&args.only) || case.shape.contains(&args.only));
        measured.extend(measure(part.name, &mut cases, args.seconds)?);
    }
    if measured.is_empty() {
        bail!("no case has `{}` in its name or shape", args.only);
    }
    let report = Report {
        device: args.device.device.clone(),
        threads: args.device.threads(),
        peak_memory_bytes: super::train::peak_memory(),
        cases: measured,
    };
    if args.json {
        print_json(&report)?;
    } else {
        print(&text(&report))?;
    }
    Ok(Outcome::Fine)
}

fn part(name: &str) -> anyhow::Result<&'static Part> {
    let known = || PARTS.iter().map(|part| part.name).collect::<Vec<_>>().join(", ");
    match PARTS.iter().find(|part| part.name == name) {
        Some(part) => Ok(part),
        None => bail!("there is no part `{name}` to time; known: {}", known()),
    }
}

fn text(report: &Report) -> String {
    let columns = [
        ("part", Align::Left),
        ("case", Align::Left),
        ("shape", Align::Left),
        ("median ms", Align::Right),
        ("quartiles", Align::Right),
        ("runs", Align::Right),
        ("rate", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for case in &report.cases {
        let rate = case.rate.as_ref().map_or_else(String::new, |rate| format!("{} {}/s", short(rate.value), rate.unit));
        let quartiles = format!("{}–{}", short(case.lower_ms), short(case.upper_ms));
        let (median, runs) = (short(case.median_ms), case.runs.to_string());
        table.row(&[case.part, &case.name, &case.shape, &median, &quartiles, &runs, &rate]);
    }
    format!("{} threads on {}\n\n{}", report.threads, report.device, table.render())
}

/// Three significant digits.
fn short(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}
