//! Batches: pixels, boxes, order, and independence from the number of workers.

use std::{path::PathBuf, sync::Arc};

use equipoise_data::{
    Batch, CopyPasteConfig, CropConfig, DataError, Dataset, EpochKey, IMAGENET_MEAN, IMAGENET_STD, JitterConfig,
    Loader, LoaderConfig, MosaicConfig, ShortSideConfig, load_batch,
};
use proptest::prelude::*;

use crate::fixture::{Folder, dataset, object};

/// One u8 step of a normalised channel is at least 0.017; f32 arithmetic is far below.
const TOLERANCE: f32 = 1e-4;

const KEY: EpochKey = EpochKey { seed: 11, epoch: 2 };

/// Images of these `[width, height]`, one object each; pixel (x, y) of a picture is (x, y, 7).
fn pictures(folder: &Folder, sizes: &[[u32; 2]]) -> Dataset {
    let mut data = dataset(3, &vec![&[] as &[usize]; sizes.len()]);
    for (i, (image, &[width, height])) in data.images.iter_mut().zip(sizes).enumerate() {
        image.path = folder.png(&format!("{i}.png"), width, height);
        (image.width, image.height) = (width, height);
        let (w, h) = (width as f32, height as f32);
        image.objects = vec![object(i % 3, [w * 0.25, h * 0.5, w * 0.5, h])];
    }
    data
}

fn plain(image_size: usize) -> LoaderConfig {
    LoaderConfig { image_size, stride: 8, ..Default::default() }
}

fn augmented(image_size: usize) -> LoaderConfig {
    let jitter = JitterConfig { brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.05 };
    LoaderConfig { flip: 0.5, jitter, scale_range: (0.5, 1.5), ..plain(image_size) }
}

/// The colour in 0..=255 at (x, y) of picture `n`.
fn color(batch: &Batch, n: usize, x: usize, y: usize) -> [f32; 3] {
    let [_, _, height, width] = batch.shape;
    std::array::from_fn(|c| {
        let value = batch.pixels[((n * 3 + c) * height + y) * width + x];
        (value * IMAGENET_STD[c] + IMAGENET_MEAN[c]) * 255.0
    })
}

fn close(a: &[f32], b: &[f32], tolerance: f32) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

#[test]
fn pixels_are_normalised_padded_and_in_place() {
    let folder = Folder::new();
    let data = pictures(&folder, &[[20, 10], [5, 20]]);
    let batch = load_batch(&data, &[1, 0], &plain(20), KEY, 0).unwrap();
    assert_eq!(batch.shape, [2, 3, 24, 24]);
    assert_eq!((batch.images[0].index, batch.images[0].size, batch.images[1].size), (1, [20, 5], [10, 20]));
    assert!(close(&color(&batch, 0, 4, 19), &[4.0, 19.0, 7.0], 255.0 * TOLERANCE));
    assert!(close(&color(&batch, 1, 19, 3), &[19.0, 3.0, 7.0], 255.0 * TOLERANCE));
    let at = |n: usize, x: usize, y: usize| batch.pixels[(n * 3 * 24 + y) * 24 + x];
    assert!([at(0, 5, 0), at(0, 0, 20), at(1, 20, 0), at(1, 0, 10), at(1, 23, 23)].iter().all(|&v| v == 0.0));
    assert!(close(&batch.images[1].boxes[0], &[5.0, 5.0, 10.0, 10.0], TOLERANCE));
    assert_eq!(batch.images[1].classes, [0]);
}

#[test]
fn pictures_and_boxes_are_scaled_up_and_down_together() {
    let folder = Folder::new();
    let data = pictures(&folder, &[[200, 100]]);
    for (size, expected) in [(100, [25.0, 25.0, 50.0, 50.0]), (400, [100.0, 100.0, 200.0, 200.0])] {
        let batch = load_batch(&data, &[0], &plain(size), KEY, 0).unwrap();
        let image = &batch.images[0];
        assert_eq!(image.size, [size / 2, size]);
        assert!(close(&image.boxes[0], &expected, TOLERANCE * size as f32));
        assert!(close(&image.restore_box(image.boxes[0]), &[50.0, 50.0, 100.0, 100.0], 0.01));
        let middle = color(&batch, 0, size / 2, size / 4);
        assert!(close(&middle, &[100.0, 50.0, 7.0], 2.0), "{middle:?}");
    }
}

