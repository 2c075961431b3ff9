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

/// A batch whose gradient is known.
#[derive(Clone, Copy, Debug)]
pub struct Computed<'a> {
    /// Logits, `[R, C]` row by row.
    pub logits: Values<'a>,
    /// Gradient of the sum of terms, `[R, C]` row by row.
    pub gradient: Values<'a>,
    /// Columns `C`.
    pub channels: usize,
    /// The targets.
    pub targets: &'a ClassTargets,
    /// The sums of all absolute gradients, where the fused pass has them already; then `gradient` has the scale of the step.
    pub known: Option<&'a LedgerDelta>,
}

impl Computed<'_> {
    /// A logit.
    pub fn logit(&self, row: usize, column: usize) -> f64 {
        self.logits.at(row * self.channels + column)
    }

    /// Softmax score of a column over those of its row that were judged.
    pub fn own_score(&self, row: usize, own: usize) -> f64 {
        let judged = |column: usize| self.targets.is_judged(row, column);
        if let (Values::F32(logits), false) = (self.logits, self.targets.has_unjudged()) {
            return pass_row::own_score(&logits[row * self.channels..][..self.channels], own);
        }
        let logits: Vec<f64> = (0..self.channels).map(|column| self.logit(row, column)).collect();
        softmax::log_softmax_f64(&logits, judged)[own].exp()
    }

    /// Adds the softmax scores of a row over the classes that were judged to `sums`, `[K]`; the row is one of the class `own`.
    pub fn add_scores(&self, row: usize, own: usize, sums: &mut [f64]) {
        if let (Values::F32(logits), false) = (self.logits, self.targets.has_unjudged()) {
            return pass_row::add_scores(&logits[row * self.channels..][..sums.len()], own, sums);
        }
        let logits: Vec<f64> = (0..sums.len()).map(|column| self.logit(row, column)).collect();
        let logs = softmax::log_softmax_f64(&logits, |class| self.targets.is_judged(row, class));
        sums.iter_mut().zip(logs).for_each(|(sum, log)| *sum += log.exp());
    }

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
        let targets = self.targets;
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
            for class in (0..classes.min(self.channels)).filter(|class| counts(row, *class)) {
                let side = if own == Some(class) { &mut delta.positive } else { &mut delta.negative };
                side[class] += scale * self.gradient.at(row * self.channels + class).abs();
            }
        }
        delta
    }
}
