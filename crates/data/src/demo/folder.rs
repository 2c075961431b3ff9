//! The folder of a demo set: its layout, and how a finished one is told from a half-built one.
//!
//! `demo.json` is written twice: first, marked incomplete, so that a half-built folder is known as ours and may be built over; last, marked
//! complete. A folder with pictures but without this file belongs to somebody else and is left alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use serde::Serialize;

use super::DemoConfig;
use crate::{DataError, Result, scene::Split, write_atomically};

/// Raise it when the same options give other pictures than before.
const GENERATOR: u32 = 1;

const CREDITS: &str = "\
The pictures in this folder contain graphics from Twemoji (https://github.com/jdecked/twemoji),
copyright 2020 Twitter, Inc and other contributors, licensed under CC-BY 4.0
(https://creativecommons.org/licenses/by/4.0/).

Changes: the graphics were drawn as pixels, scaled, rotated, mirrored, changed in colour and brightness, partly covered,
blurred, and pasted onto generated backgrounds.
";

#[derive(Serialize)]
struct Manifest<'a> {
    generator: u32,
    complete: bool,
    config: &'a DemoConfig,
}

/// Where the files of a set go.
pub(super) struct Folder {
    dir: PathBuf,
    incomplete: Vec<u8>,
    complete: Vec<u8>,
    pictures: [usize; 2],
}

fn name(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Val => "val",
    }
}

fn fail(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_path_buf();
    move |source| DataError::Io { action, path, source }
}

impl Folder {
    pub fn new(dir: &Path, config: &DemoConfig) -> Result<Self> {
        let manifest = |complete| {
            let mut bytes = serde_json::to_vec_pretty(&Manifest { generator: GENERATOR, complete, config })
                .map_err(|e| fail("write", &dir.join("demo.json"))(e.into()))?;
            bytes.push(b'\n');
            Ok(bytes)
        };
        Ok(Self {
            dir: dir.to_path_buf(),
            incomplete: manifest(false)?,
            complete: manifest(true)?,
            pictures: [config.images, config.val_images],
        })
    }

    fn manifest(&self) -> PathBuf {
        self.dir.join("demo.json")
    }

    /// The LVIS JSON of a split.
    pub fn json(&self, split: Split) -> PathBuf {
        self.dir.join(format!("{}.json", name(split)))
    }

    /// Path of a picture relative to the folder: `train/0001.png`.
    pub fn picture(split: Split, index: usize) -> String {
        format!("{}/{:04}.png", name(split), index + 1)
    }

    /// Whether the folder holds this very set, with all its files.
    pub fn is_complete(&self) -> bool {
        let all = |(split, count): (Split, usize)| {
            self.json(split).is_file() && (0..count).all(|i| self.dir.join(Self::picture(split, i)).is_file())
        };
        fs::read(self.manifest()).is_ok_and(|found| found == self.complete)
            && [Split::Train, Split::Val].into_iter().zip(self.pictures).all(all)
    }

    /// Empties the folder of an older set and marks it as being built.
    pub fn begin(&self) -> Result<()> {
        let ours = self.manifest().exists();
        for split in [Split::Train, Split::Val] {
            let pictures = self.dir.join(name(split));
            for path in [&pictures, &self.json(split)] {
                if !ours && path.exists() {
                    return Err(DataError::Option {
                        option: "dir",
                        got: self.dir.display().to_string(),
                        expected: format!("an empty folder: `{}` is not part of a demo set", path.display()),
                    });
                }
            }
        }
        fs::create_dir_all(&self.dir).map_err(fail("create", &self.dir))?;
        write_atomically(&self.manifest(), &self.incomplete)?;
        for split in [Split::Train, Split::Val] {
            let pictures = self.dir.join(name(split));
            match fs::remove_dir_all(&pictures) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail("remove", &pictures)(e)),
                _ => fs::create_dir(&pictures).map_err(fail("create", &pictures))?,
            }
            let json = self.json(split);
            match fs::remove_file(&json) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail("remove", &json)(e)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes a picture as PNG.
    pub fn write_picture(&self, split: Split, index: usize, side: u32, rgb: &[u8]) -> Result<()> {
        let path = self.dir.join(Self::picture(split, index));
        let mut bytes = Vec::new();
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive)
            .write_image(rgb, side, side, ExtendedColorType::Rgb8)
            .map_err(|e| fail("write", &path)(io::Error::other(e)))?;
        fs::write(&path, bytes).map_err(fail("write", &path))
    }

    /// Writes the credits and, last of all, the mark of completeness.
    pub fn finish(&self) -> Result<()> {
        write_atomically(&self.dir.join("CREDITS.txt"), CREDITS.as_bytes())?;
        write_atomically(&self.manifest(), &self.complete)
    }
}
