//! Decoding JPEG and PNG files to 8-bit RGB.
//!
//! Grey becomes three equal channels, 16 bits become 8, transparency is laid over mid-grey (the colour under a transparent pixel is
//! arbitrary, and black or white edges would be a hint to the class). EXIF rotation is applied where it is asked for only: annotation tools
//! disagree on it, and COCO's boxes belong to the pixels as stored.

use std::{
    fs::File,
    io::{self, BufRead, Cursor, Read, Seek},
    path::Path,
};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Rgba};

use super::Picture;
use crate::{DataError, Result};

/// What shows through transparent pixels.
const BACKDROP: u32 = 128;

/// What is wrong with a file that ends before the picture does.
const CUT_SHORT: &str = "the file is cut short or empty";

/// What is wrong with a file of another kind.
const NEITHER: &str = "it is neither JPEG nor PNG";

/// Most memory that decoding one picture may take: a header can claim any size.
const MAX_BYTES: u64 = 1 << 30;

/// Decodes the JPEG or PNG file at `path`; its content decides which, not its name.
///
/// # Errors
/// [`DataError::Io`] when the file cannot be read, [`DataError::Picture`] when it is no picture, damaged, cut short, or larger than
/// 1 GiB.
pub fn decode(path: &Path) -> Result<Picture> {
    decode_turned(path, false)
}

/// [`decode`], turned and mirrored as EXIF says, so that the picture stands as viewers show it.
///
/// # Errors
/// As [`decode`].
pub fn decode_upright(path: &Path) -> Result<Picture> {
    decode_turned(path, true)
}

fn decode_turned(path: &Path, upright: bool) -> Result<Picture> {
    let io = |source| DataError::Io { action: "read", path: path.to_path_buf(), source };
    let broken = |problem: &str| DataError::Picture { path: path.to_path_buf(), problem: problem.into() };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(broken("the file is larger than 1 GiB"));
    }
    let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(io)?;
    let reader = jpeg_or_png(path, reader)?;
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_complete(&bytes) {
        return Err(broken(CUT_SHORT));
    }
    let mut decoder = limited(reader).into_decoder().map_err(|e| picture_error(path, e))?;
    // A broken note about the orientation is no reason to refuse the picture.
    let orientation = if upright { decoder.orientation().ok() } else { None };
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(|e| picture_error(path, e))?;
    if let Some(orientation) = orientation {
        decoded.apply_orientation(orientation);
    }
    let rgb = match decoded {
        DynamicImage::ImageRgb8(rgb) => rgb,
        other if other.color().has_alpha() => over_backdrop(other),
        other => other.into_rgb8(),
    };
    let (width, height) = rgb.dimensions();
    Picture::new(width, height, rgb.into_raw()).ok_or_else(|| broken("the picture has no pixels"))
}

/// Whether the end marker comes after the start of the last scan.
///
/// The decoder fills what is missing with grey, so half a picture would be trained on as if it were whole. Inside a scan every 0xff
/// is followed by 0 or a restart marker, so the two markers cannot occur by chance; a thumbnail lies before the scan.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|pair| pair == marker);
    last([0xff, 0xd9]) > last([0xff, 0xda])
}

/// `[width, height]` of the picture at `path` from its header.
///
/// # Errors
/// As [`decode`].
pub fn dimensions(path: &Path) -> Result<[u32; 2]> {
    let io = |source| DataError::Io { action: "read", path: path.to_path_buf(), source };
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(io)?;
    let (width, height) = limited(jpeg_or_png(path, reader)?).into_dimensions().map_err(|e| picture_error(path, e))?;
    Ok([width, height])
}

/// Refuses what the decoder may know besides, since drawings come in other formats.
fn jpeg_or_png<R: BufRead + Seek>(path: &Path, reader: ImageReader<R>) -> Result<ImageReader<R>> {
    match reader.format() {
        Some(ImageFormat::Jpeg | ImageFormat::Png) => Ok(reader),
        _ => Err(DataError::Picture { path: path.to_path_buf(), problem: NEITHER.into() }),
    }
}

fn limited<R: BufRead + Seek>(mut reader: ImageReader<R>) -> ImageReader<R> {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    reader
}

fn picture_error(path: &Path, error: ImageError) -> DataError {
    let path = path.to_path_buf();
    match error {
        ImageError::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            DataError::Io { action: "read", path, source }
        }
        ImageError::IoError(_) => DataError::Picture { path, problem: CUT_SHORT.into() },
        ImageError::Unsupported(_) => DataError::Picture { path, problem: NEITHER.into() },
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
