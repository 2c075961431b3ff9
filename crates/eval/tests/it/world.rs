//! Small data sets built in code.

use std::path::PathBuf;

use equipoise_data::{Category, CategoryId, Dataset, Group, ImageId, ImageRecord, Object};
use equipoise_eval::Detection;

/// A category of a group; its id is `10 * (class + 1)`, so that ids and indices never coincide.
pub fn category(class: usize, group: Group) -> Category {
    let (images, instances) = match group {
        Group::Rare => (2, 3),
        Group::Common => (30, 40),
        Group::Frequent => (300, 500),
    };
    Category { id: CategoryId(10 * (class as u64 + 1)), name: format!("class {class}"), group, images, instances }
}

/// A truth with these groups and one picture of 200 × 200 for each list of objects; ids count from 1.
pub fn truth(groups: &[Group], images: &[&[Object]]) -> Dataset {
    Dataset {
        source: PathBuf::from("truth.json"),
        categories: groups.iter().enumerate().map(|(class, &group)| category(class, group)).collect(),
        images: images.iter().enumerate().map(|(at, objects)| image(at as u64 + 1, objects)).collect(),
        federated: false,
        warnings: Vec::new(),
    }
}

pub fn image(id: u64, objects: &[Object]) -> ImageRecord {
    ImageRecord {
        id: ImageId(id),
        path: PathBuf::from(format!("{id}.png")),
        width: 200,
        height: 200,
        objects: objects.to_vec(),
        negative: Vec::new(),
        not_exhaustive: Vec::new(),
    }
}

pub fn object(class: usize, bbox: [f32; 4]) -> Object {
    let [x1, y1, x2, y2] = bbox;
    Object { class, bbox, area: f64::from(x2 - x1) * f64::from(y2 - y1), crowd: false }
}

pub fn crowd(class: usize, bbox: [f32; 4]) -> Object {
    Object { crowd: true, ..object(class, bbox) }
}

pub fn detection(image: u64, class: usize, bbox: [f32; 4], score: f32) -> Detection {
    Detection { image: ImageId(image), category: CategoryId(10 * (class as u64 + 1)), bbox, score, mask: None }
}

/// Every object found exactly, with score 0.9.
pub fn perfect(truth: &Dataset) -> Vec<Detection> {
    truth
        .images
        .iter()
        .flat_map(|image| {
            image.objects.iter().filter(|o| !o.crowd).map(|o| Detection {
                image: image.id,
                category: truth.categories[o.class].id,
                bbox: o.bbox,
                score: 0.9,
                mask: None,
            })
        })
        .collect()
}
