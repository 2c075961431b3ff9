//! How many pictures every class gets, and which: the long tail, made by integers.
//!
//! The curve is LVIS v1's sorted image counts (arXiv 1908.03195), resampled to `K` ranks and capped. Which class gets which rank is a seeded
//! shuffle. The validation set is flat: every class in the same number of pictures.

use rand::seq::SliceRandom;

use super::{DemoConfig, RareImages};
use crate::{
    ClassIndex, Group, GroupThresholds,
    scene::{Crowd, Purpose, distribute, interpolate, lvis_counts, stream},
};

/// Quantiles of the steep tail's image counts, from the largest rare class to the smallest.
const STEEP: [u32; 7] = [6, 3, 3, 2, 2, 1, 1];

/// What is in every picture, before anything is drawn.
pub(super) struct Plan {
    /// Training pictures of every class, `[K]`.
    pub counts: Vec<u64>,
    /// Group of every class, `[K]`.
    pub groups: Vec<Group>,
    /// Classes of every training picture.
    pub train: Vec<Vec<ClassIndex>>,
    /// Classes of every validation picture.
    pub val: Vec<Vec<ClassIndex>>,
}

impl Plan {
    /// Plans a set whose options have been checked.
    pub fn new(config: &DemoConfig) -> Self {
        let mut rng = stream(config.seed, Purpose::Plan, 0);
        let sorted = sorted_counts(config);
        let mut ranks: Vec<usize> = (0..config.categories).collect();
        ranks.shuffle(&mut rng);
        let counts: Vec<u64> = ranks.iter().map(|&rank| sorted[rank]).collect();
        let groups = counts.iter().map(|&count| GroupThresholds::default().group(count)).collect();
        let train = distribute(&counts, config.images, Crowd::Varied, &mut rng);
        let flat = vec![config.val_images_per_class as u64; config.categories];
        let val = distribute(&flat, config.val_images, Crowd::Varied, &mut rng);
        Self { counts, groups, train, val }
    }
}

/// Training pictures by rank, largest first.
fn sorted_counts(config: &DemoConfig) -> Vec<u64> {
    let limits = GroupThresholds::default();
    let mut counts = lvis_counts(config.categories, config.frequent_images as u64);
    let first_rare = counts.partition_point(|&count| count > limits.rare);
    let rare = counts.len() - first_rare;
    for (i, count) in counts[first_rare..].iter_mut().enumerate() {
        *count = match config.rare_images {
            RareImages::Lvis => *count,
            RareImages::Steep => {
                let at = i as f64 * (STEEP.len() - 1) as f64 / rare.saturating_sub(1).max(1) as f64;
                interpolate(&STEEP, at)
            }
            RareImages::Fixed(fixed) => fixed,
        };
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::demo::art::CLASSES;

    fn split(plan: &Plan) -> [usize; 3] {
        [Group::Rare, Group::Common, Group::Frequent].map(|group| plan.groups.iter().filter(|&&g| g == group).count())
    }

    /// Fails unless every class is in exactly its number of pictures, and in none twice.
    fn check_counts(pictures: &[Vec<ClassIndex>], counts: &[u64]) {
        let mut found = vec![0; counts.len()];
        for classes in pictures {
            assert!(classes.is_sorted_by(|a, b| a < b), "a class is twice in a picture: {classes:?}");
            classes.iter().for_each(|&class| found[class] += 1);
        }
        assert_eq!(found, counts);
    }

    #[test]
    fn sixty_categories_have_the_shape_of_lvis_with_a_steep_tail() {
        let plan = Plan::new(&DemoConfig::default());
        assert_eq!(split(&plan), [17, 23, 20]);
        let mut rare: Vec<u64> = plan.counts.iter().copied().filter(|&count| count <= 10).collect();
        rare.sort_unstable();
        assert!(rare[rare.len() * 3 / 4] <= 3 && rare[rare.len() - 1] <= 6);
        assert_eq!(plan.counts.iter().max(), Some(&205));
        let empty = plan.train.iter().chain(&plan.val).filter(|classes| classes.is_empty()).count();
        assert_eq!(empty, 0);
        assert!(plan.train.iter().all(|classes| classes.len() <= 8));
    }

    #[test]
    fn the_tail_follows_the_option() {
        let with = |rare_images| sorted_counts(&DemoConfig { rare_images, ..DemoConfig::default() });
        let tail = |counts: Vec<u64>| counts[43..].to_vec();
        assert_eq!(tail(with(RareImages::Fixed(2))), [2; 17]);
        assert_eq!(tail(with(RareImages::Lvis)).iter().sum::<u64>(), 73);
        assert!(tail(with(RareImages::Steep)).iter().sum::<u64>() < 50);
        assert_eq!(with(RareImages::Lvis)[..43], with(RareImages::Steep)[..43]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn counts_come_out_exactly(
            seed in any::<u64>(), categories in 3..=CLASSES.len(), extra in 0usize..300, per_class in 1usize..12, tight in any::<bool>(),
        ) {
            let val_images = per_class + if tight { 0 } else { extra };
            let config = DemoConfig {
                seed, categories, images: 105 + extra, frequent_images: 105, val_images, val_images_per_class: per_class,
                ..DemoConfig::default()
            };
            let plan = Plan::new(&config);
            check_counts(&plan.train, &plan.counts);
            check_counts(&plan.val, &vec![per_class as u64; categories]);
            prop_assert_eq!((plan.train.len(), plan.val.len()), (config.images, val_images));
            prop_assert!(split(&plan).iter().all(|&count| count > 0));
        }
    }
}
