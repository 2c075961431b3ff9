//! What is in every picture before anything is drawn: classes, how often, and by which drawing.
//!
//! A class's drawings are dealt without replacement, one of each package before a second of any, and when all are dealt they are dealt
//! anew. Everything here is sampled with integers, in one stream, so a picture depends on the seed and its number alone.

use std::collections::VecDeque;

use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    catalogue::Catalogue,
    choice::{Chosen, choose},
    config::EmojiVisConfig,
    part::Part,
};
use crate::{
    ClassIndex, Group, GroupThresholds, Result,
    scene::{Crowd, Purpose, chance, distribute, stream},
};

/// Classes of a picture whose labels the federated file leaves out: one in so many, as far as their group allows.
const UNLABELLED: u64 = 5;

/// Classes listed as absent by the federated file, for each class in the picture.
const NEGATIVES: usize = 2;

/// An object to be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub class: ClassIndex,
    /// Its drawing in the catalogue.
    pub drawing: usize,
}

/// What the federated file knows of a training picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Federated {
    /// Classes that are there and not labelled.
    pub unlabelled: Vec<ClassIndex>,
    /// Classes verified to be absent.
    pub negative: Vec<ClassIndex>,
}

/// The whole set on paper.
pub(super) struct Plan {
    pub chosen: Vec<Chosen>,
    /// Group of every class, `[K]`.
    pub groups: Vec<Group>,
    /// Objects of every picture of every part, in paste order.
    pub pictures: [Vec<Vec<Wanted>>; 3],
    /// One entry for each training picture.
    pub federated: Vec<Federated>,
}

impl Plan {
    /// Plans a set whose options have been checked.
    ///
    /// # Errors
    /// [`DataError::Option`](crate::DataError::Option) when there are more categories than the packages have drawings of.
    pub fn new(catalogue: &Catalogue, config: &EmojiVisConfig) -> Result<Self> {
        let chosen = choose(catalogue, config, &mut stream(config.seed, Purpose::EmojiPlan, 0))?;
        let groups = chosen.iter().map(|chosen| GroupThresholds::default().group(chosen.count)).collect();
        let mut classes = Vec::new();
        for (part, pictures) in Part::ALL.into_iter().zip(config.pictures()) {
            let counts: Vec<u64> = chosen
                .iter()
                .map(|chosen| match part {
                    Part::Train => chosen.count,
                    Part::Val => config.val_counts(chosen.count)[0],
                    Part::Natural => config.val_counts(chosen.count)[1],
                })
                .collect();
            let rng = &mut stream(config.seed, Purpose::EmojiPlan, 1 + part as u64);
            classes.push((part, distribute(&counts, pictures, Crowd::Between(3, 6), rng)));
        }
        let federated = federate(&chosen, &classes[0].1, config);
        let mut pictures = [const { Vec::new() }; 3];
        for (part, classes) in classes {
            pictures[part as usize] = deal_out(catalogue, &chosen, config, part, &classes);
        }
        Ok(Self { chosen, groups, pictures, federated })
    }

