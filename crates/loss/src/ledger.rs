//! The gradient ledger: how much each class was taught to say yes, and how much to say no.
//!
//! For every class `j`, two sums over all proposals so far (EQL v2, arXiv 2012.08548, section 3):
//! `P_j`, the absolute logit gradient of its positive rows, and `M_j`, that of its negative rows. Gradients carry the
//! weights of the loss, but neither its normaliser nor its loss weight. `g_j = P_j / (M_j + 1e-10)` is the gradient ratio.
//!
//! Sums are f64: in f32 they stall (1e4 + 4e-4 stays 1e4). Deltas add up, so gradient accumulation and several workers
//! give the sums of the joint batch; they are committed once for each optimizer step.
//!
//! A loss may ask for two things more: a discount, by which `P` and `M` shrink before each step's sums are added, and a
//! [`Memory`] of its own. [`GradientLedger::of`] makes the ledger that a loss asks for.

use serde::{Deserialize, Serialize};

use crate::{ClassLoss, LossError, Memory, MemoryRule, MemorySums, Result};

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
    /// Sums for the memory of the loss; `None` for a loss without one, and for a batch without rows.
    pub memory: Option<MemorySums>,
}

impl LedgerDelta {
    /// A delta of nothing over `num_classes` classes.
    pub fn zeros(num_classes: usize) -> Self {
        let zeros = vec![0.0; num_classes];
        Self { positive: zeros.clone(), negative: zeros.clone(), instances: zeros, rows: 0, memory: None }
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
        for (class, more) in other.memory.iter().flatten() {
            let sums = self.memory.get_or_insert_default().entry(*class).or_insert_with(|| vec![0.0; more.len()]);
            add(sums, more);
        }
        if other.memory.is_some() {
            self.memory.get_or_insert_default();
        }
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
    #[serde(skip_serializing_if = "is_one")]
    discount: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
}

/// A ledger as it stands in a file, not checked yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sums {
    positive: Vec<f64>,
    negative: Vec<f64>,
    instances: Vec<f64>,
    steps: u64,
    #[serde(default = "one")]
    discount: f64,
    #[serde(default)]
    memory: Option<Memory>,
}

fn one() -> f64 {
    1.0
}

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

impl TryFrom<Sums> for GradientLedger {
    type Error = LossError;

    fn try_from(sums: Sums) -> Result<Self> {
        let ledger = Self::from_sums(sums.positive, sums.negative, sums.instances, sums.steps)?;
        let ledger = ledger.with_discount(sums.discount)?;
        match sums.memory {
            Some(memory) => ledger.with_memory(memory),
            None => Ok(ledger),
        }
    }
}

impl GradientLedger {
    /// An empty ledger over `num_classes` classes, for a loss that asks for nothing but sums.
    pub fn new(num_classes: usize) -> Self {
        let zeros = vec![0.0; num_classes];
        let (positive, negative, instances) = (zeros.clone(), zeros.clone(), zeros);
        Self { positive, negative, instances, steps: 0, discount: 1.0, memory: None }
    }

    /// An empty ledger as `loss` asks for it.
    pub fn of(loss: &dyn ClassLoss, num_classes: usize) -> Self {
        let memory = loss.memory().map(|spec| Memory::new(&spec, num_classes));
        Self { discount: loss.discount(), memory, ..Self::new(num_classes) }
    }

    /// A ledger with the given sums, for example those of a checkpoint.
    ///
    /// # Errors
    /// When the three lists differ in length or hold a value that is not finite or below zero.
    pub fn from_sums(positive: Vec<f64>, negative: Vec<f64>, instances: Vec<f64>, steps: u64) -> Result<Self> {
        check_sums(&positive, &negative, &instances)?;
        Ok(Self { positive, negative, instances, steps, discount: 1.0, memory: None })
    }

    /// Lets `P` and `M` shrink to `discount` of themselves before each step's sums are added; 1 forgets nothing.
    ///
    /// # Errors
    /// When it is not above 0 and at most 1.
    pub fn with_discount(self, discount: f64) -> Result<Self> {
        if discount > 0.0 && discount <= 1.0 {
            return Ok(Self { discount, ..self });
        }
        let (expected, got) = ("above 0 and at most 1".into(), discount.to_string());
        Err(LossError::LedgerSums { field: "discount", expected, got })
    }

    /// The same sums with this memory of a loss.
    ///
    /// # Errors
    /// When the memory belongs to another number of classes, or holds a number that is not finite or below zero.
    pub fn with_memory(self, memory: Memory) -> Result<Self> {
        memory.check(self.num_classes())?;
        Ok(Self { memory: Some(memory), ..self })
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
            let refused =
                |expected: String, got: &str| Err(LossError::LedgerSums { field: "memory", expected, got: got.into() });
            match (&mut self.memory, &delta.memory) {
                (Some(memory), Some(sums)) => {
                    memory.check_sums(sums, delta.instances.len())?;
                    memory.commit(sums, &delta.instances);
                }
                (None, None) => {}
                (Some(memory), None) => return refused(format!("sums of `{}`", memory.loss), "none"),
                (None, Some(_)) => return refused("none, as the ledger has no memory".into(), "some"),
            }
            if self.discount < 1.0 {
                self.positive.iter_mut().chain(&mut self.negative).for_each(|sum| *sum *= self.discount);
            }
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

    /// Refuses to serve a loss whose state it does not hold, or when it holds that of another.
    ///
    /// # Errors
    /// Says what the loss needs and what is there.
    pub fn serves<L: ClassLoss + ?Sized>(&self, loss: &L) -> Result<()> {
        let (spec, discount) = (loss.memory(), loss.discount());
        let fits = match (&spec, &self.memory) {
            (None, None) => true,
            (Some(spec), Some(memory)) => memory.fits(spec, self.num_classes()),
            _ => false,
        };
        if fits && discount == self.discount {
            return Ok(());
        }
        let describe = |memory: Option<(&str, MemoryRule, usize)>, discount: f64| {
            let memory = memory.map_or("no memory".into(), |(loss, rule, numbers)| {
                format!("the memory of `{loss}` ({rule}, {numbers} numbers)")
            });
            format!("{memory} and a discount of {discount}")
        };
        let wanted = spec.map(|spec| (spec.loss, spec.rule, spec.len(self.num_classes())));
        let held = self.memory.as_ref().map(|held| (held.loss.as_str(), held.rule, held.values.len()));
        let (expected, got) = (describe(wanted, discount), describe(held, self.discount));
        Err(LossError::State { loss: loss.card().name, expected, got })
    }

    /// What is left of `P` and `M` when a step's sums are added.
    pub fn discount(&self) -> f64 {
        self.discount
    }

    /// The memory of the loss, where it asked for one.
    pub fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    /// The numbers of the memory; empty without one.
    pub(crate) fn remembered(&self) -> &[f64] {
        self.memory.as_ref().map_or(&[], |memory| &memory.values)
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
