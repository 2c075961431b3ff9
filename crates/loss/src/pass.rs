//! One fused pass over the logits on the CPU: value, gradient and ledger sums together.
//!
//! By tensor operations a loss reads and writes `[R, C]` about twenty times; at 8,192 rows and 1,204 columns each time is 40 MB.
//! A loss that can be told to the pass by a [`Form`] needs one read and one write. [`ClassLoss::terms`](crate::ClassLoss::terms) stays
//! the definition, the path of every other device, and what tests hold the pass against.
//!
//! Work is cut into pieces of [`ROWS`] rows whatever the number of threads, and pieces are added in order: the same bits each time.

use burn::backend::{DType, Flex};
use burn::tensor::Tensor;

use crate::class_loss::{recorded, remembered};
use crate::form::Form;
use crate::pass_kernel::{self, FreshRows};
use crate::pass_row::{Row, Scratch};
use crate::{Batch, ClassLoss, ClassTargets, Computed, LedgerDelta, LossError, Result, Values};

/// Rows of a piece of work, and of a float32 partial sum of the ledger: up to so many terms lose 1e-6 of the sum.
pub(crate) const ROWS: usize = 32;

/// What a pass leaves; the value is not normalised, the gradient is scaled.
pub(crate) struct Passed {
    pub value: f64,
    pub gradient: Vec<f32>,
    pub delta: LedgerDelta,
}

/// A piece of consecutive rows.
struct Piece {
    value: f64,
    /// Sums over the columns `0..C` of rows that do not own them.
    negative: Vec<f32>,
    /// (class, sum) of rows that do.
    positive: Vec<(usize, f32)>,
    /// (class, numbers) that rows leave in the memory of the loss.
    remembered: Vec<(usize, Vec<f64>)>,
    /// First row with a logit that is not finite.
    broken: Option<usize>,
}

/// Runs the pass with the gradient scaled by `scale`, when the logits are f32 on the CPU backend without autodiff.
///
/// # Errors
/// When a logit is not finite.
pub(crate) fn run<L: ClassLoss + ?Sized>(
    loss: &L,
    form: &Form<'_>,
    logits: &Tensor<2>,
    targets: &ClassTargets,
    scale: f32,
) -> Option<Result<Passed>> {
    let [_, channels] = logits.dims();
    let host = logits.clone().try_into_primitive::<Flex>().ok().filter(|host| host.dtype() == DType::F32)?;
    let host = host.to_contiguous();
    let logits = host.as_slice::<f32>()?;
    let batch = Batch { logits: Values::F32(logits), channels, targets };
    Some(Pass { loss, form, batch, logits, scale }.run())
}

/// A pass over a batch.
struct Pass<'a, L: ?Sized> {
    loss: &'a L,
    form: &'a Form<'a>,
    batch: Batch<'a>,
    /// Those of the batch, in f32.
    logits: &'a [f32],
    /// Of the gradient.
    scale: f32,
}

impl<L: ClassLoss + ?Sized> Pass<'_, L> {
    fn run(&self) -> Result<Passed> {
        let Batch { channels, targets, .. } = self.batch;
        // A head without classes and background has no column, and no piece either.
        let (gradient, pieces) = pass_kernel::in_pieces(self.logits.len(), [ROWS, channels.max(1)], |at, gradient| {
            self.piece(at * ROWS, gradient)
        });
        let mut known = LedgerDelta::zeros(targets.num_classes());
        known.instances = targets.instances();
        known.rows = targets.counted_rows();
        let (mut value, mut remembered) = (0.0, Vec::new());
        for piece in pieces {
            if let Some(row) = piece.broken {
                let values = &self.logits[row * channels..(row + 1) * channels];
                let channel = values.iter().position(|z| !z.is_finite()).unwrap_or(0);
                return Err(LossError::NotFinite { row, channel, value: f64::from(values[channel]) });
            }
            value += piece.value;
            known.negative.iter_mut().zip(&piece.negative).for_each(|(sum, more)| *sum += f64::from(*more));
            piece.positive.iter().for_each(|&(class, more)| known.positive[class] += f64::from(more));
            remembered.extend(piece.remembered);
        }
        let computed = Computed { batch: self.batch, gradient: Values::F32(&gradient), known: Some(&known) };
        let delta = recorded(self.loss, &computed, || remembered);
        Ok(Passed { value, gradient, delta })
    }

    /// The rows from `first` on that `gradient` has room for.
    fn piece(&self, first: usize, gradient: &mut FreshRows<'_>) -> Piece {
        let (form, Batch { channels, targets, .. }) = (self.form, self.batch);
        let remembers = self.loss.memory().is_some();
        let mut piece = Piece {
            value: 0.0,
            negative: vec![0.0; channels],
            positive: Vec::with_capacity(ROWS),
            remembered: Vec::new(),
            broken: None,
        };
        let mut scratch = Scratch::new(form, channels, targets);
        let logits = self.logits[first * channels..].chunks_exact(channels);
        for (at, (gradient, logits)) in (first..).zip(gradient.zip(logits)) {
            let Some(own) = targets.column(at) else {
                if pass_kernel::largest(logits).is_none() {
                    piece.broken.get_or_insert(at);
                }
                continue;
            };
            let row = Row { at, own, logits, targets, factor: [targets.row_weight(at) as f32, self.scale] };
            let sums = &mut piece.negative;
            let done = match form {
                Form::Sigmoids(loss) => scratch.sigmoids(loss, &row, gradient, sums),
                Form::Focal(loss) => scratch.focal(loss, &row, gradient, sums),
                Form::Softmax(loss) => scratch.softmax(loss, &row, gradient, sums),
                Form::Softmaxes(loss) => scratch.softmaxes(loss, &row, gradient, sums),
            };
            let Some((value, own_gradient)) = done else {
                piece.broken.get_or_insert(at);
                continue;
            };
            piece.value += value;
            if own < targets.num_classes() {
                piece.positive.push((own, own_gradient));
            }
            if remembers {
                piece.remembered.extend(remembered(self.loss, &self.batch, at));
            }
        }
        piece
    }
}
