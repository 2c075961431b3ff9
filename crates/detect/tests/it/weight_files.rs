//! Weight files of PyTorch and safetensors: what is read out of them, what is refused, and what hostile ones do.
//!
//! The seeds were written by PyTorch 2.15's `torch.save` in its two forms; the numbers expected here were typed in, not read back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use equipoise_detect::weights::{Weight, Weights, to_safetensors};
use equipoise_detect::{Fit, WeightFile, naming};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn seed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/weights").join(name)
}

fn weight(shape: &[usize], values: &[f32]) -> Weight {
    Weight { shape: shape.to_vec(), values: values.to_vec() }
}

/// The state dict of the seeds: six tensors, one of integers, one that lies transposed in its storage.
fn expected() -> Weights {
    let conv: Vec<f32> = (0..24).map(|value| value as f32 / 8.0).collect();
    Weights::from([
        ("conv1.weight".into(), weight(&[2, 3, 2, 2], &conv)),
        ("bn1.running_mean".into(), weight(&[2], &[0.5, -2.0])),
        ("half".into(), weight(&[2], &[1.5, -0.25])),
        ("brain".into(), weight(&[1], &[3.0])),
        ("turned".into(), weight(&[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0])),
    ])
}

#[test]
fn every_form_of_torch_save_gives_the_same_weights() {
    for (name, format) in [
        ("zip.pth", "PyTorch, zip"),
        ("legacy.pth", "PyTorch, pickle stream (before 1.6)"),
        ("checkpoint.pth", "PyTorch, zip"),
        ("parallel.pth", "PyTorch, zip"),
    ] {
        let file = WeightFile::open(&seed(name)).unwrap();
        assert_eq!(file.format, format, "{name}");
        let counter = file.tensors.iter().find(|tensor| tensor.name == "bn1.num_batches_tracked").unwrap();
        assert_eq!((counter.dtype.as_str(), counter.shape.len()), ("I64", 0), "{name}");
        assert_eq!(file.tensors.len(), 6, "{name}");
        assert_eq!(file.read().unwrap(), expected(), "{name}");
    }
}

#[test]
fn a_whole_module_is_its_state_dict() {
    let file = WeightFile::open(&seed("module.pth")).unwrap();
    let shapes: Vec<_> = file.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.clone())).collect();
    assert_eq!(shapes, [("fc.bias", vec![1]), ("fc.weight", vec![1, 2])]);
}

#[test]
fn a_safetensors_file_brings_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    let text = BTreeMap::from([("source".to_string(), "a \"friend\"".to_string()), ("licence".into(), "MIT".into())]);
    let bytes = to_safetensors(&expected(), false, text.clone());
    assert_eq!(bytes, to_safetensors(&expected(), false, text.clone()), "the same weights give the same bytes");
    fs::write(&path, &bytes).unwrap();
    let file = WeightFile::open(&path).unwrap();
    assert_eq!((file.format, &file.metadata), ("safetensors", &text));
    assert_eq!(file.read().unwrap(), expected());
    fs::write(&path, to_safetensors(&Weights::new(), false, text.clone())).unwrap();
    assert_eq!(WeightFile::open(&path).unwrap().metadata, text);
}

#[test]
fn objects_and_empty_promises_are_refused() {
    let error = |name: &str| WeightFile::open(&seed(name)).unwrap_err().to_string();
    let object = error("object.pth");
    assert!(object.contains("`args`") && object.contains("argparse.Namespace"), "{object}");
    let expanded = error("expanded.pth");
    assert!(expanded.contains("4294967296") && expanded.contains("expanded.pth"), "{expanded}");
    let nothing = error("none.pth");
    assert!(nothing.contains("none.pth"), "{nothing}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.pth");
    for bytes in [&b""[..], b"hello", b"PK\x03\x04", b"\x80\x02.", b"{\"a\": 1}"] {
        fs::write(&path, bytes).unwrap();
        let error = WeightFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("text.pth"), "{error}");
    }
}

