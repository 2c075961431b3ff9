//! The three parts of the set.

use crate::scene::{Purpose, Split};

/// A part: each has its pictures and its truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Train = 0,
    /// Flat: every class in the same number of pictures.
    Val = 1,
    /// With a tail as in training.
    Natural = 2,
}

impl Part {
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Natural];

    /// Name of its folder and of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Natural => "val_natural",
        }
    }

    /// Whose drawings and backgrounds it has.
    pub fn split(self) -> Split {
        if self == Self::Train { Split::Train } else { Split::Val }
    }

    pub fn purpose(self) -> Purpose {
        match self {
            Self::Train => Purpose::EmojiTrain,
            Self::Val => Purpose::EmojiVal,
            Self::Natural => Purpose::EmojiNatural,
        }
    }
}