#[test]
fn a_mirrored_picture_has_mirrored_boxes() {
    let folder = Folder::new();
    let data = pictures(&folder, &[[20, 10]]);
    let batch = load_batch(&data, &[0], &LoaderConfig { flip: 1.0, ..plain(20) }, KEY, 0).unwrap();
    assert!(batch.images[0].flipped);
    assert!(close(&color(&batch, 0, 0, 3), &[19.0, 3.0, 7.0], 0.05));
    assert!(close(&batch.images[0].boxes[0], &[10.0, 5.0, 15.0, 10.0], TOLERANCE));
    assert!(close(&batch.images[0].restore_box([10.0, 5.0, 15.0, 10.0]), &[5.0, 5.0, 10.0, 10.0], TOLERANCE));
}

#[test]
fn crowds_and_objects_cut_to_a_rest_are_neither_target_nor_background() {
    let folder = Folder::new();
    let mut data = pictures(&folder, &[[40, 40]]);
    data.images[0].objects = vec![object(1, [0.0, 0.0, 40.0, 40.0]), object(2, [10.0, 10.0, 20.0, 20.0])];
    data.images[0].objects[1].crowd = true;
    let image = &load_batch(&data, &[0], &plain(40), KEY, 0).unwrap().images[0];
    assert_eq!((image.boxes.len(), image.classes[..].to_vec(), image.crowds.len()), (1, vec![1], 1));
    // Three times the size in the same window: a ninth of the large object is seen.
    let zoomed = LoaderConfig { scale_range: (3.0, 3.0), ..plain(40) };
    let image = &load_batch(&data, &[0], &zoomed, KEY, 0).unwrap().images[0];
    assert_eq!((image.size, image.boxes.len(), image.crowds[0]), ([40, 40], 0, [0.0, 0.0, 40.0, 40.0]));
}

#[test]
fn what_a_window_shows_agrees_with_its_boxes() {
    let folder = Folder::new();
    let data = pictures(&folder, &[[200, 120]]);
    for position in 0..20 {
        let batch =
            load_batch(&data, &[0], &LoaderConfig { flip: 0.5, scale_range: (0.5, 2.0), ..plain(64) }, KEY, position);
        let batch = batch.unwrap();
        let image = &batch.images[0];
        let [height, width] = image.size;
        for (x, y) in [(3, 3), (width - 4, 3), (width / 2, height / 2)] {
            let [x1, y1, x2, y2] = image.restore_box([x as f32, y as f32, x as f32 + 1.0, y as f32 + 1.0]);
            // A pixel of colour v is centred on v + 0.5.
            let expected = [(x1 + x2) / 2.0 - 0.5, (y1 + y2) / 2.0 - 0.5, 7.0];
            let found = color(&batch, 0, x, y);
            assert!(close(&found, &expected, 1.5), "{found:?} but {expected:?} at {x}, {y} of {image:?}");
        }
    }
}

#[test]
fn without_augmentation_nothing_is_random() {
    let folder = Folder::new();
    let data = pictures(&folder, &[[30, 20]]);
    let config = augmented(32).without_augmentation();
    let first = load_batch(&data, &[0], &config, KEY, 0).unwrap();
    assert_eq!(first, load_batch(&data, &[0], &config, EpochKey { seed: 99, epoch: 8 }, 5).unwrap());
    assert_ne!(first, load_batch(&data, &[0], &augmented(32), KEY, 0).unwrap());
}

