//! The report on the long tail: one page that works offline, and its figures as files.
//!
//! Everything on the page is computed from the runs' own files. Text out of files is escaped, pictures are inside the page, nothing is fetched. The same
//! runs give the same bytes; of two trainings from one seed only the times differ.
//!
//! Every figure is a drawing that needs no script. The script adds what a drawing cannot: a ratio that moves through training, a table that is searched, and a
//! class that is asked for by a click.

mod changes;
mod classes;
mod comparison;
mod diagnosis;
mod gallery;
mod headline;
mod leaderboard;
mod matched;
mod numbers;
mod page;
mod stats;
mod terminal;

use std::path::{Path, PathBuf};

use equipoise_data::{Dataset, Group};

use crate::error::{EvalError, Result};
use crate::figure::svg::escape;
use crate::figure::{
    Figure, class_ap, class_histogram, gradient_ratio, loss_curves, median, ratio_over_steps, score_curves,
};
use crate::record::{LedgerRow, RunRecord, final_ledger, write_file};
use comparison::{Contender, contenders, drawn};

pub use leaderboard::{Difference, MetricStanding, Standing, leaderboard, leaderboard_table};
pub use stats::stats_page;
pub use terminal::comparison_table;

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// Title of the page.
    pub title: &'a str,
    /// The runs; the first is the baseline that others are compared to.
    pub runs: &'a [RunRecord],
    /// The training set, for counts.
    pub train: &'a Dataset,
    /// The validation set, for the gallery; its pictures are read from their paths.
    pub val: &'a Dataset,
    /// What was checked beyond the report's own check, in words.
    pub checks: &'a [Check],
    /// What the data are and are not: paragraphs separated by empty lines. [`DEMO_NOTES`] for the built-in set.
    pub notes: &'a str,
    /// Whose work is shown, as licences ask: paragraphs separated by empty lines.
    pub credits: &'a str,
}

/// Something that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Whether it is as it should be.
    pub passed: bool,
    /// What was found, in a sentence with its numbers.
    pub text: String,
}

/// What to keep in mind about the built-in demo set.
pub const DEMO_NOTES: &str = "The pictures are drawings: emoji of one family, turned, scaled, tinted and partly hidden, on made-up backgrounds. \
The counts are shaped like those of LVIS: a few classes own most of the objects, and a third of the classes have at most ten training pictures.\n\n\
So this page shows a mechanism, not a benchmark: how a loss treats classes that are seldom seen, on a set small enough to train on a laptop in minutes. \
The numbers say nothing about photographs, about large models, or about published tables, and must not be set beside them.";

/// Below this median gradient ratio of rare classes, EQL v2 acts in full: in LVIS-like training tail classes settle at 0.3 to 0.6,
/// where negatives weigh less than a tenth. Around 1 its weights are near 1.
pub const ACTING_BELOW: f64 = 0.6;

/// Below so many steps a ratio is still that of the start.
const FEW_STEPS: u64 = 300;

/// Median gradient ratio of the rare classes at the end of a run; `None` without a ledger or rare classes.
pub fn rare_ratio(run: &RunRecord) -> Option<f64> {
    let ledger = final_ledger(&run.ledger);
    median(ledger.iter().filter(|row| row.group == Group::Rare).map(|row| row.ratio))
}

/// Whether EQL v2 had anything to do in a run: the median final gradient ratio of rare classes against [`ACTING_BELOW`].
pub fn ratio_check(run: &RunRecord) -> Option<Check> {
    let ratio = rare_ratio(run)?;
    let passed = ratio < ACTING_BELOW;
    let ledger = final_ledger(&run.ledger);
    let weight = |of: fn(&LedgerRow) -> f64| {
        median(ledger.iter().filter(|row| row.group == Group::Rare).map(|row| of(row))).unwrap_or(1.0)
    };
    let (q, r) = (weight(|row| row.q), weight(|row| row.r));
    let steps = ledger.first().map_or(0, |row| row.step);
    let verdict = if steps < FEW_STEPS {
        "so early the ratio says nothing about a whole training"
    } else if passed {
        "below 0.6, the tail is as far out of balance as in LVIS and the method acts in full"
    } else if ratio < 1.0 {
        "not below 0.6, the tail is less out of balance than in LVIS and the method acts in part"
    } else {
        "not below 0.6, the tail is in balance and the method is nearly switched off"
    };
    let title = if run.meta.title.is_empty() { &run.meta.name } else { &run.meta.title };
    Some(Check {
        passed,
        text: format!(
            "Median gradient ratio g of rare classes under {title} after {steps} steps is {ratio:.2}: {verdict} (median weights: positives {q:.2}, negatives {r:.2})."
        ),
    })
}

/// The one sentence about the runs that a terminal prints, as it stands at the head of the page.
pub fn headline(runs: &[RunRecord]) -> String {
    headline::sentences(&contenders(runs)).join(" ")
}

/// Writes `report.html` and `figures/` into a folder and returns the path of the page.
///
/// A picture that cannot be read is left out of the gallery and named on the page.
///
/// # Errors
/// No runs, a run that was scored on other classes than those of the training set, or a file that cannot be written.
pub fn write_report(out: &Path, input: &ReportInput) -> Result<PathBuf> {
    if input.runs.is_empty() {
        return Err(EvalError::Report("there is no run to report on; name at least one run directory".into()));
    }
    same_classes(input)?;
    let contenders = contenders(input.runs);
    let drawn = drawn(input.runs, &contenders);
    let figures = Figures::draw(input, &contenders, &drawn);
    for figure in figures.all() {
        figure.write(&out.join("figures"))?;
    }
    let path = out.join("report.html");
    write_file(&path, html(input, &contenders, &drawn, &figures).as_bytes())?;
    Ok(path)
}

