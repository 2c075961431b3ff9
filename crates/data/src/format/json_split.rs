//! Cutting a JSON file of a gigabyte into batches that several threads can parse, without holding it.
//!
//! Only what stands in lists of the outermost object is cut: a [`Batch`] has whole entries of one list and is a list itself. What is
//! left, the same object with empty lists, is the [`Frame`]. Nothing is checked here: brackets are counted, the rest is copied, and
//! whatever is no JSON stays in a batch or in the frame for the parser to find.
//!
//! Trap: a bracket inside a text is no bracket, and a quote after an odd number of backslashes does not end the text.

use std::io::{self, BufRead};

/// Largest entry of a list, and largest frame, in bytes. LVIS's largest annotation has a ten thousandth of it.
const MOST_BYTES: usize = 64 << 20;

/// Whole entries of a list.
pub struct Batch {
    /// Key of the list.
    pub key: String,
    /// The entries as JSON: a list.
    pub json: Vec<u8>,
    /// Where the file's bytes begin that follow the bracket of `json`.
    pub start: u64,
}

/// The outermost object without the entries of its lists.
pub struct Frame {
    /// The object as JSON.
    pub json: Vec<u8>,
    /// Places in `json` and in the file from which on both have the same bytes, ascending.
    pub places: Vec<(usize, u64)>,
    /// Length of the file.
    pub end: u64,
}

/// Where the scan is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    AfterBackslash,
}

struct Splitter<'a> {
    frame: Frame,
    batch: Batch,
    in_list: bool,
    /// Whether the batch goes on with a list after a comma.
    goes_on: bool,
    depth: u32,
    text: Text,
    /// Where the last text of the outermost object begins and ends in the frame: the key when a list opens.
    last_text: [usize; 2],
    /// A batch is handed on when it has so many bytes.
    batch_bytes: usize,
    hand_on: &'a mut dyn FnMut(Batch),
}

