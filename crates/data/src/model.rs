//! The data set as every other part sees it: categories, images and objects, indexed and dense.

use std::path::PathBuf;

/// Dense index of a class, `0..K`, in the order of ascending category ids. Background, where it exists, is `K`.
pub type ClassIndex = usize;

/// Id of a category as written in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct CategoryId(pub u64);

/// Id of an image as written in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ImageId(pub u64);

/// LVIS frequency group of a category, by the number of *training* images that contain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Group {
    /// 1–10 training images by LVIS's thresholds.
    #[serde(rename = "r")]
    Rare,
    /// 11–100 training images.
    #[serde(rename = "c")]
    Common,
    /// More than 100 training images.
    #[serde(rename = "f")]
    Frequent,
}

impl Group {
    /// As LVIS files have it: r, c or f.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Rare => "r",
            Self::Common => "c",
            Self::Frequent => "f",
        }
    }
}

/// Largest number of training images of a rare and of a common category (LVIS: 10 and 100, arXiv 1908.03195).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GroupThresholds {
    /// A category with at most this many training images is rare.
    pub rare: u64,
    /// A category that is not rare, with at most this many training images, is common.
    pub common: u64,
}

impl Default for GroupThresholds {
    fn default() -> Self {
        Self { rare: 10, common: 100 }
    }
}

impl GroupThresholds {
    /// Group of a category seen in `images` training images.
    pub fn group(self, images: u64) -> Group {
        if images <= self.rare {
            Group::Rare
        } else if images <= self.common {
            Group::Common
        } else {
            Group::Frequent
        }
    }
}

/// A category with its counts over this data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Category {
    /// Id in the file.
    pub id: CategoryId,
    /// Name in the file.
    pub name: String,
    /// `frequency` of the file, or by [`GroupThresholds`] from the counts when the file has none.
    pub group: Group,
    /// Images that contain the category. The file's `image_count` where present, else counted.
    pub images: u64,
    /// Objects of the category (crowds not counted). The file's `instance_count` where present, else counted.
    pub instances: u64,
}

/// A labelled object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its class.
    pub class: ClassIndex,
    /// `[x1, y1, x2, y2]`, pixels, clipped to the picture.
    pub bbox: [f32; 4],
    /// Area in square pixels as written in the file (mask area in COCO and LVIS), else the area of the box.
    pub area: f64,
    /// A crowd region (`iscrowd`): not a target, and not to be counted against a detection.
    pub crowd: bool,
}

/// A picture and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRecord {
    /// Id in the file.
    pub id: ImageId,
    /// Path of the picture.
    pub path: PathBuf,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Labelled objects.
    pub objects: Vec<Object>,
    /// Classes verified to be absent (`neg_category_ids` of LVIS).
    pub negative: Vec<ClassIndex>,
    /// Classes whose objects are not all labelled (`not_exhaustive_category_ids` of LVIS).
    pub not_exhaustive: Vec<ClassIndex>,
}

impl ImageRecord {
    /// Classes of which every object is labelled here, ascending: those with an object and those verified to be absent, without
    /// the ones labelled in part. Meant for federated data sets; in others every class is labelled.
    pub fn exhaustive_classes(&self) -> Vec<ClassIndex> {
        let mut classes: Vec<_> =
            self.objects.iter().map(|object| object.class).chain(self.negative.iter().copied()).collect();
        classes.retain(|class| !self.not_exhaustive.contains(class));
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

/// Something odd in the data that was survived, counted by kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// What was found, as a plural noun phrase: "boxes with no area".
    pub what: String,
    /// How often.
    pub count: usize,
    /// One example with its ids.
    pub example: String,
    /// What was done about it: "dropped".
    pub action: String,
}

/// A detection data set: dense, validated, shared by reference between threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The file it was read from.
    pub source: PathBuf,
    /// Categories by ascending id; position is the [`ClassIndex`].
    pub categories: Vec<Category>,
    /// Images by ascending id.
    pub images: Vec<ImageRecord>,
    /// Whether the file has federated lists (LVIS): classes outside an image's truth and `negative` were not judged there.
    pub federated: bool,
    /// What was odd in the file.
    pub warnings: Vec<Warning>,
}

impl Dataset {
    /// Number of foreground classes `K`.
    pub fn num_classes(&self) -> usize {
        self.categories.len()
    }

    /// The group of every class, `[K]`.
    pub fn groups(&self) -> Vec<Group> {
        self.categories.iter().map(|c| c.group).collect()
    }
}
