//! Writes a picture and the maps that a backbone makes of it, for `parity/backbones.py`.
//!
//! ```sh
//! cargo run --release -p equipoise-detect --example backbone_maps -- WEIGHTS BACKBONE SIDE OUT.safetensors
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use equipoise_detect::backbone::{Backbone, BackboneSpec};
use equipoise_detect::layers::NormKind;
use equipoise_detect::weights::{Weight, Weights, host, to_safetensors, with_weights};
use equipoise_detect::{Init, WeightFile, naming};

#[derive(Module, Debug)]
struct Whole {
    backbone: Backbone,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, name, side, out] = arguments.as_slice() else { return Err("WEIGHTS BACKBONE SIDE OUT".into()) };
    let (device, side) = (Device::flex(), side.parse::<usize>()?);
    let backbone = Backbone::new(BackboneSpec::find(name)?, NormKind::Frozen, 0, &mut Init::new(0, &device));
    let weights = naming::to_ours(WeightFile::open(Path::new(weights))?.read()?);
    let whole = with_weights(Whole { backbone }, weights, |_| false)?;
    // Waves of several lengths, about as large as a normalised photograph.
    let values: Vec<f32> =
        (0..3 * side * side).map(|at| 2.0 * (at as f32 * 0.37).sin() * (at as f32 * 0.0019).cos()).collect();
    let picture = Weight { shape: vec![1, 3, side, side], values: values.clone() };
    let maps = whole.backbone.forward(Tensor::from_data(TensorData::new(values, [1, 3, side, side]), &device));
    let maps = maps.iter().map(|map| Weight { shape: map.dims().to_vec(), values: host(map) });
    let mut all: Weights = maps.enumerate().map(|(stage, map)| (format!("map{stage}"), map)).collect();
    all.insert("picture".into(), picture);
    std::fs::write(out, to_safetensors(&all, false, BTreeMap::new()))?;
    Ok(())
}
