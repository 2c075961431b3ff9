//! `losses`: what there is to choose from.

use equipoise_eval::table::{Align, Table};
use equipoise_loss::registry::LOSSES;
use equipoise_loss::{Card, Head};
use serde::Serialize;

use crate::Outcome;
use crate::output::{print, print_json, width, wrap};

/// List the classification losses
#[derive(clap::Args)]
pub struct Args {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// A card as JSON has it.
#[derive(Serialize)]
pub struct CardJson {
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    paper: &'static str,
    heads: Vec<&'static str>,
    needs: &'static str,
    formula: &'static str,
    scores: &'static str,
    state: &'static str,
    options: Vec<OptionJson>,
    traps: &'static str,
}

#[derive(Serialize)]
struct OptionJson {
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
}

impl CardJson {
    /// The fields of a card.
    pub fn of(card: &Card) -> Self {
        let option = |&(name, default, meaning)| OptionJson { name, default, meaning };
        Self {
            name: card.name,
            title: card.title,
            summary: card.summary,
            paper: card.paper,
            heads: card.heads.iter().map(|head| head.name()).collect(),
            needs: card.needs,
            formula: card.formula,
            scores: card.scores,
            state: card.state,
            options: card.options.iter().map(option).collect(),
            traps: card.traps,
        }
    }
}

/// Columns of the longest name, and the space after it.
const NAMES: usize = 24;

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    if args.json {
        print_json(&LOSSES.iter().map(|entry| CardJson::of(&entry.card)).collect::<Vec<_>>())?;
        return Ok(Outcome::Fine);
    }
    let mut table = Table::new(&[("name", Align::Left), ("what it does", Align::Left)]);
    for head in [Head::Proposals, Head::Dense, Head::Pictures] {
        if head != Head::Proposals {
            table.row(&["", ""]);
        }
        table.row(&["", &format!("for {}", head.name())]);
        // A loss for several heads is listed under its first.
        for card in LOSSES.iter().map(|entry| &entry.card).filter(|card| card.heads.first() == Some(&head)) {
            for (at, line) in wrap(card.summary, width() - NAMES).into_iter().enumerate() {
                table.row(&[if at == 0 { card.name } else { "" }, &line]);
            }
        }
    }
    let more = "`equipoise explain NAME` shows formula, options and traps. Recipes have a detector of two stages, or of one with \
                detector.kind=retina_net (recipe `dense`); losses for plain classification are for models of your own, through \
                the library `equipoise-loss`.";
    print(&format!("{}\n{}\n", table.render(), wrap(more, width()).join("\n")))?;
    Ok(Outcome::Fine)
}
