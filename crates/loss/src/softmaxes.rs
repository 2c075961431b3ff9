//! Softmaxes over disjoint sets of columns, as the fused pass takes them.

/// Place among the group's columns that a row should choose, and its weight there; `None` where the group learns nothing from it.
type Wanted<'a> = dyn Fn(usize) -> Option<(usize, f64)> + Send + Sync + 'a;

/// `shift(row, wanted, logits)` adds constants to the logits of a group, from which the largest was subtracted; minus infinity is what
/// was not judged and stays so.
type Shift<'a> = dyn Fn(usize, usize, &mut [f32]) + Send + Sync + 'a;

/// Sum over groups of `-w_ig log softmax(z_ig + o_ig)` at the column that a row should choose in the group.
///
/// Offsets may follow the logits: no gradient flows through them.
pub struct Softmaxes<'a> {
    pub(crate) groups: Vec<Group<'a>>,
}

/// Columns that compete.
pub(crate) struct Group<'a> {
    /// Its columns, which no other group has.
    pub columns: Vec<usize>,
    pub wanted: Box<Wanted<'a>>,
    pub shift: Option<Box<Shift<'a>>>,
}
