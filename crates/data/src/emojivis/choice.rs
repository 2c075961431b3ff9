//! Which emoji become categories, and how many training pictures each gets.
//!
//! A class needs a drawing in validation and drawings by two families in training. Those with only two families go to the tail. Flags,
//! symbols and components are left out; of people, those that differ from another by sex, family or direction alone.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{
    catalogue::{Catalogue, Class},
    config::EmojiVisConfig,
};
use crate::{DataError, Result};

/// Families that a class needs in training, and from how many on it may have many pictures.
const FAMILIES: (usize, usize) = (2, 3);

/// Numbers of emojibase's groups: smileys and people; animals, food, travel, activities, objects.
const PEOPLE: [u8; 2] = [0, 1];
const OBJECTS: std::ops::RangeInclusive<u8> = 3..=7;

/// Words at the start of a label that say it is another emoji's near-duplicate.
const VARIANTS: [&str; 7] = ["man", "men", "woman", "women", "family", "kiss:", "couple with heart:"];

/// Words that a mirrored drawing would make wrong.
const HANDED: [&str; 8] = ["left", "right", "leftwards", "rightwards", "waxing", "waning", "first", "last"];

/// A chosen class and its number of training pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Its place in the catalogue.
    pub class: usize,
    pub count: u64,
}

/// Chooses the categories, in the order of the catalogue.
///
/// # Errors
/// [`DataError::Option`] when there are not enough.
pub(super) fn choose(catalogue: &Catalogue, config: &EmojiVisConfig, rng: &mut ChaCha8Rng) -> Result<Vec<Chosen>> {
    let fit = |class: &&usize| {
        let class = &catalogue.classes[**class];
        class.families >= FAMILIES.0 && !class.val.is_empty()
    };
    let all: Vec<usize> = (0..catalogue.classes.len()).collect();
    let group = |class: usize| catalogue.classes[class].emoji.group;
    let mut pool: Vec<usize> =
        all.iter().filter(fit).copied().filter(|&class| group(class).is_some_and(|g| OBJECTS.contains(&g))).collect();
    pool.shuffle(rng);
    if config.people {
        let person = |&class: &usize| {
            group(class).is_some_and(|g| PEOPLE.contains(&g)) && !is_variant(&catalogue.classes[class])
        };
        let mut people: Vec<usize> = all.iter().filter(fit).copied().filter(person).collect();
        people.shuffle(rng);
        pool.extend(people);
    }
    if pool.len() < config.categories {
        return Err(DataError::Option {
            option: "categories",
            got: config.categories.to_string(),
            expected: format!("at most {}, as many as the packages have drawings of", pool.len()),
        });
    }
    pool.truncate(config.categories);
    pool.shuffle(rng);
    // Stable: among themselves both halves keep their random order.
    pool.sort_by_key(|&class| catalogue.classes[class].families < FAMILIES.1);
    let mut chosen: Vec<Chosen> =
        pool.into_iter().zip(config.counts()).map(|(class, count)| Chosen { class, count }).collect();
    chosen.sort_by_key(|chosen| chosen.class);
    Ok(chosen)
}

fn is_variant(class: &Class) -> bool {
    let label = &class.emoji.label;
    let starts = |word: &&str| {
        label.strip_prefix(*word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    VARIANTS.iter().any(starts) || label.contains("facing right")
}

/// Whether a drawing of this class may be mirrored.
pub(super) fn may_mirror(class: &Class) -> bool {
    !class.emoji.label.split([' ', '-']).any(|word| HANDED.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        emojivis::labels::Emoji,
        scene::{Purpose, stream},
    };

    fn class(label: &str, group: u8, families: usize) -> Class {
        let emoji =
            Emoji { hexcode: "1F986".into(), label: label.into(), group: Some(group), tags: vec![], skins: vec![] };
        Class { emoji, train: vec![0; families], val: vec![1], families }
    }

    #[test]
    fn labels_tell_variants_and_hands() {
        let variant = |label| is_variant(&class(label, 1, 3));
        assert!(variant("man") && variant("woman cook") && variant("family: man, boy") && variant("kiss: man, man"));
        assert!(!variant("manicure") && !variant("cook") && !variant("kiss"));
        let mirror = |label| may_mirror(&class(label, 1, 3));
        assert!(mirror("duck") && mirror("bright button"));
        assert!(
            !mirror("left-facing fist") && !mirror("backhand index pointing right") && !mirror("waxing crescent moon")
        );
    }

    #[test]
    fn classes_of_few_families_are_the_tail() {
        let mut classes: Vec<Class> = (0..40).map(|i| class("thing", 7, 2 + i % 2)).collect();
        classes.push(class("flag: yak", 9, 5));
        classes.push(class("lonely", 7, 1));
        let catalogue = Catalogue { classes, drawings: Vec::new() };
        let config = EmojiVisConfig { categories: 30, ..EmojiVisConfig::default() };
        let rng = &mut stream(0, Purpose::EmojiPlan, 0);
        let chosen = choose(&catalogue, &config, rng).unwrap();
        assert!(chosen.is_sorted_by(|a, b| a.class < b.class) && chosen.iter().all(|chosen| chosen.class < 40));
        let counts = |families| -> Vec<u64> {
            let of = chosen.iter().filter(|chosen| catalogue.classes[chosen.class].families == families);
            of.map(|chosen| chosen.count).collect()
        };
        assert!(counts(2).iter().max() <= counts(3).iter().min());
        let many = EmojiVisConfig { categories: 41, ..config };
        assert!(matches!(choose(&catalogue, &many, rng), Err(DataError::Option { option: "categories", .. })));
    }
}
