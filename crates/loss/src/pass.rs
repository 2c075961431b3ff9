//! One fused pass over the logits on the CPU: value, gradient and ledger sums together.
//!
//! By tensor operations a loss reads and writes `[R, C]` about twenty times; at 8,192 rows and 1,204 columns each time is 40 MB.
//! A loss that can be told to the pass by a [`Pass`] needs one read and one write. [`ClassLoss::terms`](crate::ClassLoss::terms) stays
//! the definition, the path of every other device, and what tests hold the pass against.
//!
//! Work is cut into pieces of [`ROWS`] rows whatever the number of threads, and pieces are added in order: the same bits each time.

use burn::backend::{DType, Flex};
use burn::tensor::Tensor;

use crate::pass_kernel::{self, FreshRow, FreshRows};
use crate::{ClassTargets, LedgerDelta, LossError, Result, sigmoid as scalar};

/// Rows of a piece of work, and of a float32 partial sum of the ledger: up to so many terms lose 1e-6 of the sum.
const ROWS: usize = 32;

/// A loss as the fused pass knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Pass {
    /// `w_ij BCE(z_ij, t_ij)` with one weight for each column and side.
    Sigmoid {
        /// Weights of a column where it is the row's own, `[C]`.
        positive: Vec<f32>,
        /// Weights of a column where it is not, `[C]`.
        negative: Vec<f32>,
    },
    /// `-log softmax(z_i)_{y_i}` over the columns that were judged.
    Softmax,
}

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
    /// First row with a logit that is not finite.
    broken: Option<usize>,
}

/// Runs the pass with the gradient scaled by `scale`, when the logits are f32 on the CPU backend without autodiff.
///
/// # Errors
/// When a logit is not finite.
pub(crate) fn run(pass: &Pass, logits: &Tensor<2>, targets: &ClassTargets, scale: f32) -> Option<Result<Passed>> {
    let [_, channels] = logits.dims();
    let host = logits.clone().try_into_primitive::<Flex>().ok().filter(|host| host.dtype() == DType::F32)?;
    let host = host.to_contiguous();
    Some(over_rows(pass, host.as_slice::<f32>()?, channels, targets, scale))
}

fn over_rows(pass: &Pass, logits: &[f32], channels: usize, targets: &ClassTargets, scale: f32) -> Result<Passed> {
    // A head without classes and background has no column, and no piece either.
    let (gradient, pieces) = pass_kernel::in_pieces(logits.len(), [ROWS, channels.max(1)], |at, gradient| {
        Piece::of(pass, at * ROWS, &logits[at * ROWS * channels..], gradient, channels, targets, scale)
    });
    let mut delta = LedgerDelta::zeros(targets.num_classes());
    delta.instances = targets.instances();
    delta.rows = targets.counted_rows();
    let mut value = 0.0;
    for piece in pieces {
        if let Some(row) = piece.broken {
            let values = &logits[row * channels..(row + 1) * channels];
            let channel = values.iter().position(|z| !z.is_finite()).unwrap_or(0);
            return Err(LossError::NotFinite { row, channel, value: f64::from(values[channel]) });
        }
        value += piece.value;
        delta.negative.iter_mut().zip(&piece.negative).for_each(|(sum, more)| *sum += f64::from(*more));
        piece.positive.iter().for_each(|&(class, more)| delta.positive[class] += f64::from(more));
    }
    Ok(Passed { value, gradient, delta })
}

