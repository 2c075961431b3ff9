//! Pictures without labels as a data set, and what becomes of those that do not decode.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use equipoise_data::{Category, ClassList, Dataset, GroupThresholds, ImageId, ImageRecord, picture};
use rayon::prelude::*;
use serde::Serialize;

const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// The pictures under `paths`, numbered from 1, with the classes of a checkpoint and no objects. `counts` are the training images of each class.
pub fn unlabelled(paths: &[PathBuf], classes: &ClassList, counts: &[u64]) -> anyhow::Result<Dataset> {
    let mut files = Vec::new();
    for path in &expanded(paths)? {
        let before = files.len();
        collect(path, &mut files)?;
        if files.len() == before {
            bail!("`{}` holds no picture (.jpg, .jpeg or .png)", path.display());
        }
    }
    let record = |(index, path): (usize, PathBuf)| ImageRecord {
        id: ImageId(index as u64 + 1),
        path,
        width: 0,
        height: 0,
        objects: vec![],
        negative: vec![],
        not_exhaustive: vec![],
    };
    let thresholds = GroupThresholds::default();
    let category = |(class, (id, name)): (usize, (&_, &String))| {
        let images = counts.get(class).copied().unwrap_or(0);
        Category { id: *id, name: name.clone(), group: thresholds.group(images), images, instances: 0 }
    };
    Ok(Dataset {
        source: paths.first().cloned().unwrap_or_default(),
        categories: classes.ids.iter().zip(&classes.names).enumerate().map(category).collect(),
        images: files.into_iter().enumerate().map(record).collect(),
        federated: false,
        warnings: vec![],
    })
}

/// Patterns such as `photos/*.jpg`, which some shells hand over as they are, as the paths that they stand for.
fn expanded(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        let text = path.to_string_lossy();
        if path.exists() || !text.contains(['*', '?', '[']) {
            all.push(path.clone());
            continue;
        }
        let found = glob::glob(&text).with_context(|| format!("`{text}` is no pattern of paths"))?;
        let before = all.len();
        for path in found {
            all.push(path?);
        }
        if all.len() == before {
            bail!("nothing is called `{text}`");
        }
    }
    Ok(all)
}

/// A file as it is; a folder's pictures and those of its subfolders, by name.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !path.is_dir() {
        std::fs::metadata(path).with_context(|| format!("cannot read picture `{}`", path.display()))?;
        files.push(path.to_path_buf());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read folder `{}`", path.display()))?;
    let mut inside = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    inside.sort();
    for path in inside {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        // A link to a folder may lead round in a circle.
        if path.is_dir() && !path.is_symlink() {
            collect(&path, files)?;
        } else if path.is_file() && EXTENSIONS.contains(&extension.as_str()) {
            files.push(path);
        }
    }
    Ok(())
}

/// Drops pictures that do not decode, with a warning each, and notes the size of those that do.
///
/// All are decoded once for it, since a file that is cut short is known only by its end.
///
/// # Errors
/// When no picture is left.
pub fn keep_readable(dataset: &mut Dataset, upright: bool) -> anyhow::Result<()> {
    let decode = decoder(upright);
    let sizes: Vec<_> = dataset
        .images
        .par_iter()
        .map(|image| decode(&image.path).map(|picture| (picture.width(), picture.height())))
        .collect();
    let (mut kept, mut last) = (Vec::new(), None);
    for (mut image, size) in std::mem::take(&mut dataset.images).into_iter().zip(sizes) {
        match size {
            Ok((width, height)) => {
                if image.width == 0 {
                    (image.width, image.height) = (width, height);
                }
                kept.push(image);
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                eprintln!("warning: skipped: {error:#}");
                last = Some(error);
            }
        }
    }
    dataset.images = kept;
    match last {
        Some(error) if dataset.images.is_empty() => Err(error.context("no picture can be read")),
        _ if dataset.images.is_empty() => bail!("`{}` has no pictures", dataset.source.display()),
        _ => Ok(()),
    }
}

/// Reads a picture as it is stored, or as viewers show it.
pub fn decoder(upright: bool) -> fn(&Path) -> equipoise_data::Result<picture::Picture> {
    if upright { picture::decode_upright } else { picture::decode }
}

/// Names of the annotated pictures: that of the picture, with its id where two have the same.
pub fn output_names(dataset: &Dataset) -> Vec<String> {
    let stem = |image: &ImageRecord| image.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for image in &dataset.images {
        *uses.entry(stem(image).to_lowercase()).or_default() += 1;
    }
    let name = |image: &ImageRecord| match uses[&stem(image).to_lowercase()] {
        1 => format!("{}.png", stem(image)),
        _ => format!("{}-{}.png", stem(image), image.id.0),
    };
    dataset.images.iter().map(name).collect()
}

#[derive(Serialize)]
struct List<'a> {
    images: Vec<Image>,
    categories: Vec<Class<'a>>,
    annotations: [(); 0],
}

#[derive(Serialize)]
struct Image {
    id: u64,
    file_name: String,
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct Class<'a> {
    id: u64,
    name: &'a str,
}

/// Pictures and classes as a COCO file without annotations, so that the ids of the results can be read.
pub fn list(dataset: &Dataset) -> anyhow::Result<Vec<u8>> {
    let image = |image: &ImageRecord| Image {
        id: image.id.0,
        file_name: image.path.display().to_string(),
        width: image.width,
        height: image.height,
    };
    let class = |category: &'_ Category| category.id.0;
    let categories = dataset.categories.iter().map(|c| Class { id: class(c), name: &c.name }).collect();
    let list = List { images: dataset.images.iter().map(image).collect(), categories, annotations: [] };
    let mut bytes = serde_json::to_vec_pretty(&list)?;
    bytes.push(b'\n');
    Ok(bytes)
}
