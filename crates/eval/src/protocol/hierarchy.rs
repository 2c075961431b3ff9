//! Which class is part of which: the tree that Open Images publishes as nested `{"LabelName", "Subcategory": [...]}`.
//!
//! Boxes are labelled with the most special class only. Before scoring, a box of a class is a box of all its ancestors too, an image-level "yes" also says
//! yes to the ancestors, and a "no" also says no to everything below (`challenge_evaluation.md` of the TensorFlow Object Detection API).

use std::collections::HashMap;
use std::path::Path;

use equipoise_data::{ClassIndex, Dataset};
use serde::Deserialize;

use crate::error::{EvalError, Result};

/// A node of the published file.
#[derive(Deserialize)]
struct Node {
    #[serde(rename = "LabelName")]
    label: String,
    #[serde(rename = "Subcategory", default)]
    children: Vec<Node>,
}

/// The ancestors and descendants of every class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchy {
    ancestors: Vec<Vec<ClassIndex>>,
    descendants: Vec<Vec<ClassIndex>>,
}

impl Hierarchy {
    /// A hierarchy of `num_classes` classes from pairs of a child and its parent. A class may have several parents.
    pub fn new(num_classes: usize, parents: &[(ClassIndex, ClassIndex)]) -> Self {
        let mut ancestors = vec![Vec::new(); num_classes];
        let mut descendants = vec![Vec::new(); num_classes];
        for (class, above) in ancestors.iter_mut().enumerate() {
            let mut open = vec![class];
            while let Some(at) = open.pop() {
                for &(_, parent) in parents.iter().filter(|(child, parent)| *child == at && *parent < num_classes) {
                    // Seen ones are passed over, so a circle in the file ends.
                    if parent != class && !above.contains(&parent) {
                        above.push(parent);
                        open.push(parent);
                    }
                }
            }
            above.sort_unstable();
            above.iter().for_each(|&parent| descendants[parent].push(class));
        }
        Self { ancestors, descendants }
    }

    /// Reads the published JSON. Its labels are names of the truth's categories, or the machine ids that `class-descriptions*.csv` beside the truth (or
    /// beside the hierarchy) translates. A label that the truth does not have, as the root, is passed over with its children kept.
    ///
    /// # Errors
    /// A file that cannot be read or is no hierarchy; one without any label of the truth.
    pub fn read(path: &Path, truth: &Dataset) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(EvalError::io("read", path))?;
        let wrong = |reason: String| EvalError::Json { path: path.into(), expected: "a class hierarchy", reason };
        let root: Node = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let by_name: HashMap<&str, ClassIndex> =
            truth.categories.iter().enumerate().map(|(class, c)| (c.name.as_str(), class)).collect();
        let mut names = HashMap::new();
        for folder in [truth.source.parent(), path.parent()].into_iter().flatten() {
            read_descriptions(folder, &mut names)?;
        }
        let class_of = |label: &str| {
            by_name.get(label).or_else(|| names.get(label).and_then(|name| by_name.get(name.as_str()))).copied()
        };
        let mut parents = Vec::new();
        let mut known = 0;
        let mut open = vec![(&root, None)];
        while let Some((node, parent)) = open.pop() {
            let class = class_of(&node.label);
            known += usize::from(class.is_some());
            if let (Some(class), Some(parent)) = (class, parent) {
                parents.push((class, parent));
            }
            open.extend(node.children.iter().map(|child| (child, class.or(parent))));
        }
        if known == 0 {
            let reason = format!("none of its labels is a class of `{}`", truth.source.display());
            return Err(wrong(reason));
        }
        Ok(Self::new(truth.num_classes(), &parents))
    }

    /// Classes above `class`, ascending.
    pub fn ancestors(&self, class: ClassIndex) -> &[ClassIndex] {
        self.ancestors.get(class).map_or(&[], Vec::as_slice)
    }

    /// Classes below `class`, ascending.
    pub fn descendants(&self, class: ClassIndex) -> &[ClassIndex] {
        self.descendants.get(class).map_or(&[], Vec::as_slice)
    }
}

/// Machine ids to names from the tables `*class-descriptions*.csv` of `folder`.
fn read_descriptions(folder: &Path, names: &mut HashMap<String, String>) -> Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.contains("class-descriptions") || path.extension().is_none_or(|e| e != "csv") {
            continue;
        }
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(&path);
        let rows = reader.and_then(|mut reader| reader.records().collect::<std::result::Result<Vec<_>, _>>());
        let rows = rows.map_err(|error| EvalError::Row {
            path: path.clone(),
            line: error.position().map_or(1, csv::Position::line),
            reason: error.to_string(),
        })?;
        names.extend(rows.iter().filter_map(|row| Some((row.get(0)?.to_string(), row.get(1)?.to_string()))));
    }
    Ok(())
}
