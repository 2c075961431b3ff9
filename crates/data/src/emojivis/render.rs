//! Drawings as pixels, kept between builds.
//!
//! A drawing is rendered once for each size and kept as PNG, premultiplied, in a folder named by the checksum of its package. A file there
//! that cannot be read is drawn anew. In memory drawings stay packed: as sprites, those of the largest set would take a gigabyte.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use image::{
    ExtendedColorType, ImageEncoder, ImageFormat,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

use super::{
    catalogue::{Art, Drawing},
    packages::Package,
};
use crate::{DataError, Result, scene::Sprite, write_whole};

/// Raise it when the same drawing gives other pixels than before.
const RENDERER: u32 = 1;

/// Most pixels along a side of a drawing.
const MOST_SIDE: u32 = 1024;

/// A drawing as PNG.
pub(super) struct Rendered(Vec<u8>);

/// The folder of rendered drawings.
pub(super) struct Renderings<'a> {
    pub dir: &'a Path,
    /// Longer side of a rendered icon, pixels.
    pub size: u32,
}

impl Renderings<'_> {
    /// The pixels of a drawing, kept or drawn now.
    ///
    /// # Errors
    /// [`DataError::Art`] when it cannot be drawn, [`DataError::Io`] when it cannot be kept.
    pub fn get(&self, drawing: &Drawing, package: &Package) -> Result<Rendered> {
        let path = self.path(drawing, package);
        if let Some(kept) = path.as_ref().and_then(|path| fs::read(path).ok()).map(Rendered)
            && kept.sprite(&drawing.name).is_ok()
        {
            return Ok(kept);
        }
        let rendered = self.draw(drawing)?;
        if let Some(path) = &path {
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir).map_err(|source| DataError::Io {
                    action: "create",
                    path: dir.into(),
                    source,
                })?;
            }
            write_whole(path, &rendered.0)?;
        }
        Ok(rendered)
    }

    /// Where a drawing is kept; a name that is no plain file name is not.
    fn path(&self, drawing: &Drawing, package: &Package) -> Option<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if drawing.name.is_empty() || !drawing.name.chars().all(plain) {
            return None;
        }
        let checksum: String = package.sha512.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let mirrored = match &drawing.art {
            Art::Svg(svg) if svg.contains("matrix(-1 0 0 1") => "-mirrored",
            _ => "",
        };
        let folder = format!("{}-{RENDERER}-{}", package.file().trim_end_matches(".tgz"), self.size);
        Some(self.dir.join(folder).join(checksum).join(format!("{}{mirrored}.png", drawing.name)))
    }

    fn draw(&self, drawing: &Drawing) -> Result<Rendered> {
        let (side, pixels) = match &drawing.art {
            Art::Svg(svg) => (self.size, Sprite::rasterize(&drawing.name, svg, self.size)?),
            Art::WebP(bytes) => webp(&drawing.name, bytes)?,
        };
        // Nothing visible is an error now, not in the middle of a build.
        Sprite::from_pixels(&drawing.name, &pixels, side as usize)?;
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
            .write_image(pixels.as_flattened(), side, side, ExtendedColorType::Rgba8)
            .map_err(|e| art_error(&drawing.name, &e))?;
        Ok(Rendered(png))
    }
}

impl Rendered {
    /// The drawing, ready to be placed.
    pub fn sprite(&self, name: &str) -> Result<Sprite> {
        let (side, pixels) = decode(name, &self.0, ImageFormat::Png)?;
        Sprite::from_pixels(name, &pixels, side as usize)
    }
}

fn art_error(name: &str, reason: &dyn std::fmt::Display) -> DataError {
    DataError::Art { name: name.to_owned(), reason: reason.to_string() }
}

/// Side and RGBA pixels of a picture, made square by transparency on the right or below.
fn decode(name: &str, bytes: &[u8], format: ImageFormat) -> Result<(u32, Vec<[u8; 4]>)> {
    let mut reader = image::ImageReader::with_format(io::Cursor::new(bytes), format);
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MOST_SIDE), Some(MOST_SIDE));
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| art_error(name, &e))?.into_rgba8();
    let (width, height) = picture.dimensions();
    let side = width.max(height);
    let mut pixels = vec![[0; 4]; (side * side) as usize];
    for (x, y, pixel) in picture.enumerate_pixels() {
        pixels[(y * side + x) as usize] = pixel.0;
    }
    Ok((side, pixels))
}

/// A WebP picture, premultiplied.
fn webp(name: &str, bytes: &[u8]) -> Result<(u32, Vec<[u8; 4]>)> {
    let (side, mut pixels) = decode(name, bytes, ImageFormat::WebP)?;
    for pixel in &mut pixels {
        let alpha = u32::from(pixel[3]);
        (0..3).for_each(|c| pixel[c] = ((u32::from(pixel[c]) * alpha + 127) / 255) as u8);
    }
    Ok((side, pixels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emojivis::synthetic::{pinned, webp_square};

    const SQUARE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path fill="#F00" fill-opacity=".5" d="M0 0h8v8H0z"/></svg>"##;

    fn drawing(name: &str, art: Art) -> Drawing {
        Drawing { package: 0, name: name.into(), art }
    }

    #[test]
    fn what_is_kept_is_what_was_drawn_and_damage_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let renderings = Renderings { dir: dir.path(), size: 32 };
        let package = pinned("@made/up", b"x");
        let square = drawing("a-square", Art::Svg(SQUARE.into()));
        let first = renderings.get(&square, &package).unwrap();
        let path = renderings.path(&square, &package).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first.0);
        // Half-transparent red, premultiplied, comes back bit for bit.
        let (_, pixels) = decode("kept", &first.0, ImageFormat::Png).unwrap();
        assert_eq!(pixels, Sprite::rasterize("square", SQUARE, 32).unwrap());
        for damage in [&first.0[..first.0.len() / 2], b""] {
            fs::write(&path, damage).unwrap();
            assert_eq!(renderings.get(&square, &package).unwrap().0, first.0);
            assert_eq!(fs::read(&path).unwrap(), first.0);
        }
    }

    #[test]
    fn webp_is_drawn_and_broken_art_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let renderings = Renderings { dir: dir.path(), size: 32 };
        let package = pinned("@made/up", b"x");
        let good = drawing("1f986", Art::WebP(webp_square([9, 200, 30, 255])));
        assert!(renderings.get(&good, &package).unwrap().sprite("good").is_ok());
        for art in [Art::WebP(b"RIFF".to_vec()), Art::WebP(webp_square([1, 1, 1, 0])), Art::Svg("<svg".into())] {
            assert!(matches!(renderings.get(&drawing("bad", art), &package), Err(DataError::Art { .. })));
        }
        let outside = drawing("../../outside", Art::Svg(SQUARE.into()));
        assert!(renderings.get(&outside, &package).is_ok() && renderings.path(&outside, &package).is_none());
    }
}
