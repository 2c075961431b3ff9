//! Categories: names that look like the same class twice, classes that only one set has, classes without anything to learn from.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Kind, Severity};
use crate::{Category, CategoryId, Counts, Dataset};

const TRAIN_ONLY: Kind = Kind {
    severity: Severity::Error,
    what: "categories listed only in the training set",
    why: "Class numbers follow the list of categories: with another list in validation the detector is scored against wrong classes.",
    fix: "List the same ids and names in both files, with or without objects.",
};

const VAL_ONLY: Kind = Kind {
    severity: Severity::Error,
    what: "categories listed only in the validation set",
    why: TRAIN_ONLY.why,
    fix: TRAIN_ONLY.fix,
};

const LOOKALIKES: Kind = Kind {
    severity: Severity::Warning,
    what: "category names that differ from another one only by case, blanks, hyphens or underscores",
    why: "It is probably one class under two names: each gets half of the objects and is a wrong answer for the other half.",
    fix: "Merge the categories if they mean the same, else give them names that say what differs.",
};

const BLANKS: Kind = Kind {
    severity: Severity::Warning,
    what: "category names with blanks around them",
    why: "Another file that has the name without them has another class.",
    fix: "Trim the names in all files of the data set.",
};

const NOT_IN_TRAINING: Kind = Kind {
    severity: Severity::Warning,
    what: "categories with objects in the validation set but none in the training set",
    why: "The detector cannot find them, and each takes part in the mean of the scores with about 0.",
    fix: "Split the data so that each class is in both sets, or remove these categories from both files.",
};

const NOTHING_TO_LEARN: Kind = Kind {
    severity: Severity::Warning,
    what: "categories without training objects",
    why: "A detector cannot learn them from this file.",
    fix: "Add objects of these categories, or remove the categories from all files of the data set.",
};

/// Findings about the categories of both sets.
pub fn findings(train: &Dataset, val: Option<&Dataset>) -> Vec<Finding> {
    let unlearnt = without_objects(train);
    let mut findings = Vec::new();
    if let Some(val) = val {
        findings.extend(listed_only(&TRAIN_ONLY, train, val));
        findings.extend(listed_only(&VAL_ONLY, val, train));
    }
    let categories = [Some(train), val].into_iter().flatten().flat_map(|set| &set.categories);
    findings.extend(BLANKS.found("", categories.filter(|c| c.name.trim().len() != c.name.len()), name));
    findings.extend(lookalikes([Some(train), val].into_iter().flatten()));
    if let Some(val) = val {
        let unlearnt: BTreeSet<_> = unlearnt.iter().map(|category| key(category)).collect();
        let counts = Counts::of(val);
        let seen = val.categories.iter().zip(counts.instances).filter(|(_, objects)| *objects > 0);
        let hits = seen.filter(|(category, _)| unlearnt.contains(&key(category)));
        findings.extend(NOT_IN_TRAINING.found("", hits, |(category, n)| format!("{}, {n} objects", name(category))));
    }
    findings.extend(NOTHING_TO_LEARN.found("", unlearnt, name));
    findings
}

fn key(category: &Category) -> (CategoryId, &str) {
    (category.id, &category.name)
}

fn name(category: &Category) -> String {
    format!("category {} (`{}`)", category.id.0, category.name)
}

fn without_objects(dataset: &Dataset) -> Vec<&Category> {
    let counts = Counts::of(dataset);
    dataset.categories.iter().zip(counts.instances).filter(|(_, objects)| *objects == 0).map(|(c, _)| c).collect()
}

/// Categories of `one` whose id and name `other` does not list.
fn listed_only(kind: &Kind, one: &Dataset, other: &Dataset) -> Option<Finding> {
    let known: BTreeMap<_, _> = other.categories.iter().map(key).collect();
    let hits = one.categories.iter().filter(|category| known.get(&category.id) != Some(&category.name.as_str()));
    kind.found("", hits, |category| match known.get(&category.id) {
        Some(theirs) => format!("{}, which is `{theirs}` in the other set", name(category)),
        None => name(category),
    })
}

/// Names of the categories of all sets that are the same in their [`plain`] form as one before.
fn lookalikes<'a>(sets: impl Iterator<Item = &'a Dataset>) -> Option<Finding> {
    // A category that both sets list with the same id and name is one.
    let categories: BTreeSet<_> = sets.flat_map(|set| set.categories.iter().map(key)).collect();
    let mut first = BTreeMap::new();
    let mut hits = Vec::new();
    for (id, name) in categories {
        match first.get(&plain(name)) {
            Some(&before) => hits.push((before, (id, name))),
            None => {
                first.insert(plain(name), (id, name));
            }
        }
    }
    LOOKALIKES.found("", hits, |((id, name), (id2, name2))| format!("{} `{name}` and {} `{name2}`", id.0, id2.0))
}

/// `name` in lower case without blanks, hyphens and underscores.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}
