//! Colours: one for each run, told apart by eyes with any colour vision (hues and lightness after Okabe and Ito), and the same run always the same.

use equipoise_data::Group;

use super::svg::Ink;
use crate::record::RunRecord;

const fn ink(name: &'static str, light: &'static str, dark: &'static str) -> Ink {
    Ink { name, light, dark }
}

pub(crate) const PAPER: Ink = ink("paper", "#ffffff", "#14181d");
pub(crate) const TEXT: Ink = ink("text", "#1c2127", "#e8ebee");
pub(crate) const MUTED: Ink = ink("muted", "#59636e", "#a3adb8");
pub(crate) const RULE: Ink = ink("rule", "#8a939c", "#6b7681");
/// Drawn at [`GRID_OPACITY`], so that it shows on every band.
pub(crate) const GRID: Ink = ink("grid", "#1c2127", "#e8ebee");
pub(crate) const GRID_OPACITY: f64 = 0.13;
/// On pictures colours are the same in both schemes: white text stands on them.
pub(crate) const RIGHT: Ink = ink("right", "#0a7d53", "#0a7d53");
pub(crate) const WRONG: Ink = ink("wrong", "#c2255c", "#c2255c");
pub(crate) const TRUTH: Ink = ink("truth", "#1c2127", "#1c2127");
pub(crate) const WHITE: Ink = ink("white", "#ffffff", "#ffffff");
const RARE: Ink = ink("rare", "#e8dff0", "#2d2438");
const COMMON: Ink = ink("common", "#f0ebf4", "#211d29");
const FREQUENT: Ink = ink("frequent", "#f8f7fa", "#191a20");
const RARE_BAR: Ink = ink("rare-bar", "#6b3f8c", "#b48ad6");
const COMMON_BAR: Ink = ink("common-bar", "#9c80b4", "#8769a3");
const FREQUENT_BAR: Ink = ink("frequent-bar", "#c3b4d1", "#5f4f73");

/// What becomes of a class, from best to worst, and last what cannot be told.
pub(crate) const FATES: [Ink; 5] = [
    ink("fate0", "#2f6f4f", "#7cc79f"),
    ink("fate1", "#8a6a00", "#d9b44a"),
    ink("fate2", "#b3440a", "#f2935c"),
    ink("fate3", "#9c1c46", "#f587a8"),
    ink("fate4", "#6b7681", "#97a1ac"),
];

/// The heart of the project keeps the first colour in every figure.
const FAVOURED: &str = "eqlv2";
const RUNS: [Ink; 7] = [
    ink("run0", "#0b6bb3", "#62b4f2"),
    ink("run1", "#d1510b", "#ff9052"),
    ink("run2", "#0d8a63", "#46d0a3"),
    ink("run3", "#9b4b9f", "#d998dd"),
    ink("run4", "#94710a", "#e0ba45"),
    ink("run5", "#56606c", "#aab4c0"),
    ink("run6", "#a81e4b", "#ff86a9"),
];
const DASHES: [Option<&str>; 3] = [None, Some("7 3"), Some("2 3")];

/// Colour of a class on an annotated picture.
pub(crate) fn class_ink(class: usize) -> Ink {
    RUNS[class % RUNS.len()]
}

/// Colour of a group on a picture: white text stands on it.
pub(crate) fn on_picture(group: Group) -> Ink {
    match group {
        Group::Rare => WRONG,
        Group::Common => RUNS[4],
        Group::Frequent => RUNS[0],
    }
}

/// Shade behind the classes of a group.
pub(crate) fn band(group: Group) -> Ink {
    match group {
        Group::Rare => RARE,
        Group::Common => COMMON,
        Group::Frequent => FREQUENT,
    }
}

/// Bar of a class of a group.
pub(crate) fn bar(group: Group) -> Ink {
    match group {
        Group::Rare => RARE_BAR,
        Group::Common => COMMON_BAR,
        Group::Frequent => FREQUENT_BAR,
    }
}

/// The group in words.
pub(crate) fn group_name(group: Group) -> &'static str {
    match group {
        Group::Rare => "rare",
        Group::Common => "common",
        Group::Frequent => "frequent",
    }
}

/// How the lines of a run are drawn and what it is called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub label: String,
    pub ink: Ink,
    pub dash: Option<&'static str>,
}

/// One series for each run: unique labels, and colours that do not depend on what else is drawn as far as that is possible.
pub(crate) fn series(runs: &[RunRecord]) -> Vec<Series> {
    let title = |run: &RunRecord| [&run.meta.title, &run.meta.name].into_iter().find(|t| !t.is_empty()).cloned();
    let titles: Vec<String> =
        runs.iter().enumerate().map(|(at, run)| title(run).unwrap_or(format!("run {}", at + 1))).collect();
    let favoured = runs.iter().position(|run| run.meta.loss == FAVOURED);
    let mut next = 1;
    runs.iter()
        .enumerate()
        .map(|(at, run)| {
            let slot = if favoured == Some(at) {
                0
            } else {
                next += 1;
                next - 1
            };
            let twins = titles.iter().filter(|t| **t == titles[at]).count() > 1;
            let same_seed =
                runs.iter().zip(&titles).filter(|(r, t)| **t == titles[at] && r.meta.seed == run.meta.seed).count() > 1;
            let label = match (twins, same_seed) {
                (false, _) => titles[at].clone(),
                (true, false) => format!("{} (seed {})", titles[at], run.meta.seed),
                (true, true) => format!("{} (run {})", titles[at], at + 1),
            };
            Series { label, ink: RUNS[slot % RUNS.len()], dash: DASHES[(slot / RUNS.len()) % DASHES.len()] }
        })
        .collect()
}

/// Rules that give every shape its dark colour.
pub(crate) fn dark_css() -> String {
    let fixed = [PAPER, TEXT, MUTED, RULE, GRID, RARE, COMMON, FREQUENT, RARE_BAR, COMMON_BAR, FREQUENT_BAR];
    fixed
        .iter()
        .chain(&RUNS)
        .chain(&FATES)
        .map(|ink| format!(".f-{0}{{fill:{1}}}.s-{0}{{stroke:{1}}}", ink.name, ink.dark))
        .collect()
}
