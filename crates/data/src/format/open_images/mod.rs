//! Open Images: CSV tables of boxes, class descriptions and image-level labels (arXiv 1811.00982; challenges 2018 and 2019).
//!
//! The tables are known by their columns, not their names: boxes have `XMin`, image-level labels `Confidence` without it, and class
//! descriptions two columns, often without a header. Ids are texts, so categories and images are numbered from 1 in sorted order.
//! Group-of boxes become crowds. With image-level labels the set is federated: confidence 0 is a class verified to be absent, and a
//! class verified to be present without a box is one whose objects are not all labelled.
//!
//! Trap: the columns are `XMin,XMax,YMin,YMax`, in this order, in parts of the picture's size.

mod hierarchy;
mod table;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

pub use self::hierarchy::Hierarchy;
use self::{
    table::{Kind, Row, Table, kind_of},
    write::write_open_images,
};
use super::{
    Format, Peek, ReadConfig,
    assemble::assemble,
    boxes::{box_area, clip},
    tally::{Oddity, Tally},
    text::{bad_line, quote},
};
use crate::{
    CategoryId, ClassIndex, DataError, Dataset, ImageId, ImageRecord, Lost, Object, Result, WriteConfig, picture,
};

/// Endings of pictures, in the order in which they are tried.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

/// How far a coordinate may lie beyond 0 and 1.
const TOLERANCE: f64 = 0.01;

/// The Open Images format.
pub struct OpenImages;

/// What the tables say about an image.
#[derive(Default)]
struct Found {
    /// Line in the table of boxes, class, `[x1, y1, x2, y2]` in parts of the picture, and whether it is a group.
    boxes: Vec<(u64, ClassIndex, [f64; 4], bool)>,
    present: BTreeSet<ClassIndex>,
    absent: BTreeSet<ClassIndex>,
}

impl Format for OpenImages {
    fn name(&self) -> &'static str {
        "openimages"
    }

    fn detects(&self, file: &Peek) -> bool {
        kind_of(&file.head) == Some(Kind::Boxes)
    }

    fn files_in(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        tables_beside(folder, Kind::Boxes)
    }

    fn read(&self, source: &Path, config: &ReadConfig<'_>) -> Result<Dataset> {
        let boxes = Table::open(source)?;
        let folder = source.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let names = class_names(source, folder)?;
        let classes: HashMap<&str, ClassIndex> = names.keys().enumerate().map(|(k, id)| (id.as_str(), k)).collect();
        let mut tally = Tally::new(config.lenient);
        let mut found = BTreeMap::new();
        read_boxes(boxes, &classes, &mut found, &mut tally)?;
        let labels = nearest(source, tables_beside(folder, Kind::Labels)?)?;
        if let Some(path) = &labels {
            read_image_labels(Table::open(path)?, &classes, &mut found, &mut tally)?;
        }
        let records = records(source, config.images.unwrap_or(folder), found, &mut tally)?;
        let names = names.into_values().zip(1..).map(|(name, id)| (CategoryId(id), name));
        Ok(assemble(source, names, records, labels.is_some(), tally))
    }

    fn write(&self, dataset: &Dataset, to: &Path, config: &WriteConfig) -> Result<Vec<Lost>> {
        write_open_images(dataset, to, config)
    }
}

