//! Softmaxes over disjoint sets of columns.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::LossStepF64;

/// Place among the group's columns that a row should choose, and its weight there; `None` where the group learns nothing from it.
type Wanted<'a> = dyn Fn(usize) -> Option<(usize, f64)> + Send + Sync + 'a;

/// `shift(wanted, logits)` adds constants to the logits of a group, from which the largest was subtracted; minus infinity is what
/// was not judged and stays so.
type Shift<'a> = dyn Fn(usize, &mut [f32]) + Send + Sync + 'a;

/// Tensor operations that a loss has of its own, `[R, C]` → `[R, C]`.
type Terms<'a> = dyn Fn(Tensor<2>) -> Tensor<2> + Send + Sync + 'a;

/// A loop of its own over logits, `[R, C]` row by row.
type StepF64<'a> = dyn Fn(&[f64]) -> LossStepF64 + Send + Sync + 'a;

/// Sum over groups of `-w_ig log softmax(z_ig + o_ig)` at the column that a row should choose in the group.
///
/// Offsets may follow the logits: no gradient flows through them. The groups are for the fused pass; what tensors and loops do with such offsets the
/// loss says itself.
pub struct Softmaxes<'a> {
    pub(crate) groups: Vec<Group<'a>>,
    pub(crate) terms: Box<Terms<'a>>,
    pub(crate) step_f64: Box<StepF64<'a>>,
}

/// Columns that compete.
pub(crate) struct Group<'a> {
    /// Its columns in ascending order; no other group has them.
    pub columns: Vec<usize>,
    pub wanted: Box<Wanted<'a>>,
    pub shift: Option<Box<Shift<'a>>>,
}

impl Group<'_> {
    /// Its columns as a range, where none is left out between them.
    pub(crate) fn together(&self) -> Option<Range<usize>> {
        let (first, last) = (*self.columns.first()?, *self.columns.last()?);
        (last + 1 - first == self.columns.len()).then_some(first..last + 1)
    }
}
