//! Augmentation on pictures of solid rectangles: a box must bound the pixels of its object, whatever was done to both.

use std::{fmt::Write, sync::Arc};

use equipoise_data::{
    Batch, CopyPasteConfig, CropConfig, DataError, Dataset, EpochKey, IMAGENET_MEAN, IMAGENET_STD, Loader,
    LoaderConfig, Masks, MosaicConfig, ShortSideConfig, load_batch, read_masks,
};
use proptest::prelude::*;

use crate::fixture::Folder;

const KEY: EpochKey = EpochKey { seed: 5, epoch: 1 };

/// Width and height of every picture.
const SIZE: [u32; 2] = [80, 60];

/// How masks are written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Written {
    Polygons,
    Runs,
    Nowhere,
}

/// Colour of an object of a class; the background is black.
fn color(class: usize) -> [u8; 3] {
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]][class]
}

/// A solid object: its class and `[x1, y1, x2, y2]`.
type Solid = (usize, [u32; 4]);

/// Pictures of solid objects that do not touch, four classes of which the last is in one picture only.
fn solids() -> Vec<Vec<Solid>> {
    vec![
        vec![(0, [5, 5, 25, 30]), (1, [40, 10, 70, 50])],
        vec![(1, [10, 20, 30, 55])],
        vec![(2, [30, 5, 75, 40]), (0, [2, 44, 22, 58])],
        vec![],
        vec![(3, [20, 20, 44, 36])],
    ]
}

/// Column-major run lengths of a rectangle.
fn runs([x1, y1, x2, y2]: [u32; 4]) -> Vec<u32> {
    let inside = |x: u32, y: u32| (x1..x2).contains(&x) && (y1..y2).contains(&y);
    let (mut counts, mut bit) = (vec![0], false);
    for at in (0..SIZE[0]).flat_map(|x| (0..SIZE[1]).map(move |y| (x, y))) {
        if inside(at.0, at.1) != bit {
            bit = !bit;
            counts.push(0);
        }
        *counts.last_mut().unwrap() += 1;
    }
    counts
}