/// Tables of this kind in `folder`, by name.
fn tables_beside(folder: &Path, kind: Kind) -> Result<Vec<PathBuf>> {
    let io = |source| DataError::Io { action: "read", path: folder.to_path_buf(), source };
    let entries = fs::read_dir(folder).map_err(io)?.collect::<std::io::Result<Vec<_>>>().map_err(io)?;
    let mut found = Vec::new();
    for path in entries.into_iter().map(|e| e.path()) {
        let is_table = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) && path.is_file();
        if is_table && kind_of(&Peek::at(&path)?.head) == Some(kind) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The one of `tables` that belongs to `source`: the only one, or the only one whose name begins with the same word.
fn nearest(source: &Path, tables: Vec<PathBuf>) -> Result<Option<PathBuf>> {
    let common = |path: &PathBuf| {
        let [a, b] = [source, path].map(|p| p.file_name().unwrap_or_default().as_encoded_bytes());
        a.iter().zip(b).take_while(|(a, b)| a == b).count()
    };
    let best = tables.iter().map(common).max();
    let found: Vec<_> = tables.iter().filter(|path| Some(common(path)) == best).collect();
    match found[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        _ => {
            let names: Vec<_> = found.iter().map(|p| format!("`{}`", p.display())).collect();
            let path = source.parent().unwrap_or(source).to_path_buf();
            Err(DataError::AmbiguousFolder { path, found: names.join(", ") })
        }
    }
}

/// Names of the classes by their label, sorted.
fn class_names(source: &Path, folder: &Path) -> Result<BTreeMap<String, String>> {
    let Some(path) = nearest(source, tables_beside(folder, Kind::Classes)?)? else {
        let (got, expected) =
            ("without class descriptions in its folder", "a table like `class-descriptions-boxable.csv`");
        return Err(bad_line(source, 1, "the table of boxes", got, expected));
    };
    let mut names = BTreeMap::new();
    for row in Table::open_classes(&path)?.rows() {
        let row = row?;
        let label = row.text(0)?.to_owned();
        if names.insert(label, row.text(1)?.to_owned()).is_some() {
            return Err(row.bad(0, "each label once"));
        }
    }
    Ok(names)
}

fn read_boxes(
    table: Table,
    classes: &HashMap<&str, ClassIndex>,
    found: &mut BTreeMap<String, Found>,
    tally: &mut Tally,
) -> Result<()> {
    let [image, label] = [table.column("ImageID")?, table.column("LabelName")?];
    let sides = [table.column("XMin")?, table.column("YMin")?, table.column("XMax")?, table.column("YMax")?];
    let group = table.column("IsGroupOf").ok();
    let read = |row: &Row| {
        let class =
            *classes.get(row.text(label)?).ok_or_else(|| row.bad(label, "a label of the class descriptions"))?;
        let mut corners = [0.0; 4];
        for (corner, column) in corners.iter_mut().zip(sides) {
            *corner = row.number(column, -TOLERANCE..=1.0 + TOLERANCE)?;
        }
        // Negative values stand for "not known".
        let crowd = match group {
            Some(column) => row.number(column, -1.0..=1.0)? == 1.0,
            None => false,
        };
        Ok((row.text(image)?.to_owned(), (row.line, class, corners, crowd)))
    };
    for row in table.rows() {
        match read(&row?) {
            Ok((image, found_box)) => found.entry(image).or_default().boxes.push(found_box),
            Err(error) => tally.refuse(Oddity::BadRow, error)?,
        }
    }
    Ok(())
}

fn read_image_labels(
    table: Table,
    classes: &HashMap<&str, ClassIndex>,
    found: &mut BTreeMap<String, Found>,
    tally: &mut Tally,
) -> Result<()> {
    let [image, label, confidence] =
        [table.column("ImageID")?, table.column("LabelName")?, table.column("Confidence")?];
    for row in table.rows() {
        let row = row?;
        let Some(&class) = classes.get(row.text(label)?) else {
            let name = quote(row.text(label)?);
            tally.add(Oddity::UnknownLabel, || format!("line {}, {name}", row.line));
            continue;
        };
        // Labels between 0 and 1 come from a classifier; nobody verified them.
        let confidence = row.number(confidence, 0.0..=1.0)?;
        let image = found.entry(row.text(image)?.to_owned()).or_default();
        if confidence == 1.0 {
            image.present.insert(class);
        } else if confidence == 0.0 {
            image.absent.insert(class);
        }
    }
    Ok(())
}

fn records(
    source: &Path,
    folder: &Path,
    found: BTreeMap<String, Found>,
    tally: &mut Tally,
) -> Result<Vec<ImageRecord>> {
    let located: Vec<_> = found.into_iter().map(|(id, found)| (picture_of(folder, &id), found)).collect();
    // Collected before the first error is looked for: which one is reported must not depend on the threads.
    let sizes: Vec<Result<_>> = located.par_iter().map(|(path, _)| picture::dimensions(path)).collect();
    let mut records = Vec::with_capacity(located.len());
    for (((path, found), size), id) in located.into_iter().zip(sizes).zip(1..) {
        let size = match size {
            Ok(size) => size,
            Err(error) => {
                tally.refuse(Oddity::NoSize, error)?;
                continue;
            }
        };
        let mut objects = Vec::new();
        for (line, class, corners, crowd) in found.boxes {
            let scale = [size[0], size[1], size[0], size[1]].map(f64::from);
            let example = || format!("`{}`, line {line}", source.display());
            if let Some(bbox) = clip(std::array::from_fn(|i| corners[i] * scale[i]), size, tally, &example) {
                objects.push(Object { class, bbox, area: box_area(bbox), crowd });
            }
        }
        let labelled: BTreeSet<_> = objects.iter().map(|o| o.class).collect();
        for _ in found.absent.intersection(&labelled) {
            tally.add(Oddity::AbsentObject, || format!("`{}`", path.display()));
        }
        let negative = found.absent.difference(&labelled).copied().collect();
        let not_exhaustive = found.present.difference(&labelled).copied().collect();
        let [width, height] = size;
        records.push(ImageRecord { id: ImageId(id), path, width, height, objects, negative, not_exhaustive });
    }
    Ok(records)
}

/// The picture of an image in `folder`; the usual name when there is none, so that the error names it.
fn picture_of(folder: &Path, id: &str) -> PathBuf {
    let mut candidates = ENDINGS.iter().map(|ending| folder.join(format!("{id}.{ending}")));
    candidates.find(|path| path.is_file()).unwrap_or_else(|| folder.join(format!("{id}.jpg")))
}
