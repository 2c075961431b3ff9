//! `losses`: what there is to choose from.

use equipoise_eval::table::{Align, Table};
use equipoise_loss::Card;
use equipoise_loss::registry::LOSSES;
use serde::Serialize;

use crate::Outcome;
use crate::output::{print, print_json, wrap};

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
            formula: card.formula,
            scores: card.scores,
            state: card.state,
            options: card.options.iter().map(option).collect(),
            traps: card.traps,
        }
    }
}

/// Room for a summary beside name and title.
const SUMMARY_WIDTH: usize = 68;

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    if args.json {
        print_json(&LOSSES.iter().map(|entry| CardJson::of(&entry.card)).collect::<Vec<_>>())?;
        return Ok(Outcome::Fine);
    }
    let mut table = Table::new(&[("name", Align::Left), ("title", Align::Left), ("what it does", Align::Left)]);
    for entry in LOSSES {
        let card = &entry.card;
        for (at, line) in wrap(card.summary, SUMMARY_WIDTH).into_iter().enumerate() {
            let (name, title) = if at == 0 { (card.name, card.title) } else { ("", "") };
            table.row(&[name, title, &line]);
        }
    }
    print(&format!("{}\n`equipoise explain NAME` shows formula, options and traps.\n", table.render()))?;
    Ok(Outcome::Fine)
}
