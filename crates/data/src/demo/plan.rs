//! How many pictures every class gets, and which: the long tail, made by integers.
//!
//! The curve is LVIS v1's sorted image counts (arXiv 1908.03195), resampled to `K` ranks and capped. Which class gets which rank is a seeded
//! shuffle. The validation set is flat: every class in the same number of pictures.
//! The counts come out exactly; the number of classes in one picture is only steered.

use rand::{RngExt, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    DemoConfig, RareImages,
    random::{Purpose, stream},
};
use crate::{ClassIndex, Group, GroupThresholds};

/// LVIS v1 image counts, largest first, at ranks 0, 10, 20, … 1200 and 1202.
const LVIS: [u32; 122] = [
    1977, 1940, 1926, 1915, 1903, 1890, 1877, 1846, 1791, 1689, 1609, 1470, 1402, 1210, 1100, 1010, 894, 808, 729, 660,
    595, 529, 489, 421, 361, 334, 305, 270, 247, 234, 221, 202, 189, 166, 147, 138, 131, 123, 114, 107, 103, 98, 92,
    87, 81, 76, 72, 70, 67, 64, 61, 57, 54, 50, 49, 47, 46, 44, 42, 40, 38, 36, 35, 33, 32, 30, 29, 28, 28, 26, 25, 24,
    23, 21, 19, 18, 18, 17, 16, 15, 14, 14, 13, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8, 8, 7, 7, 6, 6, 6, 5, 5, 5, 4, 4, 4,
    3, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1,
];

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
        let train = distribute(&counts, config.images, &mut rng);
        let flat = vec![config.val_images_per_class as u64; config.categories];
        let val = distribute(&flat, config.val_images, &mut rng);
        Self { counts, groups, train, val }
    }
}

/// Training pictures by rank, largest first.
fn sorted_counts(config: &DemoConfig) -> Vec<u64> {
    let limits = GroupThresholds::default();
    let last = config.categories.saturating_sub(1).max(1);
    let mut counts: Vec<u64> = (0..config.categories)
        .map(|i| lvis_image_count(i as f64 * 1202.0 / last as f64).min(config.frequent_images as u64))
        .collect();
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

/// Training images of the category of LVIS v1 at a rank in 0..=1202, the largest first; between known ranks interpolated.
pub fn lvis_image_count(rank: f64) -> u64 {
    if rank <= 1200.0 { interpolate(&LVIS[..121], rank / 10.0) } else { u64::from(LVIS[121]) }
}

/// Linear interpolation at a position in 0..=len - 1, rounded.
fn interpolate(values: &[u32], at: f64) -> u64 {
    let low = (at.floor() as usize).min(values.len() - 1);
    let high = (low + 1).min(values.len() - 1);
    let part = at - low as f64;
    (f64::from(values[low]) * (1.0 - part) + f64::from(values[high]) * part).round() as u64
}

/// Chooses the pictures of every class: exactly `counts[k]` different ones, the largest class first.
fn distribute(counts: &[u64], pictures: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<ClassIndex>> {
    let mut room = rooms(counts, pictures, rng);
    let mut classes_of = vec![Vec::new(); pictures];
    let mut order: Vec<ClassIndex> = (0..counts.len()).collect();
    order.sort_by_key(|&class| (std::cmp::Reverse(counts[class]), class));
    for class in order {
        let mut free = vec![true; pictures];
        for _ in 0..counts[class] {
            let picture = choose(&room, &free, rng);
            free[picture] = false;
            room[picture] = room[picture].saturating_sub(1);
            classes_of[picture].push(class);
        }
    }
    classes_of.iter_mut().for_each(|classes| classes.sort_unstable());
    classes_of
}

/// How many classes every picture should get: the sum of the counts, dealt at random between half and nearly twice the mean.
fn rooms(counts: &[u64], pictures: usize, rng: &mut ChaCha8Rng) -> Vec<u64> {
    let total: u64 = counts.iter().sum();
    let mean = total / pictures as u64;
    let least = (mean / 2).max(1).min(mean);
    let most = (2 * mean).max(mean + 1);
    let mut room = vec![least; pictures];
    let mut left = total - least * pictures as u64;
    while left > 0 {
        let picture = rng.random_range(0..pictures);
        if room[picture] < most {
            room[picture] += 1;
            left -= 1;
        }
    }
    room
}

/// A free picture, with a chance in proportion to its room; any free one when no room is left.
fn choose(room: &[u64], free: &[bool], rng: &mut ChaCha8Rng) -> usize {
    let weigh = |floor: u64| -> Vec<u64> {
        room.iter().zip(free).map(|(&room, &free)| if free { room.max(floor) } else { 0 }).collect()
    };
    let mut weights = weigh(0);
    if weights.iter().all(|&weight| weight == 0) {
        weights = weigh(1);
    }
    let mut ticket = rng.random_range(0..weights.iter().sum());
    weights
        .iter()
        .position(|&weight| {
            let hit = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            hit
        })
        .expect("the ticket is below the sum of the weights")
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
    fn the_whole_curve_comes_back_at_its_own_length() {
        assert_eq!([0.0, 10.0, 1200.0, 1202.0].map(lvis_image_count), [1977, 1940, 1, 1]);
        assert_eq!(lvis_image_count(5.0), 1959);
    }

    #[test]
    fn resampling_keeps_the_sizes_counted_from_the_full_curve() {
        let pairs = |categories, frequent_images| -> u64 {
            let rare_images = RareImages::Lvis;
            let config = DemoConfig { categories, frequent_images, rare_images, ..DemoConfig::default() };
            sorted_counts(&config).iter().sum()
        };
        // Class-image pairs of 60 and 300 ranks of all 1,203 counts, counted apart from this code.
        assert!(pairs(60, 105).abs_diff(3_092) <= 3);
        assert!(pairs(60, 150).abs_diff(3_916) <= 4);
        assert!(pairs(300, 120).abs_diff(16_901) <= 17);
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
