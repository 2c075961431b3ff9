//! The class hierarchy of Open Images: `bbox_labels_600_hierarchy.json`, `challenge-2019-label500-hierarchy.json`.
//!
//! A tree of `{"LabelName": …, "Subcategory": […], "Part": […]}`. In the detection challenge (arXiv 1811.00982; its evaluation protocol)
//! a box of a class is also one of every class above it, a class that is present makes those above it present, and one that is
//! absent makes those below it absent. Only `Subcategory` says what a thing *is*; a `Part` is another object.
//!
//! Traps. A class can stand at several places of the tree, and has the classes above all of them. Labels without a description, such as
//! the root, are no classes and are passed over.

use std::{
    collections::{BTreeSet, HashMap},
    io::Read,
    path::Path,
};

use serde::Deserialize;

use super::{class_names, table::Kind, tables_beside};
use crate::{ClassIndex, Counts, DataError, Dataset, GroupThresholds, Object, Result, format::input::open};

/// Largest file read, in bytes; the authors' has 90 kB.
const MOST_BYTES: u64 = 16 << 20;

/// Which classes stand above which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Classes above each class, ascending, without itself, `[K]`.
    above: Vec<Vec<ClassIndex>>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(rename = "LabelName")]
    label: String,
    #[serde(rename = "Subcategory", default)]
    below: Vec<Node>,
}

impl Hierarchy {
    /// Reads the tree at `path` for the classes of the Open Images tables in `tables`, the table of boxes or its folder.
    ///
    /// # Errors
    /// [`DataError::Io`], [`DataError::Json`] when the file is no tree of labels, and those of reading the class descriptions.
    pub fn read(path: &Path, tables: &Path) -> Result<Self> {
        let io = |source| DataError::Io { action: "read", path: path.to_path_buf(), source };
        let mut text = Vec::new();
        open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text)).map_err(io)?;
        let root: Node = serde_json::from_slice(&text).map_err(|e| {
            let problem = format!("no tree of `LabelName` and `Subcategory` ({e})");
            DataError::Json { path: path.to_path_buf(), line: e.line(), column: e.column(), problem }
        })?;
        let (source, folder) = match tables.is_dir() {
            true => {
                (tables_beside(tables, Kind::Boxes)?.into_iter().next().unwrap_or_else(|| tables.join("?")), tables)
            }
            false => {
                (tables.to_path_buf(), tables.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
            }
        };
        let names = class_names(&source, folder)?;
        let classes: HashMap<&str, ClassIndex> = names.keys().enumerate().map(|(k, id)| (id.as_str(), k)).collect();
        let mut above = vec![BTreeSet::new(); names.len()];
        descend(&root, &classes, &mut Vec::new(), &mut above);
        Ok(Self { above: above.into_iter().map(Vec::from_iter).collect() })
    }

    /// The classes above `class`, ascending; none for an unknown one.
    pub fn above(&self, class: ClassIndex) -> &[ClassIndex] {
        self.above.get(class).map_or(&[], Vec::as_slice)
    }

    /// Makes every object of `dataset` also one of the classes above its own, carries presence upward and absence downward, and counts
    /// and groups the classes anew. Doing it twice changes nothing more.
    pub fn expand(&self, dataset: &mut Dataset) {
        for image in &mut dataset.images {
            let mut added: Vec<Object> = Vec::new();
            for object in &image.objects {
                for &class in self.above(object.class) {
                    let same = |o: &&Object| o.class == class && o.bbox == object.bbox;
                    if image.objects.iter().chain(&added).find(same).is_none() {
                        added.push(Object { class, ..object.clone() });
                    }
                }
            }
            image.objects.extend(added);
            let labelled: BTreeSet<_> = image.objects.iter().map(|object| object.class).collect();
            let upward =
                image.not_exhaustive.iter().flat_map(|&class| self.above(class).iter().copied().chain([class]));
            let not_exhaustive: BTreeSet<_> = upward.collect();
            let absent: BTreeSet<_> = image.negative.iter().copied().collect();
            let is_absent = |class: &ClassIndex| {
                let below_absent = self.above(*class).iter().any(|above| absent.contains(above));
                (absent.contains(class) || below_absent) && !labelled.contains(class) && !not_exhaustive.contains(class)
            };
            image.negative = (0..dataset.categories.len()).filter(is_absent).collect();
            image.not_exhaustive = not_exhaustive.into_iter().collect();
        }
        let counts = Counts::of(dataset);
        for (k, category) in dataset.categories.iter_mut().enumerate() {
            (category.images, category.instances) = (counts.images[k], counts.instances[k]);
        }
        dataset.regroup(GroupThresholds::default());
    }
}

/// Notes for every class below `node` that those in `path` stand above it. The parser limits how deep a tree is.
fn descend(
    node: &Node,
    classes: &HashMap<&str, ClassIndex>,
    path: &mut Vec<ClassIndex>,
    above: &mut [BTreeSet<ClassIndex>],
) {
    let class = classes.get(node.label.as_str()).copied();
    if let Some(class) = class {
        above[class].extend(path.iter().copied().filter(|&other| other != class));
        path.push(class);
    }
    node.below.iter().for_each(|below| descend(below, classes, path, above));
    if class.is_some() {
        path.pop();
    }
}
