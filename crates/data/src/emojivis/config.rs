//! Options of EmojiVIS, its presets, and the sizes that follow from them.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::{DataError, GroupThresholds, Result, scene::lvis_counts};

/// Classes in a picture, in the mean.
const CLASSES_PER_PICTURE: u64 = 4;

/// The natural validation set has one picture of a class for so many in training, and at least one.
const NATURAL_SHARE: u64 = 10;

/// A size of EmojiVIS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// 60 categories, about 1,000 pictures.
    Mini,
    /// 300 categories, about 5,400 pictures.
    Small,
    /// All 861 categories of things, plants, animals, food and places, about 15,500 pictures.
    Objects,
    /// 1,203 categories, as many as LVIS, about 21,700 pictures: the objects, and people and smileys besides.
    Full,
}

impl Preset {
    /// All presets, the smallest first.
    pub const ALL: [Self; 4] = [Self::Mini, Self::Small, Self::Objects, Self::Full];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mini => "mini",
            Self::Small => "small",
            Self::Objects => "objects",
            Self::Full => "full",
        }
    }

    /// Its options.
    pub fn config(self) -> EmojiVisConfig {
        let (categories, frequent_images, people) = match self {
            Self::Mini => (60, 105, false),
            Self::Small => (300, 120, false),
            Self::Objects => (861, 120, false),
            Self::Full => (1203, 120, true),
        };
        EmojiVisConfig { categories, frequent_images, people, ..EmojiVisConfig::default() }
    }
}

/// What is behind the objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backgrounds {
    /// Photos when enough are installed, else procedural ones.
    #[default]
    Auto,
    /// Photos, or an error that says what to install.
    Photos,
    /// Procedural ones.
    Procedural,
}

/// Options of EmojiVIS. The same options, packages and photos give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmojiVisConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// Categories `K`: about 28 % rare, 38 % common, 34 % frequent.
    pub categories: usize,
    /// Whether people and smileys are among the categories.
    pub people: bool,
    /// Cap on the training pictures of a class; above 100, so that frequent classes stay frequent.
    pub frequent_images: u64,
    /// Side of the square pictures, pixels.
    pub side: u32,
    /// Pictures of the flat validation set that contain a class, the same for all classes.
    pub val_images_per_class: u64,
    /// Most training drawings of a class; all without it.
    pub limit_drawings: Option<usize>,
    /// What is behind the objects.
    pub backgrounds: Backgrounds,
}

impl Default for EmojiVisConfig {
    /// As the preset `small`.
    fn default() -> Self {
        Self {
            seed: 0,
            categories: 300,
            people: false,
            frequent_images: 120,
            side: 256,
            val_images_per_class: 10,
            limit_drawings: None,
            backgrounds: Backgrounds::Auto,
        }
    }
}

impl EmojiVisConfig {
    /// Checks every option.
    pub(super) fn check(&self) -> Result<()> {
        let within = |option: &'static str, got: u64, range: RangeInclusive<u64>| {
            if range.contains(&got) {
                return Ok(());
            }
            let expected = format!("{} to {}", range.start(), range.end());
            Err(DataError::Option { option, got: got.to_string(), expected })
        };
        within("categories", self.categories as u64, 8..=1420)?;
        within("frequent_images", self.frequent_images, 101..=1977)?;
        within("side", u64::from(self.side), 64..=1024)?;
        within("val_images_per_class", self.val_images_per_class, 1..=1000)?;
        within("limit_drawings", self.limit_drawings.unwrap_or(1) as u64, 1..=1000)
    }

    /// Training pictures of every class, largest first.
    pub(super) fn counts(&self) -> Vec<u64> {
        lvis_counts(self.categories, self.frequent_images)
    }

    /// Pictures of the flat and the natural validation set that contain a class with `count` training pictures.
    pub(super) fn val_counts(&self, count: u64) -> [u64; 2] {
        [self.val_images_per_class, (count + NATURAL_SHARE / 2).checked_div(NATURAL_SHARE).unwrap_or(0).max(1)]
    }

    /// Number of pictures: training, flat validation, natural validation.
    pub fn pictures(&self) -> [usize; 3] {
        let counts = self.counts();
        let val = |which: usize| counts.iter().map(|&count| self.val_counts(count)[which]).collect::<Vec<_>>();
        // No class can be in more pictures than there are.
        let pictures = |counts: &[u64]| {
            let most = counts.iter().copied().max().unwrap_or(0);
            (counts.iter().sum::<u64>() / CLASSES_PER_PICTURE).max(most) as usize
        };
        [pictures(&counts), pictures(&val(0)), pictures(&val(1))]
    }

    /// Number of rare, common and frequent categories.
    pub fn groups(&self) -> [usize; 3] {
        let limits = GroupThresholds::default();
        let counts = self.counts();
        let up_to = |limit| counts.iter().filter(|&&count| count <= limit).count();
        let (rare, known) = (up_to(limits.rare), up_to(limits.common));
        [rare, known - rare, counts.len() - known]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_the_split_of_lvis() {
        let groups = Preset::ALL.map(|preset| preset.config().groups());
        assert_eq!(groups[0], [17, 23, 20]);
        assert_eq!(groups[1], [84, 115, 101]);
        assert_eq!(groups[2].iter().sum::<usize>(), 861);
        for ([r, c, f], [er, ec, ef]) in groups[2..].iter().zip([[241usize, 330, 290], [337, 461, 405]]) {
            assert!(r.abs_diff(er) <= 2 && c.abs_diff(ec) <= 2 && f.abs_diff(ef) <= 2, "{r} {c} {f}");
        }
        let pictures = Preset::ALL.map(|preset| preset.config().pictures());
        assert_eq!(pictures[0][1..], [150, 82]);
        assert!(pictures[1][0].abs_diff(4225) < 5 && pictures[1][1] == 750, "{pictures:?}");
        Preset::ALL.iter().for_each(|preset| preset.config().check().unwrap());
    }

    #[test]
    fn options_out_of_range_are_named() {
        let small = EmojiVisConfig::default();
        for (config, name) in [
            (EmojiVisConfig { categories: 2, ..small.clone() }, "categories"),
            (EmojiVisConfig { frequent_images: 100, ..small.clone() }, "frequent_images"),
            (EmojiVisConfig { side: 8, ..small.clone() }, "side"),
            (EmojiVisConfig { val_images_per_class: 0, ..small.clone() }, "val_images_per_class"),
            (EmojiVisConfig { limit_drawings: Some(0), ..small }, "limit_drawings"),
        ] {
            assert!(matches!(config.check(), Err(DataError::Option { option, .. }) if option == name), "{name}");
        }
    }
}
