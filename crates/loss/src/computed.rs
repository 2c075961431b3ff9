//! Logits and gradient of a batch once they are computed: what a loss records in the ledger is made of them.

use crate::{ClassTargets, Label, LedgerDelta, pass_row, softmax};

/// Numbers on the host in either precision.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Of the tensor path.
    F32(&'a [f32]),
    /// Of the float64 loop.
    F64(&'a [f64]),
}

impl Values<'_> {
    /// The number at a place.
    pub fn at(self, index: usize) -> f64 {
        match self {
            Values::F32(values) => f64::from(values[index]),
            Values::F64(values) => values[index],
        }
    }
}

/// Logits of a batch and the targets of its rows.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// `[R, C]` row by row.
    pub logits: Values<'a>,
    /// Columns `C`.
    pub channels: usize,
    /// The targets.
    pub targets: &'a ClassTargets,
}

impl Batch<'_> {
    /// A logit.
    pub fn logit(&self, row: usize, column: usize) -> f64 {
        self.logits.at(row * self.channels + column)
    }

    /// Softmax score of a column over those of its row that were judged.
    pub fn own_score(&self, row: usize, own: usize) -> f64 {
        if let (Values::F32(logits), false) = (self.logits, self.targets.has_unjudged()) {
            return pass_row::own_score(&logits[row * self.channels..][..self.channels], own);
        }
        self.log_softmax(row, self.channels)[own].exp()
    }

    /// Softmax scores of a row over the classes that were judged, `[K]`; the row is one of the class `own`.
    pub fn class_scores(&self, row: usize, own: usize) -> Vec<f64> {
        let classes = self.targets.num_classes();
        if let (Values::F32(logits), false) = (self.logits, self.targets.has_unjudged()) {
            return pass_row::scores(&logits[row * self.channels..][..classes], own);
        }
        self.log_softmax(row, classes).into_iter().map(f64::exp).collect()
    }

    /// Over those of the first columns that were judged.
    fn log_softmax(&self, row: usize, columns: usize) -> Vec<f64> {
        let logits: Vec<f64> = (0..columns).map(|column| self.logit(row, column)).collect();
        softmax::log_softmax_f64(&logits, |column| self.targets.is_judged(row, column))
    }
}

/// A batch whose gradient is known.
#[derive(Clone, Copy, Debug)]
pub struct Computed<'a> {
    /// The batch.
    pub batch: Batch<'a>,
    /// Gradient of the sum of terms, `[R, C]` row by row.
    pub gradient: Values<'a>,
    /// The sums of all absolute gradients, where the fused pass has them already; then `gradient` has the scale of the step.
    pub known: Option<&'a LedgerDelta>,
}

impl Computed<'_> {
    /// Sums of all absolute gradients times `scale`.
    pub fn all(&self, scale: f64) -> LedgerDelta {
        let Some(known) = self.known else { return self.sums(scale, |_, _| true) };
        let mut delta = known.clone();
        delta.positive.iter_mut().chain(&mut delta.negative).for_each(|sum| *sum *= scale);
        delta
    }

    /// Sums of the absolute gradients times `scale`, of those elements (row, class) of which `counts` is true.
    ///
    /// Rows that are ignored never count; foreground rows are counted whatever `counts` says.
    pub fn sums(&self, scale: f64, counts: impl Fn(usize, usize) -> bool) -> LedgerDelta {
        let Batch { targets, channels, .. } = self.batch;
        let classes = targets.num_classes();
        let mut delta = LedgerDelta::zeros(classes);
        delta.instances = targets.instances();
        delta.rows = targets.counted_rows();
        for (row, label) in targets.labels().iter().enumerate() {
            let own = match label {
                Label::Class(class) => Some(*class),
                Label::Background => None,
                Label::Ignored => continue,
            };
            for class in (0..classes.min(channels)).filter(|class| counts(row, *class)) {
                let side = if own == Some(class) { &mut delta.positive } else { &mut delta.negative };
                side[class] += scale * self.gradient.at(row * channels + class).abs();
            }
        }
        delta
    }
}
