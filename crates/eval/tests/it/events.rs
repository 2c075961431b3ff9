//! Event files: what is in them, read by a second reader, and what a killed or resumed run leaves.

use std::fs;
use std::path::Path;

use equipoise_eval::record::{EventFile, MOST_IMAGE_BYTES, Metrics, RunDir, RunRecord, TensorBoard};

use crate::synthetic::{run, sets};

/// The messages of a file; a cut last record is left out, a wrong checksum is a failure.
fn messages(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut all) = (&bytes[..], Vec::new());
    let checked = |bytes: &[u8], sum: &[u8]| {
        let crc = crc32c::crc32c(bytes);
        let masked = crc.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked.to_le_bytes(), sum, "the checksum of a record");
    };
    while rest.len() >= 12 {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        checked(&rest[..8], &rest[8..12]);
        if rest.len() < 16 + length {
            break;
        }
        checked(&rest[12..12 + length], &rest[12 + length..16 + length]);
        all.push(rest[12..12 + length].to_vec());
        rest = &rest[16 + length..];
    }
    all
}

/// Fields of a message: number and contents, a varint or a fixed number as its bytes.
fn fields(mut message: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let varint = |bytes: &mut &[u8]| {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    };
    let mut all = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => {
                all.push(((key >> 3) as u8, varint(&mut message).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        all.push(((key >> 3) as u8, message[..length].to_vec()));
        message = &message[length..];
    }
    all
}

fn field(message: &[u8], number: u8) -> Option<Vec<u8>> {
    fields(message).into_iter().find(|(n, _)| *n == number).map(|(_, bytes)| bytes)
}

/// Tag, step and value of every scalar in a file.
fn scalars(path: &Path) -> Vec<(String, u64, f32)> {
    let mut all = Vec::new();
    for message in messages(path) {
        let step = field(&message, 2).map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()));
        let Some(summary) = field(&message, 5) else { continue };
        for (_, value) in fields(&summary) {
            let Some(number) = field(&value, 2) else { continue };
            let tag = String::from_utf8(field(&value, 1).unwrap()).unwrap();
            all.push((tag, step, f32::from_le_bytes(number.try_into().unwrap())));
        }
    }
    all
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventFile::create(&folder.path().join("deep/er")).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("deep/er")).unwrap().count(), 1);
    events.scalar("a", 300, 0.25).unwrap();
    events.scalars(1 << 40, &[("b", 1.0), ("none", f64::NAN), ("c/d", -2.0)]).unwrap();
    events.scalars(7, &[("none", f64::INFINITY)]).unwrap();
    events.histogram("h", 5, &[0.0, 1.0, 1.0, f64::NAN]).unwrap();
    events.histogram("nothing", 5, &[f64::NAN]).unwrap();
    let expected = [("a".to_string(), 300, 0.25), ("b".into(), 1 << 40, 1.0), ("c/d".into(), 1 << 40, -2.0)];
    assert_eq!(scalars(events.path()), expected);
    let all = messages(events.path());
    assert_eq!(field(&all[0], 3).unwrap(), b"brain.Event:2");
    assert_eq!(all.len(), 4, "what is not finite leaves no event");
    let histogram = field(&field(&field(&all[3], 5).unwrap(), 1).unwrap(), 5).unwrap();
    let double = |number| f64::from_le_bytes(field(&histogram, number).unwrap().try_into().unwrap());
    assert_eq!([1, 2, 3, 4, 5].map(double), [0.0, 1.0, 3.0, 2.0, 2.0]);
    assert_eq!(field(&histogram, 6).unwrap().len(), 8 * 30);
}

#[test]
fn a_second_session_gets_a_file_of_its_own_that_sorts_later() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = [(); 2].map(|()| EventFile::create(folder.path()).unwrap());
    assert!(first.path() < second.path(), "{:?} {:?}", first.path(), second.path());
}

#[test]
fn a_killed_run_leaves_a_readable_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventFile::create(folder.path()).unwrap();
    events.scalar("a", 1, 1.0).unwrap();
    events.scalar("a", 2, 2.0).unwrap();
    let whole = fs::read(events.path()).unwrap();
    for cut in 1..40 {
        fs::write(events.path(), &whole[..whole.len() - cut]).unwrap();
        assert_eq!(scalars(events.path()), [("a".to_string(), 1, 1.0)], "{cut} bytes cut off");
    }
}

#[test]
fn pictures_have_their_size_and_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventFile::create(folder.path()).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(30, 20).write_to(&mut png, image::ImageFormat::Png).unwrap();
    events.image("p", 3, png.get_ref()).unwrap();
    let all = messages(events.path());
    let picture = field(&field(&field(&all[1], 5).unwrap(), 1).unwrap(), 4).unwrap();
    let number = |n| u64::from_le_bytes(field(&picture, n).unwrap().try_into().unwrap());
    assert_eq!((number(1), number(2)), (20, 30));
    assert_eq!(&field(&picture, 4).unwrap(), png.get_ref());
    let error = events.image("p", 3, b"no png").unwrap_err().to_string();
    assert!(error.contains("cannot keep the picture `p`"), "{error}");
    let error = events.image("p", 3, &vec![0; MOST_IMAGE_BYTES + 1]).unwrap_err().to_string();
    assert!(error.contains("make it smaller"), "{error}");
}

#[test]
fn a_run_is_followed_without_repeating_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (train, val) = sets(24, None);
    let whole = run("eqlv2", "EQL v2", "eqlv2", 0.5, 1, &train, &val);
    let dir = RunDir::new(folder.path());
    let mut board = TensorBoard::create(&dir, 0).unwrap();
    let mut part: RunRecord = whole.clone();
    part.history.truncate(50);
    part.validation.truncate(1);
    part.ledger.retain(|row| row.step <= 600);
    board.follow(&part).unwrap();
    board.follow(&part).unwrap();
    board.follow(&whole).unwrap();
    board.metrics(&whole).unwrap();
    let path = fs::read_dir(dir.tensorboard()).unwrap().next().unwrap().unwrap().path();
    let all = scalars(&path);
    let of = |tag: &str| all.iter().filter(|(t, _, _)| t == tag).collect::<Vec<_>>();
    assert_eq!(of("train/loss").len(), whole.history.len());
    assert_eq!(of("train/loss")[9].2, whole.history[9].loss as f32);
    assert_eq!(of("gradient_ratio/rare").len(), 6);
    let scores: Vec<u64> = of("metrics/APr").iter().map(|(_, step, _)| *step).collect();
    let validated: Vec<u64> = whole.validation.iter().map(|row| row.step).collect();
    assert_eq!(scores, validated, "the final scores are those of the last validation");
    assert_eq!(of("metrics/AP75").len(), 1);
    // A run that goes on says from which step on the file before is void, and does not repeat what that holds.
    let mut resumed = TensorBoard::create(&dir, 1000).unwrap();
    resumed.follow(&whole).unwrap();
    let mut files: Vec<_> = fs::read_dir(dir.tensorboard()).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let log = &messages(&files[1])[1];
    assert_eq!(field(log, 2).unwrap(), 1001_u64.to_le_bytes());
    assert_eq!(field(&field(log, 7).unwrap(), 1).unwrap(), 1_u64.to_le_bytes());
    assert!(scalars(&files[1]).iter().all(|(_, step, _)| *step > 1000));
    let unscored = RunRecord { metrics: Some(Metrics::default()), ..RunRecord::default() };
    resumed.metrics(&unscored).unwrap();
}
