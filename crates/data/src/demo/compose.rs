//! A scene: a background, clutter, objects with real occlusion, and the truth about what can be seen.
//!
//! Boxes and areas come from the visible alpha. An object of which less than [`LEAST_VISIBLE`] can be seen is taken out of the picture, never
//! left in without a label. Every class asked for keeps at least one object: one that lost all is put elsewhere, on top.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::{
    background::{Split, background},
    clutter::scatter,
    draw::{Canvas, Patch, Pose, SOLID, Sprite, Tone},
    random::{chance, log_uniform},
};
use crate::{ClassIndex, DataError, Result};

/// Share of an object's pixels that must be visible.
pub(super) const LEAST_VISIBLE: f32 = 0.35;

/// Share of an object's width and height that may lie outside the picture.
const OUTSIDE: f32 = 0.2;

/// Sizes of objects as a share of the picture's side.
const SIZES: [f32; 2] = [0.18, 0.5];

/// Attempts to show every class by moving objects; then all are set out on a grid.
const ATTEMPTS: u32 = 40;

/// How scenes look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub side: usize,
    pub split: Split,
    /// Largest number of pieces of clutter.
    pub clutter: u32,
}

/// A visible object: `[x1, y1, x2, y2]` and its number of visible pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub class: ClassIndex,
    pub bbox: [u32; 4],
    pub area: u32,
}

/// A finished scene, RGB row by row, with its objects from the bottom to the top.
pub(super) struct Scene {
    pub rgb: Vec<u8>,
    pub objects: Vec<Seen>,
}

struct Item {
    class: ClassIndex,
    patch: Patch,
    solid: usize,
    seen: Option<Seen>,
}

/// Composes a scene with one object per entry of `classes`, in this paste order before any is moved.
///
/// # Errors
/// [`DataError::Option`] when the picture is so small that a class has no visible pixel.
pub(super) fn compose(
    rng: &mut ChaCha8Rng,
    sprites: &[Sprite],
    classes: &[ClassIndex],
    style: &Style,
) -> Result<Scene> {
    let items = lay_out(rng, sprites, classes, style)?;
    let mut canvas = background(rng, style.side, style.split);
    let clutter = rng.random_range(0..=style.clutter);
    scatter(&mut canvas, rng, style.split, clutter);
    items.iter().for_each(|item| canvas.paste(&item.patch));
    Ok(Scene { rgb: finish(canvas, rng), objects: items.iter().filter_map(|item| item.seen).collect() })
}

/// Places the objects so that every class is visible; hidden objects are gone from the result.
fn lay_out(rng: &mut ChaCha8Rng, sprites: &[Sprite], classes: &[ClassIndex], style: &Style) -> Result<Vec<Item>> {
    let mut items: Vec<Item> = classes.iter().map(|&class| Item::random(rng, sprites, class, style.side)).collect();
    for _ in 0..ATTEMPTS {
        look(&mut items, style.side);
        let Some(lost) = lost_class(&items) else { break };
        let at = items.iter().position(|item| item.class == lost).expect("the class is one of the items'");
        items.remove(at);
        items.push(Item::random(rng, sprites, lost, style.side));
    }
    look(&mut items, style.side);
    if lost_class(&items).is_some() {
        items = grid(rng, sprites, classes, style.side);
        look(&mut items, style.side);
        if let Some(lost) = lost_class(&items) {
            return Err(DataError::Option {
                option: "side",
                got: style.side.to_string(),
                expected: format!("larger pictures: class {lost} has no visible pixel"),
            });
        }
    }
    items.retain(|item| item.seen.is_some());
    Ok(items)
}

/// A class of which nothing is visible.
fn lost_class(items: &[Item]) -> Option<ClassIndex> {
    let shown = |class| items.iter().any(|item| item.class == class && item.seen.is_some());
    items.iter().map(|item| item.class).find(|&class| !shown(class))
}

/// One object of every class, side by side.
fn grid(rng: &mut ChaCha8Rng, sprites: &[Sprite], classes: &[ClassIndex], side: usize) -> Vec<Item> {
    let mut classes = classes.to_vec();
    classes.sort_unstable();
    classes.dedup();
    let columns = (1..).find(|n| n * n >= classes.len()).unwrap_or(1);
    let cell = side as f32 / columns as f32;
    let place = |(i, &class): (usize, &ClassIndex)| {
        let center = [i % columns, i / columns].map(|c| (c as f32 + 0.5) * cell);
        let pose = Pose { center, size: cell, angle: 0.0, flip: chance(rng, 50) };
        Item::new(class, sprites[class].place(&pose, &tone(rng)))
    };
    classes.iter().enumerate().map(place).collect()
}

impl Item {
    fn new(class: ClassIndex, patch: Patch) -> Self {
        Self { class, solid: patch.solid(), patch, seen: None }
    }

