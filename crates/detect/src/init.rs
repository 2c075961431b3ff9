//! Seeded initial weights.
//!
//! Burn draws from one generator for each device; two trainings that run side by side would share it and neither could be
//! repeated. Every detector is therefore built from a generator of its own.

use burn::module::Param;
use burn::tensor::{Device, Shape, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Precision;

/// Draws weights onto a device.
#[derive(Debug)]
pub struct Init {
    rng: ChaCha8Rng,
    device: Device,
    precision: Precision,
}

impl Init {
    /// Weights for `device`, the same for the same `seed`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), device: device.clone(), precision: Precision::F32 }
    }

    /// Layers that are made from now on compute in this precision.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The precision in which layers compute.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The device that weights are made on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Values from a normal distribution around 0.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], std: f64) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let values = (0..count).map(|_| (self.standard_normal() * std) as f32).collect();
        self.param(shape, values)
    }

    /// The same value everywhere.
    pub fn constant<const D: usize>(&mut self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.param(shape, vec![value; shape.iter().product()])
    }

    /// These values.
    pub fn values(&mut self, values: Vec<f32>) -> Param<Tensor<1>> {
        self.param([values.len()], values)
    }

    fn param<const D: usize>(&self, shape: [usize; D], values: Vec<f32>) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, Shape::from(shape)), &self.device))
    }

    /// Box–Muller.
    fn standard_normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.rng.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.rng.random::<f64>()).cos()
    }
}
