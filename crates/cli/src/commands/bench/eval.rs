//! Scores of a validation set as large as a part of LVIS.

use burn::tensor::Device;
use equipoise_data::{Category, CategoryId, Dataset, Group, ImageId, ImageRecord, Object};
use equipoise_eval::Detection;
use equipoise_eval::protocol::PROTOCOLS;

use super::measure::{Case, noise};

/// Classes of LVIS v1.
const CLASSES: usize = 1203;
/// Pictures, each with eleven objects and 300 detections.
const PICTURES: usize = 500;
const OBJECTS: usize = 11;
const DETECTIONS: usize = 300;

/// The cases: every protocol.
pub fn cases(_device: &Device) -> anyhow::Result<Vec<Case>> {
    let truth = truth();
    let detections = detections(&truth);
    let shape = format!("{PICTURES} pictures, {DETECTIONS} boxes each");
    let case = |protocol: &&'static dyn equipoise_eval::protocol::Protocol| {
        let (protocol, truth, detections) = (*protocol, truth.clone(), detections.clone());
        let work = move || {
            protocol.evaluate(&truth, &detections)?;
            Ok(())
        };
        Case::new(protocol.name(), &shape, work).with_units(PICTURES * DETECTIONS, "detections")
    };
    Ok(PROTOCOLS.iter().map(case).collect())
}

fn truth() -> Dataset {
    let mut random = noise(13);
    let mut object = || {
        let [x, y, w, h] = [400.0, 300.0, 200.0, 150.0].map(|most| 4.0 + most * random());
        // Few classes own most objects.
        let class = (CLASSES as f32 * random().powi(3)) as usize;
        Object { class, bbox: [x, y, x + w, y + h], area: f64::from(w * h), crowd: false }
    };
    let mut image = |index: usize| ImageRecord {
        id: ImageId(index as u64 + 1),
        path: format!("{index}.jpg").into(),
        width: 640,
        height: 480,
        objects: (0..OBJECTS).map(|_| object()).collect(),
        negative: (0..20).map(|k| (index * 20 + k) % CLASSES).collect(),
        not_exhaustive: vec![],
    };
    let images = (0..PICTURES).map(&mut image).collect();
    let category = |class: usize| Category {
        id: CategoryId(class as u64 + 1),
        name: format!("class {class}"),
        group: [Group::Frequent, Group::Common, Group::Rare][3 * class / CLASSES],
        images: 1,
        instances: 1,
    };
    let categories = (0..CLASSES).map(category).collect();
    Dataset { source: "bench.json".into(), categories, images, federated: true, warnings: vec![] }
}

/// Objects moved a little, and boxes that are nothing.
fn detections(truth: &Dataset) -> Vec<Detection> {
    let mut random = noise(14);
    let mut all = Vec::with_capacity(PICTURES * DETECTIONS);
    for image in &truth.images {
        for number in 0..DETECTIONS {
            let object = &image.objects[number % OBJECTS];
            let far = if number < 2 * OBJECTS { 10.0 } else { 200.0 };
            let mut moved = |value: f32| (value + far * (random() - 0.5)).max(0.0);
            let [x1, y1, x2, y2] = object.bbox.map(&mut moved);
            let class = if number < OBJECTS { object.class } else { (object.class * 31 + number) % CLASSES };
            all.push(Detection {
                image: image.id,
                category: truth.categories[class].id,
                bbox: [x1.min(x2), y1.min(y2), x1.max(x2), y1.max(y2)],
                score: random(),
                mask: None,
            });
        }
    }
    all
}
