//! What every row of the logits should have said: a class, background, or nothing.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::{LossError, Result};

/// Label of one proposal (a row of the logits).
///
/// A type of its own, because the usual −1 for "ignored" silently becomes the last column, background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// An object of this class, `0..K`.
    Class(usize),
    /// No object.
    Background,
    /// Not judged: the row changes neither the loss, nor its normaliser, nor the ledger.
    Ignored,
}

/// Targets of a batch of proposals.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassTargets {
    labels: Vec<Label>,
    num_classes: usize,
    row_weights: Option<Vec<f32>>,
    judged: Option<Vec<bool>>,
    quality: Option<Vec<f32>>,
}

impl ClassTargets {
    /// Targets of `labels.len()` rows over `num_classes` foreground classes.
    ///
    /// # Errors
    /// When a label names a class outside `0..num_classes`.
    pub fn new(labels: Vec<Label>, num_classes: usize) -> Result<Self> {
        for (row, label) in labels.iter().enumerate() {
            if let Label::Class(label) = *label
                && label >= num_classes
            {
                return Err(LossError::LabelOutOfRange { row, label, classes: num_classes });
            }
        }
        Ok(Self { labels, num_classes, row_weights: None, judged: None, quality: None })
    }

    /// Targets from dense labels in which `num_classes` itself means background.
    ///
    /// # Errors
    /// When a label is above `num_classes`.
    pub fn from_indices(labels: &[usize], num_classes: usize) -> Result<Self> {
        let labels = labels
            .iter()
            .map(|&label| if label == num_classes { Label::Background } else { Label::Class(label) })
            .collect();
        Self::new(labels, num_classes)
    }

    /// Weighs every row's terms by a number of its own, `[R]`; the normaliser stays the number of rows.
    ///
    /// # Errors
    /// When there is not one finite weight of at least zero for each row.
    pub fn with_row_weights(mut self, weights: Vec<f32>) -> Result<Self> {
        if weights.len() != self.labels.len() {
            return Err(LossError::Targets {
                field: "row_weights",
                expected: format!("{} values, one for each row", self.labels.len()),
                got: format!("{} values", weights.len()),
            });
        }
        if let Some(weight) = weights.iter().find(|weight| !weight.is_finite() || **weight < 0.0) {
            return Err(LossError::Targets {
                field: "row_weights",
                expected: "finite values of at least 0".into(),
                got: weight.to_string(),
            });
        }
        self.row_weights = Some(weights);
        Ok(self)
    }

    /// Says which classes were judged for each row, `[R, K]` row by row (federated labels of LVIS, arXiv 1908.03195).
    ///
    /// A class that was not judged gets no gradient from the row. The class of a foreground row must be judged.
    ///
    /// # Errors
    /// When the length is not `R * K`, or a row's own class is said not to be judged.
    pub fn with_judged(mut self, judged: Vec<bool>) -> Result<Self> {
        let (rows, classes) = (self.labels.len(), self.num_classes);
        if judged.len() != rows * classes {
            return Err(LossError::Targets {
                field: "judged",
                expected: format!("{rows} x {classes} values"),
                got: format!("{} values", judged.len()),
            });
        }
        for (row, label) in self.labels.iter().enumerate() {
            if let Label::Class(class) = *label
                && !judged[row * classes + class]
            {
                return Err(LossError::Targets {
                    field: "judged",
                    expected: format!("true for class {class} of row {row}, its own label"),
                    got: "false".into(),
                });
            }
        }
        self.judged = Some(judged);
        Ok(self)
    }

