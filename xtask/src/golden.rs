//! The golden numbers that tests read are, number by number, those of the folder they came from.
//!
//! A test keeps only what it uses: every key of its file must be in the source with the same value; the source may have more.

mod json;

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;
use json::Value;

/// File of a test, and its source.
const FILES: &[(&str, &str)] = &[
    ("crates/loss/tests/it/fixtures/eqlv2.json", "eqlv2.json"),
    ("crates/loss/tests/it/fixtures/rivals.json", "rivals.json"),
    ("crates/loss/tests/it/fixtures/softmax_ce.json", "rivals.json"),
    ("crates/loss/tests/it/fixtures/sigmoid_bce.json", "rivals.json"),
];

/// Where the sources are unless the command says otherwise.
pub fn default_dir() -> PathBuf {
    root().join("..").join("shared").join("vectors")
}

/// Compares every file.
pub fn run(dir: Option<&Path>) -> Result<(), String> {
    let dir = dir.map_or_else(default_dir, Path::to_path_buf);
    let mut wrong = Vec::new();
    for (file, source) in FILES {
        let (kept, truth) = (read(&root().join(file))?, read(&dir.join(source))?);
        let mut count = 0;
        compare(&kept, &truth, String::new(), &mut count, &mut wrong);
        println!("{file}: {count} values of {source}");
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{} values differ, first: {}", wrong.len(), wrong[0]))
}

fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    json::parse(&text).map_err(|reason| format!("`{}`: {reason}", path.display()))
}

fn compare(kept: &Value, truth: &Value, place: String, count: &mut usize, wrong: &mut Vec<String>) {
    match (kept, truth) {
        (Value::Object(kept), Value::Object(truth)) => {
            for (key, value) in kept {
                let place = format!("{place}/{key}");
                match truth.iter().find(|(other, _)| other == key) {
                    Some((_, other)) => compare(value, other, place, count, wrong),
                    None => wrong.push(format!("{place} is not in the source")),
                }
            }
        }
        (Value::List(kept), Value::List(truth)) if kept.len() == truth.len() => {
            for (at, (value, other)) in kept.iter().zip(truth).enumerate() {
                compare(value, other, format!("{place}/{at}"), count, wrong);
            }
        }
        _ => {
            *count += 1;
            if kept != truth {
                wrong.push(format!("{place} is {kept:?}, in the source {truth:?}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{compare, json};

    fn differences(kept: &str, truth: &str) -> usize {
        let mut wrong = Vec::new();
        compare(&json::parse(kept).unwrap(), &json::parse(truth).unwrap(), String::new(), &mut 0, &mut wrong);
        wrong.len()
    }

    #[test]
    fn a_part_of_the_source_is_enough_but_every_value_counts() {
        let truth = r#"{"a": [1.0, 2e-3], "b": {"c": "x"}, "d": null}"#;
        assert_eq!(differences(r#"{"a":[1,0.002]}"#, truth), 0);
        assert_eq!(differences(r#"{"a":[1,0.0021]}"#, truth), 1);
        assert_eq!(differences(r#"{"a":[1]}"#, truth), 1);
        assert_eq!(differences(r#"{"b":{"c":"y"},"e":1}"#, truth), 2);
    }
}
