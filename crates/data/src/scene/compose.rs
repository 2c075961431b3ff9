//! A scene: a background, clutter, objects with real occlusion, and the truth about what can be seen.
//!
//! Boxes, areas and masks come from the visible alpha. An object of which too little can be seen is taken out of the picture, never
//! left in without a label. Every class asked for keeps at least one object: one that lost all is put elsewhere, on top.
//! Where things are ([`arrange`]) is drawn before how it looks ([`Arrangement::paint`]), so the truth is known without painting.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::{
    background::{Split, background, photo},
    clutter::scatter,
    draw::{Canvas, Patch, Pose, SOLID, Sprite, Tone},
    mask::Mask,
    random::{chance, log_uniform},
};
use crate::{ClassIndex, DataError, Picture, Result};

/// Share of an object's width and height that may lie outside the picture.
const OUTSIDE: f32 = 0.2;

/// Attempts to show every class by moving objects; then all are set out on a grid.
const ATTEMPTS: u32 = 40;

/// Where objects may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub side: usize,
    /// Sizes of objects as a share of the picture's side.
    pub sizes: [f32; 2],
    /// Share of an object's pixels that must be visible.
    pub least_visible: f32,
}

/// What is behind them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub split: Split,
    /// Largest number of pieces of clutter.
    pub clutter: u32,
    /// Photos to cut backgrounds from; procedural ones without any.
    pub photos: &'a [Picture],
}

/// An object to be placed.
#[derive(Clone, Copy)]
pub(crate) struct Placed<'a> {
    pub class: ClassIndex,
    pub sprite: &'a Sprite,
    /// Whether it may be mirrored: a hand that points left may not.
    pub mirror: bool,
}

/// A visible object: `[x1, y1, x2, y2]` and its number of visible pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub class: ClassIndex,
    pub bbox: [u32; 4],
    pub area: u32,
}

/// Objects in their places, from the bottom to the top.
pub(crate) struct Arrangement<'a> {
    side: usize,
    items: Vec<Item<'a>>,
}

struct Item<'a> {
    what: Placed<'a>,
    patch: Patch,
    solid: usize,
    seen: Option<Seen>,
}

/// Places one object per entry of `wanted`, in this paste order before any is moved. Every class is visible; what is hidden is gone.
///
/// # Errors
/// [`DataError::Option`] when the picture is so small that a class has no visible pixel.
pub(crate) fn arrange<'a>(rng: &mut ChaCha8Rng, wanted: &[Placed<'a>], style: &Style) -> Result<Arrangement<'a>> {
    let mut items: Vec<Item> = wanted.iter().map(|&what| Item::random(rng, what, style)).collect();
    for _ in 0..ATTEMPTS {
        look(&mut items, style);
        let Some(lost) = lost_item(&items) else { break };
        let what = items.remove(lost).what;
        items.push(Item::random(rng, what, style));
    }
    look(&mut items, style);
    if lost_item(&items).is_some() {
        items = grid(rng, wanted, style.side);
        look(&mut items, style);
        if let Some(lost) = lost_item(&items) {
            return Err(DataError::Option {
                option: "side",
                got: style.side.to_string(),
                expected: format!("larger pictures: class {} has no visible pixel", items[lost].what.class),
            });
        }
    }
    items.retain(|item| item.seen.is_some());
    Ok(Arrangement { side: style.side, items })
}

impl Arrangement<'_> {
    /// What is visible, from the bottom to the top.
    pub fn seen(&self) -> Vec<Seen> {
        self.items.iter().filter_map(|item| item.seen).collect()
    }

    /// The visible pixels of every object, in the order of [`seen`](Self::seen).
    pub fn masks(&self) -> Vec<Mask> {
        let mut light = vec![1.0f32; self.side * self.side];
        let mut masks = Vec::with_capacity(self.items.len());
        for item in self.items.iter().rev() {
            let mut mask = Mask::new(self.side);
            item.patch.for_each_inside(self.side, |at, pixel| {
                if pixel[3] * light[at] >= SOLID {
                    mask.set(at);
                }
                light[at] *= 1.0 - pixel[3];
            });
            masks.push(mask);
        }
        masks.reverse();
        masks
    }

    /// The picture, RGB row by row.
    pub fn paint(&self, rng: &mut ChaCha8Rng, look: &Look) -> Vec<u8> {
        let mut canvas = match look.photos {
            [] => background(rng, self.side, look.split),
            photos => photo(rng, self.side, photos),
        };
        let clutter = rng.random_range(0..=look.clutter);
        scatter(&mut canvas, rng, look.split, clutter);
        self.items.iter().for_each(|item| canvas.paste(&item.patch));
        finish(canvas, rng)
    }
}

