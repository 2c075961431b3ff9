//! The page around the content: head, style, navigation, and the small sections.

use equipoise_data::Group;

use super::comparison::Contender;
use super::headline::challenger;
use super::numbers::MOST_RUNS;
use super::{Check, ReportInput, ratio_check, text};
use crate::figure::ink::{dark_css, group_name, series};
use crate::figure::{Figure, thousands};
use crate::record::RunRecord;
use crate::symptoms::symptoms;
use crate::table::{percent, points};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = concat!(include_str!("table.js"), include_str!("ratio.js"), include_str!("class.js"));

/// Where a class is shown; closed, and empty, until one is asked for.
const DIALOG: &str = "<dialog id=\"class\" aria-labelledby=\"class-name\"><div class=\"bar\"><button type=\"button\" id=\"class-before\" aria-label=\"Rarer class\">←</button>\
<button type=\"button\" id=\"class-after\" aria-label=\"Less rare class\">→</button><button type=\"button\" id=\"class-close\">Close</button></div><div id=\"class-content\"></div></dialog>\n";

/// A page under construction.
pub(super) struct Page {
    head: String,
    links: String,
    body: String,
}

impl Page {
    pub fn new(title: &str, headline: &[String], numbers: &str, facts: &str) -> Self {
        let (first, rest) = headline.split_first().map_or(("", &[][..]), |(f, r)| (f.as_str(), r));
        let title = text(title);
        let head = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\n<style>\n{STYLE}@media screen and (prefers-color-scheme:dark){{{}}}\n</style></head>\n\
             <body><a class=\"skip\" href=\"#result\">To the result</a>\n<header><p class=\"name\">{title}</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n{numbers}{facts}",
            dark_css(),
            text(first),
            text(rest.join(" "))
        );
        Self { head, links: String::new(), body: String::new() }
    }

    /// A section with its entry in the navigation.
    pub fn section(&mut self, id: &str, title: &str, content: &str) {
        self.links += &format!("<a href=\"#{id}\">{title}</a>");
        self.body += &format!("<section id=\"{id}\"><h2>{title}</h2>\n{content}</section>\n");
    }

    /// The same, where there is something to show.
    pub fn optional(&mut self, id: &str, title: &str, content: Option<String>) {
        if let Some(content) = content {
            self.section(id, title, &content);
        }
    }

    /// The page; `numbers` is the element that its script draws from.
    pub fn finish(self, numbers: &str) -> String {
        format!(
            "{}<nav aria-label=\"Sections\">{}</nav></header>\n<main>\n{}</main>\n{DIALOG}{numbers}<script>\n{SCRIPT}</script>\n</body></html>\n",
            self.head, self.links, self.body
        )
    }
}

/// A drawing inside the page, with a text above it.
pub(super) fn figure(figure: &Figure, above: &str) -> String {
    let above = if above.is_empty() { String::new() } else { format!("<p>{above}</p>\n") };
    format!("{above}{}", drawing(figure, "drawing"))
}

/// The drawing alone, in a frame that scrolls where the screen is narrow.
fn drawing(figure: &Figure, class: &str) -> String {
    format!(
        "<figure class=\"{class}\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">{}</figure>\n",
        text(&figure.label),
        figure.svg
    )
}

/// The gradient ratio: a figure that the script moves through training, and on paper and without a script the end of it.
pub(super) fn moving_ratio(figure: &Figure, above: &str, runs: usize) -> String {
    let (more, class) = if runs > MOST_RUNS {
        (format!("<p>Four of {runs} runs move; below them the end of training of all.</p>\n"), "drawing")
    } else {
        (String::new(), "drawing still")
    };
    format!("<p>{above}</p>\n{more}<div id=\"moving\"></div>\n{}", drawing(figure, class))
}

/// The size of the data and of the training, in one line of small facts.
pub(super) fn facts(input: &ReportInput) -> String {
    let groups = [Group::Rare, Group::Common, Group::Frequent].map(|group| {
        let count = input.train.categories.iter().filter(|c| c.group == group).count();
        format!("{count} {}", group_name(group))
    });
    let mut facts = vec![
        format!("{} classes: {}", input.train.num_classes(), groups.join(", ")),
        format!("{} training pictures", thousands(input.train.images.len() as u64)),
        format!("{} validation pictures", thousands(input.val.images.len() as u64)),
    ];
    let steps: Vec<u64> = input.runs.iter().map(|run| run.meta.steps).collect();
    if steps.first().is_some_and(|first| *first > 0 && steps.iter().all(|s| s == first)) {
        facts.push(format!("{} steps each", thousands(steps[0])));
    }
    let items: String = facts.iter().map(|fact| format!("<li>{}</li>", text(fact))).collect();
    format!("<ul class=\"facts\">{items}</ul>\n")
}

