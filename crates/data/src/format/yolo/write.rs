//! Writing YOLO: pictures linked or copied into `images/SPLIT`, labels in `labels/SPLIT`, `data.yaml` on top.
//!
//! Trap: programs for YOLO find the labels of a picture by its path alone, so a list of pictures that lie elsewhere would get the labels
//! from there, or none. The pictures must be in the folder, if only as links.

use std::{fmt::Write as _, fs, io, path::Path};

use super::{
    labels::{corners_of, to_pixels},
    outline::outline_text,
    pictures::is_picture,
};
use crate::{
    Dataset, ImageRecord, Lost, Object, Result, WriteConfig,
    format::{
        boxes::box_area,
        folder::{file_names, new_folder, place, written},
        write::{Losses, counts_from_elsewhere, federated_images, losses},
    },
    mask::{CarriedMasks, Outline},
};

/// Digits after the point of a coordinate; more when the box does not come back from these.
pub const DIGITS: usize = 6;

/// Writes data sets with the same classes as the splits of one YOLO data set, in the new folder `to`.
///
/// Crowd regions are left out: YOLO would train on them as objects. With [`WriteConfig::masks`] an object with polygons becomes one outline:
/// several are joined by lines of no width, and corners are moved onto the box, by a pixel at most. Run lengths, and polygons that end
/// further from the box, are named as lost, and the box is written.
///
/// # Errors
/// Those of reading masks, when they are asked for; [`DataError::Occupied`](crate::DataError::Occupied) when `to` is a file or a folder
/// that is not empty, [`DataError::Io`](crate::DataError::Io) when a picture is missing or something cannot be written. Nothing is left then.
pub fn write_yolo(splits: &[(&str, &Dataset)], to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
    new_folder(to, |folder| fill(folder, splits, config))
}

fn fill(folder: &Path, splits: &[(&str, &Dataset)], config: &WriteConfig) -> Result<Vec<Lost>> {
    let (mut image_ids, mut lost_masks) = (0, Losses::default());
    for (split, dataset) in splits {
        let [images, labels] = ["images", "labels"].map(|kind| folder.join(kind).join(split));
        for folder in [&images, &labels] {
            fs::create_dir_all(folder).map_err(|e| written(folder, e))?;
        }
        let masks = config.masks.then(|| CarriedMasks::read(dataset, folder)).transpose()?;
        lost_masks.extend(masks.as_ref().map_or(&[], |masks| masks.lost()));
        let names = file_names(&dataset.images, &is_picture)?;
        for (at, (image, name)) in dataset.images.iter().zip(&names).enumerate() {
            place(&image.path, &images.join(name), config.copy_pictures)?;
            let file = labels.join(name).with_extension("txt");
            let lines = label_lines(
                image,
                |object| masks.as_ref().map_or(Ok(None), |masks| masks.get(at, object)),
                &mut lost_masks,
            );
            lines.and_then(|lines| fs::write(&file, lines)).map_err(|e| written(&file, e))?;
        }
        // A reader counts the images from 1 in the order of their names.
        let mut order: Vec<_> = names.iter().zip(&dataset.images).collect();
        order.sort_by_key(|(name, _)| *name);
        image_ids += order.iter().zip(1..).filter(|((_, image), id)| image.id.0 != *id).count();
    }
    let file = folder.join("data.yaml");
    fs::create_dir_all(folder).and_then(|()| fs::write(&file, data_yaml(splits))).map_err(|e| written(&file, e))?;
    let mut lost = lost(splits, image_ids);
    lost.extend(Vec::from(lost_masks));
    Ok(lost)
}

