//! One row of the fused pass: what each kind of [`Form`] makes of its logits.
//!
//! The kernels treat every column as negative. The row's own column gets weight 0 there, and its term in float64 here.

use crate::focal_terms::{self, FocalTerms};
use crate::form::Form;
use crate::grid::Grid;
use crate::pass_kernel::{self, Fresh, FreshRow};
use crate::sigmoid::{self, Sigmoids};
use crate::softmax::Softmax;
use crate::softmaxes::Softmaxes;
use crate::{ClassTargets, Label};

/// A row that is not ignored.
pub(crate) struct Row<'a> {
    /// Its index.
    pub at: usize,
    /// Column of its label, which the head may not have.
    pub own: usize,
    pub logits: &'a [f32],
    pub targets: &'a ClassTargets,
    /// Weight of the row, and scale of the gradient.
    pub factor: [f32; 2],
}

/// A row's value and the size of its own column's gradient, neither normalised; `None` when a logit is not finite.
pub(crate) type RowDone = Option<(f64, f32)>;

/// Room for a row of each kind of number, as long as one once it was used.
pub(crate) struct Scratch {
    channels: usize,
    /// Times `held`.
    weights: Vec<f32>,
    /// Factor of a row; not a number while no row was weighed.
    held: f32,
    /// Whether `weights` are the same in each row but for the factor.
    fixed: bool,
    gamma: Vec<f32>,
    offset: Vec<f32>,
    z: Vec<f32>,
    /// For numbers in float64.
    wide: Vec<f64>,
    gradient: Vec<Fresh>,
    sums: Vec<f32>,
}

impl Scratch {
    pub(crate) fn new(form: &Form<'_>, channels: usize, targets: &ClassTargets) -> Self {
        let mut scratch = Self {
            channels,
            weights: Vec::new(),
            held: f32::NAN,
            fixed: !targets.has_unjudged(),
            gamma: Vec::new(),
            offset: Vec::new(),
            z: Vec::new(),
            wide: Vec::new(),
            gradient: Vec::new(),
            sums: Vec::new(),
        };
        match form {
            Form::Sigmoids(loss) => scratch.fixed &= loss.weight.repeats() && loss.confused.is_none(),
            Form::Focal(loss) => scratch.gamma = loss.gamma.iter().map(|gamma| *gamma as f32).collect(),
            Form::Softmax(_) => {}
            Form::Softmaxes(_) => {
                scratch.z = vec![0.0; channels];
                scratch.sums = vec![0.0; channels];
                scratch.gradient = vec![Fresh::new(0.0); channels];
            }
        }
        scratch
    }

    /// `w_ij BCE(s z_ij + o_ij, t_ij)`
    pub(crate) fn sigmoids(
        &mut self,
        loss: &Sigmoids<'_>,
        row: &Row<'_>,
        gradient: FreshRow<'_>,
        sums: &mut [f32],
    ) -> RowDone {
        let changed = loss.scale != 1.0 || !loss.offset.is_zero(row.at);
        if changed {
            // Afterwards nothing tells an infinite logit from one that a margin made large.
            pass_kernel::largest(row.logits)?;
            self.change(&loss.offset, 0.0, loss.scale, row);
        }
        // The derivative by the logit itself; the value has no such factor.
        let weight = row.factor[0] * loss.scale as f32;
        self.weigh(weight, row, |weights, wide| {
            loss.weight.write(row.at, wide, weights);
            if let (Some(least), Label::Class(_)) = (loss.confused, row.targets.labels()[row.at]) {
                let least = least as f32;
                weights.iter_mut().zip(row.logits).for_each(|(to, z)| *to = to.max(f32::from(u8::from(*z >= least))));
            }
        });
        let z = if changed { &self.z } else { row.logits };
        // A background row of a head without that column has no column of its own.
        let own = (row.own < z.len()).then_some(row.own);
        let before = own.map(|own| std::mem::take(&mut self.weights[own]));
        let (value, gradient) = gradient.sigmoid(z, &self.weights, row.factor[1], sums);
        let (mut value, mut own_gradient) = (value?, 0.0);
        if let (Some(own), Some(before)) = (own, before) {
            self.weights[own] = before;
            let positive = loss.positive.as_ref().map(|positive| positive[own] * f64::from(weight));
            let (z, weight) = (f64::from(z[own]), positive.unwrap_or(f64::from(before)));
            let slope = weight * sigmoid::bce_gradient_f64(z, true);
            gradient[own] = slope as f32 * row.factor[1];
            own_gradient = slope.abs() as f32;
            value += weight * sigmoid::bce_f64(z, true);
        }
        Some((value / loss.scale, own_gradient))
    }

