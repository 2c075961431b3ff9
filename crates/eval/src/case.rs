//! Truth and results side by side, in f64 and by picture: what every protocol and diagnosis works on.
//!
//! Boxes are `[x, y, width, height]`, as COCO and LVIS files have them. [`Case::read`] takes the numbers as they are written, of results and, where the truth is a
//! COCO or LVIS file, of the truth too: corners in f32, clipped to the picture, are right for training, but one box in thousands would
//! fall on the other side of a threshold than in pycocotools.

use std::collections::HashMap;
use std::path::Path;

use equipoise_data::Dataset;
use hotcoco::COCO;
use hotcoco::types::Segmentation;

use crate::detection::{Detection, check_detections, defect};
use crate::error::{EvalError, Result};
use crate::results::{BoxEntry, MaskEntry, each_entry, entry_defect, open};

/// What is overlapped: boxes or masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Boxes.
    #[default]
    Boxes,
    /// Masks, as polygons or run lengths.
    Masks,
}

impl Shape {
    /// "box" or "mask", as in "box AP".
    pub fn noun(self) -> &'static str {
        match self {
            Self::Boxes => "box",
            Self::Masks => "mask",
        }
    }
}

/// A labelled object.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// Its class.
    pub class: u32,
    /// `[x, y, width, height]` in pixels.
    pub bbox: [f64; 4],
    /// Area in square pixels, as written.
    pub area: f64,
    /// A crowd, or a group-of box of Open Images.
    pub crowd: bool,
    pub(crate) mask: Option<Box<Segmentation>>,
}

/// A detection by the positions of its picture and class.
#[derive(Clone, Debug)]
pub struct Found {
    /// Position of the picture in `truth.images`.
    pub image: u32,
    /// Its class.
    pub class: u32,
    /// `[x, y, width, height]` in pixels; zeros where a file of masks has no boxes.
    pub bbox: [f64; 4],
    /// Confidence.
    pub score: f64,
    pub(crate) mask: Option<Box<Segmentation>>,
}

/// Truth and results, by picture.
pub struct Case<'a> {
    /// Categories with their groups, and what was looked for in which picture.
    pub truth: &'a Dataset,
    /// What is overlapped.
    pub shape: Shape,
    /// Objects of every picture, in the order of `truth.images`, `[N]`.
    pub objects: Vec<Vec<Labelled>>,
    /// Detections, picture by picture, in the order of the file within a picture, `[D]`.
    pub found: Vec<Found>,
    /// Whether the results have boxes; a file of masks may have none.
    pub(crate) has_boxes: bool,
    starts: Vec<usize>,
}

impl<'a> Case<'a> {
    /// Joins detections in memory with the truth.
    ///
    /// # Errors
    /// A detection on an unknown image, of an unknown category, or with a number that is not finite or negative where it must not be.
    pub fn new(truth: &'a Dataset, detections: &[Detection]) -> Result<Self> {
        let unusable = detections.iter().enumerate().find_map(|(i, d)| defect(d).map(|reason| (i, d, reason)));
        if let Some((index, detection, reason)) = unusable {
            return Err(EvalError::Detection { index, image: detection.image.0, reason });
        }
        check_detections(Path::new("detections"), detections, truth)?;
        let ids = Ids::of(truth);
        let found = detections.iter().filter_map(|d| {
            let [x1, y1, x2, y2] = d.bbox.map(f64::from);
            let (image, class) = (*ids.images.get(&d.image.0)?, *ids.classes.get(&d.category.0)?);
            Some(Found { image, class, bbox: [x1, y1, x2 - x1, y2 - y1], score: f64::from(d.score), mask: None })
        });
        let objects = truth.images.iter().map(|image| image.objects.iter().map(rounded).collect()).collect();
        Ok(Self::joined(truth, Shape::Boxes, objects, found.collect(), true))
    }

    /// Joins the results file `detections`, plain or gzipped, with the truth, all numbers as they are written.
    ///
    /// # Errors
    /// A file that cannot be read; an entry that is no detection, has no box (or no mask), an unknown id, a number that is not finite or a
    /// negative score, with its position; masks of a truth that is no COCO or LVIS file.
    pub fn read(truth: &'a Dataset, detections: &Path, shape: Shape) -> Result<Self> {
        let objects = read_objects(truth, shape)?;
        let (found, has_boxes) = read_found(truth, detections, shape)?;
        Ok(Self::joined(truth, shape, objects, found, has_boxes))
    }

