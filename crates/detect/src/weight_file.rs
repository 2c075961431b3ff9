//! Files of weights: safetensors, and what `torch.save` has written since 2017, as a stream of pickles or as a zip archive.
//!
//! A pickle is a program, and running it runs whatever its author liked. `pytorch-reader` reads it as data: it knows the calls that put a tensor together and
//! no others. What is left to refuse here is a pickle that builds too much (`pickle_scan`), a state dict with objects among its tensors, and a file that promises
//! more than it could hold: strides of 0 turn a kilobyte into gigabytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use pytorch_reader::{DType, PickleValue, PytorchReader, Tensor};
use safetensors::{Dtype, SafeTensors};

use crate::weights::{self, Weight, Weights};
use crate::{DetectError, Result, pickle_scan};

/// Where training programs put the weights of a model beside other things, in the order of preference.
const PARTS: [&str; 5] = ["state_dict", "model_state_dict", "model", "module", "net"];
/// What `DataParallel` puts before every name.
const PARALLEL: &str = "module.";
/// Tensors of a PyTorch file may have this many times its bytes: two names for one tensor are usual, four are not.
const MOST_TIMES: u64 = 4;
/// A file below this many bytes is not held to it.
const SMALL: u64 = 1 << 20;
/// Longest names of all tensors together, in bytes.
const MOST_NAMES: u64 = 1 << 24;
/// Longest header that the safetensors format allows.
const MOST_HEADER: u64 = 100_000_000;

/// A file of weights, opened: names and shapes are known, values are read by [`WeightFile::read`].
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    /// What kind of file it is, for listings.
    pub format: &'static str,
    /// Text that the file carries about itself.
    pub metadata: BTreeMap<String, String>,
    /// Its tensors, by name.
    pub tensors: Vec<TensorEntry>,
    content: Content,
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TensorEntry {
    /// Its name in the file.
    pub name: String,
    /// Its type, such as `F32`.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

#[derive(Debug)]
enum Content {
    Safetensors(Vec<u8>),
    Pytorch(BTreeMap<String, Tensor>),
}

impl WeightFile {
    /// Opens a file, whatever its name ends in. Of a checkpoint with a model among other things, the model is taken.
    ///
    /// # Errors
    /// When it cannot be read, is neither kind of file, has objects among its tensors, or promises more than it holds.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |reason: String| DetectError::Weights { path: path.to_path_buf(), reason };
        let mut start = Vec::new();
        let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        file.take(9).read_to_end(&mut start).map_err(|error| wrong(error.to_string()))?;
        if is_safetensors(&start) { Self::open_safetensors(path) } else { Self::open_pytorch(path).map_err(wrong) }
    }

    fn open_safetensors(path: &Path) -> Result<Self> {
        let wrong = |reason: String| DetectError::Weights { path: path.to_path_buf(), reason };
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| wrong(error.to_string()))?;
        let metadata = header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        let entry = |(name, view): (String, safetensors::tensor::TensorView)| TensorEntry {
            name,
            dtype: format!("{:?}", view.dtype()),
            shape: view.shape().to_vec(),
        };
        let mut tensors: Vec<TensorEntry> = file.tensors().into_iter().map(entry).collect();
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        let path = path.to_path_buf();
        Ok(Self { path, format: "safetensors", metadata, tensors, content: Content::Safetensors(bytes) })
    }

    fn open_pytorch(path: &Path) -> std::result::Result<Self, String> {
        let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
        pickle_scan::check(File::open(path).map_err(|error| error.to_string())?)?;
        let say = |error: pytorch_reader::PytorchError| error.to_string();
        let root = PytorchReader::read_pickle_data(path, None).map_err(say)?;
        let (part, values) = model_of(root)?;
        refuse_objects(&values, part.unwrap_or("the file"))?;
        refuse_long_names(&values)?;
        let reader = match part {
            Some(part) => PytorchReader::with_top_level_key(path, part),
            None => PytorchReader::new(path),
        };
        let reader = reader.map_err(say)?;
        let zip = reader.metadata().is_modern_format();
        let format = if zip { "PyTorch, zip" } else { "PyTorch, pickle stream (before 1.6)" };
        let tensors: BTreeMap<String, Tensor> = reader.into_tensors().into_iter().collect();
        let promised: u64 = tensors.values().fold(0, |sum, tensor| sum.saturating_add(tensor.byte_len() as u64));
        if promised > SMALL.max(size.saturating_mul(MOST_TIMES)) {
            return Err(format!(
                "its tensors would take {promised} bytes, more than {MOST_TIMES} times the {size} of the file; save clones of expanded tensors if it is yours"
            ));
        }
        let parallel = !tensors.is_empty() && tensors.keys().all(|name| name.starts_with(PARALLEL));
        let strip = if parallel { PARALLEL.len() } else { 0 };
        let tensors: BTreeMap<String, Tensor> =
            tensors.into_iter().map(|(name, tensor)| (name[strip..].to_string(), tensor)).collect();
        let entry = |(name, tensor): (&String, &Tensor)| TensorEntry {
            name: name.clone(),
            dtype: format!("{:?}", tensor.dtype()),
            shape: tensor.shape().to_vec(),
        };
        let entries = tensors.iter().map(entry).collect();
        let metadata = part.map(|part| ("part of the file".to_string(), part.to_string())).into_iter().collect();
        let path = path.to_path_buf();
        Ok(Self { path, format, metadata, tensors: entries, content: Content::Pytorch(tensors) })
    }

    /// The values of its tensors of fractions. Integers and booleans are left out: no layer here has any, and in PyTorch's files they are counters.
    ///
    /// # Errors
    /// When the file is cut short or damaged.
    pub fn read(self) -> Result<Weights> {
        let wrong = |reason: String| DetectError::Weights { path: self.path.clone(), reason };
        match &self.content {
            Content::Safetensors(bytes) => {
                let file = SafeTensors::deserialize(bytes).map_err(|error| wrong(error.to_string()))?;
                let weight = |(name, view): (String, safetensors::tensor::TensorView)| {
                    let values = weights::decode(view.dtype(), view.data())?;
                    Some((name, Weight { shape: view.shape().to_vec(), values }))
                };
                Ok(file.tensors().into_iter().filter_map(weight).collect())
            }
            Content::Pytorch(tensors) => {
                let float = |(name, tensor)| float_dtype(tensor).map(|dtype| (name, tensor, dtype));
                let read = |(name, tensor, dtype): (&String, &Tensor, Dtype)| {
                    let bytes = tensor.read().map_err(|error| wrong(error.to_string()))?;
                    let values = weights::decode(dtype, &bytes).unwrap_or_default();
                    Ok((name.clone(), Weight { shape: tensor.shape().to_vec(), values }))
                };
                tensors.iter().filter_map(float).map(read).collect()
            }
        }
    }
}

