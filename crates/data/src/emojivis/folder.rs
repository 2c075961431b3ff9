//! The folder of a set: its layout, and going on where a build ended.
//!
//! `set.json` is written twice: first, marked incomplete, so that the folder is known as this very set's; last, marked complete. A picture
//! gets its name only when it is whole, so a build that was killed goes on with those that are missing. A folder of other options, or of
//! somebody else, is left alone.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use serde::Serialize;

use super::{
    config::{Backgrounds, EmojiVisConfig},
    packages::Package,
    part::Part,
    photos::Photo,
};
use crate::{DataError, Result, write_atomically, write_whole};

/// Raise it when the same options give other pictures than before.
const GENERATOR: u32 = 1;

/// Quality of the pictures.
const JPEG_QUALITY: u8 = 92;

/// Federated labels of the training pictures.
const FEDERATED: &str = "train_federated.json";

/// Where the set comes from; nothing in it depends on the day or the machine.
#[derive(Serialize)]
struct Manifest<'a> {
    generator: u32,
    complete: bool,
    config: &'a EmojiVisConfig,
    /// What is behind the objects.
    backgrounds: Backgrounds,
    photos: &'a [Photo],
    packages: Vec<Source<'a>>,
}

/// A package in the manifest.
#[derive(Serialize)]
struct Source<'a> {
    name: &'a str,
    version: &'a str,
    sha512: &'a str,
    used_for: &'static str,
    family: &'a str,
    licence: &'a str,
    credit: &'a str,
}

/// Where the files of a set go.
pub(super) struct Folder {
    dir: PathBuf,
    incomplete: Vec<u8>,
    complete: Vec<u8>,
    pictures: [usize; 3],
}

fn fail(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_path_buf();
    move |source| DataError::Io { action, path, source }
}

impl Folder {
    pub fn new(dir: &Path, config: &EmojiVisConfig, packages: &[Package], photos: &[Photo]) -> Result<Self> {
        use super::packages::Kind;
        use crate::scene::Split;
        let source = |package: &Package| Source {
            used_for: match (package.kind, package.split) {
                (Kind::Labels, _) => "labels",
                (_, Split::Train) => "training",
                (_, Split::Val) => "validation",
            },
            name: package.name,
            version: package.version,
            sha512: package.sha512,
            family: package.family,
            licence: package.licence,
            credit: package.credit,
        };
        let manifest = |complete| {
            let backgrounds = if photos.is_empty() { Backgrounds::Procedural } else { Backgrounds::Photos };
            let packages = packages.iter().map(source).collect();
            let manifest = Manifest { generator: GENERATOR, complete, config, backgrounds, photos, packages };
            let mut bytes =
                serde_json::to_vec_pretty(&manifest).map_err(|e| fail("write", &dir.join("set.json"))(e.into()))?;
            bytes.push(b'\n');
            Ok(bytes)
        };
        let (incomplete, complete) = (manifest(false)?, manifest(true)?);
        Ok(Self { dir: dir.to_path_buf(), incomplete, complete, pictures: config.pictures() })
    }

    fn manifest(&self) -> PathBuf {
        self.dir.join("set.json")
    }

    /// The LVIS JSON of a part.
    pub fn json(&self, part: Part) -> PathBuf {
        self.dir.join(format!("{}.json", part.name()))
    }

    /// The LVIS JSON of the training pictures with federated labels.
    pub fn federated(&self) -> PathBuf {
        self.dir.join(FEDERATED)
    }

    /// The contact sheet.
    pub fn sheet(&self) -> PathBuf {
        self.dir.join("contact_sheet.png")
    }

    /// Path of a picture relative to the folder: `train/00001.jpg`.
    pub fn name(part: Part, index: usize) -> String {
        format!("{}/{:05}.jpg", part.name(), index + 1)
    }

    /// Path of a picture.
    pub fn picture(&self, part: Part, index: usize) -> PathBuf {
        self.dir.join(Self::name(part, index))
    }

    /// Whether the folder holds this very set, with all its files.
    pub fn is_complete(&self) -> bool {
        let all = |(part, count): (Part, usize)| {
            self.json(part).is_file() && (0..count).all(|i| self.picture(part, i).is_file())
        };
        fs::read(self.manifest()).is_ok_and(|found| found == self.complete)
            && self.federated().is_file()
            && self.sheet().is_file()
            && Part::ALL.into_iter().zip(self.pictures).all(all)
    }

