//! A folder of photographs made up for timing: JPEGs of 640 × 480 with texture, noise, boxes and masks.
//!
//! Drawings of flat colours decode twice as fast as photographs. Pictures of the demo set are enlarged and given the grain of a sensor, which
//! makes files of 90 to 150 KB at quality 88, about what COCO's pictures have.

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};

use equipoise_data::{
    CategoryId, Dataset, LvisAnnotation, LvisCategory, LvisFile, LvisImage, Segmentation, picture, write_lvis,
};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};

use super::measure::noise;

/// Size of a photograph.
pub const SIZE: [u32; 2] = [640, 480];

const QUALITY: u8 = 88;
/// Grey levels of the grain.
const GRAIN: f32 = 24.0;
/// Corners of a mask.
const CORNERS: usize = 40;

/// Writes `count` photographs of the pictures of `drawn` into `folder`; returns their LVIS file.
pub fn photographs(drawn: &Dataset, count: usize, folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let mut file = LvisFile::default();
    for category in &drawn.categories {
        file.categories.push(LvisCategory {
            id: category.id,
            name: category.name.clone(),
            synset: category.name.clone(),
            synonyms: Vec::new(),
            def: String::new(),
            frequency: category.group,
            image_count: category.images,
            instance_count: category.instances,
        });
    }
    let mut random = noise(3);
    for record in drawn.images.iter().take(count) {
        let drawing = picture::decode(&record.path)?;
        let scale = SIZE[0] as f32 / drawing.width() as f32;
        let name = format!("{}.jpg", record.id.0);
        let jpeg = JpegEncoder::new_with_quality(std::fs::File::create(folder.join(&name))?, QUALITY);
        photograph(&drawing, &mut random).write_with_encoder(jpeg)?;
        file.images.push(LvisImage {
            id: record.id,
            file_name: name,
            width: SIZE[0],
            height: SIZE[1],
            neg_category_ids: Vec::new(),
            not_exhaustive_category_ids: Vec::new(),
        });
        for object in &record.objects {
            let [x1, y1, x2, y2] = object.bbox.map(|v| v * scale);
            let y2 = y2.min(SIZE[1] as f32);
            if y2 - y1 < 8.0 {
                continue;
            }
            file.annotations.push(LvisAnnotation {
                id: file.annotations.len() as u64 + 1,
                image_id: record.id,
                category_id: category(drawn, object.class),
                bbox: [x1, y1, x2 - x1, y2 - y1],
                area: f64::from((x2 - x1) * (y2 - y1)),
                iscrowd: 0,
                segmentation: Segmentation::Polygons(vec![ellipse([x1, y1, x2, y2])]),
            });
        }
    }
    let path = folder.join("photographs.json");
    write_lvis(&file, &path)?;
    Ok(path)
}

fn category(drawn: &Dataset, class: usize) -> CategoryId {
    drawn.categories[class].id
}

/// The upper part of a drawing, enlarged, with grain.
fn photograph(drawing: &picture::Picture, random: &mut impl FnMut() -> f32) -> RgbImage {
    let pixels = RgbImage::from_raw(drawing.width(), drawing.height(), drawing.pixels().to_vec()).unwrap_or_default();
    let mut large = resize(&pixels, SIZE[0], SIZE[0], FilterType::CatmullRom);
    for Rgb(pixel) in large.pixels_mut() {
        let grain = GRAIN * (random() - 0.5);
        *pixel = pixel.map(|value| (f32::from(value) + grain + GRAIN / 3.0 * (random() - 0.5)) as u8);
    }
    image::imageops::crop_imm(&large, 0, 0, SIZE[0], SIZE[1]).to_image()
}

fn ellipse([x1, y1, x2, y2]: [f32; 4]) -> Vec<f32> {
    let corner = |at: usize| {
        let (sin, cos) = (TAU * at as f32 / CORNERS as f32).sin_cos();
        [(x1 + x2) / 2.0 + (x2 - x1) / 2.0 * cos, (y1 + y2) / 2.0 + (y2 - y1) / 2.0 * sin]
    };
    (0..CORNERS).flat_map(corner).collect()
}
