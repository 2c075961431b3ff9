//! Annotations as large as the training set of LVIS v1, read, checked and indexed: 1.1 GB of JSON, made up in a folder and removed.
//!
//! 100,170 pictures, 1,270,141 objects with outlines and 1,203 categories, like LVIS v1 (arXiv 1908.03195); the chance of a category is
//! its share in LVIS's sorted image counts. The file is streamed to the disk and is the same each time. The largest resident memory
//! of the report is that of the reading: making the file takes a few megabytes. That of one case is measured with `--only`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, ensure};
use burn::tensor::Device;
use equipoise_data::{Dataset, lvis_counts, read_masks};

use super::data::Folder;
use super::measure::{Case, noise};

const PICTURES: usize = 100_170;
const OBJECTS: usize = 1_270_141;
const CLASSES: usize = 1203;

/// Points of an outline are exponential with this mean, and at least [`FEWEST_POINTS`].
const MEAN_POINTS: f32 = 44.0;
const FEWEST_POINTS: usize = 4;

/// Sides of every picture.
const SIZE: [u32; 2] = [640, 480];

/// The cases.
pub fn cases(_device: &Device) -> anyhow::Result<Vec<Case>> {
    let folder = Rc::new(Folder::new("scale")?);
    let path = folder.0.join("lvis_size_train.json");
    write_set(&path).with_context(|| format!("cannot write `{}`, which takes 1.2 GB", path.display()))?;
    let shape = format!("LVIS v1 train's size, {} MB", path.metadata()?.len() / 1_000_000);
    let read = move || {
        // The folder goes with the last case.
        let _keep = &folder;
        let dataset = Dataset::read(&path, None)?;
        let objects: usize = dataset.images.iter().map(|image| image.objects.len()).sum();
        let found = [dataset.images.len(), objects, dataset.num_classes()];
        ensure!(found == [PICTURES, OBJECTS, CLASSES], "read {found:?} pictures, objects and classes");
        Ok(dataset)
    };
    let with_masks = {
        let read = read.clone();
        move || {
            let masks = read_masks(&read()?)?;
            ensure!(!masks.is_empty() && masks.len() <= OBJECTS, "{} masks can be cut out", masks.len());
            Ok(())
        }
    };
    Ok(vec![
        Case::new("reading annotations", &shape, move || read().map(drop)).with_units(OBJECTS, "objects"),
        Case::new("reading them with masks", &shape, with_masks).with_units(OBJECTS, "objects"),
    ])
}

/// Writes the set to `path`, annotations first, as LVIS does.
fn write_set(path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let counts = lvis_counts(CLASSES, u64::MAX);
    let mut random = noise(17);
    out.write_all(b"{\"info\": {\"year\": 2020}, \"annotations\": [")?;
    annotations(&mut out, &counts, &mut random)?;
    out.write_all(b"], \"categories\": [")?;
    for (class, images) in counts.iter().enumerate() {
        let frequency = if *images > 100 { 'f' } else { ['r', 'c'][usize::from(*images > 10)] };
        write!(
            out,
            "{}{{\"name\": \"class_{class}\", \"instance_count\": {}, \"def\": \"a made-up thing\", \"synonyms\": [\"class_{class}\"], \
             \"image_count\": {images}, \"id\": {}, \"frequency\": \"{frequency}\", \"synset\": \"class_{class}.n.01\"}}",
            comma(class),
            images * 7 / 2,
            class + 1,
        )?;
    }
    out.write_all(b"], \"images\": [")?;
    for image in 0..PICTURES {
        write!(out, "{}{{\"date_captured\": \"2013-11-14 17:02:52\", \"neg_category_ids\": [", comma(image))?;
        for negative in 0..12 {
            write!(out, "{}{}", comma(negative), 1 + (random() * CLASSES as f32) as usize)?;
        }
        write!(
            out,
            "], \"license\": 4, \"height\": {}, \"width\": {}, \"not_exhaustive_category_ids\": [], \"id\": {}, \
             \"coco_url\": \"http://images.cocodataset.org/train2017/{:012}.jpg\", \
             \"flickr_url\": \"http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg\"}}",
            SIZE[1],
            SIZE[0],
            image + 1,
            image + 1,
        )?;
    }
    out.write_all(b"]}\n")?;
    out.into_inner().map_err(|error| error.into_error())?.sync_all()
}

fn annotations(out: &mut impl Write, counts: &[u64], random: &mut impl FnMut() -> f32) -> std::io::Result<()> {
    // Where each class ends, when the pictures of all stand one behind the other.
    let mut ends: Vec<f64> = Vec::with_capacity(counts.len());
    counts.iter().for_each(|&count| ends.push(ends.last().unwrap_or(&0.0) + count as f64));
    let sum = ends.last().copied().unwrap_or(0.0);
    let mut row = Vec::new();
    for object in 0..OBJECTS {
        let drawn = f64::from(random()) * sum;
        let class = ends.partition_point(|end| *end <= drawn);
        let [width, height] = [0, 1].map(|axis| 4 + (random().powi(2) * (SIZE[axis] - 4) as f32) as u32);
        let [x, y] = [random() * (SIZE[0] - width) as f32, random() * (SIZE[1] - height) as f32];
        row.clear();
        write!(
            row,
            "{}{{\"area\": {}.5, \"id\": {}, \"segmentation\": [[",
            comma(object),
            width * height / 2,
            object + 1
        )?;
        let points = FEWEST_POINTS + (-MEAN_POINTS * (1.0 - random()).ln()) as usize;
        for point in 0..points {
            row.extend_from_slice(comma(point).as_bytes());
            hundredths(&mut row, x + random() * width as f32);
            row.extend_from_slice(b", ");
            hundredths(&mut row, y + random() * height as f32);
        }
        write!(row, "]], \"image_id\": {}, \"bbox\": [", 1 + (random() * PICTURES as f32) as usize % PICTURES)?;
        for side in [x, y, width as f32, height as f32] {
            hundredths(&mut row, side);
            row.extend_from_slice(b", ");
        }
        row.truncate(row.len() - 2);
        write!(row, "], \"category_id\": {}}}", 1 + class.min(CLASSES - 1))?;
        out.write_all(&row)?;
    }
    Ok(())
}

fn comma(index: usize) -> &'static str {
    if index == 0 { "" } else { ", " }
}

/// Appends a number that is not negative, with two digits after the point; ten times as fast as `write!`.
fn hundredths(to: &mut Vec<u8>, value: f32) {
    let value = (value * 100.0) as u32;
    let mut digits = [0; 12];
    let mut at = digits.len();
    let mut left = value;
    for place in 0.. {
        if place == 2 {
            at -= 1;
            digits[at] = b'.';
        }
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 && place >= 2 {
            break;
        }
    }
    to.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::hundredths;

    #[test]
    fn numbers_are_written_with_two_digits() {
        let text = |value| {
            let mut text = Vec::new();
            hundredths(&mut text, value);
            String::from_utf8(text).unwrap()
        };
        assert_eq!([0.0, 0.07, 3.5, 639.99, 12345.0].map(text), ["0.00", "0.07", "3.50", "639.99", "12345.00"]);
    }
}
