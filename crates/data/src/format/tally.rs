//! Oddities met while reading, counted by kind with one example each.

use crate::{Category, Warning};

/// Noun phrase of the warning about categories without a training object, which a validation set loses with its own counts.
pub const UNSEEN_CATEGORIES: &str = "categories without any object";

/// A kind of oddity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    NoArea,
    OutsidePicture,
    AcrossBorder,
    BadArea,
    Repeated,
    RepeatedId,
    UnknownListed,
    NoLabels,
    UnknownLabel,
    AbsentObject,
}

impl Oddity {
    /// What it is, and what is done about it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoArea => ("boxes with no area", "dropped"),
            Self::OutsidePicture => ("boxes outside their picture", "dropped"),
            Self::AcrossBorder => ("boxes across the border of their picture", "clipped"),
            Self::BadArea => ("areas that are negative or not finite", "replaced by the area of the box"),
            Self::Repeated => ("objects with the same image, class and box as another", "kept"),
            Self::RepeatedId => ("annotation ids used before", "kept, ids of annotations are not needed"),
            Self::UnknownListed => ("unknown categories in neg_category_ids or not_exhaustive_category_ids", "skipped"),
            Self::NoLabels => ("pictures without a label file", "taken as pictures without objects"),
            Self::UnknownLabel => ("image-level labels of classes that are not described", "skipped"),
            Self::AbsentObject => ("classes listed as absent beside a box of theirs", "the box is kept"),
        }
    }
}

/// Counts of the oddities of a file.
#[derive(Default)]
pub struct Tally(Vec<(Oddity, usize, String)>);

impl Tally {
    /// Counts one, keeping the first example of its kind.
    pub fn add(&mut self, oddity: Oddity, example: impl FnOnce() -> String) {
        match self.0.iter_mut().find(|(kind, ..)| *kind == oddity) {
            Some((_, count, _)) => *count += 1,
            None => self.0.push((oddity, 1, example())),
        }
    }

    /// The warnings, in a fixed order, and one about categories without any object.
    pub fn into_warnings(mut self, categories: &[Category]) -> Vec<Warning> {
        self.0.sort_by_key(|(oddity, ..)| *oddity);
        let found = self.0.into_iter().map(|(oddity, count, example)| {
            let (what, action) = oddity.words();
            Warning { what: what.into(), count, example, action: action.into() }
        });
        found.chain(unseen(categories)).collect()
    }
}

fn unseen(categories: &[Category]) -> Option<Warning> {
    let mut without = categories.iter().filter(|c| c.instances == 0 && c.images == 0);
    let first = without.next()?;
    Some(Warning {
        what: UNSEEN_CATEGORIES.into(),
        count: 1 + without.count(),
        example: format!("category {} (`{}`)", first.id.0, first.name),
        action: "kept, but a detector cannot learn them from this file".into(),
    })
}
