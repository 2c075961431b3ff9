//! Constants of a step: numbers for every row, column or element that a loss made of its ledger, counts or draws.
//!
//! Made in float64, and read by the tensor terms, the float64 loop and the fused pass alike.

use std::borrow::Cow;

use burn::tensor::{DType, Device, Tensor, TensorData};

/// A matrix that repeats along a side of length 1.
pub struct Grid<'a> {
    shape: [usize; 2],
    values: Values<'a>,
}

/// Writes the numbers of a row.
type Fill<'a> = dyn Fn(usize, &mut [f64]) + Send + Sync + 'a;

enum Values<'a> {
    Stored(Vec<f64>),
    /// Row by row, when they are wanted.
    Made(Box<Fill<'a>>),
}

impl<'a> Grid<'a> {
    /// One number for all.
    pub fn one(value: f64) -> Self {
        Self { shape: [1, 1], values: Values::Stored(vec![value]) }
    }

    /// A number for each column.
    pub fn columns(values: Vec<f64>) -> Self {
        Self { shape: [1, values.len()], values: Values::Stored(values) }
    }

    /// A number for each row.
    pub fn rows(values: Vec<f64>) -> Self {
        Self { shape: [values.len(), 1], values: Values::Stored(values) }
    }

    /// A number for each element; `fill(row, numbers)` writes a whole row of zeros whenever one is wanted.
    pub fn by_row(shape: [usize; 2], fill: impl Fn(usize, &mut [f64]) + Send + Sync + 'a) -> Self {
        Self { shape, values: Values::Made(Box::new(fill)) }
    }

    /// The numbers of a row, one for each column or one for all of them.
    pub fn row(&self, row: usize) -> Cow<'_, [f64]> {
        let [rows, columns] = self.shape;
        match &self.values {
            Values::Stored(values) => {
                let row = if rows == 1 { 0 } else { row };
                Cow::Borrowed(&values[row * columns..(row + 1) * columns])
            }
            Values::Made(fill) => {
                let mut values = vec![0.0; columns];
                fill(row, &mut values);
                Cow::Owned(values)
            }
        }
    }

    /// Whether all rows are known to be alike.
    pub fn repeats(&self) -> bool {
        self.shape[0] == 1
    }

    /// The number of an element.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        of_column(&self.row(row), column)
    }

    /// Whether every number is known to be `value`.
    pub fn is(&self, value: f64) -> bool {
        matches!(&self.values, Values::Stored(values) if values.iter().all(|other| *other == value))
    }

    /// As a tensor of its own shape, which repeats by broadcasting.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        let [rows, columns] = self.shape;
        let mut values = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            values.extend(self.row(row).iter().map(|value| *value as f32));
        }
        Tensor::from_data(TensorData::new(values, self.shape), (device, DType::F32))
    }
}

/// The number of a column in a row of [`Grid::row`].
pub(crate) fn of_column(row: &[f64], column: usize) -> f64 {
    row[if row.len() == 1 { 0 } else { column }]
}