    fn random(rng: &mut ChaCha8Rng, sprites: &[Sprite], class: ClassIndex, side: usize) -> Self {
        let size = log_uniform(rng, SIZES[0], SIZES[1]) * side as f32;
        let pose = pose(rng, &sprites[class], size, side);
        Self::new(class, sprites[class].place(&pose, &tone(rng)))
    }
}

/// A random pose of the given size with at most [`OUTSIDE`] of width and height outside the picture.
pub(super) fn pose(rng: &mut ChaCha8Rng, sprite: &Sprite, size: f32, side: usize) -> Pose {
    let angle = rng.random_range(-25.0f32..25.0).to_radians();
    let mut pose = Pose { center: [0.0; 2], size, angle, flip: chance(rng, 50) };
    let footprint = sprite.footprint(&pose);
    pose.center = footprint.map(|length| {
        let margin = (0.5 - OUTSIDE) * length;
        let span = (side as f32 - 2.0 * margin).max(0.0);
        margin + span * rng.random_range(0.0..1.0)
    });
    pose
}

/// A random change of colour.
pub(super) fn tone(rng: &mut ChaCha8Rng) -> Tone {
    Tone {
        brightness: rng.random_range(0.6..1.2),
        saturation: rng.random_range(0.5..1.3),
        tint: std::array::from_fn(|_| rng.random_range(0.9..1.1)),
    }
}

/// Finds what is visible of every object, from the top down. An object that is taken out hides nothing below it.
fn look(items: &mut [Item], side: usize) {
    let mut light = vec![1.0f32; side * side];
    for item in items.iter_mut().rev() {
        let (mut area, mut bbox) = (0u32, [u32::MAX, u32::MAX, 0, 0]);
        item.patch.for_each_inside(side, |at, pixel| {
            if pixel[3] * light[at] >= SOLID {
                let (x, y) = ((at % side) as u32, (at / side) as u32);
                bbox = [bbox[0].min(x), bbox[1].min(y), bbox[2].max(x + 1), bbox[3].max(y + 1)];
                area += 1;
            }
        });
        let visible = area > 0 && area as f32 >= LEAST_VISIBLE * item.solid as f32;
        item.seen = visible.then_some(Seen { class: item.class, bbox, area });
        if visible {
            item.patch.for_each_inside(side, |at, pixel| light[at] *= 1.0 - pixel[3]);
        }
    }
}

