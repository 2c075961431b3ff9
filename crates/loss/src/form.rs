//! What a loss is made of: the tensor terms, the float64 loop and the fused pass all read the same constants of the step.

use burn::tensor::Tensor;

use crate::focal_terms::FocalTerms;
use crate::sigmoid::Sigmoids;
use crate::softmax::Softmax;
use crate::softmaxes::Softmaxes;
use crate::{ClassLoss, ClassTargets, LossStepF64};

/// A loss on one batch.
pub enum Form<'a> {
    /// Sigmoids with weights and offsets of rows, columns or elements.
    Sigmoids(Sigmoids<'a>),
    /// Sigmoids that fade where they are right, with a focus of each column.
    Focal(FocalTerms),
    /// A softmax over the columns that were judged, with weights of rows and offsets.
    Softmax(Softmax<'a>),
    /// Softmaxes over sets of columns.
    Softmaxes(Softmaxes<'a>),
}

impl Form<'_> {
    /// Unreduced terms by tensor operations, `[R, C]` → `[R, C]`.
    pub fn terms(&self, logits: Tensor<2>, targets: &ClassTargets) -> Tensor<2> {
        match self {
            Form::Sigmoids(form) => form.terms(logits, targets),
            Form::Focal(form) => form.terms(logits, targets),
            Form::Softmax(form) => form.terms(logits, targets),
            Form::Softmaxes(form) => (form.terms)(logits),
        }
    }

    /// Value, gradient and sums in float64 by plain loops, `logits` being `[R, C]` row by row.
    pub fn step_f64<L: ClassLoss + ?Sized>(&self, loss: &L, logits: &[f64], targets: &ClassTargets) -> LossStepF64 {
        match self {
            Form::Sigmoids(form) => form.step_f64(loss, logits, targets),
            Form::Focal(form) => form.step_f64(loss, logits, targets),
            Form::Softmax(form) => form.step_f64(loss, logits, targets),
            Form::Softmaxes(form) => (form.step_f64)(logits),
        }
    }
}
