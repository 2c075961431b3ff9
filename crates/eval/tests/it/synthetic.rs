//! A made-up comparison with realistic numbers: a long-tailed set of drawn shapes and runs whose tail suffers to a chosen degree.

use std::path::Path;

use equipoise_data::{Category, CategoryId, Dataset, GroupThresholds, ImageId, ImageRecord, Object};
use equipoise_eval::Detection;
use equipoise_eval::case::Case;
use equipoise_eval::diagnosis::diagnose;
use equipoise_eval::protocol::{outcomes, protocol};
use equipoise_eval::record::{HistoryRow, LedgerRow, Metrics, RunMeta, RunRecord, Timing, ValidationRow, class_rows};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIDE: u32 = 224;
const NAMES: [&str; 20] = [
    "apple",
    "bicycle",
    "red balloon",
    "cactus",
    "owl",
    "teapot",
    "mushroom",
    "violin",
    "hot air balloon",
    "snail",
    "lighthouse",
    "acorn",
    "kite",
    "saxophone",
    "hedgehog",
    "compass",
    "umbrella",
    "peach",
    "rocket",
    "crab",
];

/// Training and validation set with `classes` classes.
pub fn sets(classes: usize, folder: Option<&Path>) -> (Dataset, Dataset) {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let categories: Vec<Category> = (0..classes)
        .map(|class| {
            // Shuffled, so that the order of ids is not the order of counts.
            let rank = (class * 7919 + 13) % classes;
            let images = (700.0 * (-6.6 * rank as f64 / classes as f64).exp()).ceil() as u64;
            Category {
                id: CategoryId(class as u64 + 1),
                name: if class < 20 {
                    NAMES[class].into()
                } else {
                    format!("{} {}", NAMES[class % 20], class / 20 + 1)
                },
                group: GroupThresholds::default().group(images),
                images,
                instances: images + (images as f64 * rng.random_range(0.1..0.9)) as u64,
            }
        })
        .collect();
    // A set of the size of LVIS has pictures for more than the classes that a page shows.
    let pictures = if classes > 1000 { 600 } else { classes.min(60) as u64 * 2 };
    let images = (0..pictures).map(|at| picture(at, classes, folder, &mut rng)).collect();
    let val = Dataset {
        source: "val.json".into(),
        categories: categories.clone(),
        images,
        federated: false,
        warnings: Vec::new(),
    };
    let train = Dataset { source: "train.json".into(), images: Vec::new(), ..val.clone() };
    (train, val)
}

fn picture(at: u64, classes: usize, folder: Option<&Path>, rng: &mut ChaCha8Rng) -> ImageRecord {
    let mut objects: Vec<Object> = Vec::new();
    let count = rng.random_range(2..6);
    for i in 0..count {
        let size = rng.random_range(30.0_f32..90.0);
        let (x, y) = (rng.random_range(0.0..SIDE as f32 - size), rng.random_range(0.0..SIDE as f32 - size));
        let class = if i == 0 { at as usize % classes } else { rng.random_range(0..classes) };
        let bbox = [x, y, x + size, y + size * rng.random_range(0.7..1.0)];
        let area = f64::from(bbox[2] - bbox[0]) * f64::from(bbox[3] - bbox[1]);
        objects.push(Object { class, bbox, area, crowd: false });
    }
    let path = folder.map_or_else(|| format!("{at}.png").into(), |f| f.join(format!("{at}.png")));
    if folder.is_some() {
        paint(&objects, at).save(&path).expect("the picture can be written");
    }
    let id = ImageId(at + 1);
    ImageRecord { id, path, width: SIDE, height: SIDE, objects, negative: Vec::new(), not_exhaustive: Vec::new() }
}

/// Ellipses, boxes and rings on a soft background.
fn paint(objects: &[Object], seed: u64) -> image::RgbImage {
    image::RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let wave = ((x as f32 / 23.0 + seed as f32).sin() + (y as f32 / 31.0).cos()) * 14.0;
        let base = [(150 + seed * 37 % 80) as f32, (160 + seed * 53 % 70) as f32, (170 + seed * 71 % 60) as f32];
        let mut colour = base.map(|c| c + wave);
        for object in objects {
            let [x1, y1, x2, y2] = object.bbox;
            let (u, v) = (2.0 * (x as f32 - x1) / (x2 - x1) - 1.0, 2.0 * (y as f32 - y1) / (y2 - y1) - 1.0);
            let (inside, round) = (u.abs() <= 1.0 && v.abs() <= 1.0, u * u + v * v);
            let drawn = match object.class % 3 {
                0 => round <= 1.0,
                1 => inside && (u.abs() + v.abs()) < 1.2,
                _ => round <= 1.0 && round > 0.25,
            };
            if drawn {
                let hue = object.class as f32 * 2.4;
                colour = [hue.sin(), (hue + 2.1).sin(), (hue + 4.2).sin()].map(|c| 130.0 + 110.0 * c - 30.0 * round);
            }
        }
        image::Rgb(colour.map(|c| c.clamp(0.0, 255.0) as u8))
    })
}

