//! `docs`: pages that the program writes about itself, for the repository. Hidden, since readers find the same in `--help` and `explain`.

use equipoise_loss::Card;
use equipoise_loss::registry::LOSSES;

use crate::Outcome;
use crate::output::print;

/// Print a page of the documentation as Markdown
#[derive(clap::Args)]
pub struct Args {
    page: Page,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Page {
    Losses,
    Cli,
}

const MADE: &str = "<!-- Written by `cargo xtask docs`; change the program instead. -->\n";

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    print(&match args.page {
        Page::Losses => losses(),
        Page::Cli => cli(),
    })?;
    Ok(Outcome::Fine)
}

fn losses() -> String {
    let mut page = format!(
        "{MADE}\n# Losses\n\nLetters: `R` proposals of a batch, `K` classes, `z` logits, `t` targets; column `K` is background.\n"
    );
    for entry in LOSSES {
        page += &card(&entry.card);
    }
    page
}

fn card(card: &Card) -> String {
    let formula = card.formula.split(';').map(str::trim).collect::<Vec<_>>().join("\n");
    let mut page = format!("\n## {} (`{}`)\n\n{}\n\n```text\n{formula}\n```\n\n", card.title, card.name, card.summary);
    let heads = card.heads_text();
    for (what, text) in [
        ("For", heads.as_str()),
        ("Needs", card.needs),
        ("Scores", card.scores),
        ("State", card.state),
        ("Traps", card.traps),
        ("Paper", card.paper),
    ] {
        let text = if what == "Scores" { format!("`{text}`") } else { text.to_string() };
        page += &format!("* **{what}.** {text}\n");
    }
    page += "\n| option | default | meaning |\n|---|---|---|\n";
    for (name, default, meaning) in card.options {
        page += &format!("| `{name}` | {default} | {} |\n", meaning.replace('|', "\\|"));
    }
    page
}

fn cli() -> String {
    let mut root = crate::command();
    root.build();
    let mut page = format!(
        "{MADE}\n# Commands\n\nExit codes: 0 fine, 1 a gate failed, 2 an error (its message, then `cause:` lines), 130 stopped by Ctrl-C.\n"
    );
    describe(&mut page, &mut root, "");
    page
}

fn describe(page: &mut String, command: &mut clap::Command, above: &str) {
    let name = format!("{above}{}", command.get_name());
    let help: String =
        command.render_long_help().to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect();
    *page += &format!("\n## {name}\n\n```text\n{}\n```\n", help.trim_end());
    for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        describe(page, inner, &format!("{name} "));
    }
}