    fn joined(
        truth: &'a Dataset,
        shape: Shape,
        objects: Vec<Vec<Labelled>>,
        mut found: Vec<Found>,
        has_boxes: bool,
    ) -> Self {
        found.sort_by_key(|d| d.image);
        let mut starts = vec![0; truth.images.len() + 1];
        found.iter().for_each(|d| starts[d.image as usize + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        Self { truth, shape, objects, found, has_boxes, starts }
    }

    /// Whether any object of the truth has a mask.
    pub fn has_masks(&self) -> bool {
        self.objects.iter().flatten().any(|object| object.mask.is_some())
    }

    /// Number of classes `K`.
    pub fn num_classes(&self) -> usize {
        self.truth.num_classes()
    }

    /// Whether a detection has no area: its box, or its mask in a file of masks without boxes.
    pub(crate) fn is_flat(&self, found: &Found) -> bool {
        match found.mask.as_deref() {
            Some(mask) if !self.has_boxes => {
                let image = &self.truth.images[found.image as usize];
                mask_area(mask, image.width, image.height) == Some(0)
            }
            _ => found.bbox[2] * found.bbox[3] <= 0.0,
        }
    }

    /// Positions in [`found`](Self::found) of the detections on a picture.
    pub fn on_image(&self, image: usize) -> std::ops::Range<usize> {
        self.starts[image]..self.starts[image + 1]
    }
}

/// Ids of a file to positions.
struct Ids {
    images: HashMap<u64, u32>,
    classes: HashMap<u64, u32>,
}

impl Ids {
    fn of(truth: &Dataset) -> Self {
        Self {
            images: truth.images.iter().zip(0..).map(|(image, at)| (image.id.0, at)).collect(),
            classes: truth.categories.iter().zip(0..).map(|(category, at)| (category.id.0, at)).collect(),
        }
    }
}

/// Pixels of a mask; `None` where it cannot be drawn, which the engine refuses later.
fn mask_area(mask: &Segmentation, width: u32, height: u32) -> Option<u64> {
    match mask.rle_ref() {
        Some(lengths) => lengths.area().ok(),
        None => {
            let Segmentation::Polygon(polygons) = mask else { return None };
            hotcoco::mask::fr_polys(polygons, height, width).ok().map(|lengths| hotcoco::mask::area(&lengths))
        }
    }
}

fn rounded(object: &equipoise_data::Object) -> Labelled {
    let [x1, y1, x2, y2] = object.bbox.map(f64::from);
    Labelled {
        class: object.class as u32,
        bbox: [x1, y1, x2 - x1, y2 - y1],
        area: object.area,
        crowd: object.crowd,
        mask: None,
    }
}

/// The objects as the file of `truth` has them; of the data set where the file is none of COCO or LVIS.
fn read_objects(truth: &Dataset, shape: Shape) -> Result<Vec<Vec<Labelled>>> {
    let path = &truth.source;
    let Some(annotations) = read_annotations(path)? else {
        if shape == Shape::Masks {
            let reason = "masks are scored against a COCO or LVIS file only";
            return Err(EvalError::Json { path: path.clone(), expected: "such a file", reason: reason.into() });
        }
        return Ok(truth.images.iter().map(|image| image.objects.iter().map(rounded).collect()).collect());
    };
    let ids = Ids::of(truth);
    let mut objects = vec![Vec::new(); truth.images.len()];
    for annotation in annotations {
        let (Some(&image), Some(&class)) =
            (ids.images.get(&annotation.image_id), ids.classes.get(&annotation.category_id))
        else {
            continue;
        };
        let Some(bbox) = annotation.bbox else { continue };
        let mask = if shape == Shape::Masks { annotation.segmentation.map(Box::new) } else { None };
        objects[image as usize].push(Labelled {
            class,
            bbox,
            area: annotation.area.unwrap_or(bbox[2] * bbox[3]),
            crowd: annotation.iscrowd,
            mask,
        });
    }
    Ok(objects)
}

/// The annotations of a COCO or LVIS file, plain or gzipped; `None` for a data set of another kind, or one that was never a file.
fn read_annotations(path: &Path) -> Result<Option<Vec<hotcoco::Annotation>>> {
    let wrong = |reason: String| EvalError::Json { path: path.into(), expected: "an annotation file", reason };
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if !path.is_file() || !(name.ends_with(".json") || name.ends_with(".gz")) {
        return Ok(None);
    }
    let (reader, zipped) = open(path)?;
    let mut file = if zipped {
        serde_json::from_reader::<_, hotcoco::Dataset>(reader).map_err(|error| wrong(error.to_string()))?
    } else {
        let mut file = COCO::new(path).map_err(|error| wrong(error.to_string()))?;
        std::mem::take(&mut file.dataset)
    };
    Ok(Some(std::mem::take(&mut file.annotations)))
}

fn read_found(truth: &Dataset, path: &Path, shape: Shape) -> Result<(Vec<Found>, bool)> {
    let ids = Ids::of(truth);
    let mut found = Vec::new();
    // An unknown id keeps the variant that explains it; the parser's error would only carry a text.
    let mut unknown = None;
    let mut has_boxes = true;
    let mut add = |index: usize, image_id: u64, category_id: u64, bbox: [f64; 4], score, mask| {
        let Some(&image) = ids.images.get(&image_id) else {
            let (path, truth) = (path.into(), truth.source.clone());
            unknown = Some(EvalError::UnknownImage { path, index, image: image_id, truth });
            return Err("unknown image".to_string());
        };
        let Some(&class) = ids.classes.get(&category_id) else {
            let (path, truth) = (path.into(), truth.source.clone());
            unknown = Some(EvalError::UnknownCategory { path, index, category: category_id, truth });
            return Err("unknown category".to_string());
        };
        found.push(Found { image, class, bbox, score, mask });
        Ok(())
    };
    let read = match shape {
        Shape::Boxes => each_entry(path, |index, entry: BoxEntry| {
            entry_defect(Some(entry.bbox), entry.score).map_or(Ok(()), Err)?;
            add(index, entry.image_id, entry.category_id, entry.bbox, entry.score, None)
        }),
        Shape::Masks => each_entry(path, |index, entry: MaskEntry| {
            entry_defect(entry.bbox, entry.score).map_or(Ok(()), Err)?;
            // As in pycocotools the first entry says whether a file has boxes.
            has_boxes = if index == 0 { entry.bbox.is_some() } else { has_boxes };
            if has_boxes && entry.bbox.is_none() {
                return Err("missing field `bbox`, which the first entry has".into());
            }
            let mask = Some(Box::new(entry.segmentation));
            add(index, entry.image_id, entry.category_id, entry.bbox.unwrap_or_default(), entry.score, mask)
        }),
    };
    match (unknown, read) {
        (Some(error), _) | (None, Err(error)) => Err(error),
        (None, Ok(())) => Ok((found, has_boxes)),
    }
}
