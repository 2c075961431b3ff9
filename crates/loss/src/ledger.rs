//! The gradient ledger: how much each class was taught to say yes, and how much to say no.
//!
//! For every class `j`, two sums over all proposals so far (EQL v2, arXiv 2012.08548, section 3):
//! `P_j`, the absolute logit gradient of its positive rows, and `M_j`, that of its negative rows. Gradients carry the
//! weights of the loss, but neither its normaliser nor its loss weight. `g_j = P_j / (M_j + 1e-10)` is the gradient ratio.
//!
//! Sums are f64: in f32 they stall (1e4 + 4e-4 stays 1e4). Deltas add up, so gradient accumulation and several workers
//! give the sums of the joint batch; they are committed once for each optimizer step.

use serde::{Deserialize, Serialize};

use crate::{LossError, Result};

/// Guards the ratio's denominator, as in the authors' code.
pub const RATIO_EPSILON: f64 = 1e-10;
/// Ratio of a class that has seen no gradient at all; with it both weights of EQL v2 are 1.
pub const START_RATIO: f64 = 100.0;

/// Sums of one or several batches that are not in the ledger yet.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerDelta {
    /// Sum of absolute gradients over positive rows, `[K]`.
    pub positive: Vec<f64>,
    /// Sum of absolute gradients over negative rows, `[K]`.
    pub negative: Vec<f64>,
    /// Foreground rows, `[K]`.
    pub instances: Vec<f64>,
    /// Rows that were counted; a delta without rows commits nothing.
    pub rows: usize,
}

impl LedgerDelta {
    /// A delta of nothing over `num_classes` classes.
    pub fn zeros(num_classes: usize) -> Self {
        let zeros = vec![0.0; num_classes];
        Self { positive: zeros.clone(), negative: zeros.clone(), instances: zeros, rows: 0 }
    }
}

/// Joins the sums of micro-batches or workers.
///
/// # Panics
/// When the two count different numbers of classes.
impl std::ops::AddAssign<&LedgerDelta> for LedgerDelta {
    fn add_assign(&mut self, other: &LedgerDelta) {
        add(&mut self.positive, &other.positive);
        add(&mut self.negative, &other.negative);
        add(&mut self.instances, &other.instances);
        self.rows += other.rows;
    }
}

/// Accumulated positive and negative gradients of every class. Saved with the checkpoint; reading it back checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Sums")]
pub struct GradientLedger {
    positive: Vec<f64>,
    negative: Vec<f64>,
    instances: Vec<f64>,
    steps: u64,
}

/// A ledger as it stands in a file, not checked yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sums {
    positive: Vec<f64>,
    negative: Vec<f64>,
    instances: Vec<f64>,
    steps: u64,
}

impl TryFrom<Sums> for GradientLedger {
    type Error = LossError;

    fn try_from(sums: Sums) -> Result<Self> {
        Self::from_sums(sums.positive, sums.negative, sums.instances, sums.steps)
    }
}

impl GradientLedger {
    /// An empty ledger over `num_classes` classes.
    pub fn new(num_classes: usize) -> Self {
        let zeros = vec![0.0; num_classes];
        Self { positive: zeros.clone(), negative: zeros.clone(), instances: zeros, steps: 0 }
    }

    /// A ledger with the given sums, for example those of a checkpoint.
    ///
    /// # Errors
    /// When the three lists differ in length or hold a value that is not finite or below zero.
    pub fn from_sums(positive: Vec<f64>, negative: Vec<f64>, instances: Vec<f64>, steps: u64) -> Result<Self> {
        check_sums(&positive, &negative, &instances)?;
        Ok(Self { positive, negative, instances, steps })
    }

    /// Adds a step's sums. A delta without rows leaves the ledger untouched, so that an empty batch is no step.
    ///
    /// # Errors
    /// When the delta counts another number of classes, or a sum is not finite or below zero: it would stay for good. The
    /// ledger is then as it was.
    pub fn commit(&mut self, delta: &LedgerDelta) -> Result<()> {
        if delta.positive.len() != self.num_classes() {
            return Err(LossError::LedgerClasses { ledger: self.num_classes(), targets: delta.positive.len() });
        }
        check_sums(&delta.positive, &delta.negative, &delta.instances)?;
        if delta.rows > 0 {
            add(&mut self.positive, &delta.positive);
            add(&mut self.negative, &delta.negative);
            add(&mut self.instances, &delta.instances);
            self.steps += 1;
        }
        Ok(())
    }

    /// Number of classes `K`.
    pub fn num_classes(&self) -> usize {
        self.positive.len()
    }

    /// Number of committed steps.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// `P`, the accumulated positive gradients, `[K]`.
    pub fn positive(&self) -> &[f64] {
        &self.positive
    }

    /// `M`, the accumulated negative gradients, `[K]`.
    pub fn negative(&self) -> &[f64] {
        &self.negative
    }

    /// Foreground rows seen so far, `[K]`.
    pub fn instances(&self) -> &[f64] {
        &self.instances
    }

    /// `g_j`: [`START_RATIO`] for a class that has seen no gradient yet.
    pub fn ratio(&self, class: usize) -> f64 {
        let (positive, negative) = (self.positive[class], self.negative[class]);
        if positive == 0.0 && negative == 0.0 { START_RATIO } else { positive / (negative + RATIO_EPSILON) }
    }

    /// `g` of every class, `[K]`.
    pub fn ratios(&self) -> Vec<f64> {
        (0..self.num_classes()).map(|class| self.ratio(class)).collect()
    }
}

/// Checks that three lists of sums have one length and hold finite numbers of at least 0.
fn check_sums(positive: &[f64], negative: &[f64], instances: &[f64]) -> Result<()> {
    let classes = positive.len();
    for (field, values) in [("positive", positive), ("negative", negative), ("instances", instances)] {
        if values.len() != classes {
            let (expected, got) = (format!("{classes} sums, one for each class"), format!("{} sums", values.len()));
            return Err(LossError::LedgerSums { field, expected, got });
        }
        if let Some(class) = values.iter().position(|value| !value.is_finite() || *value < 0.0) {
            let got = format!("{} for class {class}", values[class]);
            return Err(LossError::LedgerSums { field, expected: "finite sums of at least 0".into(), got });
        }
    }
    Ok(())
}

fn add(sums: &mut [f64], more: &[f64]) {
    assert_eq!(sums.len(), more.len(), "sums over different numbers of classes");
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}
