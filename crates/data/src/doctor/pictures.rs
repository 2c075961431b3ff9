//! Picture files: there, whole, of the size the boxes were drawn on, and not in both sets.
//!
//! Pictures are decoded in full: a file that is cut short has a healthy header. Whether two files are the same is decided by their bytes.
//! Only files whose length occurs in the other set are hashed, streamed, and files with the same hash are compared byte by byte, so that
//! no chance of the hash can accuse a picture.
//!
//! Trap. The same scene saved anew or scaled has other bytes, so no finding here is no proof that the sets are disjoint.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    hash::{DefaultHasher, Hasher},
    io::{self, Read},
    path::Path,
};

use rayon::prelude::*;

use super::{Finding, Kind, Severity, image_name};
use crate::{DataError, Dataset, ImageRecord, picture};

/// The folders of COCO's pictures.
const COCO_FOLDERS: [&str; 3] = ["train2017", "val2017", "test2017"];

/// Bytes read at once.
const CHUNK: u64 = 1 << 16;

const MISSING: Kind = Kind {
    severity: Severity::Error,
    what: "missing pictures",
    why: "Training stops at the first of them.",
    fix: "Give the folder that holds the pictures, or remove these images from the file.",
};

const UNREADABLE: Kind = Kind {
    severity: Severity::Error,
    what: "unreadable pictures",
    why: "Training stops at the first of them.",
    fix: "Fetch the pictures again, or remove these images from the file.",
};

const OTHER_SIZE: Kind = Kind {
    severity: Severity::Error,
    what: "pictures of another size than the file says",
    why: "Boxes are in pixels of the size in the file, so they lie elsewhere in this picture. Training stops at the first of them.",
    fix: "Restore the original pictures, or correct width, height and boxes.",
};

const SHARED: Kind = Kind {
    severity: Severity::Error,
    what: "pictures of the validation set that are in the training set too",
    why: "The detector knows them by heart, so the scores say nothing about new pictures.",
    fix: "Remove them from one of the sets; split by picture, not by object.",
};

const TWINS: Kind = Kind {
    severity: Severity::Warning,
    what: "pictures that are the same as another of the set",
    why: "Their objects count twice, and where their labels differ, one of the two is wrong.",
    fix: "Keep one of each, with the better labels.",
};

const OTHER_FOLDER: Kind = Kind {
    severity: Severity::Note,
    what: "missing pictures that belong to another of COCO's folders",
    why: "Both sets of LVIS v1 mix pictures of COCO's `train2017` and `val2017`, and each image says by `coco_url` which it is.",
    fix: "Put the folders side by side, `coco/train2017` and `coco/val2017`, and give the folder above both as that of the pictures.",
};

/// What is wrong with a picture.
pub(super) enum Problem {
    Missing,
    Unreadable(String),
    Size([u32; 2]),
}

impl Problem {
    /// The size that the picture has, where that is the problem.
    pub fn size(&self) -> Option<[u32; 2]> {
        match self {
            Self::Size(size) => Some(*size),
            Self::Missing | Self::Unreadable(_) => None,
        }
    }
}

/// The images with a problem, by their place, ascending.
pub(super) fn problems(dataset: &Dataset) -> Vec<(usize, Problem)> {
    let images = dataset.images.par_iter().enumerate();
    images.filter_map(|(at, image)| Some((at, problem(image)?))).collect()
}

