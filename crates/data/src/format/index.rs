//! From JSON as written to a checked, dense [`Dataset`].
//!
//! What makes a data set wrong is an error: ids that are not unique or lead nowhere, numbers that are not finite. What is merely
//! untidy is counted as a [`Warning`](crate::Warning) and survived.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{
    json::{JsonAnnotation, JsonCategory, JsonFile, JsonImage},
    locate::{NamedBy, Pictures},
    tally::{Oddity, Tally},
};
use crate::{
    Category, CategoryId, ClassIndex, Counts, DataError, Dataset, Group, GroupThresholds, ImageId, ImageRecord, Object,
    Result, picture,
};

/// A box may pass the border by this many pixels before it is counted as odd: annotation tools round.
const BORDER_TOLERANCE: f64 = 0.5;

/// Largest width and height taken seriously, in pixels.
const MAX_SIDE: f64 = 1e6;

/// Checks and indexes `file`, which was read from `source`.
pub fn index(source: &Path, mut file: JsonFile, images: Option<&Path>, names: &[NamedBy]) -> Result<Dataset> {
    let federated = file.is_federated();
    file.categories.sort_by_key(|c| c.id);
    file.images.sort_by_key(|i| i.id);
    require_unique(source, "category", file.categories.iter().map(|c| c.id))?;
    require_unique(source, "image", file.images.iter().map(|i| i.id))?;

    let mut tally = Tally::default();
    let classes: HashMap<u64, ClassIndex> = file.categories.iter().enumerate().map(|(k, c)| (c.id, k)).collect();
    let pictures = Pictures::find(source, images, file.images.first(), names);
    let mut records = Vec::with_capacity(file.images.len());
    for image in &file.images {
        records.push(image_record(source, image, &pictures, &classes, &mut tally)?);
    }
    add_objects(source, &file.annotations, &classes, &mut records, &mut tally)?;
    drop(file.annotations);
    count_repeated(&records, &mut tally);

    let counts = Counts::of_records(file.categories.len(), &records);
    let categories = file.categories.into_iter().enumerate();
    let categories: Vec<_> =
        categories.map(|(k, c)| category(source, c, counts.images[k], counts.instances[k])).collect::<Result<_>>()?;
    let warnings = tally.into_warnings(&categories);
    Ok(Dataset { source: source.to_path_buf(), categories, images: records, federated, warnings })
}

/// `ids` must ascend.
fn require_unique(source: &Path, what: &'static str, ids: impl Iterator<Item = u64>) -> Result<()> {
    let mut before = None;
    for id in ids {
        if before == Some(id) {
            return Err(DataError::DuplicateId { path: source.to_path_buf(), what, id });
        }
        before = Some(id);
    }
    Ok(())
}

fn category(source: &Path, file: JsonCategory, images: u64, instances: u64) -> Result<Category> {
    let images = file.image_count.unwrap_or(images);
    let group = match file.frequency.as_deref() {
        None => GroupThresholds::default().group(images),
        Some("r") => Group::Rare,
        Some("c") => Group::Common,
        Some("f") => Group::Frequent,
        Some(other) => {
            return Err(DataError::BadField {
                path: source.to_path_buf(),
                what: "category",
                id: file.id,
                field: "frequency",
                got: format!("`{other}`"),
                expected: "`r`, `c` or `f`, or no such field",
            });
        }
    };
    let instances = file.instance_count.unwrap_or(instances);
    Ok(Category { id: CategoryId(file.id), name: file.name, group, images, instances })
}

