//! The YAML of configuration files: texts, lists and maps, with the line of each.
//!
//! Trap: aliases are refused. Nine lists of nine aliases each stand for 3.8e8 values in a file of 300 bytes.

use std::{collections::HashSet, path::Path};

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::text::{bad_line, quote, read_text};
use crate::{DataError, Result};

/// Largest file read, in bytes: ten times the names of the largest known set of classes.
const MOST_BYTES: u64 = 16 << 20;

/// Deepest nesting followed.
const DEEPEST: usize = 16;

/// A value and where it stands.
pub struct Node {
    /// Line, from 1.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// A value; numbers are texts until somebody asks for a number.
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A text or number.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Reads the first document of the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path, MOST_BYTES)?;
        let mut reader = Reader { path, parser: Parser::new_from_str(&text) };
        loop {
            match reader.next()? {
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (Event::StreamEnd | Event::DocumentEnd, line) => return Ok(Self { line, value: Value::Null }),
                (event, line) => return reader.node(event, line, 0),
            }
        }
    }

    /// The value in words, for an error.
    pub fn words(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Text(text) => quote(text),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Map(pairs) => format!("a map of {}", pairs.len()),
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, usize)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(e)) => Err(self.error(e.marker().line(), "the text", &format!("not YAML ({})", e.info()), "YAML")),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node> {
        if depth > DEEPEST {
            return Err(self.error(line, "the value", "nested too deep", "at most 16 lists and maps in each other"));
        }
        let value = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&*text, "" | "~" | "null") => Value::Null,
            Event::Scalar(text, ..) => Value::Text(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Value::List(items),
                        (event, line) => items.push(self.node(event, line, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => self.map(depth)?,
            Event::Alias(_) => {
                return Err(self.error(line, "the value", "an alias (`*name`)", "the value itself: write it out"));
            }
            _ => return Err(self.error(line, "the text", "an end", "a value")),
        };
        Ok(Node { line, value })
    }

    fn map(&mut self, depth: usize) -> Result<Value> {
        let mut pairs = Vec::new();
        let mut keys = HashSet::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(pairs)),
                (Event::Scalar(key, ..), line) if !keys.insert(key.clone()) => {
                    return Err(self.error(line, "the key", &format!("{} again", quote(&key)), "each key once"));
                }
                (Event::Scalar(key, ..), _) => key.into_owned(),
                (_, line) => return Err(self.error(line, "the key", "no text", "a text or number before the colon")),
            };
            let (event, line) = self.next()?;
            pairs.push((key, self.node(event, line, depth + 1)?));
        }
    }

    fn error(&self, line: usize, field: &str, got: &str, expected: &str) -> DataError {
        bad_line(self.path, line, field, got, expected)
    }
}
