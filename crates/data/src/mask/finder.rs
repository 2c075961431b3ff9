//! Which object an annotation of the source is about: the one of its image with its class and box.

use crate::{ClassIndex, Dataset};

/// Finds each object of a data set once.
pub struct Finder<'a> {
    dataset: &'a Dataset,
    /// Objects that have had their annotation, by image.
    taken: Vec<Vec<bool>>,
    /// The object after the one found last, by image: most files have the annotations of an image in the order of its objects.
    next: Vec<usize>,
}

impl<'a> Finder<'a> {
    /// Nothing is found yet.
    pub fn new(dataset: &'a Dataset) -> Self {
        let taken = dataset.images.iter().map(|image| vec![false; image.objects.len()]).collect();
        Self { dataset, taken, next: vec![0; dataset.images.len()] }
    }

    /// The object of an image for an annotation with the corners `[x1, y1, x2, y2]` in pixels, as written.
    pub fn find(&mut self, image: usize, class: ClassIndex, corners: [f64; 4]) -> Option<usize> {
        let record = &self.dataset.images[image];
        let limit = [record.width, record.height].map(f64::from);
        let bbox: [f32; 4] = std::array::from_fn(|i| corners[i].clamp(0.0, limit[i % 2]) as f32);
        let count = record.objects.len();
        let taken = &mut self.taken[image];
        let same = |at: &usize| {
            let object = &record.objects[*at];
            object.class == class && object.bbox == bbox && !taken[*at]
        };
        let found = (0..count).map(|step| (self.next[image] + step) % count).find(same)?;
        taken[found] = true;
        self.next[image] = found + 1;
        Some(found)
    }
}
