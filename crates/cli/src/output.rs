//! Printing that survives a closed pipe, and text that fits a terminal.

use std::io::{ErrorKind, Write};

use anyhow::Context;
use serde::Serialize;

/// Widest line of a text.
const WIDEST: usize = 100;
/// Narrowest terminal that a text is fitted to.
const NARROWEST: usize = 60;

/// Columns that a text may take: those of the terminal, within reason; the widest into a file or a pipe.
pub fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(WIDEST, |(terminal_size::Width(columns), _)| usize::from(columns).clamp(NARROWEST, WIDEST))
}

/// Prints to standard output. `equipoise losses | head -1` closes it early, which is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot print"),
        _ => Ok(()),
    }
}

/// Prints a value as JSON.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// The words of `text` in lines of at most `width` characters; a longer word has a line of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_break_between_words_only() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensible yes", 4), ["incomprehensible", "yes"]);
        assert!(wrap(" ", 10).is_empty());
    }
}
