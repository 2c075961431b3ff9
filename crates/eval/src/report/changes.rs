//! What changed against the baseline: intervals by group, and the classes that gained and lost most.

use equipoise_data::Group;

use super::comparison::Contender;
use super::headline::challenger;
use super::text;
use crate::compare::paired_difference;
use crate::figure::ink::{Series, group_name, series};
use crate::figure::{Difference, Figure, score_difference};
use crate::record::{ClassRow, RunRecord};
use crate::table::{percent, points};

/// More contenders than this would make a figure that nobody reads.
const MOST_CONTENDERS: usize = 5;
const MOVERS: usize = 8;
const SEED: u64 = 0;
const GROUPS: [Option<Group>; 4] = [None, Some(Group::Rare), Some(Group::Common), Some(Group::Frequent)];

/// The figure of the differences to the first contender; `None` with nothing to compare.
pub(super) fn figure(runs: &[RunRecord], contenders: &[Contender]) -> Option<Figure> {
    let (baseline, others) = contenders.split_first()?;
    let inks = series(runs);
    let ink = |c: &Contender| -> Option<Series> {
        let at = runs.iter().position(|run| c.runs.first().is_some_and(|first| std::ptr::eq(*first, run)))?;
        inks.get(at).cloned()
    };
    let mut rows = Vec::new();
    for contender in others.iter().take(MOST_CONTENDERS) {
        for group in GROUPS {
            let difference = paired_difference(&baseline.class_aps(group), &contender.class_aps(group), SEED);
            if let (Some(difference), Some(ink)) = (difference, ink(contender)) {
                rows.push((Difference { title: contender.title.clone(), group, difference }, ink));
            }
        }
    }
    score_difference(&baseline.title, &rows)
}

/// The classes that the challenger moved most, both ways; `None` where none moved.
pub(super) fn movers(contenders: &[Contender]) -> Option<String> {
    let (baseline, challenger) = (contenders.first()?, challenger(contenders)?);
    let rows = &baseline.runs.iter().find(|run| !run.classes.is_empty())?.classes;
    let (before, after) = (baseline.class_aps(None), challenger.class_aps(None));
    let mut moved: Vec<Mover> = rows
        .iter()
        .zip(before.iter().zip(&after))
        .filter_map(|(class, (before, after))| Some(Mover { class, before: (*before)?, after: (*after)? }))
        .collect();
    moved.sort_by(|a, b| b.change().total_cmp(&a.change()).then(a.class.class_index.cmp(&b.class.class_index)));
    let better = moved.iter().filter(|m| m.change() > 0.0).count();
    let worse = moved.iter().filter(|m| m.change() < 0.0).count();
    if better + worse == 0 {
        return None;
    }
    let gained = moved.iter().take(better.min(MOVERS));
    let lost = moved.iter().rev().take(worse.min(MOVERS));
    Some(format!(
        "<p>Of {} classes with a score, {} are better with {} than with {}, {} are worse and {} are alike.</p>\n\
         <div class=\"pair\">{}{}</div>\n\
         <p class=\"aside\">A class with few validation objects moves far by luck alone: read these as places to look at.</p>\n",
        moved.len(),
        better,
        text(&challenger.title),
        text(&baseline.title),
        worse,
        moved.len() - better - worse,
        list("Gained most", gained),
        list("Lost most", lost),
    ))
}

struct Mover<'a> {
    class: &'a ClassRow,
    before: f64,
    after: f64,
}

impl Mover<'_> {
    fn change(&self) -> f64 {
        self.after - self.before
    }
}

fn list<'a>(title: &str, movers: impl Iterator<Item = &'a Mover<'a>>) -> String {
    let rows: String = movers
        .map(|m| {
            let (class, group) = (m.class, group_name(m.class.group));
            let direction = if m.change() > 0.0 { "up" } else { "down" };
            format!(
                "<tr><th scope=\"row\"><button type=\"button\" class=\"link\" data-class=\"{}\">{}</button></th><td><span class=\"chip {group}\">{group}</span></td>\
                 <td>{} → {}</td><td class=\"{direction}\">{}</td></tr>\n",
                class.class_index,
                text(&class.name),
                percent(Some(m.before)),
                percent(Some(m.after)),
                points(Some(m.change()))
            )
        })
        .collect();
    if rows.is_empty() {
        return format!("<div><h3>{title}</h3><p>None.</p></div>");
    }
    format!(
        "<div><h3>{title}</h3><table class=\"movers\"><thead><tr><th scope=\"col\">class</th><th scope=\"col\">group</th><th scope=\"col\">AP, %</th>\
         <th scope=\"col\">points</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>"
    )
}