    /// Makes `weights` those of the row times `factor`; `write` writes them without it.
    fn weigh(&mut self, factor: f32, row: &Row<'_>, write: impl FnOnce(&mut [f32], &mut Vec<f64>)) {
        if self.fixed && self.held == factor {
            return;
        }
        self.weights.resize(self.channels, 0.0);
        write(&mut self.weights, &mut self.wide);
        leave_out(&mut self.weights, 0.0, row);
        if factor != 1.0 {
            self.weights.iter_mut().for_each(|weight| *weight *= factor);
        }
        self.held = factor;
    }

    /// `w_i s_j |u - p|^gamma_j BCE(z_ij, u)`, `u` being 0 but for the row's own column.
    pub(crate) fn focal(
        &mut self,
        loss: &FocalTerms,
        row: &Row<'_>,
        gradient: FreshRow<'_>,
        sums: &mut [f32],
    ) -> RowDone {
        let weight = row.factor[0] * loss.weight.at(row.at, 0) as f32;
        self.weigh(weight, row, |weights, _| loss.negatives(weights));
        let own = (row.own < row.logits.len()).then_some(row.own);
        let before = own.map(|own| std::mem::take(&mut self.weights[own]));
        let (value, gradient) = gradient.focal(row.logits, [&self.weights, &self.gamma], row.factor[1], sums);
        let (mut value, mut own_gradient) = (value?, 0.0);
        if let (Some(own), Some(before)) = (own, before) {
            self.weights[own] = before;
            let (z, quality) = (f64::from(row.logits[own]), loss.quality.at(row.at, 0));
            let (term, slope) = focal_terms::term_f64(z, quality, loss.gamma[own]);
            let weight = f64::from(weight) * loss.side(own, true);
            gradient[own] = (weight * slope) as f32 * row.factor[1];
            own_gradient = (weight * slope).abs() as f32;
            value += weight * term;
        }
        Some((value, own_gradient))
    }

    /// Makes `z` of `scale (logit - origin) + offset`, and returns the largest.
    ///
    /// Trap: a margin on a logit of 1000 is rounded to 6e-5, and 30 times a logit thirty times as coarsely as the logit. The difference
    /// to an origin nearby is exact, and what is far from the largest logit of a softmax has no probability.
    fn change(&mut self, offset: &Grid<'_>, origin: f32, scale: f64, row: &Row<'_>) -> f32 {
        let of_row = offset.row_f32(row.at);
        let written = offset.repeats() && self.offset.len() == self.channels;
        if of_row.is_none() && !written {
            self.offset.resize(self.channels, 0.0);
            offset.write(row.at, &mut self.wide, &mut self.offset);
        }
        self.z.resize(self.channels, 0.0);
        pass_kernel::change(row.logits, origin, scale as f32, of_row.unwrap_or(&self.offset), &mut self.z)
    }

    /// `-w_i log softmax(s z_i + o_i)_{y_i}`
    pub(crate) fn softmax(
        &mut self,
        loss: &Softmax<'_>,
        row: &Row<'_>,
        gradient: FreshRow<'_>,
        sums: &mut [f32],
    ) -> RowDone {
        let mut largest = pass_kernel::largest(row.logits)?;
        if row.own >= row.logits.len() {
            // A label without a column teaches a softmax nothing.
            return Some((0.0, 0.0));
        }
        let (changed, unjudged) = (loss.scale != 1.0 || !loss.offset.is(0.0), row.targets.has_unjudged());
        if changed {
            let origin = if unjudged { largest_judged(row) } else { largest };
            largest = self.change(&loss.offset, origin, loss.scale, row);
        } else if unjudged {
            self.z.clear();
            self.z.extend_from_slice(row.logits);
        }
        if unjudged {
            leave_out(&mut self.z, f32::NEG_INFINITY, row);
            largest = pass_kernel::highest(&self.z);
        }
        let z = if changed || unjudged { &self.z } else { row.logits };
        // The derivative by the logit itself; the value has no such factor.
        let weight = row.factor[0] * loss.weight.at(row.at, 0) as f32;
        let factor = [weight * loss.scale as f32, row.factor[1]];
        let ((value, own_gradient), _) = softmax(z, largest, row.own, factor, gradient, sums);
        Some((value / loss.scale, own_gradient))
    }