impl Piece {
    fn of(
        pass: &Pass,
        first: usize,
        logits: &[f32],
        gradient: &mut FreshRows<'_>,
        channels: usize,
        targets: &ClassTargets,
        scale: f32,
    ) -> Self {
        let mut piece =
            Self { value: 0.0, negative: vec![0.0; channels], positive: Vec::with_capacity(ROWS), broken: None };
        // A copy in which what a row may not teach is left out.
        let mut kept = match pass {
            Pass::Sigmoid { negative, .. } => negative.clone(),
            Pass::Softmax => vec![0.0; channels],
        };
        for (row, (gradient, logits)) in (first..).zip(gradient.zip(logits.chunks_exact(channels))) {
            let Some(own) = targets.column(row) else {
                if pass_kernel::largest(logits).is_none() {
                    piece.broken.get_or_insert(row);
                }
                continue;
            };
            let factor = [targets.row_weight(row) as f32, scale];
            let judged = |column: usize| targets.is_judged(row, column);
            // A background row of a head without that column has no column of its own.
            let own_column = (own < channels).then_some(own);
            let done = match pass {
                Pass::Sigmoid { positive, negative } => {
                    if targets.has_unjudged() {
                        kept.copy_from_slice(negative);
                        kept.iter_mut().enumerate().filter(|(c, _)| !judged(*c)).for_each(|(_, weight)| *weight = 0.0);
                    }
                    let own = own_column.map(|own| (own, positive[own]));
                    let done = sigmoid(logits, &mut kept, own, factor, gradient, &mut piece.negative);
                    if let Some((own, _)) = own {
                        kept[own] = negative[own];
                    }
                    done
                }
                Pass::Softmax => pass_kernel::largest(logits).map(|largest| {
                    if !targets.has_unjudged() {
                        return softmax(logits, largest, own, factor, gradient, &mut piece.negative);
                    }
                    kept.copy_from_slice(logits);
                    kept.iter_mut().enumerate().filter(|(c, _)| !judged(*c)).for_each(|(_, z)| *z = f32::NEG_INFINITY);
                    let largest = kept.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    softmax(&kept, largest, own, factor, gradient, &mut piece.negative)
                }),
            };
            let Some((value, own_gradient)) = done else {
                piece.broken.get_or_insert(row);
                continue;
            };
            piece.value += value;
            if own < targets.num_classes() {
                piece.positive.push((own, own_gradient));
            }
        }
        piece
    }
}

/// A row of sigmoids; returns its value and the size of its own column's gradient, neither normalised, or `None` when a logit is not
/// finite.
fn sigmoid(
    logits: &[f32],
    weights: &mut [f32],
    own: Option<(usize, f32)>,
    factor: [f32; 2],
    gradient: FreshRow<'_>,
    sums: &mut [f32],
) -> Option<(f64, f32)> {
    // Without weight the row's own column adds nothing, so that nothing has to be taken back.
    if let Some((column, _)) = own {
        weights[column] = 0.0;
    }
    let (value, gradient) = gradient.sigmoid(logits, weights, factor, sums);
    let (value, Some((column, weight))) = (value?, own) else { return value.map(|value| (value, 0.0)) };
    let (z, weight) = (f64::from(logits[column]), f64::from(weight * factor[0]));
    let own_gradient = weight * scalar::bce_gradient_f64(z, true);
    gradient[column] = own_gradient as f32 * factor[1];
    Some((value + weight * scalar::bce_f64(z, true), own_gradient.abs() as f32))
}

/// A row of a softmax in which minus infinity stands for what was not judged; returns value and size as [`sigmoid`] does.
fn softmax(
    z: &[f32],
    largest: f32,
    own: usize,
    factor: [f32; 2],
    gradient: FreshRow<'_>,
    sums: &mut [f32],
) -> (f64, f32) {
    // `1 - p` of the row's own column is taken as the share of the others, which does not cancel.
    let (others, gradient) = gradient.exp(z, largest, own);
    let others = f64::from(others);
    let own_part = f64::from(z[own] - largest).exp();
    let sum = others + own_part;
    pass_kernel::share_row([(f64::from(factor[0]) / sum) as f32, factor[1]], gradient, sums);
    let own_gradient = f64::from(factor[0]) * others / sum;
    gradient[own] = -own_gradient as f32 * factor[1];
    let value = if own_part > 0.5 * sum { (others / own_part).ln_1p() } else { f64::from(largest - z[own]) + sum.ln() };
    (f64::from(factor[0]) * value, own_gradient as f32)
}