/// A run that finds a rare class with `tail` of the skill it has on frequent ones.
pub fn run(name: &str, title: &str, loss: &str, tail: f64, seed: u64, train: &Dataset, val: &Dataset) -> RunRecord {
    let mut rng = ChaCha8Rng::seed_from_u64(seed * 1000 + name.len() as u64);
    let detections = detections(tail, train, val, &mut rng);
    let evaluation = protocol("lvis").unwrap().evaluate(val, &detections).unwrap();
    let case = Case::new(val, &detections).unwrap();
    let diagnosis = diagnose(&case, &evaluation, &outcomes("lvis", &case), &[]);
    RunRecord {
        dir: name.into(),
        meta: RunMeta {
            name: name.into(),
            title: title.into(),
            loss: loss.into(),
            sampler: "uniform".into(),
            seed,
            steps: 2000,
            lr: 0.02,
            batch: 8,
            parameters: 1_234_567,
            protocol: "lvis".into(),
            version: "0.0.0".into(),
            ..RunMeta::default()
        },
        recipe: format!("# {title}\nseed = {seed}\n\n[loss]\nname = \"{loss}\"\n"),
        validation: validation(&evaluation.metrics),
        timing: Some(Timing {
            train_seconds: 3700.0,
            images_per_second: 4.3,
            peak_memory_bytes: Some(1_200_000_000),
            ..Timing::default()
        }),
        history: history(tail, &mut rng),
        ledger: ledger(tail, train, &mut rng),
        classes: class_rows(&evaluation, train),
        metrics: Some(evaluation.metrics),
        diagnosis: Some(diagnosis),
        detections,
        ..RunRecord::default()
    }
}

/// Five validations on the way to the final scores.
fn validation(metrics: &Metrics) -> Vec<ValidationRow> {
    (1..=5_u32)
        .map(|i| {
            let share = |value: Option<f64>| value.map(|v| v * f64::from(i) / 5.0);
            let row = ValidationRow::new(u64::from(i) * 400, f64::from(i) * 1.6, metrics);
            let [ap, ap50, ap_rare, ap_common, ap_frequent] =
                [row.ap, row.ap50, row.ap_rare, row.ap_common, row.ap_frequent].map(share);
            ValidationRow { ap, ap50, ap_rare, ap_common, ap_frequent, ..row }
        })
        .collect()
}

fn skill(category: &Category, tail: f64) -> f64 {
    let known = ((category.images as f64).ln() / 700_f64.ln()).clamp(0.0, 1.0);
    0.85 * (tail + (1.0 - tail) * known)
}

fn detections(tail: f64, train: &Dataset, val: &Dataset, rng: &mut ChaCha8Rng) -> Vec<Detection> {
    let mut found = Vec::new();
    for image in &val.images {
        for object in &image.objects {
            let skill = skill(&train.categories[object.class], tail);
            let jitter = |rng: &mut ChaCha8Rng| rng.random_range(-1.0_f32..1.0) * 7.0 * (1.2 - skill as f32);
            let bbox = object.bbox.map(|v| (v + jitter(rng)).clamp(0.0, SIDE as f32));
            let right = rng.random_bool(skill);
            let class = if right { object.class } else { rng.random_range(0..train.num_classes()) };
            let score = (skill as f32 * rng.random_range(0.5..1.1)).clamp(0.02, 0.99);
            found.push(Detection { image: image.id, category: train.categories[class].id, bbox, score, mask: None });
            let echo = bbox.map(|v| (v + jitter(rng) * 3.0).clamp(0.0, SIDE as f32));
            if echo[2] > echo[0] && echo[3] > echo[1] {
                found.push(Detection { score: score * 0.3, bbox: echo, ..found[found.len() - 1].clone() });
            }
        }
    }
    found.retain(|d| d.bbox[2] > d.bbox[0] && d.bbox[3] > d.bbox[1]);
    found
}

fn history(tail: f64, rng: &mut ChaCha8Rng) -> Vec<HistoryRow> {
    (1..=200)
        .map(|i| {
            let step = i * 10;
            let fall = 1.0 / (1.0 + step as f64 / 150.0);
            let noise = rng.random_range(0.85..1.15);
            let [classification, box_regression] =
                [(0.25 + 3.0 * fall) * (1.0 + tail), 0.15 + 0.5 * fall].map(|v| v * noise);
            let [rpn_objectness, rpn_box] = [0.05 + 0.6 * fall, 0.04 + 0.2 * fall].map(|v| v * noise);
            HistoryRow {
                step,
                epoch: step as f64 / 250.0,
                lr: 0.02,
                loss: classification + box_regression + rpn_objectness + rpn_box,
                classification,
                box_regression,
                rpn_objectness,
                rpn_box,
                mask: 0.0,
                grad_norm: 4.0 * noise,
                images_per_second: 30.0 * noise,
            }
        })
        .collect()
}

fn ledger(tail: f64, train: &Dataset, rng: &mut ChaCha8Rng) -> Vec<LedgerRow> {
    let noise: Vec<f64> = train.categories.iter().map(|_| rng.random_range(0.75..1.25)).collect();
    let at = |step: u64| {
        let grown = 1.0 - (-(step as f64) / 500.0).exp();
        train.categories.iter().enumerate().map(move |(class_index, category)| (step, grown, class_index, category))
    };
    // Twenty snapshots where the size of a page is at stake.
    let few = vec![100, 300, 600, 1000, 1500, 2000];
    let steps: Vec<u64> = if train.num_classes() > 1000 { (1..=20).map(|i| i * 100).collect() } else { few };
    steps
        .into_iter()
        .flat_map(at)
        .map(|(step, grown, class_index, category)| {
            let ratio = grown * (0.02 + skill(category, tail) * 1.25) * noise[class_index];
            LedgerRow {
                step,
                class_index,
                id: category.id,
                name: category.name.clone(),
                group: category.group,
                images: category.images,
                instances: category.instances,
                positive: ratio * step as f64,
                negative: step as f64,
                ratio,
                q: 1.0 + 4.0 * (1.0 - ratio.min(1.0)),
                r: 1.0 / (1.0 + (-12.0 * (ratio - 0.8)).exp()),
            }
        })
        .collect()
}
