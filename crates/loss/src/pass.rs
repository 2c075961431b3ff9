//! One fused pass over the logits on the CPU: value, gradient and ledger sums together.
//!
//! By tensor operations a loss reads and writes `[R, C]` about twenty times; at 8,192 rows and 1,204 columns each time is 40 MB.
//! A loss that can be told to the pass by a [`Pass`] needs one read and one write. [`ClassLoss::terms`](crate::ClassLoss::terms) stays
//! the definition, the path of every other device, and what tests hold the pass against.
//!
//! Work is cut into pieces of [`ROWS`] rows whatever the number of threads, and pieces are added in order: the same bits each time.

use burn::backend::{DType, Flex};
use burn::tensor::Tensor;

use crate::grid::Grid;
use crate::pass_kernel::{self, FreshRow, FreshRows};
use crate::sigmoid::Sigmoids;
use crate::softmax::Softmax;
use crate::{ClassTargets, Computed, LedgerDelta, LossError, Result, Values, sigmoid as scalar};

/// Rows of a piece of work, and of a float32 partial sum of the ledger: up to so many terms lose 1e-6 of the sum.
const ROWS: usize = 32;

/// A loss as the fused pass knows it.
pub enum Pass<'a> {
    /// `w_ij BCE(z_ij, t_ij)` with one weight for each column and side: the shortest way.
    Sigmoid {
        /// Weights of a column where it is the row's own, `[C]`.
        positive: Vec<f32>,
        /// Weights of a column where it is not, `[C]`.
        negative: Vec<f32>,
    },
    /// Sigmoids with weights and offsets of rows, columns or elements.
    Sigmoids(Sigmoids<'a>),
    /// A softmax over the columns that were judged, with weights of rows and offsets.
    Softmax(Softmax<'a>),
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
pub(crate) fn run(
    pass: &Pass<'_>,
    logits: &Tensor<2>,
    targets: &ClassTargets,
    scale: f32,
    record: &dyn Fn(&Computed<'_>) -> LedgerDelta,
) -> Option<Result<Passed>> {
    let [_, channels] = logits.dims();
    let host = logits.clone().try_into_primitive::<Flex>().ok().filter(|host| host.dtype() == DType::F32)?;
    let host = host.to_contiguous();
    let logits = host.as_slice::<f32>()?;
    Some(over_rows(pass, logits, channels, targets, scale).map(|mut passed| {
        let (logits, gradient) = (Values::F32(logits), Values::F32(&passed.gradient));
        passed.delta = record(&Computed { logits, gradient, channels, targets, known: Some(&passed.delta) });
        passed
    }))
}

fn over_rows(pass: &Pass<'_>, logits: &[f32], channels: usize, targets: &ClassTargets, scale: f32) -> Result<Passed> {
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
        pass: &Pass<'_>,
        first: usize,
        logits: &[f32],
        gradient: &mut FreshRows<'_>,
        channels: usize,
        targets: &ClassTargets,
        scale: f32,
    ) -> Self {
        let mut piece =
            Self { value: 0.0, negative: vec![0.0; channels], positive: Vec::with_capacity(ROWS), broken: None };
        let mut scratch = Scratch::new(pass, channels);
        for (row, (gradient, logits)) in (first..).zip(gradient.zip(logits.chunks_exact(channels))) {
            let own = targets.column(row);
            let Some(own) = own else {
                if pass_kernel::largest(logits).is_none() {
                    piece.broken.get_or_insert(row);
                }
                continue;
            };
            let factor = [targets.row_weight(row) as f32, scale];
            let done = match pass {
                Pass::Sigmoid { positive, negative } => scratch.by_column(
                    (positive, negative),
                    logits,
                    (row, own),
                    targets,
                    factor,
                    gradient,
                    &mut piece.negative,
                ),
                Pass::Sigmoids(loss) => {
                    scratch.sigmoids(loss, logits, (row, own), targets, factor, gradient, &mut piece.negative)
                }
                Pass::Softmax(loss) => {
                    scratch.softmax(loss, logits, (row, own), targets, factor, gradient, &mut piece.negative)
                }
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

/// Room for one row of weights and of logits as the loss changes them.
struct Scratch {
    weights: Vec<f32>,
    z: Vec<f32>,
}

/// A row's value and the size of its own column's gradient, neither normalised; `None` when a logit is not finite.
type RowDone = Option<(f64, f32)>;

impl Scratch {
    fn new(pass: &Pass<'_>, channels: usize) -> Self {
        let weights = match pass {
            Pass::Sigmoid { negative, .. } => negative.clone(),
            _ => vec![0.0; channels],
        };
        Self { weights, z: vec![0.0; channels] }
    }

    /// Sigmoids with weights of columns; `weights` hold the negative ones from row to row.
    #[expect(clippy::too_many_arguments, reason = "all that a row is made of")]
    fn by_column(
        &mut self,
        (positive, negative): (&[f32], &[f32]),
        logits: &[f32],
        (row, own): (usize, usize),
        targets: &ClassTargets,
        factor: [f32; 2],
        gradient: FreshRow<'_>,
        sums: &mut [f32],
    ) -> RowDone {
        if targets.has_unjudged() {
            self.weights.copy_from_slice(negative);
            leave_out(&mut self.weights, 0.0, row, targets);
        }
        // A background row of a head without that column has no column of its own.
        let own = (own < logits.len()).then(|| (own, positive[own]));
        let done = sigmoid(logits, &mut self.weights, own, factor, gradient, sums);
        if let Some((own, _)) = own {
            self.weights[own] = negative[own];
        }
        done
    }

    #[expect(clippy::too_many_arguments, reason = "all that a row is made of")]
    fn sigmoids(
        &mut self,
        loss: &Sigmoids<'_>,
        logits: &[f32],
        (row, own): (usize, usize),
        targets: &ClassTargets,
        [row_weight, scale]: [f32; 2],
        gradient: FreshRow<'_>,
        sums: &mut [f32],
    ) -> RowDone {
        pass_kernel::largest(logits)?;
        let z = change(logits, loss.scale, &loss.offset, row, &mut self.z);
        match &*loss.weight.row(row) {
            [weight] => self.weights.fill(*weight as f32),
            weights => self.weights.iter_mut().zip(weights).for_each(|(to, weight)| *to = *weight as f32),
        }
        if targets.has_unjudged() {
            leave_out(&mut self.weights, 0.0, row, targets);
        }
        let own = (own < logits.len()).then(|| (own, self.weights[own]));
        // The derivative by the logit itself; the value has no such factor.
        let factor = [row_weight * loss.scale as f32, scale];
        let (value, own_gradient) = sigmoid(z, &mut self.weights, own, factor, gradient, sums)?;
        Some((value / loss.scale, own_gradient))
    }

    #[expect(clippy::too_many_arguments, reason = "all that a row is made of")]
    fn softmax(
        &mut self,
        loss: &Softmax<'_>,
        logits: &[f32],
        (row, own): (usize, usize),
        targets: &ClassTargets,
        [row_weight, scale]: [f32; 2],
        gradient: FreshRow<'_>,
        sums: &mut [f32],
    ) -> RowDone {
        let mut largest = pass_kernel::largest(logits)?;
        if own >= logits.len() {
            // A label without a column teaches a softmax nothing.
            return Some((0.0, 0.0));
        }
        let mut z = change(logits, loss.scale, &loss.offset, row, &mut self.z);
        if targets.has_unjudged() {
            if std::ptr::eq(z, logits) {
                self.z.copy_from_slice(logits);
            }
            leave_out(&mut self.z, f32::NEG_INFINITY, row, targets);
            z = &self.z;
        }
        if !std::ptr::eq(z, logits) {
            largest = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        }
        // The derivative by the logit itself; the value has no such factor.
        let weight = row_weight * loss.weight.at(row, 0) as f32;
        let factor = [weight * loss.scale as f32, scale];
        let (value, own_gradient) = softmax(z, largest, own, factor, gradient, sums);
        Some((value / loss.scale, own_gradient))
    }
}

/// Softmax score of a column of finite logits; 0 when they are not.
pub(crate) fn own_score(logits: &[f32], own: usize) -> f64 {
    let Some(largest) = pass_kernel::largest(logits) else { return 0.0 };
    let others = f64::from(pass_kernel::sum_of_others(logits, largest, own));
    let own_part = f64::from(logits[own] - largest).exp();
    own_part / (own_part + others)
}

/// Writes `value` where the row may not teach.
fn leave_out(values: &mut [f32], value: f32, row: usize, targets: &ClassTargets) {
    values.iter_mut().enumerate().filter(|(c, _)| !targets.is_judged(row, *c)).for_each(|(_, to)| *to = value);
}

/// `scale z + offset`, in `room` where that is anything but `z`; finite logits stay finite.
fn change<'z>(z: &'z [f32], scale: f64, offset: &Grid<'_>, row: usize, room: &'z mut [f32]) -> &'z [f32] {
    if scale == 1.0 && offset.is(0.0) {
        return z;
    }
    let scale = scale as f32;
    let finite = |z: f32| z.clamp(f32::MIN, f32::MAX);
    match &*offset.row(row) {
        [offset] => room.iter_mut().zip(z).for_each(|(to, z)| *to = finite(z * scale + *offset as f32)),
        offsets => {
            room.iter_mut().zip(z).zip(offsets).for_each(|((to, z), offset)| *to = finite(z * scale + *offset as f32));
        }
    }
    room
}

/// A row of sigmoids.
fn sigmoid(
    logits: &[f32],
    weights: &mut [f32],
    own: Option<(usize, f32)>,
    factor: [f32; 2],
    gradient: FreshRow<'_>,
    sums: &mut [f32],
) -> RowDone {
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