/// Light from one side, blur of the lens, noise of the sensor, 8 bits.
pub(super) fn finish(mut canvas: Canvas, rng: &mut ChaCha8Rng) -> Vec<u8> {
    canvas.blur(rng.random_range(0.0..0.7));
    let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
    let slope = rng.random_range(0.0..0.3) / canvas.side as f32;
    let middle = canvas.side as f32 / 2.0;
    let noise = rng.random_range(0.0..6.0f32) / 128.0;
    let side = canvas.side;
    let mut dice = vec![0u8; 6 * side * side];
    rng.fill_bytes(&mut dice);
    let mut rgb = Vec::with_capacity(3 * side * side);
    for (at, (pixel, dice)) in canvas.pixels.iter().zip(dice.as_chunks::<6>().0).enumerate() {
        let (x, y) = ((at % side) as f32 - middle, (at / side) as f32 - middle);
        let light = 255.0 * (1.0 + slope * (x * cos + y * sin));
        for c in 0..3 {
            // The difference of two uniform bytes: triangular, about as good as a bell.
            let grain = noise * (f32::from(dice[2 * c]) - f32::from(dice[2 * c + 1]));
            rgb.push((pixel[c] * light + grain).round().clamp(0.0, 255.0) as u8);
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{
        art::CLASSES,
        random::{Purpose, stream},
    };

    const SQUARE: &str =
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><path fill="#F00" d="M0 0h36v36H0z"/></svg>"##;

    fn square(sprite: &Sprite, class: ClassIndex, x: f32, y: f32, size: f32) -> Item {
        let pose = Pose { center: [x + size / 2.0, y + size / 2.0], size, angle: 0.0, flip: false };
        Item::new(class, sprite.place(&pose, &Tone::NONE))
    }

    #[test]
    fn boxes_follow_what_can_be_seen() {
        let sprite = Sprite::render("square", SQUARE, 64).unwrap();
        let mut items = [square(&sprite, 0, 10.0, 10.0, 20.0), square(&sprite, 1, 20.0, 5.0, 30.0)];
        look(&mut items, 64);
        assert_eq!(items[0].seen, Some(Seen { class: 0, bbox: [10, 10, 20, 30], area: 200 }));
        assert_eq!(items[1].seen, Some(Seen { class: 1, bbox: [20, 5, 50, 35], area: 900 }));
    }

    #[test]
    fn a_hidden_object_is_taken_out_and_hides_nothing() {
        let sprite = Sprite::render("square", SQUARE, 64).unwrap();
        let mut items = [
            square(&sprite, 0, 41.0, 41.0, 10.0),
            square(&sprite, 1, 25.0, 25.0, 20.0),
            square(&sprite, 2, 0.0, 0.0, 40.0),
        ];
        look(&mut items, 64);
        assert_eq!(items[1].seen.map(|seen| seen.area), Some(400 - 225));
        assert_eq!(items[0].seen.map(|seen| seen.area), Some(100 - 16));
        // Moved up, the middle one shows only 76 of its 400 pixels.
        items[1] = square(&sprite, 1, 22.0, 22.0, 20.0);
        items[0] = square(&sprite, 0, 39.0, 39.0, 10.0);
        look(&mut items, 64);
        assert_eq!(items[1].seen, None);
        assert_eq!(items[0].seen, Some(Seen { class: 0, bbox: [39, 39, 49, 49], area: 99 }));
    }

    #[test]
    fn what_hangs_over_the_edge_is_clipped_and_counted_whole() {
        let sprite = Sprite::render("square", SQUARE, 64).unwrap();
        let mut items = [square(&sprite, 0, -4.0, 50.0, 20.0), square(&sprite, 1, -14.0, 0.0, 20.0)];
        look(&mut items, 64);
        assert_eq!(items[0].seen, Some(Seen { class: 0, bbox: [0, 50, 16, 64], area: 224 }));
        assert_eq!(items[1].seen, None, "6 of 20 columns are less than the least visible share");
    }

    #[test]
    fn every_class_asked_for_is_shown_even_in_a_crowd() {
        let sprites: Vec<Sprite> =
            CLASSES[..40].iter().map(|icon| Sprite::render(icon.name, icon.svg, 64).unwrap()).collect();
        for (index, kinds) in [1usize, 3, 8, 16, 40].into_iter().enumerate() {
            let style = Style { side: 128, split: Split::Val, clutter: 3 };
            let classes: Vec<ClassIndex> = (0..kinds).chain(0..kinds.min(6)).collect();
            let rng = &mut stream(11, Purpose::Val, index as u64);
            let scene = compose(rng, &sprites, &classes, &style).unwrap();
            assert_eq!(scene.rgb.len(), 3 * 128 * 128);
            for class in 0..kinds {
                assert!(scene.objects.iter().any(|seen| seen.class == class), "class {class} of {kinds} is lost");
            }
            for seen in &scene.objects {
                let [x1, y1, x2, y2] = seen.bbox;
                assert!(x1 < x2 && y1 < y2 && x2 <= 128 && y2 <= 128);
                assert!(seen.area > 0 && seen.area <= (x2 - x1) * (y2 - y1));
            }
        }
    }

    #[test]
    fn nothing_that_was_pasted_lies_outside_the_boxes() {
        let sprites: Vec<Sprite> =
            CLASSES[..30].iter().map(|icon| Sprite::render(icon.name, icon.svg, 64).unwrap()).collect();
        let style = Style { side: 96, split: Split::Train, clutter: 0 };
        for index in 0..30 {
            let rng = &mut stream(6, Purpose::Train, index);
            let classes: Vec<ClassIndex> = (0..9).map(|_| rng.random_range(0..30)).collect();
            let items = lay_out(rng, &sprites, &classes, &style).unwrap();
            let mut light = vec![1.0f32; 96 * 96];
            items.iter().for_each(|item| item.patch.for_each_inside(96, |at, pixel| light[at] *= 1.0 - pixel[3]));
            // Two pixels for soft edges, of which none counts as visible by itself.
            let boxed = |x: u32, y: u32| {
                let near = |[x1, y1, x2, y2]: [u32; 4]| x + 2 >= x1 && x < x2 + 2 && y + 2 >= y1 && y < y2 + 2;
                items.iter().filter_map(|item| item.seen).any(|seen| near(seen.bbox))
            };
            for (at, light) in light.iter().enumerate() {
                let (x, y) = (at as u32 % 96, at as u32 / 96);
                assert!(*light > 0.5 || boxed(x, y), "something without a label at {x}, {y} of scene {index}");
            }
        }
    }

    #[test]
    fn an_empty_scene_is_a_background() {
        let style = Style { side: 64, split: Split::Train, clutter: 0 };
        let scene = compose(&mut stream(0, Purpose::Train, 0), &[], &[], &style).unwrap();
        assert_eq!((scene.rgb.len(), scene.objects.len()), (3 * 64 * 64, 0));
    }

    #[test]
    fn poses_stay_within_a_fifth_outside() {
        let sprite = Sprite::render("square", SQUARE, 64).unwrap();
        let rng = &mut stream(2, Purpose::Train, 0);
        for _ in 0..300 {
            let pose = pose(rng, &sprite, 40.0, 100);
            for (center, length) in pose.center.into_iter().zip(sprite.footprint(&pose)) {
                assert!(center - length / 2.0 >= -OUTSIDE * length - 1e-3);
                assert!(center + length / 2.0 <= 100.0 + OUTSIDE * length + 1e-3);
            }
        }
    }
}
