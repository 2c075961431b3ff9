//! Which boxes stand for which object, and which of them train.

use equipoise_detect::matching::Match::{Background, Ignored, Object};
use equipoise_detect::matching::{Match, MatchConfig, SubsampleConfig, assign_targets, subsample};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const RPN: MatchConfig = MatchConfig { foreground_iou: 0.7, background_iou: 0.3, best_for_each_object: true };
const HEAD: MatchConfig = MatchConfig { foreground_iou: 0.5, background_iou: 0.5, best_for_each_object: false };

/// A box of width `w` from the left edge: IoU with the full 10×10 box is `w / 10`.
fn part(w: f32) -> [f32; 4] {
    [0.0, 0.0, w, 10.0]
}

#[test]
fn thresholds_split_into_object_ignored_and_background() {
    let candidates = [part(8.0), part(7.0), part(6.9), part(3.0), part(2.9), [50.0, 50.0, 60.0, 60.0]];
    let config = MatchConfig { best_for_each_object: false, ..RPN };
    let matches = assign_targets(&candidates, &[part(10.0)], &[], config);
    assert_eq!(matches, [Object(0), Object(0), Ignored, Ignored, Background, Background]);
    // Equal thresholds leave no grey zone.
    let matches = assign_targets(&[part(5.0), part(4.9)], &[part(10.0)], &[], HEAD);
    assert_eq!(matches, [Object(0), Background]);
}

#[test]
fn every_object_takes_its_best_boxes_however_poor_and_all_that_tie() {
    let candidates = [part(1.0), part(2.0), part(2.0), [50.0, 50.0, 60.0, 60.0]];
    assert_eq!(assign_targets(&candidates, &[part(10.0)], &[], RPN), [Background, Object(0), Object(0), Background]);
    let without = MatchConfig { best_for_each_object: false, ..RPN };
    assert_eq!(assign_targets(&candidates, &[part(10.0)], &[], without), [Background; 4]);
}

#[test]
fn an_object_that_touches_nothing_takes_nothing() {
    let far = [80.0, 80.0, 90.0, 90.0];
    assert_eq!(assign_targets(&[part(10.0)], &[far], &[], RPN), [Background]);
}

#[test]
fn a_box_between_two_objects_takes_the_better_and_on_a_tie_the_first() {
    let left = [0.0, 0.0, 10.0, 10.0];
    let right = [10.0, 0.0, 20.0, 10.0];
    let loose = MatchConfig { foreground_iou: 0.3, background_iou: 0.1, best_for_each_object: false };
    assert_eq!(assign_targets(&[[5.0, 0.0, 15.0, 10.0]], &[left, right], &[], loose), [Object(0)]);
    assert_eq!(assign_targets(&[[6.0, 0.0, 16.0, 10.0]], &[left, right], &[], loose), [Object(1)]);
    assert_eq!(assign_targets(&[left], &[left, left], &[], loose), [Object(0)]);
}

#[test]
fn a_crowd_hides_background_but_not_objects() {
    let crowd = [0.0, 0.0, 40.0, 40.0];
    let inside = [20.0, 20.0, 30.0, 30.0];
    let half = [35.0, 0.0, 45.0, 10.0];
    let matches = assign_targets(&[part(10.0), inside, half, [60.0, 0.0, 70.0, 10.0]], &[part(10.0)], &[crowd], HEAD);
    assert_eq!(matches, [Object(0), Ignored, Background, Background]);
}

#[test]
fn nothing_to_match_is_fine() {
    assert_eq!(assign_targets(&[part(1.0), part(2.0)], &[], &[], RPN), [Background; 2]);
    assert!(assign_targets(&[], &[part(1.0)], &[], RPN).is_empty());
    assert!(subsample(&[], SubsampleConfig { per_image: 4, foreground_fraction: 0.5 }, &mut rng(0)).is_empty());
    // A box without area has no overlap, with itself neither.
    assert_eq!(assign_targets(&[[3.0; 4]], &[[3.0; 4]], &[], RPN), [Background]);
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn any_match() -> impl Strategy<Value = Match> {
    prop_oneof![(0usize..5).prop_map(Object), Just(Background), Just(Ignored)]
}

proptest! {
    #[test]
    fn a_sample_keeps_its_quotas(matches in prop::collection::vec(any_match(), 0..200), per_image in 0usize..80, fraction in 0.0f64..1.0, seed: u64) {
        let config = SubsampleConfig { per_image, foreground_fraction: fraction };
        let drawn = subsample(&matches, config, &mut rng(seed));
        let is_object = |index: &usize| matches!(matches[*index], Object(_));
        let objects = drawn.iter().filter(|index| is_object(index)).count();
        let of = |wanted: fn(&Match) -> bool| matches.iter().filter(|found| wanted(found)).count();
        let most = (per_image as f64 * fraction) as usize;
        prop_assert_eq!(objects, most.min(of(|found| matches!(found, Object(_)))));
        prop_assert_eq!(drawn.len() - objects, (per_image - objects).min(of(|found| *found == Background)));
        prop_assert!(drawn.iter().all(|index| matches[*index] != Ignored));
        prop_assert!(drawn[..objects].iter().all(is_object), "foreground comes first");
        for part in [&drawn[..objects], &drawn[objects..]] {
            prop_assert!(part.windows(2).all(|pair| pair[0] < pair[1]), "each index once, ascending");
        }
        prop_assert_eq!(&drawn, &subsample(&matches, config, &mut rng(seed)));
    }
}

#[test]
fn another_seed_draws_another_sample() {
    let matches = vec![Background; 100];
    let config = SubsampleConfig { per_image: 10, foreground_fraction: 0.5 };
    assert_ne!(subsample(&matches, config, &mut rng(1)), subsample(&matches, config, &mut rng(2)));
}