/// The scores of the last word: of the challenger where there is one, with its difference to the baseline below.
pub(super) fn tiles(contenders: &[Contender]) -> String {
    let Some(baseline) = contenders.first() else { return String::new() };
    let challenger = challenger(contenders);
    let shown = challenger.unwrap_or(baseline);
    let tile = |(key, words): (&str, &str)| {
        let value = shown.metric(key)?;
        let against = challenger.and(baseline.metric(key)).map_or_else(String::new, |before| {
            format!("<small>{} against {}</small>", points(Some(value - before)), text(&baseline.title))
        });
        Some(format!("<div><dt>{key}<small>{words}</small></dt><dd>{}{against}</dd></div>", percent(Some(value))))
    };
    let keys = [("AP", "all classes"), ("APr", "rare"), ("APc", "common"), ("APf", "frequent")];
    let tiles: String = keys.into_iter().filter_map(tile).collect();
    if tiles.is_empty() {
        return tiles;
    }
    format!("<dl class=\"tiles\" aria-label=\"Scores of {} in %\">{tiles}</dl>\n", text(&shown.title))
}

/// What is wrong with a run by its own numbers, the report's own check of every EQL v2 run, then what the caller checked.
pub(super) fn checks(input: &ReportInput) -> String {
    let labels = series(input.runs);
    let wrong = input.runs.iter().zip(&labels).flat_map(|(run, series)| {
        let check = |symptom| Check { passed: false, text: format!("{}: {symptom}", series.label) };
        symptoms(run).into_iter().map(check)
    });
    let own = input.runs.iter().filter(|run| run.meta.loss == "eqlv2").filter_map(ratio_check);
    let items: String = wrong.chain(own).chain(input.checks.iter().cloned()).map(|check| item(&check)).collect();
    if items.is_empty() { items } else { format!("<ul class=\"checks\">\n{items}</ul>\n") }
}

fn item(check: &Check) -> String {
    let (class, mark) = if check.passed { ("pass", "✓") } else { ("fail", "!") };
    format!("<li class=\"{class}\"><span aria-hidden=\"true\">{mark}</span>{}</li>\n", text(&check.text))
}

/// What every run was told to do, and what it took.
pub(super) fn settings(input: &ReportInput) -> String {
    let labels = series(input.runs);
    let rows: String = input.runs.iter().zip(&labels).map(|(run, series)| setting(run, &series.label)).collect();
    let heads: String = [
        "run",
        "loss",
        "sampler",
        "seed",
        "steps",
        "pictures a step",
        "learning rate",
        "parameters",
        "protocol",
        "training",
        "pictures/s",
        "memory",
        "version",
    ]
    .iter()
    .map(|name| format!("<th scope=\"col\">{name}</th>"))
    .collect();
    let recipes: String = input
        .runs
        .iter()
        .zip(&labels)
        .filter(|(run, _)| !run.recipe.is_empty())
        .map(|(run, series)| {
            let (label, recipe) = (text(&series.label), preformatted(&run.recipe));
            format!("<details><summary>Recipe of {label}</summary>\n<pre tabindex=\"0\">{recipe}</pre></details>\n")
        })
        .collect();
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Settings of the runs\"><table class=\"numbers plain\"><thead><tr>{heads}</tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n{recipes}<p class=\"aside\">Everything is in the files of each run: <code>recipe.toml</code>, <code>run.json</code>, \
         <code>timing.json</code>.</p>\n"
    )
}

fn setting(run: &RunRecord, label: &str) -> String {
    let m = &run.meta;
    let timing = run.timing.filter(|timing| timing.train_seconds > 0.0);
    let memory = timing.and_then(|t| t.peak_memory_bytes).map(|bytes| format!("{:.2} GB", bytes as f64 / 1e9));
    let dash = || "–".to_string();
    let cells = [
        m.loss.clone(),
        m.sampler.clone(),
        m.seed.to_string(),
        thousands(m.steps),
        m.batch.to_string(),
        m.lr.to_string(),
        thousands(m.parameters),
        m.protocol.clone(),
        timing.map_or_else(dash, |t| clock(t.train_seconds)),
        timing.map_or_else(dash, |t| format!("{:.1}", t.images_per_second)),
        memory.unwrap_or_else(dash),
        if m.version.is_empty() { dash() } else { m.version.clone() },
    ];
    let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", text(cell))).collect();
    format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", text(label))
}

/// Seconds as hours, minutes and seconds.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// Text whose line ends matter.
fn preformatted(plain: &str) -> String {
    plain.trim_end().lines().map(text).collect::<Vec<_>>().join("\n")
}

/// Paragraphs of plain text.
pub(super) fn paragraphs(plain: &str) -> String {
    let parts = plain.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| format!("<p>{}</p>\n", text(part))).collect()
}

/// What was odd in the runs' files.
pub(super) fn warnings(runs: &[RunRecord]) -> String {
    let items: String = runs
        .iter()
        .flat_map(|run| {
            run.warnings.iter().map(|warning| format!("<li>{}: {}</li>", text(&run.meta.name), text(warning)))
        })
        .collect();
    if items.is_empty() { items } else { format!("<ul>{items}</ul>\n") }
}
