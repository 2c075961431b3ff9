//! What pasted objects leave of those below them.
//!
//! An object's own mask, or its box where it has none, loses the pixels of everything pasted later. Its box shrinks to what is left; with
//! less than `min_shown` of its pixels it is no target any more, and with none it goes.

use super::{Placed, Scene, copy_paste::Pasted};
use crate::{
    loader::LoaderConfig,
    mask::{Bitmap, Masks},
};

/// Settles the objects of `scene` under `pasted`, which lie on it in this order, and adds them.
pub fn occlude(scene: &mut Scene, pasted: &[Pasted], masks: &Masks, config: &LoaderConfig) {
    let below = std::mem::take(&mut scene.objects);
    let covers: Vec<&Bitmap> = pasted.iter().map(|pasted| &pasted.mask).collect();
    let below = below.into_iter().filter_map(|placed| {
        if placed.crowd || !covers.iter().any(|cover| touches(cover, placed.bbox)) {
            return Some(placed);
        }
        let own = own_mask(masks, &placed);
        let keep = config.masks && own.is_some();
        let shape = own.unwrap_or_else(|| box_mask(placed.bbox));
        settle(placed, shape, &covers, config.min_shown, keep)
    });
    let mut objects: Vec<Placed> = below.collect();
    for (number, pasted) in pasted.iter().enumerate() {
        let (placed, mask) = (pasted.placed.clone(), pasted.mask.clone());
        objects.extend(settle(placed, mask, &covers[number + 1..], config.min_shown, config.masks));
    }
    scene.objects = objects;
}

/// What is seen of an object that nothing is pasted on.
pub fn own_mask(masks: &Masks, placed: &Placed) -> Option<Bitmap> {
    let mask = masks.draw(placed.origin.0, placed.origin.1, &placed.map, placed.tile, pixels(placed.bbox))?;
    (mask.area() > 0).then_some(mask)
}

/// All pixels that the box touches.
fn box_mask(bbox: [f32; 4]) -> Bitmap {
    Bitmap::from_fn(pixels(bbox), |_, _| true)
}

fn pixels([x1, y1, x2, y2]: [f32; 4]) -> [usize; 4] {
    [x1.floor() as usize, y1.floor() as usize, x2.ceil() as usize, y2.ceil() as usize]
}

fn touches(cover: &Bitmap, bbox: [f32; 4]) -> bool {
    let [x1, y1, x2, y2] = pixels(bbox);
    x1 < cover.left + cover.width && cover.left < x2 && y1 < cover.top + cover.height && cover.top < y2
}

/// The object without what `covers` hide of its `shape`, which becomes its mask when `keep` says so; `None` when nothing is left.
fn settle(placed: Placed, mut shape: Bitmap, covers: &[&Bitmap], min_shown: f32, keep: bool) -> Option<Placed> {
    let (before, whole) = (shape.bounds()?, shape.area());
    covers.iter().for_each(|cover| shape.subtract(cover));
    let after = shape.bounds()?;
    // A side that is still there keeps its fraction of a pixel.
    let bbox = std::array::from_fn(|i| if after[i] == before[i] { placed.bbox[i] } else { after[i] as f32 });
    let crowd = placed.crowd || (shape.area() as f32) < min_shown * whole as f32;
    Some(Placed { bbox, crowd, mask: keep.then_some(shape), ..placed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::Map;

    fn placed(bbox: [f32; 4]) -> Placed {
        let map = Map { original: [50, 50], size: [50, 50], scale: [1.0; 2], offset: [0.0; 2], flipped: false };
        Placed { class: 0, bbox, crowd: false, origin: (0, 0), map, tile: [0, 0], mask: None }
    }

    fn settled(cover: [usize; 4]) -> Option<Placed> {
        let bbox = [10.0, 10.0, 20.0, 20.0];
        settle(placed(bbox), box_mask(bbox), &[&Bitmap::from_fn(cover, |_, _| true)], 0.2, false)
    }

    #[test]
    fn a_box_shrinks_to_what_is_left() {
        assert_eq!(settled([0, 0, 13, 50]).unwrap().bbox, [13.0, 10.0, 20.0, 20.0]);
        assert_eq!(settled([12, 12, 20, 20]).unwrap().bbox, [10.0, 10.0, 20.0, 20.0], "an L keeps its box");
        assert_eq!(settled([30, 30, 40, 40]).unwrap(), placed([10.0, 10.0, 20.0, 20.0]));
    }

    #[test]
    fn what_is_mostly_covered_is_no_target() {
        assert!(!settled([10, 10, 18, 20]).unwrap().crowd, "a fifth is left");
        let rest = settled([10, 10, 19, 20]).unwrap();
        assert!(rest.crowd && rest.bbox == [19.0, 10.0, 20.0, 20.0]);
        assert_eq!(settled([0, 0, 50, 50]), None);
    }

    #[test]
    fn fractions_of_sides_that_are_left_stay() {
        let bbox = [10.25, 10.5, 19.5, 19.75];
        let cover = Bitmap::from_fn([0, 0, 12, 50], |_, _| true);
        let left = settle(placed(bbox), box_mask(bbox), &[&cover], 0.2, true).unwrap();
        assert_eq!(left.bbox, [12.0, 10.5, 19.5, 19.75]);
        assert_eq!(left.mask.unwrap().bounds(), Some([12, 10, 20, 20]));
    }
}