#[test]
fn a_pickle_that_calls_a_program_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mark) = (folder.path().join("a.pth"), folder.path().join("mark"));
    // {'w': os.system('touch …')}, protocol 2.
    let command = format!("touch {}", mark.display());
    let length = (command.len() as u32).to_le_bytes();
    let object = [b"\x80\x02}U\x01wcposix\nsystem\nX", &length[..], command.as_bytes(), b"\x85Rs."].concat();
    fs::write(&path, stream(&object)).unwrap();
    let error = WeightFile::open(&path).unwrap_err().to_string();
    assert!(error.contains("posix.system"), "{error}");
    assert!(!mark.exists());
}

/// A stream of pickles around one that is given.
fn stream(object: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let system = b"\x80\x02}X\x0d\0\0\0little_endian\x88s.";
    [&magic[..], b"\x80\x02M\xe9\x03.", system, object, b"\x80\x02]."].concat()
}

#[test]
fn a_pickle_that_builds_millions_of_objects_is_not_built() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pth");
    for opcode in [b'N', b'}', b'('] {
        let object = [&b"\x80\x02}X\x01\0\0\0a]("[..], &vec![opcode; 1_100_000], b"es."].concat();
        fs::write(&path, stream(&object)).unwrap();
        let error = WeightFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 operations"), "{error}");
    }
    let error = WeightFile::open(&seed("deflated.pth")).unwrap_err().to_string();
    assert!(error.contains("data.pkl` is compressed"), "{error}");
}

/// Changes, drops, doubles or inserts bytes at one to four places.
fn mutate(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..5) {
        let [a, b] = [0, 0].map(|_: usize| random.random_range(0..bytes.len() + 1));
        let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 60));
        match random.random_range(0..5) {
            0 if a < bytes.len() => bytes[a] = random.random(),
            1 if a < bytes.len() => bytes[a] ^= 1 << random.random_range(0..8),
            2 => drop(bytes.drain(from..to)),
            3 => {
                let part = bytes[from..to].to_vec();
                bytes.splice(b..b, part);
            }
            _ => bytes.truncate(a.max(1)),
        }
    }
}

/// Opens, reads and renames; whatever comes out has as many values as its shape says.
fn survive(path: &Path) {
    let weights = WeightFile::open(path).and_then(WeightFile::read);
    match weights {
        Ok(weights) => {
            for (name, weight) in &weights {
                assert_eq!(weight.values.len(), weight.shape.iter().product::<usize>(), "{name}");
            }
            let ours = naming::to_ours(weights.clone());
            Fit::of(&ours, &weights);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// `EQUIPOISE_MUTATIONS=100000` looks longer.
#[test]
fn mutations_of_weight_files() {
    let rounds = std::env::var("EQUIPOISE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pth");
    let mut seeds: Vec<_> = fs::read_dir(seed("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() > 5);
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for seed in seeds {
        let healthy = fs::read(&seed).unwrap();
        for round in 0..rounds {
            let mut bytes = healthy.clone();
            if round > 0 {
                mutate(&mut bytes, &mut random);
            }
            fs::write(&path, &bytes).unwrap();
            survive(&path);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_pickle_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pth");
        fs::write(&path, stream(&[&[0x80, 2][..], &bytes, b"."].concat())).unwrap();
        survive(&path);
    }

    #[test]
    fn weights_come_back_from_a_file_as_they_were(
        weights in proptest::collection::btree_map("[a-z\"é.]{0,8}", (0usize..4, 0usize..4, any::<f32>()), 0..6),
        text in proptest::collection::btree_map(".{0,5}", ".{0,20}", 0..3),
    ) {
        let weights: Weights = weights
            .into_iter()
            .filter(|(name, (_, _, value))| name != "__metadata__" && !value.is_nan())
            .map(|(name, (rows, columns, value))| (name, weight(&[rows, columns], &vec![value; rows * columns])))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        fs::write(&path, to_safetensors(&weights, false, text.clone())).unwrap();
        let file = WeightFile::open(&path).unwrap();
        prop_assert_eq!(&file.metadata, &text);
        prop_assert_eq!(file.read().unwrap(), weights);
    }
}
