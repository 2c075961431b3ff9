//! Small data sets on disk.

use std::{
    fs,
    path::{Path, PathBuf},
};

use equipoise_data::{
    Category, CategoryId, DataError, Dataset, Group, ImageId, ImageRecord, Object, Result, picture::Picture,
};
use image::RgbImage;
use tempfile::TempDir;

/// A folder that is removed when the test ends. It is alone in another, since pictures are also looked for around a file's folder.
pub struct Folder {
    path: PathBuf,
    _around: TempDir,
}

impl Folder {
    pub fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        let path = around.path().join("folder");
        fs::create_dir(&path).unwrap();
        Self { path, _around: around }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `bytes` to `name`, making folders on the way.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a PNG whose pixel at (x, y) is (x, y, 7).
    pub fn png(&self, name: &str, width: u32, height: u32) -> PathBuf {
        let path = self.file(name, []);
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 7])).save(&path).unwrap();
        path
    }

    /// Reads a data set from JSON text.
    pub fn read(&self, json: &str) -> Result<Dataset> {
        Dataset::read(&self.file("data.json", json), None)
    }

    /// Reads JSON text that must be refused.
    pub fn refuse(&self, json: &str) -> DataError {
        self.read(json).expect_err("this data set is wrong")
    }
}

/// A COCO file with two categories (ids 9 and 4), two images of 100 × 50 (ids 2 and 1) and these annotations.
pub fn coco(annotations: &str) -> String {
    format!(
        r#"{{"info": {{"year": 2017}}, "licenses": [],
        "categories": [{{"id": 9, "name": "yak", "supercategory": "animal"}}, {{"id": 4, "name": "cat"}}],
        "images": [{{"id": 2, "file_name": "b.png", "width": 100, "height": 50}},
                   {{"id": 1, "file_name": "a.png", "width": 100, "height": 50}}],
        "annotations": [{annotations}]}}"#
    )
}

pub fn object(class: usize, bbox: [f32; 4]) -> Object {
    let area = f64::from(bbox[2] - bbox[0]) * f64::from(bbox[3] - bbox[1]);
    Object { class, bbox, area, crowd: false }
}

/// A data set in memory with `num_classes` classes and images of 8 × 8 that contain these classes.
pub fn dataset(num_classes: usize, images: &[&[usize]]) -> Dataset {
    let categories = (0..num_classes).map(|k| Category {
        id: CategoryId(k as u64 + 1),
        name: format!("class {k}"),
        group: Group::Rare,
        images: 0,
        instances: 0,
    });
    let images = images.iter().enumerate().map(|(i, classes)| ImageRecord {
        id: ImageId(i as u64 + 1),
        path: PathBuf::new(),
        width: 8,
        height: 8,
        objects: classes.iter().map(|&class| object(class, [1.0, 1.0, 5.0, 5.0])).collect(),
        negative: Vec::new(),
        not_exhaustive: Vec::new(),
    });
    Dataset {
        source: PathBuf::from("memory.json"),
        categories: categories.collect(),
        images: images.collect(),
        federated: false,
        warnings: Vec::new(),
    }
}

/// The pixel of `picture` at (x, y).
pub fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
    let at = ((y * picture.width() + x) * 3) as usize;
    picture.pixels()[at..at + 3].try_into().unwrap()
}