    /// Marks the folder as being built and takes away what a killed build left half-written.
    ///
    /// # Errors
    /// [`DataError::Option`] when the folder holds something else.
    pub fn begin(&self) -> Result<()> {
        let other = |what: String| DataError::Option {
            option: "dir",
            got: self.dir.display().to_string(),
            expected: format!("an empty folder, or one where this very set is being built: {what}"),
        };
        match fs::read(self.manifest()) {
            Ok(found) if found == self.incomplete || found == self.complete => {}
            Ok(_) => {
                let manifest = self.manifest();
                return Err(other(format!(
                    "by `{}` it is a set of other options, packages or photos",
                    manifest.display()
                )));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let strange = Part::ALL.into_iter().flat_map(|part| [self.dir.join(part.name()), self.json(part)]);
                if let Some(strange) = strange.into_iter().find(|path| path.exists()) {
                    return Err(other(format!("`{}` is not part of one", strange.display())));
                }
            }
            Err(e) => return Err(fail("read", &self.manifest())(e)),
        }
        for part in Part::ALL {
            let pictures = self.dir.join(part.name());
            fs::create_dir_all(&pictures).map_err(fail("create", &pictures))?;
            for entry in fs::read_dir(&pictures).map_err(fail("read", &pictures))? {
                let entry = entry.map_err(fail("read", &pictures))?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.starts_with('.') && name.ends_with(".tmp") {
                    fs::remove_file(entry.path()).map_err(fail("remove", &entry.path()))?;
                }
            }
        }
        write_atomically(&self.manifest(), &self.incomplete)
    }

    /// Whether a picture is there and whole: it begins and ends as a JPEG does.
    pub fn has(&self, part: Part, index: usize) -> bool {
        let ends = || -> io::Result<[u8; 4]> {
            let mut file = File::open(self.picture(part, index))?;
            let mut ends = [0; 4];
            file.read_exact(&mut ends[..2])?;
            file.seek(SeekFrom::End(-2))?;
            file.read_exact(&mut ends[2..])?;
            Ok(ends)
        };
        ends().is_ok_and(|ends| ends == [0xff, 0xd8, 0xff, 0xd9])
    }

    /// Writes a picture as JPEG.
    pub fn write_picture(&self, part: Part, index: usize, side: u32, rgb: &[u8]) -> Result<()> {
        let path = self.picture(part, index);
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
            .encode(rgb, side, side, ExtendedColorType::Rgb8)
            .map_err(|e| fail("write", &path)(io::Error::other(e)))?;
        write_whole(&path, &bytes)
    }

    /// Writes the credits and, last of all, the mark of completeness.
    pub fn finish(&self, packages: &[Package], photos: bool) -> Result<()> {
        write_atomically(&self.dir.join("CREDITS.txt"), credits(packages, photos).as_bytes())?;
        write_atomically(&self.manifest(), &self.complete)
    }
}

/// Whom the pictures are owed to, and what that asks of those who pass them on.
fn credits(packages: &[Package], photos: bool) -> String {
    let mut text = String::from("The pictures in this folder contain drawings from these works:\n\n");
    for package in packages.iter().filter(|package| package.kind != super::packages::Kind::Labels) {
        text += &format!("* {}\n  licence {}, from the package {}\n", package.credit, package.licence, package.id());
    }
    text += "
Changes: the drawings were drawn as pixels, scaled, rotated, some mirrored, changed in colour and brightness, partly covered,
blurred, and pasted onto other pictures.

CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/) asks for the credits above wherever a picture is shown.
CC-BY-SA-4.0 (https://creativecommons.org/licenses/by-sa/4.0/) asks that what is made of such drawings be passed on under the
same licence: that holds for every validation picture, for training pictures with a drawing of EmojiOne 1, and for the contact sheet.
";
    if photos {
        text += "
Backgrounds are cut-outs of photos from packages of wallpapers; `set.json` lists the files with their packages and licences (GPL-2+,
CC-BY-SA, CC-BY, CC0), the packages name the photographers. These licences hold for pictures made of them, too.
";
    }
    text
}