#[test]
fn colours_change_with_the_key_and_stay_in_range() {
    let folder = Folder::new();
    let data = pictures(&folder, &[[30, 20]]);
    let config = LoaderConfig { jitter: augmented(1).jitter, ..plain(30) };
    let one = load_batch(&data, &[0], &config, KEY, 0).unwrap();
    let two = load_batch(&data, &[0], &config, KEY, 1).unwrap();
    assert_ne!(one.pixels, two.pixels);
    assert_eq!(one.images, two.images, "boxes do not depend on colours");
    assert!((0..20).all(|y| color(&one, 0, 29, y).iter().all(|v| (-0.1..=255.1).contains(v))));
}

fn collect(data: &Arc<Dataset>, plan: &[Vec<usize>], config: LoaderConfig, first: usize) -> Vec<Batch> {
    let loader = Loader::start(Arc::clone(data), plan.to_vec(), config, KEY, first).unwrap();
    loader.map(|batch| batch.unwrap()).collect()
}

#[test]
fn workers_change_nothing_and_an_epoch_resumes_in_the_middle() {
    let folder = Folder::new();
    let data = Arc::new(pictures(&folder, &[[30, 20], [16, 16], [8, 40], [25, 25], [31, 7]]));
    let plan = vec![vec![4, 0], vec![1, 2, 3], vec![0], vec![2, 2]];
    let alone = collect(&data, &plan, LoaderConfig { workers: 0, ..augmented(32) }, 0);
    for (workers, prefetch) in [(1, 1), (2, 4), (5, 2)] {
        assert_eq!(alone, collect(&data, &plan, LoaderConfig { workers, prefetch, ..augmented(32) }, 0));
    }
    assert_eq!(alone[2..], collect(&data, &plan[2..], augmented(32), 5)[..]);
    let pair = &alone[3];
    assert_ne!(pair.images[0], pair.images[1], "the same image at two places of an epoch is changed twice");
}

#[test]
fn dropping_a_loader_early_stops_it() {
    let folder = Folder::new();
    let data = Arc::new(pictures(&folder, &[[30, 20]]));
    let mut loader = Loader::start(Arc::clone(&data), vec![vec![0]; 10_000], augmented(32), KEY, 0).unwrap();
    assert!(loader.next().unwrap().is_ok());
    drop(loader);
    assert_eq!(Arc::strong_count(&data), 1, "a thread still holds the data set");
}

#[test]
fn a_broken_picture_is_an_error_in_its_place_and_ends_the_epoch() {
    let folder = Folder::new();
    let mut data = pictures(&folder, &[[30, 20], [16, 16]]);
    data.images[1].path = folder.file("zero.jpg", "");
    let data = Arc::new(data);
    for workers in [0, 2] {
        let config = LoaderConfig { workers, ..plain(32) };
        let plan = vec![vec![0], vec![0, 1], vec![0]];
        let mut loader = Loader::start(Arc::clone(&data), plan, config, KEY, 0).unwrap();
        assert!(loader.next().unwrap().is_ok());
        let error = loader.next().unwrap().unwrap_err();
        assert!(matches!(&error, DataError::Picture { path, .. } if path.ends_with("zero.jpg")), "{error:?}");
        assert!(loader.next().is_none());
    }
}

#[test]
fn pictures_that_are_not_the_annotated_ones_are_refused() {
    let folder = Folder::new();
    let mut data = pictures(&folder, &[[30, 20]]);
    data.images[0].width = 31;
    let error = load_batch(&data, &[0], &plain(32), KEY, 0).unwrap_err().to_string();
    assert!(error.contains("is 30x20 pixels, but the data set says 31x20"), "{error}");
    data.images[0].path = PathBuf::new();
    assert!(matches!(load_batch(&data, &[0], &plain(32), KEY, 0).unwrap_err(), DataError::NoPicture { id: 1, .. }));
    assert!(matches!(load_batch(&data, &[7], &plain(32), KEY, 0).unwrap_err(), DataError::ImageIndex { index: 7, .. }));
}

#[test]
fn an_empty_list_gives_an_empty_batch() {
    let batch = load_batch(&dataset(1, &[]), &[], &plain(32), KEY, 0).unwrap();
    assert_eq!((batch.shape, batch.pixels.len(), batch.images.len()), ([0, 3, 0, 0], 0, 0));
}