fn image_record(
    source: &Path,
    image: &JsonImage,
    pictures: &Pictures,
    classes: &HashMap<u64, ClassIndex>,
    tally: &mut Tally,
) -> Result<ImageRecord> {
    let path = pictures.path(image);
    let [width, height] = match (side(source, image, "width")?, side(source, image, "height")?) {
        (Some(width), Some(height)) => [width, height],
        _ if path.as_os_str().is_empty() => {
            return Err(DataError::NoPicture { path: source.to_path_buf(), id: image.id });
        }
        _ => picture::dimensions(&path)?,
    };
    let mut known = |ids: &Option<Vec<u64>>| {
        let mut found = Vec::new();
        for id in ids.iter().flatten() {
            match classes.get(id) {
                Some(&class) => found.push(class),
                None => tally.add(Oddity::UnknownListed, || format!("image {} lists category {id}", image.id)),
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    };
    let negative = known(&image.neg_category_ids);
    let not_exhaustive = known(&image.not_exhaustive_category_ids);
    Ok(ImageRecord { id: ImageId(image.id), path, width, height, objects: Vec::new(), negative, not_exhaustive })
}

/// Width or height of `image`; `None` when it is missing or 0, which exporters write for "not known".
fn side(source: &Path, image: &JsonImage, field: &'static str) -> Result<Option<u32>> {
    let value = if field == "width" { image.width } else { image.height };
    match value {
        None | Some(0.0) => Ok(None),
        Some(pixels) if (1.0..=MAX_SIDE).contains(&pixels) => Ok(Some(pixels as u32)),
        Some(pixels) => Err(DataError::BadField {
            path: source.to_path_buf(),
            what: "image",
            id: image.id,
            field,
            got: pixels.to_string(),
            expected: "1 to 1000000 pixels, or no such field to have it read from the picture",
        }),
    }
}

fn add_objects(
    source: &Path,
    annotations: &[JsonAnnotation],
    classes: &HashMap<u64, ClassIndex>,
    records: &mut [ImageRecord],
    tally: &mut Tally,
) -> Result<()> {
    let images: HashMap<u64, usize> = records.iter().enumerate().map(|(i, r)| (r.id.0, i)).collect();
    let mut ids = HashSet::with_capacity(annotations.len());
    for (place, annotation) in annotations.iter().enumerate() {
        let name = || match annotation.id {
            Some(id) => format!("annotation {id}"),
            None => format!("annotation number {} of the list", place + 1),
        };
        let unknown = |what, id| DataError::UnknownId { path: source.to_path_buf(), annotation: name(), what, id };
        let image = *images.get(&annotation.image_id).ok_or_else(|| unknown("image", annotation.image_id))?;
        let class = *classes.get(&annotation.category_id).ok_or_else(|| unknown("category", annotation.category_id))?;
        if annotation.id.is_some_and(|id| !ids.insert(id)) {
            tally.add(Oddity::RepeatedId, name);
        }
        if !corners(annotation.bbox).iter().chain(&annotation.bbox).all(|v| v.is_finite()) {
            return Err(DataError::NonFiniteBox {
                path: source.to_path_buf(),
                annotation: name(),
                bbox: annotation.bbox,
            });
        }
        let record = &mut records[image];
        let example = || format!("{} of image {}, bbox {:?}", name(), annotation.image_id, annotation.bbox);
        if let Some(bbox) = clip(annotation.bbox, record, tally, &example) {
            let area = object_area(annotation.area, bbox, tally, &name);
            record.objects.push(Object { class, bbox, area, crowd: annotation.iscrowd.0 });
        }
    }
    Ok(())
}

/// `[x, y, width, height]` to `[x1, y1, x2, y2]`.
fn corners([x, y, width, height]: [f64; 4]) -> [f64; 4] {
    [x, y, x + width, y + height]
}

/// The part of the box inside the picture; `None` when there is none.
fn clip(bbox: [f64; 4], image: &ImageRecord, tally: &mut Tally, example: &dyn Fn() -> String) -> Option<[f32; 4]> {
    if bbox[2] <= 0.0 || bbox[3] <= 0.0 {
        tally.add(Oddity::NoArea, example);
        return None;
    }
    let limit = [image.width, image.height, image.width, image.height].map(f64::from);
    let written = corners(bbox);
    let clipped: [f64; 4] = std::array::from_fn(|i| written[i].clamp(0.0, limit[i]));
    let [x1, y1, x2, y2] = clipped.map(|v| v as f32);
    // Both ends are compared after rounding to f32: a box can lose its area there.
    if x2 <= x1 || y2 <= y1 {
        let inside = clipped[2] > clipped[0] && clipped[3] > clipped[1];
        tally.add(if inside { Oddity::NoArea } else { Oddity::OutsidePicture }, example);
        return None;
    }
    if written.iter().zip(clipped).any(|(w, c)| (w - c).abs() > BORDER_TOLERANCE) {
        tally.add(Oddity::AcrossBorder, example);
    }
    Some([x1, y1, x2, y2])
}

fn object_area(written: Option<f64>, [x1, y1, x2, y2]: [f32; 4], tally: &mut Tally, name: &dyn Fn() -> String) -> f64 {
    match written {
        Some(area) if area.is_finite() && area >= 0.0 => return area,
        Some(area) => tally.add(Oddity::BadArea, || format!("{} has area {area}", name())),
        None => {}
    }
    f64::from(x2 - x1) * f64::from(y2 - y1)
}

fn count_repeated(records: &[ImageRecord], tally: &mut Tally) {
    let mut seen = HashSet::new();
    for record in records {
        seen.clear();
        for object in &record.objects {
            if !seen.insert((object.class, object.bbox.map(f32::to_bits))) {
                tally.add(Oddity::Repeated, || format!("image {}, box {:?}", record.id.0, object.bbox));
            }
        }
    }
}