/// The first object of a class of which nothing is visible.
fn lost_item(items: &[Item]) -> Option<usize> {
    let shown = |class| items.iter().any(|item| item.what.class == class && item.seen.is_some());
    items.iter().position(|item| !shown(item.what.class))
}

/// One object of every class, side by side.
fn grid<'a>(rng: &mut ChaCha8Rng, wanted: &[Placed<'a>], side: usize) -> Vec<Item<'a>> {
    let mut wanted = wanted.to_vec();
    wanted.sort_by_key(|what| what.class);
    wanted.dedup_by_key(|what| what.class);
    let columns = (1..).find(|n| n * n >= wanted.len()).unwrap_or(1);
    let cell = side as f32 / columns as f32;
    let place = |(i, &what): (usize, &Placed<'a>)| {
        let center = [i % columns, i / columns].map(|c| (c as f32 + 0.5) * cell);
        let flip = chance(rng, 50) && what.mirror;
        let pose = Pose { center, size: cell, angle: 0.0, flip };
        Item::new(what, what.sprite.place(&pose, &tone(rng)))
    };
    wanted.iter().enumerate().map(place).collect()
}

impl<'a> Item<'a> {
    fn new(what: Placed<'a>, patch: Patch) -> Self {
        Self { what, solid: patch.solid(), patch, seen: None }
    }

    fn random(rng: &mut ChaCha8Rng, what: Placed<'a>, style: &Style) -> Self {
        let size = log_uniform(rng, style.sizes[0], style.sizes[1]) * style.side as f32;
        let mut pose = pose(rng, what.sprite, size, style.side);
        pose.flip &= what.mirror;
        Self::new(what, what.sprite.place(&pose, &tone(rng)))
    }
}

/// A random pose of the given size with at most [`OUTSIDE`] of width and height outside the picture.
pub(crate) fn pose(rng: &mut ChaCha8Rng, sprite: &Sprite, size: f32, side: usize) -> Pose {
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
pub(crate) fn tone(rng: &mut ChaCha8Rng) -> Tone {
    Tone {
        brightness: rng.random_range(0.6..1.2),
        saturation: rng.random_range(0.5..1.3),
        tint: std::array::from_fn(|_| rng.random_range(0.9..1.1)),
    }
}

/// Finds what is visible of every object, from the top down. An object that is taken out hides nothing below it.
fn look(items: &mut [Item], style: &Style) {
    let side = style.side;
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
        let visible = area > 0 && area as f32 >= style.least_visible * item.solid as f32;
        item.seen = visible.then_some(Seen { class: item.what.class, bbox, area });
        if visible {
            item.patch.for_each_inside(side, |at, pixel| light[at] *= 1.0 - pixel[3]);
        }
    }
}

