//! Means over the steps between two rows of the history. Part of the checkpoint: a run that resumes between two rows writes the
//! row that it would have written.

use std::time::Instant;

use equipoise_eval::record::HistoryRow;
use serde::{Deserialize, Serialize};

use crate::StepReport;

/// Sums since the last row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    steps: u64,
    losses: Vec<(String, f64)>,
    grad_norm: f64,
    /// Wall time and images of this process alone.
    #[serde(skip, default = "Instant::now")]
    since: Instant,
    #[serde(skip)]
    images: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { steps: 0, losses: Vec::new(), grad_norm: 0.0, since: Instant::now(), images: 0 }
    }
}

/// Wall time apart, which is never the same twice.
impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        (self.steps, &self.losses, self.grad_norm) == (other.steps, &other.losses, other.grad_norm)
    }
}

impl Window {
    /// Adds a step.
    pub fn add(&mut self, report: &StepReport) {
        self.steps += 1;
        self.images += report.images;
        self.grad_norm += report.grad_norm;
        for (name, value) in &report.losses {
            match self.losses.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += value,
                None => self.losses.push((name.to_string(), *value)),
            }
        }
    }

    /// The row of the steps since the last, and a new start.
    pub fn take(&mut self, report: &StepReport) -> HistoryRow {
        let window = std::mem::take(self);
        let steps = window.steps as f64;
        let mean =
            |wanted: &str| window.losses.iter().find(|(name, _)| name == wanted).map_or(0.0, |(_, sum)| sum / steps);
        HistoryRow {
            step: report.step,
            epoch: report.epoch,
            lr: report.lr,
            loss: window.losses.iter().map(|(_, sum)| sum).sum::<f64>() / steps,
            classification: mean("classification"),
            box_regression: mean("box"),
            rpn_objectness: mean("rpn_objectness"),
            rpn_box: mean("rpn_box"),
            mask: mean("mask"),
            grad_norm: window.grad_norm / steps,
            images_per_second: window.images as f64 / window.since.elapsed().as_secs_f64().max(1e-9),
        }
    }
}
