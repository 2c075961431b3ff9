//! The truth of the demo set as LVIS JSON.
//!
//! The counts of a category are those of the training pictures in both files. Labels are exhaustive, so every category that is not in a picture
//! is listed as verified to be absent; LVIS's protocol then counts false positives everywhere.

use super::{DemoConfig, art::CLASSES, folder::Folder, plan::Plan};
use crate::{
    CategoryId, ImageId, LvisAnnotation, LvisCategory, LvisFile, LvisImage, LvisInfo, Result, Segmentation,
    scene::{Seen, Split},
    write_lvis,
};

/// What is visible in a picture.
pub(super) type Annotated = Vec<Seen>;

/// Writes both files.
pub(super) fn annotate(
    folder: &Folder,
    config: &DemoConfig,
    plan: &Plan,
    train: &[Annotated],
    val: &[Annotated],
) -> Result<()> {
    let categories = categories(plan, train);
    for (split, pictures, before) in [(Split::Train, train, 0), (Split::Val, val, train.len())] {
        let mut file = LvisFile {
            info: LvisInfo {
                description: "Drawings pasted onto generated backgrounds; shows a mechanism and is no benchmark".into(),
                version: "1".into(),
                license: "Graphics from Twemoji, copyright 2020 Twitter, Inc and other contributors, CC-BY 4.0".into(),
            },
            categories: categories.clone(),
            ..LvisFile::default()
        };
        for (index, objects) in pictures.iter().enumerate() {
            // Ids are unique over both files, so that results of the two cannot be mixed up unnoticed.
            let id = ImageId((before + index + 1) as u64);
            let absent = (0..config.categories).filter(|&class| objects.iter().all(|seen| seen.class != class));
            file.images.push(LvisImage {
                id,
                file_name: Folder::picture(split, index),
                width: config.side,
                height: config.side,
                neg_category_ids: absent.map(category_id).collect(),
                not_exhaustive_category_ids: Vec::new(),
            });
            for seen in objects {
                let [x1, y1, x2, y2] = seen.bbox.map(|v| v as f32);
                file.annotations.push(LvisAnnotation {
                    id: file.annotations.len() as u64 + 1,
                    image_id: id,
                    category_id: category_id(seen.class),
                    bbox: [x1, y1, x2 - x1, y2 - y1],
                    area: f64::from(seen.area),
                    iscrowd: 0,
                    segmentation: Segmentation::default(),
                });
            }
        }
        write_lvis(&file, &folder.json(split))?;
    }
    Ok(())
}

fn category_id(class: usize) -> CategoryId {
    CategoryId(class as u64 + 1)
}

fn categories(plan: &Plan, train: &[Annotated]) -> Vec<LvisCategory> {
    let describe = |(class, icon): (usize, &super::art::Icon)| LvisCategory {
        id: category_id(class),
        name: icon.name.to_owned(),
        synset: icon.name.replace(' ', "_"),
        synonyms: vec![icon.name.to_owned()],
        def: format!("the Twemoji drawing {}", icon.code.replace("U_", "U+")),
        frequency: plan.groups[class],
        image_count: plan.counts[class],
        instance_count: train.iter().flatten().filter(|seen| seen.class == class).count() as u64,
    };
    CLASSES[..plan.counts.len()].iter().enumerate().map(describe).collect()
}