/// Light from one side, blur of the lens, noise of the sensor, 8 bits.
pub(crate) fn finish(mut canvas: Canvas, rng: &mut ChaCha8Rng) -> Vec<u8> {
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
    use crate::{
        demo::art::CLASSES,
        scene::random::{Purpose, stream},
    };

    fn style(side: usize) -> Style {
        Style { side, sizes: [0.18, 0.5], least_visible: 0.35 }
    }

    fn sprites(count: usize) -> Vec<Sprite> {
        CLASSES[..count].iter().map(|icon| Sprite::render(icon.name, icon.svg, 64).unwrap()).collect()
    }

    fn placed(sprites: &[Sprite], classes: impl IntoIterator<Item = ClassIndex>) -> Vec<Placed<'_>> {
        classes.into_iter().map(|class| Placed { class, sprite: &sprites[class], mirror: true }).collect()
    }

    const SQUARE: &str =
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><path fill="#F00" d="M0 0h36v36H0z"/></svg>"##;

    fn square(sprite: &Sprite, class: ClassIndex, x: f32, y: f32, size: f32) -> Item<'_> {
        let pose = Pose { center: [x + size / 2.0, y + size / 2.0], size, angle: 0.0, flip: false };
        Item::new(Placed { class, sprite, mirror: true }, sprite.place(&pose, &Tone::NONE))
    }

    #[test]
    fn boxes_follow_what_can_be_seen() {
        let sprite = Sprite::render("square", SQUARE, 64).unwrap();
        let mut items = [square(&sprite, 0, 10.0, 10.0, 20.0), square(&sprite, 1, 20.0, 5.0, 30.0)];
        look(&mut items, &style(64));
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
        look(&mut items, &style(64));
        assert_eq!(items[1].seen.map(|seen| seen.area), Some(400 - 225));
        assert_eq!(items[0].seen.map(|seen| seen.area), Some(100 - 16));
        // Moved up, the middle one shows only 76 of its 400 pixels.
        items[1] = square(&sprite, 1, 22.0, 22.0, 20.0);
        items[0] = square(&sprite, 0, 39.0, 39.0, 10.0);
        look(&mut items, &style(64));
        assert_eq!(items[1].seen, None);
        assert_eq!(items[0].seen, Some(Seen { class: 0, bbox: [39, 39, 49, 49], area: 99 }));
    }

    #[test]
    fn what_hangs_over_the_edge_is_clipped_and_counted_whole() {
        let sprite = Sprite::render("square", SQUARE, 64).unwrap();
        let mut items = [square(&sprite, 0, -4.0, 50.0, 20.0), square(&sprite, 1, -14.0, 0.0, 20.0)];
        look(&mut items, &style(64));
        assert_eq!(items[0].seen, Some(Seen { class: 0, bbox: [0, 50, 16, 64], area: 224 }));
        assert_eq!(items[1].seen, None, "6 of 20 columns are less than the least visible share");
    }

    #[test]
    fn every_class_asked_for_is_shown_even_in_a_crowd() {
        let sprites = sprites(40);
        for (index, kinds) in [1usize, 3, 8, 16, 40].into_iter().enumerate() {
            let wanted = placed(&sprites, (0..kinds).chain(0..kinds.min(6)));
            let rng = &mut stream(11, Purpose::Val, index as u64);
            let scene = arrange(rng, &wanted, &style(128)).unwrap();
            let objects = scene.seen();
            let look = Look { split: Split::Val, clutter: 3, photos: &[] };
            assert_eq!(scene.paint(rng, &look).len(), 3 * 128 * 128);
            for class in 0..kinds {
                assert!(objects.iter().any(|seen| seen.class == class), "class {class} of {kinds} is lost");
            }
            for seen in &objects {
                let [x1, y1, x2, y2] = seen.bbox;
                assert!(x1 < x2 && y1 < y2 && x2 <= 128 && y2 <= 128);
                assert!(seen.area > 0 && seen.area <= (x2 - x1) * (y2 - y1));
            }
        }
    }

    #[test]
    fn nothing_that_was_pasted_lies_outside_the_boxes() {
        let sprites = sprites(30);
        for index in 0..30 {
            let rng = &mut stream(6, Purpose::Train, index);
            let classes: Vec<ClassIndex> = (0..9).map(|_| rng.random_range(0..30)).collect();
            let items = arrange(rng, &placed(&sprites, classes), &style(96)).unwrap().items;
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
        let rng = &mut stream(0, Purpose::Train, 0);
        let scene = arrange(rng, &[], &style(64)).unwrap();
        assert!(scene.seen().is_empty() && scene.masks().is_empty());
        assert_eq!(scene.paint(rng, &Look { split: Split::Train, clutter: 0, photos: &[] }).len(), 3 * 64 * 64);
    }

    #[test]
    fn masks_are_what_boxes_and_areas_were_taken_from() {
        let sprites = sprites(20);
        for index in 0..20 {
            let rng = &mut stream(8, Purpose::Train, index);
            let classes: Vec<ClassIndex> = (0..7).map(|_| rng.random_range(0..20)).collect();
            let scene = arrange(rng, &placed(&sprites, classes), &style(96)).unwrap();
            let (seen, masks) = (scene.seen(), scene.masks());
            assert_eq!(seen.len(), masks.len());
            for (seen, mask) in seen.iter().zip(&masks) {
                assert_eq!((seen.area, Some(seen.bbox)), (mask.area(), mask.bounds()));
            }
        }
    }

    #[test]
    fn what_may_not_be_mirrored_is_not() {
        let half = SQUARE.replace("M0 0h36v36H0z", "M0 0h36v12H12v24H0z");
        let sprite = Sprite::render("corner", &half, 64).unwrap();
        let what = Placed { class: 0, sprite: &sprite, mirror: false };
        // The mirrored corner has its lower part on the right.
        let left = |item: &Item| {
            let (width, rows) = (item.patch.width, item.patch.pixels.len() / item.patch.width);
            let row = &item.patch.pixels[(rows * 3 / 5) * width..][..width];
            let mass = |part: &[[f32; 4]]| part.iter().map(|p| p[3]).sum::<f32>();
            mass(&row[..width / 2]) > mass(&row[width / 2..])
        };
        let rng = &mut stream(4, Purpose::Train, 0);
        assert!((0..40).all(|_| left(&Item::random(rng, what, &style(96)))));
        assert!((0..40).any(|_| !left(&Item::random(rng, Placed { mirror: true, ..what }, &style(96)))));
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
