//! Writing a [`Dataset`] as COCO or LVIS JSON, in the words of whoever reads it.
//!
//! Boxes are written as `[x, y, width, height]` in the fewest digits from which the corners come back bit for bit: a width rounded by
//! itself moves the right edge. Masks are written number for number as the source of the data set has them.

use std::{
    io,
    path::{self, Path},
};

use serde::{Serialize, Serializer, ser};

use crate::{
    CategoryId, DataError, Dataset, Group, ImageId, ImageRecord, Lost, Result, WriteConfig, mask::CarriedMasks,
    write_atomically_with,
};

/// Whose words are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Without groups, counts and federated lists.
    Coco,
    /// With all of them, and URLs for pictures of COCO, by which LVIS v1 names pictures.
    Lvis,
    /// With all of them, pictures by `file_name` alone.
    LvisV05,
    /// As COCO, with a `supercategory` for each class.
    Roboflow,
}

impl Flavour {
    fn is_lvis(self) -> bool {
        matches!(self, Self::Lvis | Self::LvisV05)
    }
}

/// Where COCO has its pictures.
const COCO_PICTURES: &str = "http://images.cocodataset.org";

/// Folders of COCO's pictures.
const COCO_FOLDERS: &[&str] = &["train2017", "val2017", "test2017", "unlabeled2017"];

#[derive(Serialize)]
struct File<C: Serialize, I: Serialize, A: Serialize> {
    categories: C,
    images: I,
    annotations: A,
}

#[derive(Serialize)]
struct CategoryRow<'a> {
    id: CategoryId,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    supercategory: Option<&'static str>,
    #[serde(flatten)]
    lvis: Option<CategoryLvis<'a>>,
}

/// What programs for LVIS look for. `synset`, `synonyms` and `def` are not part of a [`Dataset`]; the name stands for them.
#[derive(Serialize)]
struct CategoryLvis<'a> {
    synset: &'a str,
    synonyms: [&'a str; 1],
    def: &'a str,
    frequency: Group,
    image_count: u64,
    instance_count: u64,
}

#[derive(Serialize)]
struct ImageRow<'a> {
    id: ImageId,
    #[serde(skip_serializing_if = "str::is_empty")]
    file_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    coco_url: Option<String>,
    width: u32,
    height: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    neg_category_ids: Option<Vec<CategoryId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_exhaustive_category_ids: Option<Vec<CategoryId>>,
}

#[derive(Serialize)]
struct AnnotationRow<'a> {
    id: usize,
    image_id: ImageId,
    category_id: CategoryId,
    bbox: [f64; 4],
    area: f64,
    iscrowd: u8,
    segmentation: Shape<'a>,
}

/// The outline of an object, read while it is written; an empty list without one.
struct Shape<'a> {
    masks: Option<&'a CarriedMasks>,
    image: usize,
    object: usize,
}

impl Serialize for Shape<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let outline = self.masks.map_or(Ok(None), |masks| masks.get(self.image, self.object));
        match outline.map_err(ser::Error::custom)? {
            Some(outline) => outline.serialize(to),
            None => [(); 0].serialize(to),
        }
    }
}

/// A list that is made while it is written: a million annotations are never held.
struct Rows<F>(F);

impl<I: IntoIterator<Item: Serialize>, F: Fn() -> I> Serialize for Rows<F> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_seq((self.0)())
    }
}

/// Writes `dataset` to `to`, whole or not at all, and says which masks are lost.
///
/// A data set that is not federated has every class judged in every picture. LVIS can say so only by listing, in each picture, all
/// classes without an object there as absent.
pub fn write_json(dataset: &Dataset, to: &Path, flavour: Flavour, config: &WriteConfig) -> Result<Vec<Lost>> {
    let folder = path::absolute(to).map(|to| to.parent().map(Path::to_path_buf).unwrap_or_default());
    let names = folder.and_then(|folder| dataset.images.iter().map(|image| file_name(image, &folder)).collect());
    let names: Vec<String> =
        names.map_err(|source| DataError::Io { action: "write", path: to.to_path_buf(), source })?;
    write_named(dataset, &names, to, flavour, config)
}

/// The same with a `file_name` for each image.
pub fn write_named(
    dataset: &Dataset,
    names: &[String],
    to: &Path,
    flavour: Flavour,
    config: &WriteConfig,
) -> Result<Vec<Lost>> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let masks = config.masks.then(|| CarriedMasks::read(dataset, folder)).transpose()?;
    write_atomically_with(to, |out| {
        require_finite(dataset)?;
        let file = File {
            categories: Rows(|| categories(dataset, flavour)),
            images: Rows(|| dataset.images.iter().zip(names).map(|(i, name)| image_row(dataset, i, name, flavour))),
            annotations: Rows(|| annotations(dataset, masks.as_ref())),
        };
        serde_json::to_writer(&mut *out, &file).map_err(io::Error::from)?;
        out.write_all(b"\n")
    })?;
    Ok(masks.map_or_else(Vec::new, |masks| masks.lost().to_vec()))
}

