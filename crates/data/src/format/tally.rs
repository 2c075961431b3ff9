//! Oddities met while reading, counted by kind with one example each.

use crate::{Category, DataError, Result, Warning};

/// Noun phrase of the warning about categories without a training object, which a validation set loses with its own counts.
pub const UNSEEN_CATEGORIES: &str = "categories without any object";

/// Noun phrase of the warning about objects given twice.
pub const REPEATED_OBJECTS: &str = "objects with the same image, class and box as another";

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
    RepeatedCategory,
    RepeatedImage,
    UnknownImage,
    UnknownCategory,
    NotFinite,
    BadGroup,
    NoSize,
    BadRow,
}

impl Oddity {
    const ALL: [Self; 18] = [
        Self::NoArea,
        Self::OutsidePicture,
        Self::AcrossBorder,
        Self::BadArea,
        Self::Repeated,
        Self::RepeatedId,
        Self::UnknownListed,
        Self::NoLabels,
        Self::UnknownLabel,
        Self::AbsentObject,
        Self::RepeatedCategory,
        Self::RepeatedImage,
        Self::UnknownImage,
        Self::UnknownCategory,
        Self::NotFinite,
        Self::BadGroup,
        Self::NoSize,
        Self::BadRow,
    ];

    /// Whether reading refuses it, unless it is lenient.
    fn is_refused(self) -> bool {
        self >= Self::RepeatedCategory
    }

    /// What it is, and what is done about it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoArea => ("boxes with no area", "dropped"),
            Self::OutsidePicture => ("boxes outside their picture", "dropped"),
            Self::AcrossBorder => ("boxes across the border of their picture", "clipped"),
            Self::BadArea => ("areas that are negative or not finite", "replaced by the area of the box"),
            Self::Repeated => (REPEATED_OBJECTS, "kept"),
            Self::RepeatedId => ("annotation ids used before", "kept, ids of annotations are not needed"),
            Self::UnknownListed => ("unknown categories in neg_category_ids or not_exhaustive_category_ids", "skipped"),
            Self::NoLabels => ("pictures without a label file", "taken as pictures without objects"),
            Self::UnknownLabel => ("image-level labels of classes that are not described", "skipped"),
            Self::AbsentObject => ("classes listed as absent beside a box of theirs", "the box is kept"),
            Self::RepeatedCategory => ("categories with the id of another", "dropped"),
            Self::RepeatedImage => ("images with the id of another", "dropped"),
            Self::UnknownImage => ("objects of images that are not listed", "dropped"),
            Self::UnknownCategory => ("objects of categories that are not listed", "dropped"),
            Self::NotFinite => ("boxes that are not finite", "dropped"),
            Self::BadGroup => ("categories whose frequency is not r, c or f", "grouped by their images"),
            Self::NoSize => ("images without a size that makes sense", "dropped with their objects"),
            Self::BadRow => ("lines that cannot be read", "dropped"),
        }
    }

    /// Why it matters, and what to do about it.
    fn advice(self) -> (&'static str, &'static str) {
        match self {
            Self::NoArea => (
                "Their objects are lost, and where they are the detector is taught background.",
                "Draw the boxes anew. bbox is [x, y, width, height], not two corners.",
            ),
            Self::OutsidePicture => (
                "Their objects are lost. Often the boxes belong to another size of the picture.",
                "Check that bbox is in pixels of the picture, [x, y, width, height], and that width and height of the image are right.",
            ),
            Self::AcrossBorder => (
                "A few are slips; many mean that the boxes belong to another size of the picture or are two corners.",
                "Check some of them; bbox is [x, y, width, height] in pixels of the picture.",
            ),
            Self::BadArea => (
                "Area decides whether an object is small, medium or large in the scores.",
                "Leave `area` out, or give the area of the mask in square pixels.",
            ),
            Self::Repeated => (
                "They count twice in the class's frequency, and one of the two is always a missed object when scoring.",
                "Keep one of each.",
            ),
            Self::RepeatedId => (
                "Nothing here needs the ids, but tools that score with them take two objects for one.",
                "Number the annotations anew.",
            ),
            Self::UnknownListed => (
                "Either categories are missing from the file, or the lists come from another version of it.",
                "Add the categories, or remove their ids from the lists.",
            ),
            Self::NoLabels => (
                "Pictures without objects are good background; pictures whose labels were lost teach that their objects are background.",
                "Where a picture really has no object, give it an empty label file.",
            ),
            Self::UnknownLabel => (
                "Verified absences of these classes are not used.",
                "Add the classes to the class descriptions, or leave their labels out.",
            ),
            Self::AbsentObject => (
                "One of the two is wrong, and the box wins.",
                "Remove the box, or the label that says that the class is absent.",
            ),
            Self::RepeatedCategory | Self::RepeatedImage => (
                "Nobody can say which of the two an annotation means. Training refuses such a file.",
                "Give each an id of its own, and the annotations with it.",
            ),
            Self::UnknownImage | Self::UnknownCategory => (
                "They belong to nothing. Training refuses such a file.",
                "Add what they point at to the file, or remove the annotations.",
            ),
            Self::NotFinite => {
                ("They are nowhere. Training refuses such a file.", "Correct the boxes, or remove them.")
            }
            Self::BadGroup => (
                "Scores are told apart by these groups. Training refuses such a file.",
                "Leave `frequency` out, to have the training images counted, or write r, c or f.",
            ),
            Self::NoSize => (
                "Boxes cannot be placed in them. Training refuses such a file.",
                "Correct width and height, or give the picture, from which they are read.",
            ),
            Self::BadRow => (
                "Their objects are lost. Training refuses such a file.",
                "Correct these lines; the example says what was expected.",
            ),
        }
    }
}

