//! Decoding and resizing pictures.

use std::io::Cursor;

use equipoise_data::{
    DataError, Picture,
    picture::{CropBox, decode, decode_upright, dimensions},
};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, RgbaImage};
use proptest::prelude::*;

use crate::fixture::{Folder, pixel};

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decoded(bytes: &[u8]) -> Result<Picture, DataError> {
    decode(&Folder::new().file("picture", bytes))
}

#[test]
fn every_kind_of_pixel_becomes_rgb() {
    let png = |picture: DynamicImage| decoded(&encoded(picture, ImageFormat::Png)).unwrap();
    assert_eq!(png(RgbImage::from_pixel(2, 1, Rgb([1, 2, 3])).into()).pixels(), [1, 2, 3, 1, 2, 3]);
    assert_eq!(png(GrayImage::from_pixel(1, 1, Luma([9])).into()).pixels(), [9, 9, 9]);
    let sixteen = ImageBuffer::<Rgb<u16>, _>::from_pixel(1, 1, Rgb([0x1234, 0xffff, 0]));
    assert_eq!(png(sixteen.into()).pixels(), [0x12, 0xff, 0]);
    let half = RgbaImage::from_raw(3, 1, vec![255, 0, 100, 0, 255, 0, 100, 255, 255, 0, 128, 128]).unwrap();
    assert_eq!(png(half.into()).pixels(), [128, 128, 128, 255, 0, 100, 192, 64, 128]);
    let grey_alpha = ImageBuffer::<LumaA<u8>, _>::from_pixel(1, 1, LumaA([50, 0]));
    assert_eq!(png(grey_alpha.into()).pixels(), [128; 3]);
}

/// A JPEG with an orientation in its EXIF.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let tiff = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", &[orientation, 0, 0, 0][..], &[0; 4]].concat();
    let length = (2 + 6 + tiff.len() as u16).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, b"Exif\0\0", &tiff, &jpeg[2..]].concat()
}

#[test]
fn exif_turns_a_picture_where_it_is_asked_for() {
    let folder = Folder::new();
    let half = RgbImage::from_fn(32, 16, |x, _| Rgb([if x < 16 { 0 } else { 250 }; 3]));
    let jpeg = encoded(half, ImageFormat::Jpeg);
    let path = folder.file("turned.jpg", with_orientation(&jpeg, 6));
    let (stored, upright) = (decode(&path).unwrap(), decode_upright(&path).unwrap());
    assert_eq!([stored.width(), stored.height()], [32, 16]);
    assert_eq!([upright.width(), upright.height()], [16, 32]);
    // A quarter turn to the right: what was left is above.
    assert!(upright.rows().next().unwrap()[0] < 20 && upright.rows().last().unwrap()[0] > 230);
    for (name, bytes) in [("plain.jpg", jpeg.clone()), ("odd.jpg", with_orientation(&jpeg, 99))] {
        assert_eq!(decode_upright(&folder.file(name, &bytes)).unwrap(), decode(&folder.file(name, &bytes)).unwrap());
    }
}

#[test]
fn a_jpeg_is_recognised_by_its_content() {
    let folder = Folder::new();
    let path = folder.file("wrong.png", encoded(RgbImage::from_pixel(16, 8, Rgb([200, 100, 50])), ImageFormat::Jpeg));
    assert_eq!(dimensions(&path).unwrap(), [16, 8]);
    let picture = decode(&path).unwrap();
    assert_eq!((picture.width(), picture.height()), (16, 8));
    let close = pixel(&picture, 5, 5).iter().zip([200i32, 100, 50]).all(|(&a, b)| (i32::from(a) - b).abs() < 6);
    assert!(close, "{:?}", pixel(&picture, 5, 5));
    let grey = decoded(&encoded(GrayImage::from_pixel(8, 8, Luma([77])), ImageFormat::Jpeg)).unwrap();
    assert!(grey.pixels().iter().all(|v| v.abs_diff(77) < 3));
}

#[test]
fn damaged_pictures_are_named_and_never_panic() {
    let folder = Folder::new();
    let png = encoded(RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, 1])), ImageFormat::Png);
    let jpeg = encoded(RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, 1])), ImageFormat::Jpeg);
    for (name, bytes) in [
        ("half.jpg", &jpeg[..jpeg.len() - 200]),
        ("no_end.jpg", &jpeg[..jpeg.len() - 1]),
        ("empty.jpg", b""),
        ("empty.png", b""),
        ("text.png", b"hello"),
        ("cut.png", &png[..png.len() / 2]),
        ("head.png", &png[..20]),
        ("head.jpg", b"\xff\xd8\xff\xe0"),
    ] {
        let error = decode(&folder.file(name, bytes)).unwrap_err();
        assert!(matches!(error, DataError::Picture { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
    decode(&folder.file("junk_behind.jpg", [&jpeg[..], b"\0\0behind"].concat())).unwrap();
    let error = decode(&folder.path().join("gone.png")).unwrap_err();
    assert!(matches!(error, DataError::Io { action: "read", .. }), "{error:?}");
}

#[test]
fn a_header_that_claims_too_much_is_refused() {
    let mut png = encoded(RgbImage::new(1, 1), ImageFormat::Png);
    // Width and height in the header, 2^30 each, with the right checksum so that nothing else is wrong.
    png[16..24].copy_from_slice(&[0x40, 0, 0, 0, 0x40, 0, 0, 0]);
    let checksum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    assert!(matches!(decoded(&png).unwrap_err(), DataError::Picture { .. }));
}

/// The checksum of PNG chunks (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 })
    })
}