    /// Sums over the groups of `-w_ig log softmax(z_ig + o_ig)`.
    pub(crate) fn softmaxes(
        &mut self,
        loss: &Softmaxes<'_>,
        row: &Row<'_>,
        gradient: FreshRow<'_>,
        sums: &mut [f32],
    ) -> RowDone {
        pass_kernel::largest(row.logits)?;
        let gradient = gradient.zeros();
        let (mut value, mut own_gradient) = (0.0, 0.0);
        for group in &loss.groups {
            let Some((wanted, weight)) = (group.wanted)(row.at) else { continue };
            let columns = &group.columns;
            let [z, room] = [&mut self.z[..columns.len()], &mut self.sums[..columns.len()]];
            let together = group.together();
            match together.clone() {
                Some(range) => z.copy_from_slice(&row.logits[range]),
                None => z.iter_mut().zip(columns).for_each(|(z, column)| *z = row.logits[*column]),
            }
            if row.targets.has_unjudged() {
                let unjudged = |column: usize| !row.targets.is_judged(row.at, column);
                z.iter_mut().zip(columns).filter(|(_, c)| unjudged(**c)).for_each(|(z, _)| *z = f32::NEG_INFINITY);
            }
            if let Some(shift) = &group.shift {
                // As in `change`.
                let largest = pass_kernel::highest(z);
                z.iter_mut().for_each(|z| *z -= largest);
                z[wanted] = z[wanted].max(f32::MIN);
                shift(wanted, z);
            }
            let factor = [row.factor[0] * weight as f32, row.factor[1]];
            let fresh = FreshRow::over(&mut self.gradient[..columns.len()]);
            let (done, of_group) = softmax(z, pass_kernel::highest(z), wanted, factor, fresh, room);
            value += done.0;
            if columns[wanted] == row.own {
                own_gradient = done.1;
            }
            if let Some(range) = together {
                gradient[range.clone()].copy_from_slice(of_group);
                sums[range].iter_mut().zip(&*room).for_each(|(to, sum)| *to += sum);
            } else {
                for ((column, g), sum) in columns.iter().zip(of_group).zip(&*room) {
                    gradient[*column] = *g;
                    sums[*column] += sum;
                }
            }
            room.fill(0.0);
        }
        Some((value, own_gradient))
    }
}

/// Softmax scores of finite logits, one of which is `own`.
pub(crate) fn scores(logits: &[f32], own: usize) -> Vec<f64> {
    let largest = pass_kernel::highest(logits);
    let mut room = vec![Fresh::new(0.0); logits.len()];
    let (others, parts) = FreshRow::over(&mut room).exp(logits, largest, own);
    let own_part = f64::from(logits[own] - largest).exp();
    let share = 1.0 / (own_part + f64::from(others));
    let mut scores: Vec<f64> = parts.iter().map(|part| share * f64::from(*part)).collect();
    scores[own] = share * own_part;
    scores
}

/// `log sum exp(z)` over logits of which `own` is one and finite; minus infinity counts as nothing.
pub(crate) fn log_sum(logits: &[f32], own: usize) -> f64 {
    let largest = pass_kernel::highest(logits);
    let others = f64::from(pass_kernel::sum_of_others(logits, largest, own));
    f64::from(largest) + (others + f64::from(logits[own] - largest).exp()).ln()
}

/// Softmax score of a column of finite logits.
pub(crate) fn own_score(logits: &[f32], own: usize) -> f64 {
    (f64::from(logits[own]) - log_sum(logits, own)).exp()
}

/// The largest logit that was judged.
fn largest_judged(row: &Row<'_>) -> f32 {
    let judged = |column: usize| row.targets.is_judged(row.at, column);
    row.logits.iter().enumerate().filter(|(c, _)| judged(*c)).fold(f32::NEG_INFINITY, |most, (_, z)| most.max(*z))
}

/// Writes `value` where the row may not teach.
fn leave_out(values: &mut [f32], value: f32, row: &Row<'_>) {
    if row.targets.has_unjudged() {
        let unjudged = |column: usize| !row.targets.is_judged(row.at, column);
        values.iter_mut().enumerate().filter(|(column, _)| unjudged(*column)).for_each(|(_, to)| *to = value);
    }
}

/// A row of a softmax in which minus infinity stands for what was not judged; its value, the size of its own gradient, and the gradient.
fn softmax<'a>(
    z: &[f32],
    largest: f32,
    own: usize,
    factor: [f32; 2],
    gradient: FreshRow<'a>,
    sums: &mut [f32],
) -> ((f64, f32), &'a mut [f32]) {
    // `1 - p` of the row's own column is taken as the share of the others, which does not cancel.
    let (others, gradient) = gradient.exp(z, largest, own);
    let others = f64::from(others);
    let own_part = f64::from(z[own] - largest).exp();
    let sum = others + own_part;
    pass_kernel::share_row([(f64::from(factor[0]) / sum) as f32, factor[1]], gradient, sums);
    let own_gradient = f64::from(factor[0]) * others / sum;
    gradient[own] = -own_gradient as f32 * factor[1];
    let value = if own_part > 0.5 * sum { (others / own_part).ln_1p() } else { f64::from(largest - z[own]) + sum.ln() };
    ((f64::from(factor[0]) * value, own_gradient as f32), gradient)
}