fn categories(dataset: &Dataset, flavour: Flavour) -> impl Iterator<Item = CategoryRow<'_>> {
    dataset.categories.iter().map(move |c| CategoryRow {
        id: c.id,
        name: &c.name,
        supercategory: (flavour == Flavour::Roboflow).then_some("objects"),
        lvis: flavour.is_lvis().then_some(CategoryLvis {
            synset: &c.name,
            synonyms: [&c.name],
            def: &c.name,
            frequency: c.group,
            image_count: c.images,
            instance_count: c.instances,
        }),
    })
}

fn image_row<'a>(dataset: &Dataset, image: &ImageRecord, file_name: &'a str, flavour: Flavour) -> ImageRow<'a> {
    let lvis = flavour.is_lvis();
    let ids = |classes: &[usize]| classes.iter().map(|&k| dataset.categories[k].id).collect();
    let absent = || {
        let mut present = vec![false; dataset.num_classes()];
        image.objects.iter().for_each(|o| present[o.class] = true);
        (0..dataset.num_classes()).filter(|&k| !present[k]).collect::<Vec<_>>()
    };
    let negative = || if dataset.federated { ids(&image.negative) } else { ids(&absent()) };
    ImageRow {
        id: image.id,
        file_name,
        coco_url: (flavour == Flavour::Lvis).then(|| coco_url(&image.path)).flatten(),
        width: image.width,
        height: image.height,
        neg_category_ids: lvis.then(negative),
        not_exhaustive_category_ids: lvis.then(|| ids(&image.not_exhaustive)),
    }
}

/// Where COCO has a picture that is called as COCO calls its own.
fn coco_url(picture: &Path) -> Option<String> {
    let folder = picture.parent()?.file_name()?.to_str()?;
    let name = picture.file_name()?.to_str()?;
    let number = name.strip_suffix(".jpg")?;
    let is_number = number.len() == 12 && number.bytes().all(|b| b.is_ascii_digit());
    (is_number && COCO_FOLDERS.contains(&folder)).then(|| format!("{COCO_PICTURES}/{folder}/{name}"))
}

fn annotations<'a>(dataset: &'a Dataset, masks: Option<&'a CarriedMasks>) -> impl Iterator<Item = AnnotationRow<'a>> {
    let of =
        |image: usize| dataset.images[image].objects.iter().enumerate().map(move |(at, object)| (image, at, object));
    let objects = (0..dataset.images.len()).flat_map(of);
    objects.enumerate().map(move |(i, (image, at, object))| {
        let [x1, y1, x2, y2] = object.bbox;
        let ([x, width], [y, height]) = (start_and_length(x1, x2), start_and_length(y1, y2));
        AnnotationRow {
            id: i + 1,
            image_id: dataset.images[image].id,
            category_id: dataset.categories[object.class].id,
            bbox: [x, y, width, height],
            area: object.area,
            iscrowd: object.crowd.into(),
            segmentation: Shape { masks, image, object: at },
        }
    })
}

/// A start and a length in few digits, from which `from` and `to` come back exactly.
fn start_and_length(from: f32, to: f32) -> [f64; 2] {
    // The shortest text of an f32 is a number with few digits; its own digits in f64 are noise.
    let short = |value: f32| value.to_string().parse().unwrap_or(f64::from(value));
    let (start, end) = (short(from), short(to));
    let mut scale = 1.0;
    for _ in 0..9 {
        let length = ((end - start) * scale).round() / scale;
        if length > 0.0 && (start + length) as f32 == to {
            return [start, length];
        }
        scale *= 10.0;
    }
    [f64::from(from), f64::from(to) - f64::from(from)]
}

/// Path of the picture from `folder`, or from the root when it is not below; empty when the data set names none.
fn file_name(image: &ImageRecord, folder: &Path) -> io::Result<String> {
    if image.path.as_os_str().is_empty() {
        return Ok(String::new());
    }
    let full = path::absolute(&image.path)?;
    let no_text = || invalid(format!("the path of image {}, `{}`, is not UTF-8", image.id.0, full.display()));
    match full.strip_prefix(folder) {
        Ok(below) => {
            let parts: Option<Vec<_>> = below.components().map(|part| part.as_os_str().to_str()).collect();
            Ok(parts.ok_or_else(no_text)?.join("/"))
        }
        Err(_) => Ok(full.to_str().ok_or_else(no_text)?.to_owned()),
    }
}

/// `serde_json` writes a number that is not finite as `null`, which no reader takes back.
fn require_finite(dataset: &Dataset) -> io::Result<()> {
    for image in &dataset.images {
        if let Some(object) =
            image.objects.iter().find(|o| !o.area.is_finite() || !o.bbox.iter().all(|v| v.is_finite()))
        {
            let text = format!("image {} has an object that is not finite: {:?}", image.id.0, object);
            return Err(invalid(text));
        }
    }
    Ok(())
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