/// The header's length as eight bytes, then JSON.
fn is_safetensors(start: &[u8]) -> bool {
    let Some((length, rest)) = start.split_first_chunk::<8>() else { return false };
    u64::from_le_bytes(*length) <= MOST_HEADER && rest.first() == Some(&b'{')
}

fn float_dtype(tensor: &Tensor) -> Option<Dtype> {
    match tensor.dtype() {
        DType::F64 => Some(Dtype::F64),
        DType::F32 => Some(Dtype::F32),
        DType::F16 => Some(Dtype::F16),
        DType::BF16 => Some(Dtype::BF16),
        _ => None,
    }
}

/// The dictionary of the model, and the key that it lies under if it is not the whole file.
fn model_of(root: PickleValue) -> std::result::Result<(Option<&'static str>, PickleValue), String> {
    let PickleValue::Dict(mut entries) = root else {
        return Err("it holds no dictionary of tensors; save `model.state_dict()`".into());
    };
    for part in PARTS {
        if let Some(value @ PickleValue::Dict(_)) = entries.remove(part) {
            return Ok((Some(part), value));
        }
    }
    Ok((None, PickleValue::Dict(entries)))
}

/// Refuses a dictionary with anything but tensors, plain values and containers of them; `name` is what it is called.
fn refuse_objects(value: &PickleValue, name: &str) -> std::result::Result<(), String> {
    match value {
        PickleValue::Unsupported(kind) if kind != "torch.Tensor" => Err(format!(
            "`{name}` is an object of type `{kind}`; only tensors and plain values are read, so save `model.state_dict()` alone"
        )),
        PickleValue::List(values) => values.iter().try_for_each(|value| refuse_objects(value, name)),
        PickleValue::Dict(entries) => {
            // In the order of names, so that the same file is refused with the same words.
            let sorted: BTreeMap<&String, &PickleValue> = entries.iter().collect();
            sorted.into_iter().try_for_each(|(key, value)| refuse_objects(value, key))
        }
        _ => Ok(()),
    }
}

/// Refuses dictionaries in dictionaries whose keys, joined for every tensor below them, would be longer than any file.
fn refuse_long_names(value: &PickleValue) -> std::result::Result<(), String> {
    fn length(value: &PickleValue, above: u64) -> u64 {
        match value {
            PickleValue::Dict(entries) => entries
                .iter()
                .map(|(key, value)| length(value, above + key.len() as u64 + 1))
                .fold(0, u64::saturating_add),
            PickleValue::Unsupported(_) => above,
            _ => 0,
        }
    }
    let all = length(value, 0);
    if all <= MOST_NAMES {
        Ok(())
    } else {
        Err(format!("the names of its tensors have {all} bytes, more than {MOST_NAMES}"))
    }
}
