//! What a loss remembers beside the sums of gradients: one row of numbers for each class, in the ledger.
//!
//! A loss only declares it, by a [`MemorySpec`]; the ledger holds it, commits it once for each optimizer step, and saves it with
//! the checkpoint. It carries the name of the loss, so that the memory of one is never read by another.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{LossError, Result};

/// Sums of a step for a memory: a row of numbers for each class of the batch. The others have none, since a matrix over all classes
/// takes longer to clear than to fill.
pub type MemorySums = BTreeMap<usize, Vec<f64>>;

/// How the sums of a step enter the memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MemoryRule {
    /// They are added.
    Sum,
    /// Moving mean: `v <- d^n v + (1 - d^n) sum / n` over the `n` foreground rows of the class, `d` being the decay of one row.
    Mean {
        /// `d`, above 0 and below 1.
        decay: f64,
    },
}

impl std::fmt::Display for MemoryRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MemoryRule::Sum => write!(f, "sums"),
            MemoryRule::Mean { decay } => write!(f, "means of decay {decay}"),
        }
    }
}

/// The memory that a loss asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemorySpec {
    /// Name of the loss.
    pub loss: &'static str,
    /// Whether a class has one number for each class (a matrix `[K, K]`) or a single one.
    pub matrix: bool,
    /// Every number before the first step.
    pub start: f64,
    /// How sums enter.
    pub rule: MemoryRule,
}

impl MemorySpec {
    /// Numbers over `num_classes` classes.
    pub fn len(&self, num_classes: usize) -> usize {
        num_classes * if self.matrix { num_classes } else { 1 }
    }

    /// Whether there is no number, as over no class.
    pub fn is_empty(&self, num_classes: usize) -> bool {
        self.len(num_classes) == 0
    }
}

/// The memory of a loss as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Name of the loss that it belongs to.
    pub loss: String,
    /// How sums enter.
    pub rule: MemoryRule,
    /// The numbers, class after class: `[K]` or `[K, K]`.
    pub values: Vec<f64>,
}

impl Memory {
    /// The memory before the first step.
    pub(crate) fn new(spec: &MemorySpec, num_classes: usize) -> Self {
        Self { loss: spec.loss.into(), rule: spec.rule, values: vec![spec.start; spec.len(num_classes)] }
    }

    /// Whether it can be what a loss asks for.
    pub(crate) fn fits(&self, spec: &MemorySpec, num_classes: usize) -> bool {
        self.loss == spec.loss && self.rule == spec.rule && self.values.len() == spec.len(num_classes)
    }

    /// Whether it can belong to a ledger over `num_classes` classes.
    pub(crate) fn check(&self, num_classes: usize) -> Result<()> {
        let matrix = num_classes * num_classes;
        if self.values.len() != num_classes && self.values.len() != matrix {
            let got = format!("{}", self.values.len());
            return Err(refused(format!("{num_classes} or {matrix} numbers for {num_classes} classes"), got));
        }
        if let MemoryRule::Mean { decay } = self.rule
            && !(decay > 0.0 && decay < 1.0)
        {
            return Err(refused("a decay above 0 and below 1".into(), decay.to_string()));
        }
        finite(&self.values)
    }

    /// Whether the sums of a step can enter.
    pub(crate) fn check_sums(&self, step: &MemorySums, num_classes: usize) -> Result<()> {
        let (loss, width) = (&self.loss, self.values.len() / num_classes.max(1));
        for (class, row) in step {
            if *class >= num_classes || row.len() != width {
                let got = format!("{} for class {class}", row.len());
                return Err(refused(format!("{width} sums of `{loss}` for each of {num_classes} classes"), got));
            }
            finite(row)?;
        }
        Ok(())
    }

    /// Takes the sums of a step in; `instances` are its foreground rows of each class.
    pub(crate) fn commit(&mut self, step: &MemorySums, instances: &[f64]) {
        for (class, row) in step {
            let values = &mut self.values[class * row.len()..][..row.len()];
            match self.rule {
                MemoryRule::Sum => values.iter_mut().zip(row).for_each(|(value, more)| *value += more),
                MemoryRule::Mean { .. } if instances[*class] == 0.0 => {}
                MemoryRule::Mean { decay } => {
                    let (count, kept) = (instances[*class], decay.powf(instances[*class]));
                    let mean = |(value, sum): (&mut f64, &f64)| *value = kept * *value + (1.0 - kept) * sum / count;
                    values.iter_mut().zip(row).for_each(mean);
                }
            }
        }
    }
}

/// What rows leave, each with its class, summed over the rows of each class in their order, whatever the threads.
pub(crate) fn sums(mut rows: Vec<(usize, Vec<f64>)>) -> MemorySums {
    rows.sort_by_key(|(class, _)| *class);
    let together = |rows: &mut [(usize, Vec<f64>)]| {
        let [(class, first), others @ ..] = rows else { return None };
        let mut sums = std::mem::take(first);
        others.iter().for_each(|(_, row)| sums.iter_mut().zip(row).for_each(|(sum, more)| *sum += more));
        Some((*class, sums))
    };
    let sums: Vec<_> = rows.par_chunk_by_mut(|a, b| a.0 == b.0).filter_map(together).collect();
    sums.into_iter().collect()
}

fn finite(values: &[f64]) -> Result<()> {
    match values.iter().find(|value| !value.is_finite() || **value < 0.0) {
        None => Ok(()),
        Some(value) => Err(refused("finite numbers of at least 0".into(), value.to_string())),
    }
}

fn refused(expected: String, got: String) -> LossError {
    LossError::LedgerSums { field: "memory", expected, got }
}
