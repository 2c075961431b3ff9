//! Constants of a step: numbers for every row, column or element that a loss made of its ledger, counts or draws.
//!
//! Made once in float64, and read by the tensor terms and by the float64 loop alike.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// A matrix that repeats along a side of length 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    shape: [usize; 2],
    values: Vec<f64>,
}

impl Grid {
    /// One number for all.
    pub fn one(value: f64) -> Self {
        Self { shape: [1, 1], values: vec![value] }
    }

    /// A number for each column.
    pub fn columns(values: Vec<f64>) -> Self {
        Self { shape: [1, values.len()], values }
    }

    /// A number for each row.
    pub fn rows(values: Vec<f64>) -> Self {
        Self { shape: [values.len(), 1], values }
    }

    /// A number for each element.
    pub fn elements(shape: [usize; 2], value: impl Fn(usize, usize) -> f64) -> Self {
        let [rows, columns] = shape;
        let mut values = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            values.extend((0..columns).map(|column| value(row, column)));
        }
        Self { shape, values }
    }

    /// The number of an element.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        let [rows, columns] = self.shape;
        let (row, column) = (if rows == 1 { 0 } else { row }, if columns == 1 { 0 } else { column });
        self.values[row * columns + column]
    }

    /// Whether every number is `value`.
    pub fn is(&self, value: f64) -> bool {
        self.values.iter().all(|other| *other == value)
    }

    /// As a tensor of its own shape, which repeats by broadcasting.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = self.values.iter().map(|value| *value as f32).collect();
        Tensor::from_data(TensorData::new(values, self.shape), (device, DType::F32))
    }
}
