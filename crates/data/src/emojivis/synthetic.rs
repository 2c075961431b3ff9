//! Small packages made for tests: no network, no art of others.

use std::{fs, io::Write, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha512};

use super::packages::{Kind, Package};
use crate::scene::Split;

/// Emoji in the synthetic packages.
const EMOJI: usize = 14;

/// A packed package with these files.
pub(super) fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("package/{name}"), *bytes).unwrap();
    }
    let mut bytes = archive.into_inner().unwrap();
    bytes.flush().unwrap();
    bytes.finish().unwrap()
}

/// A package pinned to these bytes.
pub(super) fn pinned(name: &'static str, bytes: &[u8]) -> Package {
    Package {
        name,
        version: "1.0.0",
        sha512: STANDARD.encode(Sha512::digest(bytes)).leak(),
        kind: Kind::Icons,
        family: name,
        split: Split::Train,
        licence: "CC0-1.0",
        credit: "made for a test",
    }
}

/// A WebP picture of one colour.
pub(super) fn webp_square(rgba: [u8; 4]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
    encoder.encode(&rgba.repeat(48 * 48), 48, 48, image::ExtendedColorType::Rgba8).unwrap();
    bytes
}

/// Writes six packages into `store`: labels, three families of training icons, two of validation.
pub(super) fn packages(store: &Path) -> Vec<Package> {
    let code = |i: usize| format!("{:X}", 0x1F400 + i);
    let emoji: Vec<_> = (0..EMOJI)
        .map(|i| serde_json::json!({"hexcode": code(i), "label": format!("thing {i}"), "group": 3 + i % 5, "tags": ["made"]}))
        .collect();
    let labels = pack(&[("en/data.json", serde_json::to_string(&emoji).unwrap().as_bytes())]);
    // Each family draws another shape; each emoji has a colour.
    let shapes = [
        "<path d='M1 1h14v14H1z' fill='F'/>",
        "<circle cx='8' cy='8' r='7' fill='F'/>",
        "<path d='M8 1l7 14H1z' fill='F'/>",
        "<ellipse cx='8' cy='8' rx='7' ry='5' fill='F'/>",
    ];
    let icons = |shape: &str, with_chars: bool| {
        let body = |i: usize| shape.replace('F', &format!("rgb({},{},{})", 17 * i, 250 - 15 * i, 90 + 40 * (i % 4)));
        let icons: serde_json::Map<_, _> =
            (0..EMOJI).map(|i| (format!("thing-{i}"), serde_json::json!({"body": body(i)}))).collect();
        let chars: serde_json::Map<_, _> =
            (0..EMOJI).filter(|_| with_chars).map(|i| (code(i).to_lowercase(), format!("thing-{i}").into())).collect();
        let set = serde_json::json!({"width": 16, "height": 16, "icons": icons}).to_string();
        pack(&[("icons.json", set.as_bytes()), ("chars.json", serde_json::Value::from(chars).to_string().as_bytes())])
    };
    let squares: Vec<(String, Vec<u8>)> = (0..EMOJI)
        .map(|i| (format!("assets/{}.webp", code(i).to_lowercase()), webp_square([17 * i as u8, 60, 200, 255])))
        .collect();
    let squares: Vec<(&str, &[u8])> = squares.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let made = [
        ("labels", labels, Kind::Labels, Split::Train),
        ("@made/square", icons(shapes[0], true), Kind::Icons, Split::Train),
        ("@made/circle", icons(shapes[1], false), Kind::Icons, Split::Train),
        ("@made/triangle", icons(shapes[2], true), Kind::Icons, Split::Train),
        ("@made/ellipse", icons(shapes[3], true), Kind::Icons, Split::Val),
        ("@made/picture", pack(&squares), Kind::Pictures, Split::Val),
    ];
    fs::create_dir_all(store).unwrap();
    made.into_iter()
        .map(|(name, bytes, kind, split)| {
            let package = Package { kind, split, ..pinned(name, &bytes) };
            fs::write(store.join(package.file()), bytes).unwrap();
            package
        })
        .collect()
}
