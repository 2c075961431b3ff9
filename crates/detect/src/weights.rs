//! Weights by name: read out of a module, put into a module, kept in safetensors files.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{DetectError, ParamPath, Result};

/// A tensor on the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weight {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
}

/// Tensors by their path in the module, such as `backbone.stem.conv.weight`.
pub type Weights = BTreeMap<String, Weight>;

/// The values of a tensor on the host, row by row.
pub fn host<const D: usize>(x: &Tensor<D>) -> Vec<f32> {
    x.to_data_as::<f32>().try_into_vec::<f32>().expect("the data was just converted to f32")
}

/// Every float parameter and running statistic of a module.
pub fn weights_of(module: &impl Module) -> Weights {
    let mut reader = Reader::default();
    module.visit(&mut reader);
    reader.weights
}

#[derive(Default)]
struct Reader {
    path: ParamPath,
    weights: Weights,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let weight = Weight { shape: tensor.dims().to_vec(), values: host(&tensor) };
        self.weights.insert(self.path.name(), weight);
    }
}

/// Puts weights into a module, by path. Names for which `optional` holds may be missing and then keep their value.
///
/// # Errors
/// When names or shapes do not fit.
pub fn with_weights<M: Module>(module: M, weights: Weights, optional: impl Fn(&str) -> bool) -> Result<M> {
    let mut writer = Writer { path: ParamPath::default(), weights, missing: Vec::new(), misshapen: None };
    let module = module.map(&mut writer);
    if let Some(error) = writer.misshapen {
        return Err(error);
    }
    let missing: Vec<String> = writer.missing.into_iter().filter(|name| !optional(name)).collect();
    let left: Vec<String> = writer.weights.into_keys().collect();
    if missing.is_empty() && left.is_empty() {
        return Ok(module);
    }
    let list = |names: &[String]| names.iter().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("{} missing ({})", missing.len(), list(&missing)));
    }
    if !left.is_empty() {
        parts.push(format!("{} unknown ({})", left.len(), list(&left)));
    }
    Err(DetectError::Names { reason: parts.join("; ") })
}

struct Writer {
    path: ParamPath,
    weights: Weights,
    missing: Vec<String>,
    misshapen: Option<DetectError>,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let Some(weight) = self.weights.remove(&name) else {
            self.missing.push(name);
            return param;
        };
        let expected = param.val().dims().to_vec();
        if weight.shape != expected {
            self.misshapen.get_or_insert(DetectError::Shape { name, expected, got: weight.shape });
            return param;
        }
        param.map(|old| {
            let new = Tensor::from_data(TensorData::new(weight.values, weight.shape), &old.device());
            new.set_require_grad(old.is_require_grad())
        })
    }
}

/// The bytes of a safetensors file of f32 or, half as large, f16 values.
pub fn to_safetensors(weights: &Weights, half: bool, metadata: BTreeMap<String, String>) -> Vec<u8> {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = weights
        .iter()
        .map(|(name, weight)| {
            let bytes = if half {
                weight.values.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect()
            } else {
                weight.values.iter().flat_map(|value| value.to_le_bytes()).collect()
            };
            (name.clone(), weight.shape.clone(), bytes)
        })
        .collect();
    let dtype = if half { Dtype::F16 } else { Dtype::F32 };
    let views = bytes.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(dtype, shape.clone(), bytes).expect("bytes were made for this shape");
        (name.as_str(), view)
    });
    with_metadata(safetensors::serialize(views, None).expect("names are unique and shapes fit"), &metadata)
}

/// The same file with text about it, sorted by key: the crate would write a hash map, in another order each time.
fn with_metadata(file: Vec<u8>, metadata: &BTreeMap<String, String>) -> Vec<u8> {
    if metadata.is_empty() {
        return file;
    }
    let (length, rest) = file.split_first_chunk::<8>().expect("a safetensors file starts with a length");
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    // The header is `{"name": …}` or, without a tensor, `{}`, filled up with spaces to a multiple of eight.
    let tensors = header.trim_ascii_end().strip_prefix(b"{").expect("the header is a JSON object");
    let metadata = serde_json::to_string(metadata).expect("text is JSON");
    let comma: &[u8] = if tensors == b"}" { b"" } else { b"," };
    let mut header = [b"{\"__metadata__\":", metadata.as_bytes(), comma, tensors].concat();
    header.resize(header.len().next_multiple_of(8), b' ');
    [&(header.len() as u64).to_le_bytes()[..], &header, data].concat()
}

/// Weights from the bytes of a safetensors file; `path` is for messages.
///
/// PyTorch's counters of batches (`num_batches_tracked`, integers that no layer here reads) are left out.
///
/// # Errors
/// When the bytes are no safetensors file, or hold anything but f16, bf16, f32 or f64.
pub fn from_safetensors(bytes: &[u8], path: &Path) -> Result<Weights> {
    let wrong = |reason: String| DetectError::Weights { path: path.to_path_buf(), reason };
    let file = SafeTensors::deserialize(bytes).map_err(|error| wrong(error.to_string()))?;
    file.tensors()
        .into_iter()
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .map(|(name, view)| {
            let values = decode(view.dtype(), view.data()).ok_or_else(|| {
                wrong(format!("tensor `{name}` has type {:?}; f16, bf16, f32 or f64 is needed", view.dtype()))
            })?;
            Ok((name, Weight { shape: view.shape().to_vec(), values }))
        })
        .collect()
}

/// The values of little-endian bytes, if they are fractions.
pub(crate) fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F16 => bytes.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks::<2>().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        _ => return None,
    })
}