/// Findings about the picture files of `dataset`.
pub fn findings(dataset: &Dataset, place: &str) -> Vec<Finding> {
    let problems: Vec<_> = problems(dataset).into_iter().map(|(at, problem)| (&dataset.images[at], problem)).collect();
    let missing =
        || problems.iter().filter(|(_, problem)| matches!(problem, Problem::Missing)).map(|(image, _)| *image);
    let unreadable = problems.iter().filter_map(|(image, problem)| match problem {
        Problem::Unreadable(reason) => Some((image, reason)),
        _ => None,
    });
    let resized = problems.iter().filter_map(|(image, problem)| match problem {
        Problem::Size(size) => Some((image, size)),
        _ => None,
    });
    [
        MISSING.found(place, missing(), image_name),
        OTHER_FOLDER.found(
            place,
            missing().filter_map(|image| Some((image, other_folder(image)?))),
            |(image, hint)| format!("{}: {hint}", image_name(image)),
        ),
        UNREADABLE.found(place, unreadable, |(image, reason)| format!("{}: {reason}", image_name(image))),
        OTHER_SIZE.found(place, resized, |(image, [width, height])| {
            format!("{} is {width}x{height}, not {}x{}", image_name(image), image.width, image.height)
        }),
        TWINS.found(place, twins(dataset), |(at, first)| {
            format!("{} is {}", image_name(&dataset.images[at]), image_name(&dataset.images[first]))
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn problem(image: &ImageRecord) -> Option<Problem> {
    match picture::decode(&image.path) {
        Ok(picture) => {
            let size = [picture.width(), picture.height()];
            (size != [image.width, image.height]).then_some(Problem::Size(size))
        }
        Err(DataError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Some(Problem::Missing),
        Err(DataError::Io { source, .. }) => Some(Problem::Unreadable(source.to_string())),
        Err(DataError::Picture { problem, .. }) => Some(Problem::Unreadable(problem)),
        Err(other) => Some(Problem::Unreadable(other.to_string())),
    }
}

/// Where a missing picture of COCO is, or which folder of COCO is not there; `None` for other pictures.
fn other_folder(image: &ImageRecord) -> Option<String> {
    let (name, folder) = (image.path.file_name()?, image.path.parent()?);
    let is_coco = |folder: &Path| COCO_FOLDERS.iter().any(|known| folder.ends_with(known));
    if !is_coco(folder) {
        return None;
    }
    // With one of the folders given as that of all pictures, `train2017` is looked for inside `val2017`.
    let above = folder.ancestors().find(|above| !is_coco(above))?;
    let found = COCO_FOLDERS.iter().map(|known| above.join(known).join(name)).find(|path| path.is_file());
    match found {
        Some(path) => Some(format!("it is at `{}`", path.display())),
        None => (!folder.is_dir()).then(|| format!("there is no folder `{}`", folder.display())),
    }
}

/// The pictures with the bytes of one before, by their place, and that of the first. Files that cannot be read are passed over.
pub(super) fn twins(dataset: &Dataset) -> Vec<(usize, usize)> {
    let files: Vec<_> = dataset.images.par_iter().enumerate().filter_map(|(at, i)| Some((at, length(i)?))).collect();
    let mut by_length = BTreeMap::<_, Vec<usize>>::new();
    files.into_iter().for_each(|(at, length)| by_length.entry(length).or_default().push(at));
    let path = |at: usize| &dataset.images[at].path;
    let groups: Vec<_> = by_length.into_values().filter(|group| group.len() > 1).collect();
    let found = groups.par_iter().flat_map_iter(|group| {
        let mut first = BTreeMap::<_, Vec<usize>>::new();
        let mut found = Vec::new();
        for (at, key) in group.iter().filter_map(|&at| Some((at, hash(path(at)).ok()?))) {
            let before = first.entry(key).or_default();
            match before.iter().find(|&&other| same_bytes(path(other), path(at)).unwrap_or(false)) {
                Some(&other) => found.push((at, other)),
                None => before.push(at),
            }
        }
        found
    });
    let mut found: Vec<_> = found.collect();
    found.sort_unstable();
    found
}

/// The finding about pictures of `val` whose bytes are those of a picture of `train`. Files that cannot be read are passed over.
pub fn shared(train: &Dataset, val: &Dataset) -> Option<Finding> {
    let [train, val] = [train, val].map(lengths);
    let [train_lengths, val_lengths] = [&train, &val].map(|set| set.iter().map(|file| file.1).collect::<BTreeSet<_>>());
    let mut known = BTreeMap::<_, Vec<&ImageRecord>>::new();
    for (image, key) in keys(&train, &val_lengths) {
        known.entry(key).or_default().push(image);
    }
    let hits: Vec<_> = keys(&val, &train_lengths)
        .into_par_iter()
        .filter_map(|(image, key)| {
            let same = |other: &&&ImageRecord| same_bytes(&other.path, &image.path).unwrap_or(false);
            Some((image, *known.get(&key)?.iter().find(same)?))
        })
        .collect();
    SHARED.found("", hits, |(image, twin)| format!("{} is {} of the training set", image_name(image), image_name(twin)))
}

/// The images with a picture file, each with the file's length.
fn lengths(dataset: &Dataset) -> Vec<(&ImageRecord, u64)> {
    dataset.images.par_iter().filter_map(|image| Some((image, length(image)?))).collect()
}

fn length(image: &ImageRecord) -> Option<u64> {
    fs::metadata(&image.path).ok().filter(fs::Metadata::is_file).map(|file| file.len())
}

/// Length and hash of the files whose length is one of `wanted`.
fn keys<'a>(files: &[(&'a ImageRecord, u64)], wanted: &BTreeSet<u64>) -> Vec<(&'a ImageRecord, (u64, u64))> {
    let wanted = files.par_iter().filter(|(_, length)| wanted.contains(length));
    wanted.filter_map(|&(image, length)| Some((image, (length, hash(&image.path).ok()?)))).collect()
}

/// A hash of the bytes of the file; it never leaves this process, so it need not be the same elsewhere.
fn hash(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut hasher = DefaultHasher::new();
    let mut chunk = Vec::new();
    while next_chunk(&mut file, &mut chunk)? > 0 {
        hasher.write(&chunk);
    }
    Ok(hasher.finish())
}

fn same_bytes(one: &Path, two: &Path) -> io::Result<bool> {
    if one == two {
        return Ok(true);
    }
    let (mut one, mut two) = (File::open(one)?, File::open(two)?);
    let [mut ours, mut theirs] = [Vec::new(), Vec::new()];
    loop {
        let read = next_chunk(&mut one, &mut ours)?;
        next_chunk(&mut two, &mut theirs)?;
        if ours != theirs || read == 0 {
            return Ok(ours == theirs);
        }
    }
}

/// Fills `chunk` with the next bytes of `file`, fewer than [`CHUNK`] only at its end; returns their number.
fn next_chunk(file: &mut File, chunk: &mut Vec<u8>) -> io::Result<usize> {
    chunk.clear();
    file.by_ref().take(CHUNK).read_to_end(chunk)
}