#[test]
fn options_out_of_range_are_named() {
    let good = LoaderConfig::default();
    good.check().unwrap();
    let jitter = |jitter| LoaderConfig { jitter, ..good };
    let short_side = |from, to, step| LoaderConfig { short_side: ShortSideConfig { from, to, step }, ..good };
    let crop = |chance, smallest| LoaderConfig { crop: CropConfig { chance, smallest }, ..good };
    let copy_paste = |chance, most, scale| LoaderConfig { copy_paste: CopyPasteConfig { chance, most, scale }, ..good };
    for (option, config) in [
        ("image_size", LoaderConfig { image_size: 0, ..good }),
        ("stride", LoaderConfig { stride: 0, ..good }),
        ("flip", LoaderConfig { flip: f32::NAN, ..good }),
        ("scale_range", LoaderConfig { scale_range: (1.5, 0.5), ..good }),
        ("scale_range", LoaderConfig { scale_range: (0.0, 1.0), ..good }),
        ("scale_range", LoaderConfig { scale_range: (1.0, f32::INFINITY), ..good }),
        ("mean", LoaderConfig { mean: [f32::NAN, 0.0, 0.0], ..good }),
        ("std", LoaderConfig { std: [1.0, 0.0, 1.0], ..good }),
        ("workers", LoaderConfig { workers: 1_000_000, ..good }),
        ("prefetch", LoaderConfig { prefetch: 0, ..good }),
        ("min_shown", LoaderConfig { min_shown: -0.1, ..good }),
        ("short_side.from", short_side(0, 800, 32)),
        ("short_side.from", short_side(900, 800, 32)),
        ("short_side.to", short_side(1, 1_000_000, 32)),
        ("short_side.step", short_side(640, 800, 0)),
        ("crop.chance", crop(1.1, 0.5)),
        ("crop.smallest", crop(0.5, 0.0)),
        ("crop.smallest", crop(0.5, f32::NAN)),
        ("mosaic.chance", LoaderConfig { mosaic: MosaicConfig { chance: -1.0 }, ..good }),
        ("copy_paste.chance", copy_paste(f32::NAN, 1, (1.0, 1.0))),
        ("copy_paste.most", copy_paste(0.5, 0, (1.0, 1.0))),
        ("copy_paste.scale", copy_paste(0.5, 1, (1.0, 0.5))),
        ("jitter.brightness", jitter(JitterConfig { brightness: 1.5, ..JitterConfig::NONE })),
        ("jitter.hue", jitter(JitterConfig { hue: 0.6, ..JitterConfig::NONE })),
        ("jitter.contrast", jitter(JitterConfig { contrast: f32::NAN, ..JitterConfig::NONE })),
    ] {
        let error = config.check().unwrap_err();
        assert!(matches!(&error, DataError::Option { option: found, .. } if *found == option), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn boxes_stay_inside_whatever_the_sizes(
        width in 1u32..60, height in 1u32..60, size in 1usize..50, stride in 1usize..40, low in 0.05f32..1.0, more in 0.0f32..3.0,
        position: u32,
    ) {
        let folder = Folder::new();
        let data = pictures(&folder, &[[width, height]]);
        let config = LoaderConfig { stride, scale_range: (low, low + more), ..augmented(size) };
        let batch = load_batch(&data, &[0], &config, KEY, position as usize).unwrap();
        let image = &batch.images[0];
        prop_assert_eq!(batch.pixels.len(), batch.shape.iter().product::<usize>());
        prop_assert!(batch.pixels.iter().all(|v| v.is_finite()));
        for axis in 0..2 {
            prop_assert!(batch.shape[2 + axis].is_multiple_of(stride) && image.size[axis] <= batch.shape[2 + axis]);
        }
        for [x1, y1, x2, y2] in image.boxes.iter().chain(&image.crowds) {
            prop_assert!(0.0 <= *x1 && x1 < x2 && *x2 <= image.size[1] as f32);
            prop_assert!(0.0 <= *y1 && y1 < y2 && *y2 <= image.size[0] as f32);
        }
    }
}