    /// Says how well each foreground row fits its object, such as by its IoU, `[R]` in 0 to 1; a loss on quality learns it as
    /// its target (generalised focal loss, arXiv 2006.04388). Without it every foreground row fits fully.
    ///
    /// # Errors
    /// When there is not one value of 0 to 1 for each row.
    pub fn with_quality(mut self, quality: Vec<f32>) -> Result<Self> {
        let wrong = |expected: String, got| Err(LossError::Targets { field: "quality", expected, got });
        if quality.len() != self.labels.len() {
            let expected = format!("{} values, one for each row", self.labels.len());
            return wrong(expected, format!("{} values", quality.len()));
        }
        if let Some(value) = quality.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return wrong("values of 0 to 1".into(), value.to_string());
        }
        self.quality = Some(quality);
        Ok(self)
    }

    /// Number of rows `R`, ignored ones included.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Number of foreground classes `K`.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// The label of every row, `[R]`.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Number of rows that are not ignored.
    pub fn counted_rows(&self) -> usize {
        self.labels.iter().filter(|label| **label != Label::Ignored).count()
    }

    /// Number of foreground rows.
    pub fn foreground_rows(&self) -> usize {
        self.labels.iter().filter(|label| matches!(label, Label::Class(_))).count()
    }

    /// Number of foreground rows of every class, `[K]`.
    pub fn instances(&self) -> Vec<f64> {
        let mut instances = vec![0.0; self.num_classes];
        for label in &self.labels {
            if let Label::Class(class) = *label {
                instances[class] += 1.0;
            }
        }
        instances
    }

    /// Column that is positive in `row` when background is column `K`, or `None` for an ignored row.
    pub fn column(&self, row: usize) -> Option<usize> {
        match self.labels[row] {
            Label::Class(class) => Some(class),
            Label::Background => Some(self.num_classes),
            Label::Ignored => None,
        }
    }

    /// Weight of `row`: 0 when it is ignored.
    pub fn row_weight(&self, row: usize) -> f64 {
        if self.labels[row] == Label::Ignored {
            return 0.0;
        }
        self.row_weights.as_ref().map_or(1.0, |weights| f64::from(weights[row]))
    }

    /// Quality of `row`: 1 unless another was given.
    pub fn quality(&self, row: usize) -> f64 {
        self.quality.as_ref().map_or(1.0, |quality| f64::from(quality[row]))
    }

    /// The same rows, each with its weight times `factor(row)`.
    pub(crate) fn weighed(&self, factor: impl Fn(usize) -> f64) -> Self {
        let weight = |row| (self.row_weight(row) * factor(row)) as f32;
        Self { row_weights: Some((0..self.rows()).map(weight).collect()), ..self.clone() }
    }

    /// The same rows with every class judged.
    pub(crate) fn all_judged(&self) -> Self {
        Self { judged: None, ..self.clone() }
    }

    /// Whether a gradient may flow from `row` to `column`; columns from `K` on always receive theirs.
    pub fn is_judged(&self, row: usize, column: usize) -> bool {
        match &self.judged {
            Some(judged) if column < self.num_classes => judged[row * self.num_classes + column],
            _ => true,
        }
    }

    /// Whether some class of some row was not judged.
    pub fn has_unjudged(&self) -> bool {
        self.judged.is_some()
    }

    /// One-hot targets over `channels` columns, background being column `K` (all zeros where the head has no such column).
    ///
    /// # Shapes
    /// `[R, channels]`
    pub fn one_hot(&self, channels: usize, device: &Device) -> Tensor<2> {
        self.matrix(channels, device, |row, column| f32::from(self.column(row) == Some(column)))
    }

    /// Row weight times "was judged", or `None` when every entry is 1.
    ///
    /// # Shapes
    /// `[R, channels]`
    pub fn element_weights(&self, channels: usize, device: &Device) -> Option<Tensor<2>> {
        let plain = self.row_weights.is_none() && self.judged.is_none() && !self.labels.contains(&Label::Ignored);
        (!plain).then(|| {
            self.matrix(
                channels,
                device,
                |row, column| {
                    if self.is_judged(row, column) { self.row_weight(row) as f32 } else { 0.0 }
                },
            )
        })
    }

    /// 1 where a class was judged, else 0, or `None` when all were.
    ///
    /// # Shapes
    /// `[R, channels]`
    pub fn judged_mask(&self, channels: usize, device: &Device) -> Option<Tensor<2>> {
        self.has_unjudged().then(|| self.matrix(channels, device, |row, column| f32::from(self.is_judged(row, column))))
    }

    /// Column of every row as an index tensor `[R, 1]`, background and ignored rows being `K`.
    pub fn columns(&self, device: &Device) -> Tensor<2, Int> {
        let columns: Vec<i64> =
            (0..self.rows()).map(|row| self.column(row).unwrap_or(self.num_classes) as i64).collect();
        Tensor::from_data(TensorData::new(columns, [self.rows(), 1]), device)
    }

    fn matrix(&self, channels: usize, device: &Device, value: impl Fn(usize, usize) -> f32) -> Tensor<2> {
        let mut values = Vec::with_capacity(self.rows() * channels);
        for row in 0..self.rows() {
            values.extend((0..channels).map(|column| value(row, column)));
        }
        Tensor::from_data(TensorData::new(values, [self.rows(), channels]), (device, DType::F32))
    }
}
