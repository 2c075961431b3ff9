//! Photos for backgrounds, when packages of wallpapers are installed.
//!
//! Only photos that show none of the classes are listed, and each belongs to one split. A photo is known by its checksum, so a set says
//! which ones it was made of.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::{config::Backgrounds, store::sha512};
use crate::{
    DataError, Picture, Result,
    picture::{CropBox, decode},
    scene::Split,
};

/// Photos that a split needs at least.
const ENOUGH: [usize; 2] = [4, 2];

/// Shorter side of a photo in memory: the smallest cut-out, a quarter of it, is a picture's side of 256.
const SHORT_SIDE: u32 = 1024;

/// What to install, in Debian and its relatives.
const INSTALL: &str = "apt-get install mate-backgrounds lomiri-wallpapers-16.04";

/// Photos below the folder of backgrounds: split, package, file, licence.
const KNOWN: &[(Split, &str, &str, &str)] = &[
    (Split::Train, MATE, "mate/nature/Blinds.jpg", MATE_LICENCE),
    (Split::Train, MATE, "mate/nature/Dune.jpg", MATE_LICENCE),
    (Split::Train, MATE, "mate/nature/FreshFlower.jpg", MATE_LICENCE),
    (Split::Train, MATE, "mate/nature/GreenMeadow.jpg", MATE_LICENCE),
    (Split::Train, MATE, "mate/nature/Storm.jpg", MATE_LICENCE),
    (Split::Train, MATE, "mate/nature/TwoWings.jpg", MATE_LICENCE),
    (Split::Train, MATE, "mate/nature/Wood.jpg", MATE_LICENCE),
    (Split::Train, LOMIRI, "Bridge_by_Sander_Klootwijk.jpg", LOMIRI_LICENCE),
    (Split::Train, LOMIRI, "aitzgorri_by_Aitzol_Berasategi.jpg", LOMIRI_LICENCE),
    (Split::Train, LOMIRI, "life_by_Aitzol_Berasategi.jpg", LOMIRI_LICENCE),
    (Split::Train, LOMIRI, "sunset_by_Aitzol_Berasategi.jpg", LOMIRI_LICENCE),
    (Split::Val, MATE, "mate/nature/Aqua.jpg", MATE_LICENCE),
    (Split::Val, MATE, "mate/nature/RainDrops.jpg", MATE_LICENCE),
    (Split::Val, LOMIRI, "Dragonfly_by_Bolly.jpg", LOMIRI_LICENCE),
    (Split::Val, LOMIRI, "analogpattern_by_Peter_Nerlich.jpg", LOMIRI_LICENCE),
    (Split::Val, LOMIRI, "picosdeeuropa_by_Aitzol_Berasategi.jpg", LOMIRI_LICENCE),
    (Split::Val, LOMIRI, "seeding_by_Clements_Engelhardt.jpg", LOMIRI_LICENCE),
];

const MATE: &str = "mate-backgrounds";
const MATE_LICENCE: &str = "GPL-2+ or CC-BY-SA-4.0";
const LOMIRI: &str = "lomiri-wallpapers-16.04";
const LOMIRI_LICENCE: &str = "CC-BY-4.0, CC-BY-SA-3.0, CC-BY-SA-4.0 or CC0";

/// A photo that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Photo {
    #[serde(skip)]
    split: Split,
    file: &'static str,
    package: &'static str,
    licence: &'static str,
    sha512: String,
}

/// The photos below `root` that are to be used; none for procedural backgrounds.
///
/// # Errors
/// [`DataError::Option`] when photos are asked for and too few are there.
pub(super) fn find(root: &Path, backgrounds: Backgrounds) -> Result<Vec<Photo>> {
    if backgrounds == Backgrounds::Procedural {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for &(split, package, file, licence) in KNOWN {
        let path = root.join(file);
        if path.is_file() {
            found.push(Photo { split, file, package, licence, sha512: sha512(&path)? });
        }
    }
    let count = |split| found.iter().filter(|photo| photo.split == split).count();
    let counts = [count(Split::Train), count(Split::Val)];
    if counts.iter().zip(ENOUGH).all(|(&count, enough)| count >= enough) {
        return Ok(found);
    }
    if backgrounds == Backgrounds::Auto {
        return Ok(Vec::new());
    }
    Err(DataError::Option {
        option: "backgrounds",
        got: format!(
            "photos, but `{}` has {} for training and {} for validation",
            root.display(),
            counts[0],
            counts[1]
        ),
        expected: format!("{} and {}, which `{INSTALL}` brings, or procedural backgrounds", ENOUGH[0], ENOUGH[1]),
    })
}

/// Decodes the photos of a split.
pub(super) fn load(root: &Path, photos: &[Photo], split: Split) -> Result<Vec<Picture>> {
    let load = |photo: &Photo| {
        let picture = decode(&root.join(photo.file))?;
        let (width, height) = (picture.width(), picture.height());
        let scaled = |length: u32| {
            (u64::from(length) * u64::from(SHORT_SIDE) / u64::from(width.min(height))).try_into().unwrap_or(u32::MAX)
        };
        let whole = CropBox::whole(&picture);
        let small = width.min(height) <= SHORT_SIDE;
        Ok(if small { picture } else { picture.resize(whole, scaled(width), scaled(height)) })
    };
    photos.par_iter().filter(|photo| photo.split == split).map(load).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_are_used_when_enough_are_there() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(find(root.path(), Backgrounds::Auto).unwrap(), []);
        let error = find(root.path(), Backgrounds::Photos).unwrap_err().to_string();
        assert!(error.contains("apt-get install mate-backgrounds"), "{error}");
        for (_, _, file, _) in KNOWN {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            image::RgbImage::from_pixel(30, 20, image::Rgb([90, 120, 10])).save(path).unwrap();
        }
        let found = find(root.path(), Backgrounds::Auto).unwrap();
        assert_eq!(found, find(root.path(), Backgrounds::Photos).unwrap());
        assert_eq!(found.len(), KNOWN.len());
        assert_eq!(find(root.path(), Backgrounds::Procedural).unwrap(), []);
        let load = |split| load(root.path(), &found, split).unwrap();
        assert_eq!((load(Split::Train).len(), load(Split::Val).len()), (11, 6));
        assert_eq!(load(Split::Val)[0].width(), 30, "small photos stay as they are");
    }
}