/// Why what is counted under the noun phrase `what` matters, and what to do about it; `None` for a phrase of no oddity.
pub fn advice(what: &str) -> Option<(&'static str, &'static str)> {
    Oddity::ALL.into_iter().find(|oddity| oddity.words().0 == what).map(Oddity::advice)
}

/// Whether the noun phrase `what` is about something that can be counted on the data set itself, without its file.
pub fn is_counted_elsewhere(what: &str) -> bool {
    what == UNSEEN_CATEGORIES || what == REPEATED_OBJECTS
}

/// What reading did about what is counted under the noun phrase `what`, when the data set is free of it since.
pub fn repaired_by_reading(what: &str) -> Option<&'static str> {
    let oddity = Oddity::ALL.into_iter().find(|oddity| oddity.words().0 == what)?;
    match oddity {
        Oddity::Repeated | Oddity::NoLabels => None,
        Oddity::RepeatedId => Some("numbered anew"),
        Oddity::AbsentObject => Some("no longer listed as absent"),
        _ => Some(oddity.words().1),
    }
}

/// Whether the warning about the noun phrase `what` is about something that reading refuses unless it is lenient.
pub fn is_refused(what: &str) -> bool {
    Oddity::ALL.into_iter().any(|oddity| oddity.is_refused() && oddity.words().0 == what)
}

/// Counts of the oddities of a file.
#[derive(Default)]
pub struct Tally {
    counts: Vec<(Oddity, usize, String)>,
    /// Counts also what would be refused.
    lenient: bool,
}

impl Tally {
    /// One that refuses what no training could survive, or counts that as well.
    pub fn new(lenient: bool) -> Self {
        Self { counts: Vec::new(), lenient }
    }

    /// Counts one, keeping the first example of its kind.
    pub fn add(&mut self, oddity: Oddity, example: impl FnOnce() -> String) {
        match self.counts.iter_mut().find(|(kind, ..)| *kind == oddity) {
            Some((_, count, _)) => *count += 1,
            None => self.counts.push((oddity, 1, example())),
        }
    }

    /// Counts one that is refused otherwise.
    ///
    /// # Errors
    /// `error`, unless the reading is lenient.
    pub fn refuse(&mut self, oddity: Oddity, error: DataError) -> Result<()> {
        if !self.lenient {
            return Err(error);
        }
        self.add(oddity, || error.to_string());
        Ok(())
    }

    /// The warnings, in a fixed order, and one about categories without any object.
    pub fn into_warnings(mut self, categories: &[Category]) -> Vec<Warning> {
        self.counts.sort_by_key(|(oddity, ..)| *oddity);
        let found = self.counts.into_iter().map(|(oddity, count, example)| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_has_its_own_advice() {
        for oddity in Oddity::ALL {
            assert_eq!(advice(oddity.words().0), Some(oddity.advice()), "{oddity:?}");
            assert_eq!(is_refused(oddity.words().0), oddity.is_refused(), "{oddity:?}");
        }
        assert_eq!(advice("boxes"), None);
        assert!(is_counted_elsewhere(UNSEEN_CATEGORIES) && !is_counted_elsewhere("boxes with no area"));
    }
}
