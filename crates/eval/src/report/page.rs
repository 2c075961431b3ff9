//! The page around the content: head, style, navigation, and the small sections.

use equipoise_data::Group;

use super::{Check, ReportInput, ratio_check, text};
use crate::figure::ink::{dark_css, group_name, series};
use crate::figure::{Figure, thousands};
use crate::record::RunRecord;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A page under construction.
pub(super) struct Page {
    head: String,
    links: String,
    body: String,
}

impl Page {
    pub fn new(title: &str, headline: &[String], facts: &str) -> Self {
        let (first, rest) = headline.split_first().map_or(("", &[][..]), |(f, r)| (f.as_str(), r));
        let title = text(title);
        let head = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\n<style>\n{STYLE}@media (prefers-color-scheme:dark){{{}}}\n</style></head>\n\
             <body><header><p class=\"name\">{title}</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n{facts}",
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

    pub fn finish(self) -> String {
        format!(
            "{}<nav>{}</nav></header>\n<main>\n{}</main>\n<script>\n{SCRIPT}</script>\n</body></html>\n",
            self.head, self.links, self.body
        )
    }
}

/// A drawing inside the page, with a text above it.
pub(super) fn figure(figure: &Figure, above: &str) -> String {
    let above = if above.is_empty() { String::new() } else { format!("<p>{above}</p>\n") };
    format!("{above}<figure class=\"drawing\">{}</figure>\n", figure.svg)
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

/// The report's own check of every EQL v2 run, then what the caller checked.
pub(super) fn checks(input: &ReportInput) -> String {
    let own = input.runs.iter().filter(|run| run.meta.loss == "eqlv2").filter_map(ratio_check);
    let items: String = own.chain(input.checks.iter().cloned()).map(|check| item(&check)).collect();
    if items.is_empty() { items } else { format!("<ul class=\"checks\">\n{items}</ul>\n") }
}

fn item(check: &Check) -> String {
    let (class, mark) = if check.passed { ("pass", "✓") } else { ("fail", "!") };
    format!("<li class=\"{class}\"><span>{mark}</span>{}</li>\n", text(&check.text))
}

/// What every run was told to do.
pub(super) fn settings(input: &ReportInput) -> String {
    let labels = series(input.runs);
    let rows: String = input
        .runs
        .iter()
        .zip(&labels)
        .map(|(run, series)| {
            let m = &run.meta;
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                text(&series.label),
                text(&m.loss),
                text(&m.sampler),
                m.seed,
                thousands(m.steps),
                m.batch,
                m.lr,
                thousands(m.parameters)
            )
        })
        .collect();
    let heads: String = ["run", "loss", "sampler", "seed", "steps", "pictures a step", "learning rate", "parameters"]
        .iter()
        .map(|name| format!("<th scope=\"col\">{name}</th>"))
        .collect();
    format!(
        "<div class=\"wide\"><table class=\"numbers plain\"><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n\
         <p class=\"aside\">Everything else is in the <code>recipe.toml</code> of each run.</p>\n"
    )
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