fn lost(splits: &[(&str, &Dataset)], image_ids: usize) -> Vec<Lost> {
    let sum = |count: &dyn Fn(&Dataset) -> usize| splits.iter().map(|(_, dataset)| count(dataset)).sum::<usize>();
    let objects = |d: &Dataset, odd: &dyn Fn(&Object) -> bool| {
        d.images.iter().flat_map(|i| &i.objects).filter(|o| odd(o)).count()
    };
    let categories = splits.first().map_or(&[][..], |(_, d)| &d.categories);
    let category_ids = categories.iter().zip(0..).filter(|(c, k)| c.id.0 != *k).count();
    // The classes are the same in all splits, and all are counted anew.
    let counts = splits.iter().map(|(_, d)| counts_from_elsewhere(d).1).max().unwrap_or(0);
    losses([
        ("crowd regions (left out)", sum(&|d| objects(d, &|o| o.crowd))),
        ("areas other than that of the box", sum(&|d| objects(d, &|o| !o.crowd && o.area != box_area(o.bbox)))),
        ("images with lists of the classes judged there", sum(&|d| federated_images(d).1)),
        ("category ids (counted from 0)", category_ids),
        ("image ids (counted from 1 by name)", image_ids),
        ("categories with a group or counts from elsewhere", counts),
    ])
}

/// A line for each object: its outline where there is one that YOLO can hold, else its box.
fn label_lines(
    image: &ImageRecord,
    outline: impl Fn(usize) -> io::Result<Option<Outline>>,
    lost: &mut Losses,
) -> io::Result<String> {
    let (mut text, size) = (String::new(), [image.width, image.height]);
    for (at, object) in image.objects.iter().enumerate().filter(|(_, object)| !object.crowd) {
        let name = || format!("image {}, box {:?}", image.id.0, object.bbox);
        let outline = match outline(at)? {
            Some(Outline::Runs { .. }) => {
                lost.add("masks as run lengths (the box is kept)", name);
                None
            }
            Some(Outline::Polygons(polygons)) => {
                let text = outline_text(&polygons, object.bbox, size);
                if text.is_none() {
                    lost.add("masks that end more than a pixel from their box (the box is kept)", name);
                } else if polygons.len() > 1 {
                    lost.add("masks of several polygons (joined to one by lines of no width)", name);
                }
                text
            }
            None => None,
        };
        let values = outline.unwrap_or_else(|| coordinates(object.bbox, size));
        let _ = writeln!(text, "{} {values}", object.class);
    }
    Ok(text)
}

/// `cx cy width height` in the fewest digits from which the box comes back bit for bit.
fn coordinates(bbox: [f32; 4], size: [u32; 2]) -> String {
    let limit = [size[0], size[1], size[0], size[1]].map(f64::from);
    let [x1, y1, x2, y2]: [f64; 4] = std::array::from_fn(|i| f64::from(bbox[i]) / limit[i]);
    let values = [(x1 + x2) / 2.0, (y1 + y2) / 2.0, x2 - x1, y2 - y1];
    let text = |digits: usize| values.map(|v| format!("{v:.digits$}"));
    let comes_back = |text: &[String; 4]| {
        let read = corners_of(std::array::from_fn(|i| text[i].parse().unwrap_or(f64::NAN)));
        let pixels = to_pixels(read, size);
        (0..4).all(|i| pixels[i].clamp(0.0, limit[i]) as f32 == bbox[i])
    };
    let found = (DIGITS..18).map(text).find(comes_back);
    found.unwrap_or_else(|| values.map(|v| v.to_string())).join(" ")
}

fn data_yaml(splits: &[(&str, &Dataset)]) -> String {
    let mut text = String::new();
    for (split, _) in splits {
        let _ = writeln!(text, "{split}: images/{split}");
    }
    if !splits.iter().any(|(split, _)| *split == "val") {
        text.push_str("# Other programs also ask for `val`, the pictures that they score on.\n# val: images/val\n");
    }
    let names = splits.first().map_or(&[][..], |(_, d)| &d.categories);
    text.push_str(if names.is_empty() { "names: []\n" } else { "names:\n" });
    for (k, category) in names.iter().enumerate() {
        let _ = writeln!(text, "  {k}: {}", quoted(&category.name));
    }
    text
}

/// A YAML text in double quotes, on one line whatever it holds.
fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
