//! Constants of a step: numbers for every row, column or element that a loss made of its ledger, counts or draws.
//!
//! Made in float64, and read by the tensor terms, the float64 loop and the fused pass alike.

use std::borrow::Cow;

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::pass_kernel;

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
    /// In f32, a row of `rows` for each that has one, and zeros for the others.
    Table {
        rows: Vec<f32>,
        of: Vec<Option<usize>>,
    },
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

    /// Rows of `columns` numbers that several rows share: row `i` has row `of[i]` of `rows`, or zeros. In f32, for the fused pass.
    pub fn shared(columns: usize, rows: Vec<f32>, of: Vec<Option<usize>>) -> Self {
        Self { shape: [of.len(), columns], values: Values::Table { rows, of } }
    }

    /// The numbers of a row, one for each column or one for all of them.
    pub fn row(&self, row: usize) -> Cow<'_, [f64]> {
        match &self.values {
            Values::Stored(values) => Cow::Borrowed(stored(values, self.shape, row)),
            Values::Made(fill) => {
                let mut values = vec![0.0; self.shape[1]];
                fill(row, &mut values);
                Cow::Owned(values)
            }
            Values::Table { rows, of } => match of[row] {
                Some(at) => Cow::Owned(self.of_table(rows, at).iter().map(|value| f64::from(*value)).collect()),
                None => Cow::Owned(vec![0.0; self.shape[1]]),
            },
        }
    }

    /// The numbers of a row where they are in f32 already, and not all zeros.
    pub(crate) fn row_f32(&self, row: usize) -> Option<&[f32]> {
        match &self.values {
            Values::Table { rows, of } => of[row].map(|at| self.of_table(rows, at)),
            _ => None,
        }
    }

    /// Writes the numbers of a row in f32, as [`Grid::row`] has them; `room` is for those that are made first.
    pub(crate) fn write(&self, row: usize, room: &mut Vec<f64>, to: &mut [f32]) {
        let values = match &self.values {
            Values::Stored(values) => stored(values, self.shape, row),
            Values::Made(fill) => {
                room.clear();
                room.resize(self.shape[1], 0.0);
                fill(row, room);
                room
            }
            Values::Table { rows, of } => {
                return match of[row] {
                    Some(at) => to.copy_from_slice(self.of_table(rows, at)),
                    None => to.fill(0.0),
                };
            }
        };
        match values {
            [value] => to.fill(*value as f32),
            values => pass_kernel::narrow(values, to),
        }
    }

    fn of_table<'b>(&self, rows: &'b [f32], at: usize) -> &'b [f32] {
        &rows[at * self.shape[1]..][..self.shape[1]]
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

    /// Whether every number of a row is known to be 0.
    pub(crate) fn is_zero(&self, row: usize) -> bool {
        match &self.values {
            Values::Table { of, .. } => of[row].is_none(),
            _ => self.is(0.0),
        }
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

/// A row of numbers, the only one of which stands for all.
fn stored(values: &[f64], [rows, columns]: [usize; 2], row: usize) -> &[f64] {
    let row = if rows == 1 { 0 } else { row };
    &values[row * columns..(row + 1) * columns]
}

/// The number of a column in a row of [`Grid::row`].
pub(crate) fn of_column(row: &[f64], column: usize) -> f64 {
    row[if row.len() == 1 { 0 } else { column }]
}