/// Splits what `input` holds from byte `start` on, handing on the batches in their order as soon as they have `batch_bytes`.
///
/// # Errors
/// Those of `input`, and one of kind [`io::ErrorKind::FileTooLarge`] for an entry or a frame that nothing sensible has.
pub fn split(
    mut input: impl BufRead,
    start: u64,
    batch_bytes: usize,
    hand_on: &mut dyn FnMut(Batch),
) -> io::Result<Frame> {
    let mut splitter = Splitter {
        frame: Frame { json: Vec::new(), places: vec![(0, start)], end: start },
        batch: Batch { key: String::new(), json: Vec::new(), start },
        in_list: false,
        goes_on: false,
        depth: 0,
        text: Text::Outside,
        last_text: [0; 2],
        batch_bytes,
        hand_on,
    };
    let mut offset = start;
    loop {
        let block = input.fill_buf()?;
        if block.is_empty() {
            break;
        }
        splitter.block(block, offset);
        let read = block.len();
        offset += read as u64;
        input.consume(read);
        if splitter.frame.json.len().max(splitter.batch.json.len()) > MOST_BYTES {
            let what = if splitter.in_list { "an entry of a list" } else { "the file without its lists" };
            let text = format!("{what} has more than {} MiB, which no data set needs", MOST_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
    }
    if splitter.in_list {
        splitter.finish_batch();
    }
    splitter.frame.end = offset;
    Ok(splitter.frame)
}

impl Splitter<'_> {
    /// Goes through `block`, which begins at byte `offset` of the file.
    fn block(&mut self, block: &[u8], offset: u64) {
        // Bytes before `done` are in the batch or the frame.
        let mut done = 0;
        for (at, &byte) in block.iter().enumerate() {
            if self.text != Text::Outside {
                self.text = match (self.text, byte) {
                    (Text::Inside, b'\\') => Text::AfterBackslash,
                    (Text::Inside, b'"') => Text::Outside,
                    _ => Text::Inside,
                };
                if self.text == Text::Outside && self.depth == 1 {
                    self.last_text[1] = self.frame.json.len() + at + 1 - done;
                }
                continue;
            }
            match byte {
                b'"' => {
                    self.text = Text::Inside;
                    if self.depth == 1 {
                        self.last_text[0] = self.frame.json.len() + at - done;
                    }
                }
                b'[' | b'{' => {
                    self.depth += 1;
                    if self.depth == 2 && byte == b'[' && !self.in_list {
                        self.frame.json.extend_from_slice(&block[done..=at]);
                        done = at + 1;
                        self.open_list(offset + done as u64);
                    }
                }
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 1 && self.in_list {
                        self.batch.json.extend_from_slice(&block[done..=at]);
                        done = at;
                        self.finish_batch();
                        self.in_list = false;
                        self.frame.places.push((self.frame.json.len(), offset + at as u64));
                        // The frame's list is healthy: a wrong bracket is the batch's error.
                        self.frame.json.push(b']');
                        done += 1;
                    }
                }
                b',' if self.depth == 2 && self.in_list && self.batch.json.len() + at - done >= self.batch_bytes => {
                    self.batch.json.extend_from_slice(&block[done..at]);
                    self.batch.json.push(b']');
                    done = at + 1;
                    self.next_batch(offset + done as u64);
                }
                _ => {}
            }
        }
        let rest = &block[done..];
        if self.in_list { &mut self.batch.json } else { &mut self.frame.json }.extend_from_slice(rest);
    }

    fn open_list(&mut self, start: u64) {
        let [from, to] = self.last_text;
        let key = self.frame.json.get(from..to).unwrap_or_default();
        // A key can be written with escapes; one that is no text is the frame's error.
        self.batch.key = serde_json::from_slice(key).unwrap_or_default();
        self.batch.json = vec![b'['];
        self.batch.start = start;
        (self.in_list, self.goes_on) = (true, false);
    }

    fn next_batch(&mut self, start: u64) {
        self.show_empty_entry();
        let next = Batch { key: self.batch.key.clone(), json: Vec::with_capacity(self.batch_bytes * 5 / 4), start };
        (self.hand_on)(std::mem::replace(&mut self.batch, next));
        self.batch.json.push(b'[');
        self.goes_on = true;
    }

    /// Puts the comma at which the batch before was cut into a batch that has nothing, so that the parser sees that it leads nowhere.
    fn show_empty_entry(&mut self) {
        let entries = self.batch.json.strip_prefix(b"[").and_then(|json| json.strip_suffix(b"]"));
        if entries.is_some_and(|entries| entries.trim_ascii().is_empty()) {
            self.batch.json.insert(1, b',');
            self.batch.start = self.batch.start.saturating_sub(1);
        }
    }

    /// Hands on the last batch of a list.
    fn finish_batch(&mut self) {
        if self.goes_on {
            self.show_empty_entry();
        }
        let next = Batch { key: String::new(), json: Vec::new(), start: 0 };
        (self.hand_on)(std::mem::replace(&mut self.batch, next));
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Splits `text`, read in blocks of `block` bytes, and puts the lists back into the frame.
    fn together(text: &str, block: usize, batch_bytes: usize) -> serde_json::Result<Value> {
        let mut lists = std::collections::BTreeMap::<String, Vec<Value>>::new();
        let mut error = None;
        let input = BufReader::with_capacity(block, text.as_bytes());
        let frame = split(input, 0, batch_bytes, &mut |batch: Batch| {
            assert!(
                matches!(batch.json.get(1), None | Some(b',' | b']'))
                    || text.as_bytes()[batch.start as usize..].starts_with(&batch.json[1..2])
            );
            match serde_json::from_slice::<Vec<Value>>(&batch.json) {
                Ok(rows) => lists.entry(batch.key).or_default().extend(rows),
                Err(found) => error = error.take().or(Some(found)),
            }
        });
        if let Some(error) = error {
            return Err(error);
        }
        let mut whole: Value = serde_json::from_slice(&frame.unwrap().json)?;
        for (key, rows) in lists {
            whole[key] = rows.into();
        }
        Ok(whole)
    }

    #[test]
    fn brackets_in_texts_and_inner_lists_cut_nothing() {
        let whole = json!({"info": {"a": [1, {"b": []}]}, "x]": [], "images": ["]", "\\", "\"[", {"a": [[1, 2], [3]]}, null],
            "y": [[1], [], [[2]]], "z": 5});
        let text = serde_json::to_string_pretty(&whole).unwrap();
        for (block, batch) in [(1, 1), (3, 1), (7, 20), (1000, 5), (1000, 1000)] {
            assert_eq!(together(&text, block, batch).unwrap(), whole, "blocks of {block}, batches of {batch}");
        }
    }

    #[test]
    fn what_is_no_json_stays_for_the_parser() {
        for text in [
            "{\"a\": [1, 2, ]}",
            "{\"a\": [1, 2,, 3]}",
            "{\"a\": [1 2]}",
            "{\"a\": [1, 2}}",
            "{\"a\": [1, 2",
            "{\"a\" [1]}",
            "{\"a\": [1]]}",
            "{\"a\": [1], \"b\": [}",
            "[1]",
            "{\"a\": [1]} x",
            "",
            "]",
            "{\"a\": [\"x]}",
        ] {
            for batch in [1, 100] {
                let found = together(text, 4, batch);
                let expected = serde_json::from_str::<Value>(text);
                assert_eq!(found.ok(), expected.ok(), "{text}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        /// A text of JSON's own characters is JSON for the whole parser and for the parts, or for neither.
        #[test]
        fn parts_are_json_when_the_whole_is(text in r#"\{"a": \[[\[\]{},:"1a \\]{0,24}\](, "b": \[(1|\{"c": \[\]\}|"\]")(, 2){0,3}\])?\}"#, batch in 1usize..30) {
            let expected = serde_json::from_str::<Value>(&text);
            // A list that has an object's entries twice under one key, or no key, is the frame's error.
            prop_assert_eq!(together(&text, 5, batch).ok(), expected.ok(), "{}", text);
        }
    }
}