#[test]
fn resizing_keeps_colours_and_positions() {
    let flat = Picture::new(30, 20, [10, 20, 30].repeat(600)).unwrap();
    for (width, height) in [(30, 20), (7, 5), (100, 90), (1, 1), (0, 0)] {
        let whole = CropBox::whole(&flat);
        let resized = flat.clone().resize(whole, width, height);
        assert_eq!((resized.width(), resized.height()), (width.max(1), height.max(1)));
        assert!(resized.pixels().chunks(3).all(|p| p == [10, 20, 30]));
    }
    let ramp: Vec<u8> = (0..100).flat_map(|i| [(i % 10 * 20) as u8, (i / 10 * 20) as u8, 0]).collect();
    let ramp = Picture::new(10, 10, ramp).unwrap();
    let half = ramp.clone().resize(CropBox::whole(&ramp), 5, 5);
    // Pixel 2 of 5 covers pixels 4 and 5 of 10: about (80 + 100) / 2.
    assert!(pixel(&half, 2, 2)[0].abs_diff(90) <= 1 && pixel(&half, 2, 2)[1].abs_diff(90) <= 1);
    let part = ramp.clone().resize(CropBox { left: 3.0, top: 6.0, width: 4.0, height: 2.0 }, 4, 2);
    assert_eq!((pixel(&part, 0, 0), pixel(&part, 3, 1)), ([60, 120, 0], [120, 140, 0]));
}

#[test]
fn flipping_mirrors_rows() {
    let mut picture = Picture::new(3, 2, (0..18).collect()).unwrap();
    picture.flip();
    assert_eq!(picture.pixels(), [6, 7, 8, 3, 4, 5, 0, 1, 2, 15, 16, 17, 12, 13, 14, 9, 10, 11]);
    picture.flip();
    assert_eq!(picture.pixels(), (0..18).collect::<Vec<u8>>());
}

#[test]
fn a_picture_must_have_its_pixels() {
    assert!(Picture::new(2, 2, vec![0; 11]).is_none());
    assert!(Picture::new(0, 5, vec![]).is_none());
    assert!(Picture::new(u32::MAX, u32::MAX, vec![0; 3]).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn cut_and_changed_files_never_panic(jpeg: bool, cut in 0.0f64..1.0, at in 0.0f64..1.0, byte: u8) {
        let format = if jpeg { ImageFormat::Jpeg } else { ImageFormat::Png };
        let good = RgbImage::from_fn(24, 24, |x, y| Rgb([(x * y) as u8, (x * 9) as u8, (y * 9) as u8]));
        let mut bytes = encoded(good, format);
        bytes.truncate((bytes.len() as f64 * (0.5 + cut)) as usize);
        let at = (bytes.len() as f64 * at) as usize;
        bytes[at] = byte;
        if let Ok(picture) = decoded(&bytes) {
            prop_assert_eq!(picture.pixels().len(), (picture.width() * picture.height() * 3) as usize);
        }
    }

    #[test]
    fn any_part_gives_a_picture_of_the_size_asked_for(
        part in prop::array::uniform4(prop_oneof![-20.0f64..40.0, any::<f64>()]), width in 0u32..40, height in 0u32..40,
    ) {
        let [left, top, w, h] = part;
        let picture = Picture::new(9, 6, vec![5; 9 * 6 * 3]).unwrap();
        let resized = picture.resize(CropBox { left, top, width: w, height: h }, width, height);
        prop_assert_eq!((resized.width(), resized.height()), (width.max(1), height.max(1)));
        prop_assert!(resized.pixels().iter().all(|&v| v == 5));
    }
}

#[test]
fn transparent_palette_pictures_are_decoded() {
    // 2 x 1, palette of two colours, the first fully transparent.
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8], data: &[u8]| {
        png.extend((data.len() as u32).to_be_bytes());
        let body = [kind, data].concat();
        png.extend(&body);
        png.extend(crc(&body).to_be_bytes());
    };
    chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 1, 8, 3, 0, 0, 0]);
    chunk(b"PLTE", &[255, 0, 0, 1, 2, 3]);
    chunk(b"tRNS", &[0]);
    // One stored block: filter byte 0, then the indices 0 and 1, and their Adler checksum.
    chunk(b"IDAT", &[0x78, 0x01, 1, 3, 0, 0xfc, 0xff, 0, 0, 1, 0, 5, 0, 2]);
    chunk(b"IEND", &[]);
    assert_eq!(decoded(&png).unwrap().pixels(), [128, 128, 128, 1, 2, 3]);
}
