//! `data.yaml`: where the pictures of each split are, and the names of the classes.
//!
//! Trap: exports of Roboflow say `../train/images` though the folder `train` stands beside the file; Ultralytics tries the path
//! without `../` as well, and so must every reader.

use std::path::{Path, PathBuf};

use crate::{
    DataError, Result,
    format::{
        text::{bad_line, quote},
        yaml::{Node, Value},
    },
};

/// Keys that name pictures, and what the split is called here.
const SPLITS: &[(&str, &str)] =
    &[("train", "train"), ("val", "val"), ("validation", "val"), ("valid", "val"), ("test", "test")];

/// Most classes taken seriously when only their number is given.
const MOST_CLASSES: usize = 1_000_000;

/// A `data.yaml` with its types checked.
pub struct DataYaml {
    /// The file.
    pub path: PathBuf,
    /// Names of the classes, `[K]`.
    pub names: Vec<String>,
    /// Whether label lines go on with key points after the box (`kpt_shape`).
    pub key_points: bool,
    /// Folders to which paths may be relative, best first.
    roots: Vec<PathBuf>,
    splits: Vec<Split>,
}

struct Split {
    name: &'static str,
    line: usize,
    entries: Vec<String>,
}

impl DataYaml {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let node = Node::read(path)?;
        let Value::Map(pairs) = &node.value else {
            let expected = "a map with the keys `train` and `names`";
            return Err(bad_line(path, node.line, "the file", &node.words(), expected));
        };
        let get = |key: &str| pairs.iter().find(|(k, v)| k == key && !matches!(v.value, Value::Null)).map(|(_, v)| v);
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let mut roots = vec![folder];
        if let Some(node) = get("path") {
            let Value::Text(root) = &node.value else {
                return Err(bad_line(path, node.line, "`path`", &node.words(), "the folder of the data set"));
            };
            roots.insert(0, roots[0].join(root));
        }
        let mut splits = Vec::new();
        for &(key, name) in SPLITS {
            if let Some(node) = get(key) {
                splits.push(Split { name, line: node.line, entries: entries(path, key, node)? });
            }
        }
        let names = class_names(path, get("names"), get("nc"))?;
        Ok(Self { path: path.to_path_buf(), names, key_points: get("kpt_shape").is_some(), roots, splits })
    }

    /// The folders and lists of a split, found.
    pub fn split(&self, name: &str) -> Result<Vec<PathBuf>> {
        let wanted = SPLITS.iter().find(|(key, _)| *key == name).map_or(name, |(_, split)| split);
        let Some(split) = self.splits.iter().find(|s| s.name == wanted) else {
            let known: Vec<_> = self.splits.iter().map(|s| format!("`{}`", s.name)).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            return Err(DataError::NoSplit { path: self.path.clone(), split: name.into(), known });
        };
        let found = split.entries.iter().map(|entry| {
            self.find(entry).ok_or_else(|| {
                let tried: Vec<_> = self.candidates(entry).map(|p| format!("`{}`", p.display())).collect();
                let expected = format!("a folder or list that exists, but there is none at {}", tried.join(" or "));
                bad_line(&self.path, split.line, &format!("`{}`", split.name), &quote(entry), &expected)
            })
        });
        found.collect()
    }

    /// The first place where `entry` leads to a file or folder.
    pub fn find(&self, entry: &str) -> Option<PathBuf> {
        self.candidates(entry).find(|path| path.exists())
    }

    fn candidates<'a>(&'a self, entry: &'a str) -> impl Iterator<Item = PathBuf> {
        let inside = entry.strip_prefix("../").or_else(|| entry.strip_prefix("..\\"));
        self.roots.iter().flat_map(move |root| [Some(entry), inside].into_iter().flatten().map(|e| root.join(e)))
    }
}

/// One path, or a list of them.
fn entries(path: &Path, key: &str, node: &Node) -> Result<Vec<String>> {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err(bad_line(path, node.line, &format!("`{key}`"), &node.words(), "a path or a list of paths")),
    };
    match &node.value {
        Value::List(items) => items.iter().map(text).collect(),
        _ => Ok(vec![text(node)?]),
    }
}

/// `names` as a list or as a map from 0 to K - 1; `class_0` and so on when there is only `nc`.
fn class_names(path: &Path, names: Option<&Node>, count: Option<&Node>) -> Result<Vec<String>> {
    let number = |node: &Node| match &node.value {
        Value::Text(text) => text.parse().ok().filter(|n| *n <= MOST_CLASSES),
        _ => None,
    };
    let wrong_count = |node: &Node, expected: &str| bad_line(path, node.line, "`nc`", &node.words(), expected);
    let count = match count {
        Some(node) => {
            Some((node, number(node).ok_or_else(|| wrong_count(node, "the number of classes, at most 1000000"))?))
        }
        None => None,
    };
    let Some(node) = names else {
        let (_, count) = count.ok_or_else(|| bad_line(path, 1, "`names`", "missing", "the names of the classes"))?;
        return Ok((0..count).map(|k| format!("class_{k}")).collect());
    };
    let found = match &node.value {
        Value::List(items) => items.iter().map(|item| name(path, item)).collect::<Result<Vec<_>>>()?,
        Value::Map(pairs) => names_of_map(path, pairs)?,
        _ => return Err(bad_line(path, node.line, "`names`", &node.words(), "a list or a map of names")),
    };
    match count {
        Some((node, count)) if count != found.len() => {
            Err(wrong_count(node, &format!("{}, the number of `names`", found.len())))
        }
        _ => Ok(found),
    }
}

fn names_of_map(path: &Path, pairs: &[(String, Node)]) -> Result<Vec<String>> {
    let mut names = vec![None; pairs.len()];
    for (key, node) in pairs {
        let place = key.parse().ok().and_then(|k: usize| names.get_mut(k)).filter(|place| place.is_none());
        let expected = format!("each number from 0 to {} once", pairs.len().saturating_sub(1));
        *place.ok_or_else(|| bad_line(path, node.line, "a key of `names`", &quote(key), &expected))? =
            Some(name(path, node)?);
    }
    Ok(names.into_iter().flatten().collect())
}

fn name(path: &Path, node: &Node) -> Result<String> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        // A class may well be called `null`; the parser cannot tell it from nothing.
        Value::Null => Ok("null".into()),
        _ => Err(bad_line(path, node.line, "a class of `names`", &node.words(), "a name")),
    }
}
