//! Writing Open Images: a table of boxes, class descriptions, image-level labels for a federated set, and the pictures beside them.
//!
//! Labels are `/m/000001` and so on in the order of the classes, so that reading numbers the classes as they are. An image exists
//! only through its rows: one with neither a box nor a label is lost.

use std::{
    ffi::OsStr,
    io::{self, Write},
    path::Path,
};

use csv::Writer;

use super::ENDINGS;
use crate::{
    Dataset, ImageRecord, Lost, Result, WriteConfig,
    format::{
        boxes::box_area,
        folder::{file_names, new_folder, place},
        write::{Losses, counts_from_elsewhere, losses},
    },
    mask::each_outline,
    write_atomically_with,
};

/// Columns of the table of boxes, in the order of the authors' files.
const BOX_COLUMNS: [&str; 13] = [
    "ImageID",
    "Source",
    "LabelName",
    "Confidence",
    "XMin",
    "XMax",
    "YMin",
    "YMax",
    "IsOccluded",
    "IsTruncated",
    "IsGroupOf",
    "IsDepiction",
    "IsInside",
];

/// What stands in a column about which nothing is known.
const UNKNOWN: &str = "-1";

/// Digits after the point of a coordinate; more when it does not come back from these.
const DIGITS: usize = 6;

/// Writes `dataset` as tables and pictures in the new folder `to`.
pub fn write_open_images(dataset: &Dataset, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
    let is_picture = |path: &Path| {
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        ENDINGS.contains(&ending)
    };
    new_folder(to, |folder| {
        let names = file_names(&dataset.images, &is_picture)?;
        for (image, name) in dataset.images.iter().zip(&names) {
            place(&image.path, &folder.join(name), config.copy_pictures)?;
        }
        let ids: Vec<_> = names.iter().map(|name| name.rsplit_once('.').map_or(&**name, |(id, _)| id)).collect();
        table(&folder.join("train-annotations-bbox.csv"), |table| boxes(table, dataset, &ids))?;
        table(&folder.join("class-descriptions-boxable.csv"), |table| {
            table.write_record(["LabelName", "DisplayName"])?;
            dataset.categories.iter().enumerate().try_for_each(|(k, c)| table.write_record([&label(k), &c.name]))
        })?;
        if dataset.federated {
            table(&folder.join("train-annotations-human-imagelabels.csv"), |table| labels(table, dataset, &ids))?;
        }
        let mut lost = lost(dataset, &ids);
        if config.masks {
            let mut masks = Losses::default();
            each_outline(dataset, &mut |found| masks.add("masks", found.name))?;
            lost.extend(Vec::from(masks));
        }
        Ok(lost)
    })
}

fn table(path: &Path, write: impl FnOnce(&mut Writer<&mut dyn Write>) -> csv::Result<()>) -> Result<()> {
    write_atomically_with(path, |out| {
        let mut table = Writer::from_writer(out);
        write(&mut table).map_err(io::Error::from)?;
        table.flush()
    })
}

fn boxes<W: Write>(table: &mut Writer<W>, dataset: &Dataset, ids: &[&str]) -> csv::Result<()> {
    table.write_record(BOX_COLUMNS)?;
    for (image, id) in dataset.images.iter().zip(ids) {
        for object in &image.objects {
            let [x1, y1, x2, y2] = object.bbox;
            let [left, right] = [x1, x2].map(|x| part(x, image.width));
            let [top, bottom] = [y1, y2].map(|y| part(y, image.height));
            let (label, group) = (label(object.class), if object.crowd { "1" } else { "0" });
            let place = [&left, &right, &top, &bottom].map(String::as_str);
            let row =
                [&[*id, "xclick", &label, "1"][..], &place, &[UNKNOWN, UNKNOWN, group, UNKNOWN, UNKNOWN]].concat();
            table.write_record(row)?;
        }
    }
    Ok(())
}

/// Confidence 0 for classes that are absent, 1 for those that are there and not all boxed.
fn labels<W: Write>(table: &mut Writer<W>, dataset: &Dataset, ids: &[&str]) -> csv::Result<()> {
    table.write_record(["ImageID", "Source", "LabelName", "Confidence"])?;
    for (image, id) in dataset.images.iter().zip(ids) {
        let absent = image.negative.iter().map(|class| (class, "0"));
        let present = image.not_exhaustive.iter().map(|class| (class, "1"));
        for (&class, confidence) in absent.chain(present) {
            table.write_record([id, "verification", &label(class), confidence])?;
        }
    }
    Ok(())
}

fn label(class: usize) -> String {
    format!("/m/{class:06}")
}

/// `pixels` by `side`, in the fewest digits from which the pixels come back bit for bit.
fn part(pixels: f32, side: u32) -> String {
    let value = f64::from(pixels) / f64::from(side);
    let text = |digits: usize| format!("{value:.digits$}");
    let comes_back = |text: &String| text.parse::<f64>().is_ok_and(|v| (v * f64::from(side)) as f32 == pixels);
    (DIGITS..18).map(text).find(comes_back).unwrap_or_else(|| value.to_string())
}

fn lost(dataset: &Dataset, ids: &[&str]) -> Vec<Lost> {
    let has_row = |image: &&ImageRecord| {
        let labelled = dataset.federated && !(image.negative.is_empty() && image.not_exhaustive.is_empty());
        labelled || !image.objects.is_empty()
    };
    let mut read: Vec<_> = dataset.images.iter().zip(ids).filter(|(image, _)| has_row(image)).collect();
    read.sort_by_key(|(_, id)| **id);
    let objects = dataset.images.iter().flat_map(|image| &image.objects);
    let in_part = |image: &ImageRecord| {
        let boxed = |class: &&usize| image.objects.iter().any(|object| object.class == **class);
        image.not_exhaustive.iter().filter(boxed).count()
    };
    losses([
        ("images with neither an object nor a label", dataset.images.len() - read.len()),
        ("areas other than that of the box", objects.filter(|o| o.area != box_area(o.bbox)).count()),
        ("classes labelled in part beside a box of theirs", dataset.images.iter().map(in_part).sum()),
        ("category ids (counted from 1)", dataset.categories.iter().zip(1..).filter(|(c, id)| c.id.0 != *id).count()),
        (
            "image ids (counted from 1 by name)",
            read.iter().zip(1..).filter(|((image, _), id)| image.id.0 != *id).count(),
        ),
        counts_from_elsewhere(dataset),
    ])
}
