//! Which classes are in which picture, when every class has its number of pictures.
//!
//! The counts come out exactly; the number of classes in one picture is only steered.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::ClassIndex;

/// How many classes a picture should have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crowd {
    /// Half of the mean to twice the mean.
    Varied,
    /// About so many to so many.
    Between(u64, u64),
}

/// Chooses the pictures of every class: exactly `counts[k]` different ones, the largest class first.
pub(crate) fn distribute(counts: &[u64], pictures: usize, crowd: Crowd, rng: &mut ChaCha8Rng) -> Vec<Vec<ClassIndex>> {
    let mut room = rooms(counts, pictures, crowd, rng);
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

/// How many classes every picture should get: the sum of the counts, dealt at random within the crowd.
fn rooms(counts: &[u64], pictures: usize, crowd: Crowd, rng: &mut ChaCha8Rng) -> Vec<u64> {
    let total: u64 = counts.iter().sum();
    let mean = total / pictures as u64;
    let (least, most) = match crowd {
        Crowd::Varied => (mean / 2, 2 * mean),
        Crowd::Between(least, most) => (least, most),
    };
    // The mean must lie between, or the rooms would not add up to the total.
    let (least, most) = (least.max(1).min(mean), most.max(mean + 1));
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
    use super::*;
    use crate::scene::{Purpose, stream};

    #[test]
    fn pictures_are_as_crowded_as_asked() {
        let counts = [120, 110, 90, 60, 40, 20, 10, 5, 3, 2, 100, 100, 80, 60];
        let pictures = counts.iter().sum::<u64>() as usize / 4;
        let rng = &mut stream(3, Purpose::EmojiPlan, 0);
        let classes_of = distribute(&counts, pictures, Crowd::Between(3, 6), rng);
        let sizes: Vec<usize> = classes_of.iter().map(Vec::len).collect();
        assert_eq!(sizes.iter().sum::<usize>() as u64, counts.iter().sum::<u64>());
        assert!(sizes.iter().all(|size| (1..=7).contains(size)), "{sizes:?}");
        let within = sizes.iter().filter(|size| (3..=6).contains(*size)).count();
        assert!(within * 10 >= sizes.len() * 9, "{sizes:?}");
    }
}
