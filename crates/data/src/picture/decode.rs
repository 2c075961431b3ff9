//! Decoding JPEG and PNG files to 8-bit RGB.
//!
//! Grey becomes three equal channels, 16 bits become 8, transparency is laid over mid-grey (the colour under a transparent pixel is
//! arbitrary, and black or white edges would be a hint to the class). EXIF rotation is not applied: annotation tools disagree on it,
//! and COCO's boxes belong to the pixels as stored.

use std::{io, path::Path};

use image::{DynamicImage, ImageError, ImageReader, Rgba};

use super::Picture;
use crate::{DataError, Result};

/// What shows through transparent pixels.
const BACKDROP: u32 = 128;

/// Most memory that decoding one picture may take: a header can claim any size.
const MAX_BYTES: u64 = 1 << 30;

/// Decodes the JPEG or PNG file at `path`; its content decides which, not its name.
///
/// # Errors
/// [`DataError::Io`] when the file cannot be read, [`DataError::Picture`] when it is no picture, damaged, or larger than 1 GiB decoded.
pub fn decode(path: &Path) -> Result<Picture> {
    let decoded = open(path)?.decode().map_err(|e| picture_error(path, e))?;
    let rgb = match decoded {
        DynamicImage::ImageRgb8(rgb) => rgb,
        other if other.color().has_alpha() => over_backdrop(other),
        other => other.into_rgb8(),
    };
    let (width, height) = rgb.dimensions();
    Picture::new(width, height, rgb.into_raw())
        .ok_or_else(|| DataError::Picture { path: path.to_path_buf(), problem: "the picture has no pixels".into() })
}

/// `[width, height]` of the picture at `path` from its header.
///
/// # Errors
/// As [`decode`].
pub fn dimensions(path: &Path) -> Result<[u32; 2]> {
    let (width, height) = open(path)?.into_dimensions().map_err(|e| picture_error(path, e))?;
    Ok([width, height])
}

fn open(path: &Path) -> Result<ImageReader<io::BufReader<std::fs::File>>> {
    let io = |source| DataError::Io { action: "read", path: path.to_path_buf(), source };
    let mut reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(io)?;
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    Ok(reader)
}

fn picture_error(path: &Path, error: ImageError) -> DataError {
    let path = path.to_path_buf();
    match error {
        ImageError::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            DataError::Io { action: "read", path, source }
        }
        ImageError::IoError(_) => DataError::Picture { path, problem: "the file is cut short or empty".into() },
        ImageError::Unsupported(_) => DataError::Picture { path, problem: "it is neither JPEG nor PNG".into() },
        other => DataError::Picture { path, problem: other.to_string() },
    }
}

fn over_backdrop(picture: DynamicImage) -> image::RgbImage {
    let rgba = picture.into_rgba8();
    let mut rgb = image::RgbImage::new(rgba.width(), rgba.height());
    for (to, &Rgba([r, g, b, alpha])) in rgb.pixels_mut().zip(rgba.pixels()) {
        let alpha = u32::from(alpha);
        let blend = |value: u8| ((u32::from(value) * alpha + BACKDROP * (255 - alpha) + 127) / 255) as u8;
        to.0 = [r, g, b].map(blend);
    }
    rgb
}
