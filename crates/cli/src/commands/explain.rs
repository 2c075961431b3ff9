//! `explain`: the card of a loss.

use equipoise_eval::table::{Align, Table};
use equipoise_loss::{Card, registry};

use crate::Outcome;
use crate::commands::losses::CardJson;
use crate::output::{print, print_json, width, wrap};

/// Explain a classification loss: formula, state, options, traps, paper
#[derive(clap::Args)]
pub struct Args {
    /// Loss (see `equipoise losses`)
    name: String,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Columns before the text of a section.
const INDENT: usize = 10;
/// Columns of the longest name and default of an option, and the spaces between.
const OPTION: usize = 37;

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let card = registry::find(&args.name)?.card.clone();
    if args.json {
        print_json(&CardJson::of(&card))?;
    } else {
        print(&text(&card))?;
    }
    Ok(Outcome::Fine)
}

fn text(card: &Card) -> String {
    let mut out = format!("{} ({})\n", card.title, card.name);
    for line in wrap(card.summary, width()) {
        out.push_str(&format!("{line}\n"));
    }
    out.push('\n');
    let formula: Vec<&str> = card.formula.split(';').map(str::trim).collect();
    section(&mut out, "formula", &formula);
    section(&mut out, "for", &[&card.heads_text()]);
    section(&mut out, "needs", &[card.needs]);
    section(&mut out, "scores", &[card.scores]);
    section(&mut out, "state", &[card.state]);
    section(&mut out, "traps", &[card.traps]);
    section(&mut out, "paper", &[card.paper]);
    out.push('\n');
    let mut table = Table::new(&[("option", Align::Left), ("default", Align::Right), ("meaning", Align::Left)]);
    for (name, default, meaning) in card.options {
        for (at, line) in wrap(meaning, width() - OPTION).into_iter().enumerate() {
            let (name, default) = if at == 0 { (*name, *default) } else { ("", "") };
            table.row(&[name, default, &line]);
        }
    }
    out.push_str(&table.render());
    let (option, default, _) = card.options.first().copied().unwrap_or(("loss_weight", "1.0", ""));
    out.push_str(&format!(
        "\nIn a recipe:\n\n  [loss]\n  name = \"{0}\"\n  {option} = {default}\n\n\
         On the command line: --loss {0} --set loss.{option}={default}\n",
        card.name
    ));
    out
}

/// A title with lines beside it, each wrapped.
fn section(out: &mut String, title: &str, lines: &[&str]) {
    let wrapped: Vec<String> = lines.iter().flat_map(|line| wrap(line, width() - INDENT)).collect();
    for (at, line) in wrapped.iter().enumerate() {
        let title = if at == 0 { title } else { "" };
        out.push_str(&format!("{title:<INDENT$}{line}\n"));
    }
}