    /// Every drawing that is needed, once.
    pub fn drawings(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.pictures.iter().flatten().flatten().map(|wanted| wanted.drawing).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Decides how often each class is in a picture, by which drawings, and in which order they are pasted.
fn deal_out(
    catalogue: &Catalogue,
    chosen: &[Chosen],
    config: &EmojiVisConfig,
    part: Part,
    pictures: &[Vec<ClassIndex>],
) -> Vec<Vec<Wanted>> {
    let rng = &mut stream(config.seed, Purpose::EmojiPlan, 10 + part as u64);
    let mut decks: Vec<Deck> = chosen
        .iter()
        .map(|chosen| {
            let class = &catalogue.classes[chosen.class];
            match part {
                Part::Train => Deck::new(catalogue, &class.train, config.limit_drawings, rng),
                Part::Val | Part::Natural => Deck::new(catalogue, &class.val, None, rng),
            }
        })
        .collect();
    let mut fill = |classes: &Vec<ClassIndex>| {
        let mut wanted = Vec::new();
        for &class in classes {
            let count = if chance(rng, 60) { 1 } else { rng.random_range(2..=4u32) };
            wanted.extend((0..count).map(|_| Wanted { class, drawing: decks[class].draw(catalogue, rng) }));
        }
        wanted.shuffle(rng);
        wanted
    };
    pictures.iter().map(&mut fill).collect()
}

/// The drawings of a class, dealt one by one.
struct Deck {
    all: Vec<usize>,
    left: VecDeque<usize>,
}

impl Deck {
    fn new(catalogue: &Catalogue, drawings: &[usize], limit: Option<usize>, rng: &mut ChaCha8Rng) -> Self {
        let mut all = deal(catalogue, drawings, rng);
        all.truncate(limit.unwrap_or(usize::MAX));
        Self { left: all.clone().into(), all }
    }

    fn draw(&mut self, catalogue: &Catalogue, rng: &mut ChaCha8Rng) -> usize {
        if self.left.is_empty() {
            self.left = deal(catalogue, &self.all, rng).into();
        }
        self.left.pop_front().expect("a class has drawings in every part")
    }
}

/// Shuffles drawings so that every package has had its turn before one has a second.
fn deal(catalogue: &Catalogue, drawings: &[usize], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut drawings = drawings.to_vec();
    drawings.shuffle(rng);
    let mut turns = vec![0usize; drawings.iter().map(|&i| catalogue.drawings[i].package + 1).max().unwrap_or(0)];
    let mut dealt: Vec<(usize, usize)> = drawings
        .into_iter()
        .map(|drawing| {
            let turn = &mut turns[catalogue.drawings[drawing].package];
            *turn += 1;
            (*turn, drawing)
        })
        .collect();
    dealt.sort_by_key(|&(turn, _)| turn);
    dealt.into_iter().map(|(_, drawing)| drawing).collect()
}

/// Decides what the federated file leaves out. Groups stay what they are.
fn federate(chosen: &[Chosen], pictures: &[Vec<ClassIndex>], config: &EmojiVisConfig) -> Vec<Federated> {
    let rng = &mut stream(config.seed, Purpose::EmojiFederated, 0);
    let limits = GroupThresholds::default();
    let mut federated = vec![Federated::default(); pictures.len()];
    for (class, &Chosen { count, .. }) in chosen.iter().enumerate() {
        let least = match limits.group(count) {
            Group::Rare => count,
            Group::Common => limits.rare + 1,
            Group::Frequent => limits.common + 1,
        };
        let left_out = (count / UNLABELLED).min(count - least) as usize;
        let mut with: Vec<usize> = (0..pictures.len()).filter(|&i| pictures[i].contains(&class)).collect();
        with.shuffle(rng);
        with[..left_out].iter().for_each(|&picture| federated[picture].unlabelled.push(class));
    }
    for (federated, classes) in federated.iter_mut().zip(pictures) {
        let mut absent: Vec<ClassIndex> = (0..chosen.len()).filter(|class| !classes.contains(class)).collect();
        let count = (NEGATIVES * classes.len()).min(absent.len());
        federated.negative = absent.partial_shuffle(rng, count).0.to_vec();
        federated.negative.sort_unstable();
    }
    federated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emojivis::{
        catalogue::{Art, Class, Drawing},
        labels::Emoji,
    };

    /// 40 classes with three packages in training, the first with three drawings, and two in validation.
    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue { classes: Vec::new(), drawings: Vec::new() };
        for i in 0..40 {
            let mut add = |package| {
                catalogue.drawings.push(Drawing { package, name: i.to_string(), art: Art::Svg(String::new()) });
                catalogue.drawings.len() - 1
            };
            let (train, val) = ([0, 0, 0, 1, 2].map(&mut add).to_vec(), [3, 4].map(&mut add).to_vec());
            let emoji =
                Emoji { hexcode: "1".into(), label: i.to_string(), group: Some(7), tags: vec![], skins: vec![] };
            catalogue.classes.push(Class { emoji, train, val, families: 3 });
        }
        catalogue
    }

    fn config() -> EmojiVisConfig {
        EmojiVisConfig { categories: 40, frequent_images: 105, ..EmojiVisConfig::default() }
    }

    #[test]
    fn counts_are_exact_in_every_part() {
        let plan = Plan::new(&catalogue(), &config()).unwrap();
        assert_eq!(plan.pictures.each_ref().map(Vec::len), config().pictures());
        for (class, chosen) in plan.chosen.iter().enumerate() {
            let count = |part: usize| {
                plan.pictures[part].iter().filter(|p| p.iter().any(|wanted| wanted.class == class)).count() as u64
            };
            assert_eq!(count(0), chosen.count);
            assert_eq!([count(1), count(2)], config().val_counts(chosen.count));
        }
    }

    #[test]
    fn drawings_come_from_the_right_side_and_none_comes_twice_before_all_came() {
        let catalogue = catalogue();
        let plan = Plan::new(&catalogue, &config()).unwrap();
        for (part, pictures) in plan.pictures.iter().enumerate() {
            for (class, chosen) in plan.chosen.iter().enumerate() {
                let known = &catalogue.classes[chosen.class];
                let side = if part == 0 { &known.train } else { &known.val };
                let drawn = pictures.iter().flatten().filter(|wanted| wanted.class == class);
                let mut uses = vec![0usize; catalogue.drawings.len()];
                drawn.for_each(|wanted| uses[wanted.drawing] += 1);
                let used: Vec<usize> = side.iter().map(|&drawing| uses[drawing]).collect();
                assert_eq!(used.iter().sum::<usize>(), uses.iter().sum::<usize>(), "a drawing of the other side");
                assert!(used.iter().max().unwrap() - used.iter().min().unwrap() <= 1, "{used:?}");
            }
        }
    }

    #[test]
    fn every_package_has_a_turn_first_and_the_limit_holds() {
        let catalogue = catalogue();
        let rng = &mut stream(2, Purpose::EmojiPlan, 0);
        for _ in 0..20 {
            let dealt = deal(&catalogue, &catalogue.classes[0].train, rng);
            let mut first: Vec<usize> = dealt[..3].iter().map(|&i| catalogue.drawings[i].package).collect();
            first.sort_unstable();
            assert_eq!(first, [0, 1, 2]);
        }
        let limited = EmojiVisConfig { limit_drawings: Some(2), ..config() };
        let plan = Plan::new(&catalogue, &limited).unwrap();
        for class in 0..40 {
            let mut drawn: Vec<usize> =
                plan.pictures[0].iter().flatten().filter(|w| w.class == class).map(|w| w.drawing).collect();
            drawn.sort_unstable();
            drawn.dedup();
            assert!(drawn.len() <= 2);
        }
    }

    #[test]
    fn the_federated_file_keeps_groups_and_never_lies() {
        let plan = Plan::new(&catalogue(), &config()).unwrap();
        let mut left_out = vec![0u64; plan.chosen.len()];
        for (federated, wanted) in plan.federated.iter().zip(&plan.pictures[0]) {
            let there = |class: &ClassIndex| wanted.iter().any(|wanted| wanted.class == *class);
            assert!(federated.unlabelled.iter().all(there) && !federated.negative.iter().any(there));
            federated.unlabelled.iter().for_each(|&class| left_out[class] += 1);
        }
        for ((chosen, &group), &left_out) in plan.chosen.iter().zip(&plan.groups).zip(&left_out) {
            assert_eq!(GroupThresholds::default().group(chosen.count - left_out), group);
            assert!(group != Group::Rare || left_out == 0);
        }
        assert!(left_out.iter().sum::<u64>() > 50);
    }
}
