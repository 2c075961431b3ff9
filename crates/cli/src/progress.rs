//! Progress: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use equipoise_eval::live::Screen;
use equipoise_train::StepReport;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Time between plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// Several tasks that run side by side, one bar each.
pub struct Progress {
    bars: Option<MultiProgress>,
}

impl Progress {
    /// Bars when standard error is a terminal, else plain lines.
    pub fn new() -> Self {
        Self { bars: std::io::stderr().is_terminal().then(MultiProgress::new) }
    }

    /// A task of `total` units.
    pub fn task(&self, title: &str, total: u64) -> Task {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(total));
            let template = "{prefix:<18} {bar:14} {pos}/{len} {wide_msg} {eta}";
            bar.set_style(ProgressStyle::with_template(template).expect("the template is fixed"));
            bar.set_prefix(title.to_string());
            bar
        });
        let state = Mutex::new(State { started: Instant::now(), printed: Instant::now(), first: None });
        Task { title: title.to_string(), total, bar, state }
    }

    /// A place for lines under the bars, that are shown anew in place; on anything but a terminal they are not shown.
    pub fn board(&self) -> Board {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::no_length());
            bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is fixed"));
            bar
        });
        Board { bar }
    }

    /// A line above the bars.
    pub fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.println(line).unwrap_or_default(),
            None => eprintln!("{line}"),
        }
    }
}

/// Lines that are shown anew in place.
pub struct Board {
    bar: Option<ProgressBar>,
}

impl Board {
    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        self.bar.is_some()
    }

    /// Shows what `lines` makes for the terminal, of which `others` lines are taken.
    pub fn show(&self, others: usize, lines: impl FnOnce(Screen) -> Vec<String>) {
        if let Some(bar) = &self.bar {
            let (height, width) = console::Term::stderr().size();
            let screen = Screen {
                width: usize::from(width).saturating_sub(1),
                height: usize::from(height).saturating_sub(others + 1),
                colour: console::colors_enabled_stderr(),
            };
            bar.set_message(lines(screen).join("\n"));
        }
    }

    /// The lines go.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// The lines stay as they are.
    pub fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

struct State {
    started: Instant,
    printed: Instant,
    /// Units done when the task was first heard of: a resumed run does not start at 0.
    first: Option<u64>,
}

/// A task under way.
pub struct Task {
    title: String,
    total: u64,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

impl Task {
    /// A training step was done.
    pub fn step(&self, report: &StepReport) {
        let sum = |part: &str| -> f64 {
            report.losses.iter().filter(|(name, _)| name.starts_with(part)).map(|(_, value)| value).sum()
        };
        let mut parts = format!("cls {:.3} box {:.3}", sum("classification"), sum("box"));
        // A detector of one stage has no proposals, and few learn masks.
        for part in ["rpn", "mask"] {
            if report.losses.iter().any(|(name, _)| name.starts_with(part)) {
                parts += &format!(" {part} {:.3}", sum(part));
            }
        }
        let message = |rate: f64| format!("loss {:.3} ({parts}) {rate:.1} it/s", report.loss());
        self.advance(report.step, message);
    }

    /// `done` units were done.
    pub fn units(&self, done: u64, unit: &str) {
        self.advance(done, |rate| format!("{rate:.1} {unit}/s"));
    }

    fn advance(&self, done: u64, message: impl Fn(f64) -> String) {
        let mut state = self.state.lock().expect("no task panics while it reports");
        let first = *state.first.get_or_insert(done.saturating_sub(1));
        let rate = (done - first) as f64 / state.started.elapsed().as_secs_f64().max(1e-9);
        if let Some(bar) = &self.bar {
            bar.set_message(message(rate));
            bar.set_position(done);
            return;
        }
        if state.printed.elapsed() >= PLAIN_EVERY || done == self.total {
            state.printed = Instant::now();
            let left = (self.total - done) as f64 / rate.max(1e-9);
            eprintln!("{} {done}/{} {} eta {}", self.title, self.total, message(rate), clock(left));
        }
    }

    /// The task is over.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Seconds as minutes and seconds.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    if seconds >= 3600 {
        format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60)
    } else {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    }
}