fn segmentation(bbox: [u32; 4], written: Written) -> String {
    let [x1, y1, x2, y2] = bbox;
    match written {
        Written::Polygons => format!("[[{x1}, {y1}, {x2}, {y1}, {x2}, {y2}, {x1}, {y2}]]"),
        Written::Runs => format!(r#"{{"size": [{}, {}], "counts": {:?}}}"#, SIZE[1], SIZE[0], runs(bbox)),
        Written::Nowhere => "[]".into(),
    }
}

/// The solids as a COCO or LVIS file with pictures beside it.
fn set(folder: &Folder, written: Written, federated: bool) -> Arc<Dataset> {
    let (mut images, mut annotations) = (String::new(), String::new());
    for (i, objects) in solids().iter().enumerate() {
        let mut picture = image::RgbImage::new(SIZE[0], SIZE[1]);
        for &(class, [x1, y1, x2, y2]) in objects {
            (y1..y2).for_each(|y| (x1..x2).for_each(|x| picture.put_pixel(x, y, image::Rgb(color(class)))));
            let (id, shape) = (annotations.matches("image_id").count() + 1, segmentation([x1, y1, x2, y2], written));
            let bbox = [x1, y1, x2 - x1, y2 - y1];
            let comma = if id == 1 { "" } else { "," };
            write!(
                annotations,
                r#"{comma}{{"id": {id}, "image_id": {i}, "category_id": {class}, "bbox": {bbox:?}, "segmentation": {shape}}}"#
            )
            .unwrap();
        }
        let name = format!("{i}.png");
        picture.save(folder.file(&name, [])).unwrap();
        let comma = if i == 0 { "" } else { "," };
        // Class 0 is looked for everywhere, the others where they are; in picture 2 class 2 is labelled in part.
        let absent = if objects.iter().any(|o| o.0 == 0) { "[]" } else { "[0]" };
        let lists = format!(
            r#", "neg_category_ids": {absent}, "not_exhaustive_category_ids": {}"#,
            if i == 2 { "[2]" } else { "[]" }
        );
        let lists = if federated { lists } else { String::new() };
        write!(
            images,
            r#"{comma}{{"id": {i}, "file_name": "{name}", "width": {}, "height": {}{lists}}}"#,
            SIZE[0], SIZE[1]
        )
        .unwrap();
    }
    let categories: Vec<_> = (0..4).map(|k| format!(r#"{{"id": {k}, "name": "class {k}"}}"#)).collect();
    let json = format!(
        r#"{{"images": [{images}], "annotations": [{annotations}], "categories": [{}]}}"#,
        categories.join(",")
    );
    Arc::new(folder.read(&json).unwrap())
}

fn plain() -> LoaderConfig {
    LoaderConfig { image_size: 80, stride: 4, flip: 0.5, ..Default::default() }
}

/// One batch of every picture, from `position` on.
fn load(data: &Arc<Dataset>, masks: Option<&Arc<Masks>>, config: LoaderConfig, position: usize) -> Batch {
    let plan = vec![(0..data.images.len()).collect()];
    let mut loader = Loader::with_masks(data.clone(), masks.cloned(), plan, config, KEY, position).unwrap();
    loader.next().unwrap().unwrap()
}

/// The class whose colour the pixel has, if it is solid.
fn class_at(batch: &Batch, n: usize, x: usize, y: usize) -> Option<usize> {
    let [_, _, height, width] = batch.shape;
    let found: [f32; 3] = std::array::from_fn(|c| {
        let value = batch.pixels[((n * 3 + c) * height + y) * width + x];
        (value * IMAGENET_STD[c] + IMAGENET_MEAN[c]) * 255.0
    });
    (0..4).find(|&class| found.iter().zip(color(class)).all(|(a, b)| (a - f32::from(b)).abs() < 96.0))
}

/// Every box must reach to the pixels of its class on each side, within `slack` pixels, and lie inside the picture.
///
/// A side that touches another object of the class cannot be judged by colours, so a box must have an edge of its class along each side
/// within, and no pixel of a solid class may lie outside all boxes and regions.
fn check_boxes(batch: &Batch, slack: f32) {
    for (n, image) in batch.images.iter().enumerate() {
        let [height, width] = image.size;
        let all: Vec<_> = image.boxes.iter().chain(&image.crowds).collect();
        for bbox in &all {
            assert!(bbox[0] >= 0.0 && bbox[1] >= 0.0 && bbox[0] < bbox[2] && bbox[1] < bbox[3], "{bbox:?}");
            assert!(bbox[2] <= width as f32 && bbox[3] <= height as f32, "{bbox:?} of {width}x{height}");
        }
        for (bbox, &class) in image.boxes.iter().zip(&image.classes) {
            let [x1, y1, x2, y2] = *bbox;
            let (columns, rows) =
                (x1 as usize..(x2.ceil() as usize).min(width), y1 as usize..(y2.ceil() as usize).min(height));
            let of = |x: usize, y: usize| class_at(batch, n, x, y) == Some(class);
            let column = |x: usize| rows.clone().any(|y| of(x, y));
            let row = |y: usize| columns.clone().any(|x| of(x, y));
            let (left, right) = (columns.clone().find(|&x| column(x)), columns.clone().rev().find(|&x| column(x)));
            let (top, bottom) = (rows.clone().find(|&y| row(y)), rows.clone().rev().find(|&y| row(y)));
            let seen =
                [left.unwrap() as f32, top.unwrap() as f32, right.unwrap() as f32 + 1.0, bottom.unwrap() as f32 + 1.0];
            assert!(bbox.iter().zip(seen).all(|(a, b)| (a - b).abs() <= slack), "{bbox:?} but {seen:?}, class {class}");
        }
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let inside =
                |b: &&&[f32; 4]| b[0] - slack <= px && px <= b[2] + slack && b[1] - slack <= py && py <= b[3] + slack;
            if let Some(class) = class_at(batch, n, x, y) {
                assert!(all.iter().any(|b| inside(&b)), "class {class} at {x}, {y} is in no box of {image:?}");
            }
        }
    }
}

fn paste_all() -> LoaderConfig {
    LoaderConfig { copy_paste: CopyPasteConfig { chance: 1.0, most: 4, scale: (1.0, 1.0) }, ..plain() }
}

#[test]
fn pasted_objects_and_what_they_cover_have_boxes_to_the_pixel() {
    for written in [Written::Polygons, Written::Runs] {
        let folder = Folder::new();
        let data = set(&folder, written, false);
        let masks = Arc::new(read_masks(&data).unwrap());
        assert_eq!(masks.len(), 6, "{written:?}");
        let mut rare = 0;
        for position in (0..200).step_by(5) {
            let batch = load(&data, Some(&masks), paste_all(), position);
            check_boxes(&batch, 0.0);
            rare += batch.images.iter().flat_map(|image| &image.classes).filter(|&&class| class == 3).count();
        }
        // 500 pasted objects, of which a third are of class 3 and about a third are covered again; a sixth if all objects were alike.
        assert!(rare > 105, "{rare}");
    }
}

#[test]
fn polygons_and_run_lengths_of_the_same_masks_give_the_same_batches() {
    let batches = [Written::Polygons, Written::Runs].map(|written| {
        let folder = Folder::new();
        let data = set(&folder, written, false);
        load(&data, Some(&Arc::new(read_masks(&data).unwrap())), paste_all(), 0)
    });
    assert!(batches[0] == batches[1]);
}

#[test]
fn scaled_and_mosaic_scenes_take_pasted_objects_too() {
    let folder = Folder::new();
    let data = set(&folder, Written::Polygons, false);
    let masks = Arc::new(read_masks(&data).unwrap());
    let copy_paste = CopyPasteConfig { scale: (0.5, 2.0), ..paste_all().copy_paste };
    let config = LoaderConfig { copy_paste, mosaic: MosaicConfig { chance: 0.5 }, image_size: 160, ..plain() };
    for position in (0..100).step_by(5) {
        // Colours of resized pictures are mixed over a pixel or two.
        check_boxes(&load(&data, Some(&masks), config, position), 2.0);
    }
}

/// The mask of every object has the pixels of its colour in its box, of which up to `slack` a side may be mixed with others.
fn check_masks(batch: &Batch, slack: usize) {
    for (n, image) in batch.images.iter().enumerate() {
        assert_eq!(image.masks.len(), image.boxes.len());
        for ((mask, bbox), &class) in image.masks.iter().zip(&image.boxes).zip(&image.classes) {
            let mask = mask.as_ref().expect("every object has a mask");
            assert!(mask.area() > 0, "{bbox:?}");
            let wrong = mask.pixels().filter(|&(x, y)| class_at(batch, n, x, y) != Some(class)).count();
            let [x1, y1, x2, y2] = bbox.map(|v| v.round() as usize);
            let around = slack * 2 * (x2 - x1 + y2 - y1);
            assert!(wrong <= around, "{wrong} of {} pixels of {bbox:?}", mask.area());
            let places = (y1..y2).flat_map(|y| (x1..x2).map(move |x| (x, y)));
            let others: Vec<_> = image.boxes.iter().zip(&image.classes).filter(|(_, c)| **c == class).collect();
            let missed = places.filter(|&(x, y)| class_at(batch, n, x, y) == Some(class) && !mask.has(x, y)).count();
            assert!(others.len() > 1 || missed <= around, "{missed} pixels of {bbox:?} are not in its mask");
        }
    }
}

#[test]
fn masks_follow_their_objects_through_every_augmentation() {
    let folder = Folder::new();
    let data = set(&folder, Written::Polygons, false);
    let masks = Arc::new(read_masks(&data).unwrap());
    let crop = CropConfig { chance: 1.0, smallest: 0.5 };
    let with_masks = |config: LoaderConfig| LoaderConfig { masks: true, ..config };
    for position in (0..100).step_by(5) {
        let load = |config| load(&data, Some(&masks), with_masks(config), position);
        check_masks(&load(plain()), 0);
        check_masks(&load(paste_all()), 0);
        check_masks(&load(LoaderConfig { crop, scale_range: (0.7, 2.0), image_size: 160, ..plain() }), 2);
        check_masks(&load(LoaderConfig { mosaic: MosaicConfig { chance: 1.0 }, image_size: 160, ..paste_all() }), 2);
    }
    assert!(load(&data, Some(&masks), plain(), 0).images.iter().all(|image| image.masks.is_empty()), "not asked for");
    assert!(matches!(load_batch(&data, &[0], &with_masks(plain()), KEY, 0), Err(DataError::NoMasks { .. })));
}

#[test]
fn without_masks_copy_paste_says_what_is_missing() {
    let folder = Folder::new();
    let data = set(&folder, Written::Nowhere, false);
    let error = read_masks(&data).unwrap_err();
    assert!(
        matches!(&error, DataError::NoMasks { .. }) && error.to_string().contains("loader.copy_paste.chance"),
        "{error}"
    );
    assert!(matches!(load_batch(&data, &[0], &paste_all(), KEY, 0), Err(DataError::NoMasks { .. })));
    assert!(matches!(Loader::start(data, vec![vec![0]], paste_all(), KEY, 0), Err(DataError::NoMasks { .. })));
}

#[test]
fn damaged_masks_are_left_out() {
    let folder = Folder::new();
    let shapes = [
        "[[1, 2, 3]]",
        "[[1, 2, 3, 4]]",
        "[]",
        "null",
        r#"{"size": [60, 80], "counts": [3, 4]}"#,
        r#"{"size": [60, 80], "counts": "\u0001"}"#,
        r#"{"size": [60, 80], "counts": [4294967295, 4294967295]}"#,
        "[[10, 10, 40, 10, 40, 40]]",
    ];
    let annotation = |(i, shape): (usize, &&str)| {
        format!(r#"{{"id": {i}, "image_id": 1, "category_id": 0, "bbox": [{i}, 10, 30, 30], "segmentation": {shape}}}"#)
    };
    let annotations: Vec<_> = shapes.iter().enumerate().map(annotation).collect();
    let json = format!(
        r#"{{"images": [{{"id": 1, "file_name": "a.png", "width": 80, "height": 60}}], "annotations": [{}], "categories": [{{"id": 0, "name": "a"}}]}}"#,
        annotations.join(",")
    );
    let data = folder.read(&json).unwrap();
    assert_eq!(read_masks(&data).unwrap().of_class(0), [(0, 7)]);
}

#[test]
fn a_mosaic_knows_in_full_only_what_all_its_pictures_know() {
    let folder = Folder::new();
    let data = set(&folder, Written::Polygons, true);
    let config = LoaderConfig { mosaic: MosaicConfig { chance: 1.0 }, ..plain() };
    for position in (0..50).step_by(5) {
        for image in &load(&data, None, config, position).images {
            let exhaustive = image.exhaustive.as_ref().unwrap();
            // Class 0 is known in all pictures; class 2 is labelled in part where it is.
            assert!(exhaustive.contains(&0) && !exhaustive.contains(&2), "{exhaustive:?}");
        }
    }
    let folder = Folder::new();
    let open = set(&folder, Written::Polygons, false);
    assert!(load(&open, None, config, 0).images.iter().all(|image| image.exhaustive.is_none()));
}

#[test]
fn a_picture_with_objects_never_loses_all_of_them_to_a_crop() {
    let folder = Folder::new();
    let data = set(&folder, Written::Polygons, false);
    let config = LoaderConfig { crop: CropConfig { chance: 1.0, smallest: 0.1 }, ..plain() };
    let mut cropped = 0;
    for position in (0..300).step_by(5) {
        let batch = load(&data, None, config, position);
        check_boxes(&batch, 2.0);
        for image in &batch.images {
            assert_eq!(image.boxes.is_empty(), data.images[image.index].objects.is_empty());
            cropped += usize::from(image.scale != [1.0, 1.0]);
        }
    }
    assert!(cropped > 200, "{cropped} of 300 pictures were cropped");
}

#[test]
fn workers_and_resuming_change_nothing_of_any_augmentation() {
    let folder = Folder::new();
    let data = set(&folder, Written::Polygons, true);
    let masks = Arc::new(read_masks(&data).unwrap());
    let everything = LoaderConfig {
        short_side: ShortSideConfig { from: 32, to: 64, step: 8 },
        crop: CropConfig { chance: 0.5, smallest: 0.3 },
        mosaic: MosaicConfig { chance: 0.5 },
        copy_paste: CopyPasteConfig { chance: 0.7, ..Default::default() },
        scale_range: (0.6, 1.6),
        ..plain()
    };
    let plan = vec![vec![4, 0], vec![1, 2, 3], vec![0], vec![2, 2], vec![1, 4, 3, 0]];
    let collect = |plan: &[Vec<usize>], workers, prefetch, first| {
        let config = LoaderConfig { workers, prefetch, ..everything };
        let loader = Loader::with_masks(data.clone(), Some(masks.clone()), plan.to_vec(), config, KEY, first).unwrap();
        loader.map(|batch| batch.unwrap()).collect::<Vec<_>>()
    };
    let alone = collect(&plan, 0, 1, 0);
    for (workers, prefetch) in [(1, 1), (2, 4), (5, 2)] {
        assert!(alone == collect(&plan, workers, prefetch, 0));
    }
    assert!(alone[2..] == collect(&plan[2..], 2, 4, 5)[..]);
    let again = read_masks(&data).unwrap();
    let loader = Loader::with_masks(data.clone(), Some(Arc::new(again)), plan.clone(), everything, KEY, 0).unwrap();
    assert!(loader.map(|batch| batch.unwrap()).eq(alone), "masks read again give the same");
}

#[test]
fn one_more_augmentation_leaves_the_others_their_numbers() {
    let folder = Folder::new();
    let data = set(&folder, Written::Polygons, false);
    let crop = LoaderConfig { crop: CropConfig { chance: 1e-6, smallest: 0.9 }, ..plain() };
    assert!(load(&data, None, plain(), 0) == load(&data, None, crop, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn boxes_bound_their_pixels_whatever_is_switched_on(
        size in 40usize..200, crop in 0.0f32..=1.0, mosaic in 0.0f32..=1.0, paste in 0.0f32..=1.0,
        low in 0.4f32..1.0, more in 0.0f32..1.0, min_shown in 0.05f32..0.9, position: u16,
    ) {
        let folder = Folder::new();
        let data = set(&folder, Written::Polygons, false);
        let masks = Arc::new(read_masks(&data).unwrap());
        let config = LoaderConfig {
            image_size: size,
            crop: CropConfig { chance: crop, smallest: 0.3 },
            mosaic: MosaicConfig { chance: mosaic },
            copy_paste: CopyPasteConfig { chance: paste, ..Default::default() },
            scale_range: (low, low + more),
            min_shown,
            ..plain()
        };
        let batch = load(&data, Some(&masks), config, position as usize);
        prop_assert!(batch.pixels.iter().all(|v| v.is_finite()));
        for image in &batch.images {
            for [x1, y1, x2, y2] in image.boxes.iter().chain(&image.crowds) {
                prop_assert!(0.0 <= *x1 && x1 < x2 && *x2 <= image.size[1] as f32);
                prop_assert!(0.0 <= *y1 && y1 < y2 && *y2 <= image.size[0] as f32);
            }
        }
    }
}
