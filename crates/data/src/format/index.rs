//! From JSON as written to a checked, dense [`Dataset`].
//!
//! What makes a data set wrong is an error: ids that are not unique or lead nowhere, numbers that are not finite. What is merely
//! untidy is counted as a [`Warning`](crate::Warning) and survived.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{
    ReadConfig,
    boxes::{clip, count_repeated, object_area},
    json::{JsonAnnotation, JsonCategory, JsonFile, JsonImage},
    locate::{NamedBy, Pictures},
    tally::{Oddity, Tally},
    text::quote,
};
use crate::{
    Category, CategoryId, ClassIndex, Counts, DataError, Dataset, Group, GroupThresholds, ImageId, ImageRecord, Object,
    Result, picture,
};

/// Largest width and height taken seriously, in pixels.
const MAX_SIDE: f64 = 1e6;

/// Checks and indexes `file`, which was read from `source`.
pub fn index(source: &Path, mut file: JsonFile, config: &ReadConfig<'_>, names: &[NamedBy]) -> Result<Dataset> {
    let federated = file.is_federated();
    file.categories.sort_by_key(|c| c.id);
    file.images.sort_by_key(|i| i.id);
    let mut tally = Tally::new(config.lenient);
    let again = |what, id| DataError::DuplicateId { path: source.to_path_buf(), what, id };
    require_unique(&mut file.categories, |c| c.id, |id| tally.refuse(Oddity::RepeatedCategory, again("category", id)))?;
    require_unique(&mut file.images, |i| i.id, |id| tally.refuse(Oddity::RepeatedImage, again("image", id)))?;

    let classes: HashMap<u64, ClassIndex> = file.categories.iter().enumerate().map(|(k, c)| (c.id, k)).collect();
    let pictures = Pictures::find(source, config.images, file.images.first(), names);
    let mut records = Vec::with_capacity(file.images.len());
    let mut sizeless = HashSet::new();
    for image in &file.images {
        match size(source, image, &pictures) {
            Ok(size) => records.push(image_record(image, size, &pictures, &classes, &mut tally)),
            Err(error) => {
                tally.refuse(Oddity::NoSize, error)?;
                sizeless.insert(image.id);
            }
        }
    }
    file.annotations.retain(|annotation| sizeless.is_empty() || !sizeless.contains(&annotation.image_id));
    add_objects(source, &file.annotations, &classes, &mut records, &mut tally)?;
    drop(file.annotations);
    count_repeated(&records, &mut tally);

    let counts = Counts::of_records(file.categories.len(), &records);
    let categories = file.categories.into_iter().enumerate();
    let categories: Vec<_> = categories
        .map(|(k, c)| category(source, c, counts.images[k], counts.instances[k], &mut tally))
        .collect::<Result<_>>()?;
    let warnings = tally.into_warnings(&categories);
    Ok(Dataset { source: source.to_path_buf(), categories, images: records, federated, warnings })
}

/// Drops the rows, sorted by id, whose id the row before has, when `refuse` lets that pass.
fn require_unique<T>(rows: &mut Vec<T>, id: fn(&T) -> u64, mut refuse: impl FnMut(u64) -> Result<()>) -> Result<()> {
    let mut outcome = Ok(());
    rows.dedup_by(|row, before| {
        let again = id(row) == id(before);
        if again && outcome.is_ok() {
            outcome = refuse(id(row));
        }
        again
    });
    outcome
}

fn category(source: &Path, file: JsonCategory, images: u64, instances: u64, tally: &mut Tally) -> Result<Category> {
    let images = file.image_count.unwrap_or(images);
    let counted = GroupThresholds::default().group(images);
    let group = match file.frequency.as_deref() {
        None => counted,
        Some("r") => Group::Rare,
        Some("c") => Group::Common,
        Some("f") => Group::Frequent,
        Some(other) => {
            let error = DataError::BadField {
                path: source.to_path_buf(),
                what: "category",
                id: file.id,
                field: "frequency",
                got: quote(other),
                expected: "`r`, `c` or `f`, or no such field",
            };
            tally.refuse(Oddity::BadGroup, error)?;
            counted
        }
    };
    let instances = file.instance_count.unwrap_or(instances);
    Ok(Category { id: CategoryId(file.id), name: file.name, group, images, instances })
}

/// Width and height of `image`, from its picture when the file has none.
fn size(source: &Path, image: &JsonImage, pictures: &Pictures) -> Result<[u32; 2]> {
    if let (Some(width), Some(height)) = (side(source, image, "width")?, side(source, image, "height")?) {
        return Ok([width, height]);
    }
    let path = pictures.path(image);
    if path.as_os_str().is_empty() {
        return Err(DataError::NoPicture { path: source.to_path_buf(), id: image.id });
    }
    picture::dimensions(&path)
}

fn image_record(
    image: &JsonImage,
    [width, height]: [u32; 2],
    pictures: &Pictures,
    classes: &HashMap<u64, ClassIndex>,
    tally: &mut Tally,
) -> ImageRecord {
    let path = pictures.path(image);
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
    ImageRecord { id: ImageId(image.id), path, width, height, objects: Vec::new(), negative, not_exhaustive }
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
        let Some(&image) = images.get(&annotation.image_id) else {
            tally.refuse(Oddity::UnknownImage, unknown("image", annotation.image_id))?;
            continue;
        };
        let Some(&class) = classes.get(&annotation.category_id) else {
            tally.refuse(Oddity::UnknownCategory, unknown("category", annotation.category_id))?;
            continue;
        };
        if annotation.id.is_some_and(|id| !ids.insert(id)) {
            tally.add(Oddity::RepeatedId, name);
        }
        let written = corners(annotation.bbox);
        if !written.iter().chain(&annotation.bbox).all(|v| v.is_finite()) {
            let (path, bbox) = (source.to_path_buf(), annotation.bbox);
            tally.refuse(Oddity::NotFinite, DataError::NonFiniteBox { path, annotation: name(), bbox })?;
            continue;
        }
        let record = &mut records[image];
        let example = || format!("{} of image {}, bbox {:?}", name(), annotation.image_id, annotation.bbox);
        if let Some(bbox) = clip(written, [record.width, record.height], tally, &example) {
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