/// Runs of other data must not stand in one table.
fn same_classes(input: &ReportInput) -> Result<()> {
    let expected = || input.train.categories.iter().map(|c| c.id);
    for run in input.runs.iter().filter(|run| !run.classes.is_empty()) {
        if !run.classes.iter().map(|c| c.id).eq(expected()) {
            return Err(EvalError::Report(format!(
                "the run in `{}` was scored on {} classes that are not the {} of `{}`; report it with its own data",
                run.dir.display(),
                run.classes.len(),
                input.train.num_classes(),
                input.train.source.display()
            )));
        }
    }
    Ok(())
}

struct Figures {
    ratio: Option<Figure>,
    steps: Vec<Figure>,
    class_ap: Option<Figure>,
    changes: Option<Figure>,
    scores: Option<Figure>,
    losses: Option<Figure>,
    histogram: Option<Figure>,
    /// Where the tail is lost, with what stands above each figure.
    diagnosis: Vec<(Figure, &'static str)>,
}

impl Figures {
    fn draw(input: &ReportInput, contenders: &[Contender], drawn: &[RunRecord]) -> Self {
        let pair = contenders.iter().take(1).chain(headline::challenger(contenders));
        let steps =
            pair.filter_map(|c| ratio_over_steps(c.runs[0], &format!("ratio_over_steps_{}", file_stem(c.runs[0]))));
        Self {
            ratio: gradient_ratio(drawn),
            steps: steps.collect(),
            class_ap: class_ap(drawn),
            changes: changes::figure(input.runs, contenders),
            scores: score_curves(drawn),
            losses: loss_curves(drawn),
            histogram: class_histogram(input.train),
            diagnosis: diagnosis::figures(input.runs),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Figure> {
        let single = [&self.ratio, &self.class_ap, &self.changes, &self.scores, &self.losses, &self.histogram];
        let diagnosis = self.diagnosis.iter().map(|(figure, _)| figure);
        single.into_iter().flatten().chain(&self.steps).chain(diagnosis)
    }
}

/// The run's name as part of a file name.
fn file_stem(run: &RunRecord) -> String {
    run.meta.name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

fn html(input: &ReportInput, contenders: &[Contender], drawn: &[RunRecord], figures: &Figures) -> String {
    let (headline, tiles) = (headline::sentences(contenders), page::tiles(contenders));
    let mut page = page::Page::new(input.title, &headline, &tiles, &page::facts(input));
    page.section("result", "Result", &(comparison::table(contenders) + &page::checks(input)));
    let of = |figure: Option<&Figure>, text: &str| figure.map(|f| page::figure(f, text));
    let changes = of(figures.changes.as_ref(), "").unwrap_or_default();
    let changes = changes + &changes::movers(contenders).unwrap_or_default();
    page.optional("changes", "What changed", (!changes.is_empty()).then_some(changes));
    let few = if drawn.len() < input.runs.len() {
        " Figures with a curve for each run show the first seed of each method."
    } else {
        ""
    };
    let ratio = figures.ratio.as_ref().map(|f| page::moving_ratio(f, &format!("{RATIO}{few}"), drawn.len()));
    page.optional("ratio", "Gradient ratio", ratio);
    let steps: Vec<String> =
        figures.steps.iter().enumerate().map(|(at, f)| page::figure(f, if at == 0 { STEPS } else { "" })).collect();
    page.optional("steps", "Ratio over steps", (!steps.is_empty()).then(|| steps.concat()));
    page.optional("classes-ap", "AP and training pictures", of(figures.class_ap.as_ref(), CLASS_AP));
    page.optional("diagnosis", "Where the tail is lost", diagnosis::section(input.runs, &figures.diagnosis));
    page.optional("table", "Every class", classes::table(input.runs));
    page.optional("gallery", "Pictures", gallery::gallery(input, contenders));
    page.optional("scores", "Scores in training", of(figures.scores.as_ref(), ""));
    page.optional("losses", "Losses", of(figures.losses.as_ref(), ""));
    page.optional("tail", "The long tail", of(figures.histogram.as_ref(), ""));
    page.section("settings", "Runs", &page::settings(input));
    let notes = page::paragraphs(input.notes) + &page::warnings(input.runs);
    page.optional("notes", "What this is and is not", (!notes.is_empty()).then_some(notes));
    let credits = page::paragraphs(input.credits);
    page.optional("credits", "Credits", (!credits.is_empty()).then_some(credits));
    page.finish(&numbers::element(drawn, input.train))
}

const RATIO: &str = "For every class the ledger adds up how hard its logit was pushed up by its own objects (positive) and down by everything else \
(negative). A class far below 1 has mostly been told “this is not you”. EQL v2 reads this ratio while it trains, and weighs both sides to lift the tail.";
const CLASS_AP: &str =
    "Where the tail is lost: classes with few training pictures stand on the left. A click on a dot shows its class.";
const STEPS: &str = "The same ratio at several moments of training: pale is early, dark is late.";

pub(crate) fn text(value: impl std::fmt::Display) -> String {
    escape(value)
}
