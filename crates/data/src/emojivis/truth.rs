//! The truth of EmojiVIS as LVIS JSON, in full and federated.
//!
//! In full, every class that is not in a picture is listed as verified to be absent. The federated file of the same training pictures has
//! labels left out and says so, and verifies few classes as absent. Counts of a category are those of the training labels: in both
//! validation files those of the full file.

use super::{
    catalogue::Catalogue,
    folder::Folder,
    part::Part,
    plan::{Federated, Plan},
};
use crate::{
    CategoryId, ClassIndex, ImageId, LvisAnnotation, LvisCategory, LvisFile, LvisImage, LvisInfo, Result, Segmentation,
    scene::Seen, write_lvis,
};

/// What is visible in a picture, with COCO's text of its mask.
pub(super) type Described = Vec<(Seen, String)>;

/// Writes the four files.
pub(super) fn write_truth(
    folder: &Folder,
    side: u32,
    catalogue: &Catalogue,
    plan: &Plan,
    parts: &[Vec<Described>; 3],
) -> Result<()> {
    let full = categories(catalogue, plan, &parts[0], None);
    let mut before = 0;
    for part in Part::ALL {
        let pictures = &parts[part as usize];
        write_lvis(&file(part, side, full.clone(), pictures, before, None), &folder.json(part))?;
        before += pictures.len();
    }
    let federated = categories(catalogue, plan, &parts[0], Some(&plan.federated));
    let file = file(Part::Train, side, federated, &parts[0], 0, Some(&plan.federated));
    write_lvis(&file, &folder.federated())
}

fn file(
    part: Part,
    side: u32,
    categories: Vec<LvisCategory>,
    pictures: &[Described],
    before: usize,
    federated: Option<&[Federated]>,
) -> LvisFile {
    let classes = categories.len();
    let mut file = LvisFile { info: info(part, federated.is_some()), categories, ..LvisFile::default() };
    for (index, objects) in pictures.iter().enumerate() {
        // Ids are unique over all parts, so that results of two cannot be mixed up unnoticed.
        let id = ImageId((before + index + 1) as u64);
        let known = federated.map(|federated| &federated[index]);
        let negative = match known {
            Some(known) => known.negative.clone(),
            None => (0..classes).filter(|&class| objects.iter().all(|(seen, _)| seen.class != class)).collect(),
        };
        let unlabelled = known.map_or(&[][..], |known| &known.unlabelled);
        file.images.push(LvisImage {
            id,
            file_name: Folder::name(part, index),
            width: side,
            height: side,
            neg_category_ids: negative.into_iter().map(category_id).collect(),
            not_exhaustive_category_ids: unlabelled.iter().copied().map(category_id).collect(),
        });
        for (seen, mask) in objects.iter().filter(|(seen, _)| !unlabelled.contains(&seen.class)) {
            let [x1, y1, x2, y2] = seen.bbox.map(|v| v as f32);
            file.annotations.push(LvisAnnotation {
                id: file.annotations.len() as u64 + 1,
                image_id: id,
                category_id: category_id(seen.class),
                bbox: [x1, y1, x2 - x1, y2 - y1],
                area: f64::from(seen.area),
                iscrowd: 0,
                segmentation: Segmentation::Runs { size: [side, side], counts: mask.clone() },
            });
        }
    }
    file
}

fn info(part: Part, federated: bool) -> LvisInfo {
    let what = match (part, federated) {
        (Part::Train, false) => "training, every object labelled",
        (Part::Train, true) => "training, federated labels",
        (Part::Val, _) => "validation with design families and backgrounds of its own, every class in as many pictures",
        (Part::Natural, _) => "validation with design families and backgrounds of its own, with a tail as in training",
    };
    LvisInfo {
        description: format!("EmojiVIS: emoji of many design families pasted onto backgrounds; {what}"),
        version: "1".into(),
        license: "see CREDITS.txt and set.json".into(),
    }
}

fn category_id(class: ClassIndex) -> CategoryId {
    CategoryId(class as u64 + 1)
}

fn categories(
    catalogue: &Catalogue,
    plan: &Plan,
    train: &[Described],
    federated: Option<&[Federated]>,
) -> Vec<LvisCategory> {
    let mut images: Vec<u64> = plan.chosen.iter().map(|chosen| chosen.count).collect();
    let mut instances = vec![0; images.len()];
    for (index, objects) in train.iter().enumerate() {
        let unlabelled = federated.map_or(&[][..], |federated| &federated[index].unlabelled);
        unlabelled.iter().for_each(|&class| images[class] -= 1);
        let labelled = objects.iter().filter(|(seen, _)| !unlabelled.contains(&seen.class));
        labelled.for_each(|(seen, _)| instances[seen.class] += 1);
    }
    let describe = |(class, chosen): (usize, &super::choice::Chosen)| {
        let emoji = &catalogue.classes[chosen.class].emoji;
        let code = emoji.hexcode.split('-').map(|code| format!("U+{code}")).collect::<Vec<_>>().join(" ");
        LvisCategory {
            id: category_id(class),
            name: emoji.label.clone(),
            synset: emoji.label.replace(' ', "_"),
            synonyms: vec![emoji.label.clone()],
            def: format!("the emoji {code} ({})", emoji.tags.join(", ")),
            frequency: plan.groups[class],
            image_count: images[class],
            instance_count: instances[class],
        }
    };
    plan.chosen.iter().enumerate().map(describe).collect()
}
