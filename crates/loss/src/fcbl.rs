//! Foreground Classification Balance Loss of BACL (Qi et al., arXiv 2308.02213): margins by confusion.
//!
//! ```text
//! CM[y, j] = mean softmax score (over the K classes) of class j on the foreground rows of class y so far
//! m_ij     = alpha log(max(CM[y,j], floor) / max(CM[j,y], floor))     on foreground rows; 0 on the background column
//! L        = (1/R) sum_ij BCE(z_ij + m_ij, t_ij)
//! ```
//!
//! Margins are those of the steps before. Authors' code: `Tianhao-Qi/BACL`, `mmdet/models/losses/fcbl.py`; its configs set alpha to
//! 0.85, the code's own default is 1. The prior of the bias is that of EQL v2, on whose code it is built.

use burn::tensor::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::registry::Registered;
use crate::sigmoid::{self, Sigmoids};
use crate::{
    Batch, Card, ClassLoss, ClassTargets, Form, GradientLedger, Head, Label, MemoryRule, MemorySpec, Result,
    TrainingFacts, pass_kernel,
};

/// Rows of the matrix that are read side by side: as many streams as a processor fetches ahead.
const STREAMS: usize = 8;

/// Options of [`Fcbl`]; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FcblConfig {
    /// Strength of the margins.
    pub alpha: f64,
    /// Smallest confusion that counts.
    pub floor: f64,
    /// Prior probability behind the initial bias.
    pub prior: f64,
    /// The same for the background column; 0.5 is neutral.
    pub background_prior: f64,
    /// Factor of the loss.
    pub loss_weight: f64,
}

impl Default for FcblConfig {
    fn default() -> Self {
        Self { alpha: 0.85, floor: 0.001, prior: 0.001, background_prior: 0.001, loss_weight: 1.0 }
    }
}

impl FcblConfig {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first option that is not.
    pub fn check(&self) -> Result<()> {
        CARD.demand_least("alpha", self.alpha)?;
        CARD.demand_above("floor", self.floor)?;
        CARD.demand_probability("prior", self.prior)?;
        CARD.demand_probability("background_prior", self.background_prior)?;
        CARD.demand_least("loss_weight", self.loss_weight)
    }
}

/// FCBL (BACL).
#[derive(Clone, Debug)]
pub struct Fcbl {
    config: FcblConfig,
}

impl Fcbl {
    /// The loss with these options.
    pub fn new(config: FcblConfig) -> Self {
        Self { config }
    }

    fn shifted<'a>(&self, offset: Grid<'a>) -> Sigmoids<'a> {
        Sigmoids { offset, ..Sigmoids::weighed(Grid::one(1.0)) }
    }

    fn margins<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Sigmoids<'a> {
        let (classes, sums, seen) = (targets.num_classes(), ledger.remembered(), ledger.instances());
        let confusion =
            move |of: usize, with: usize| (sums[of * classes + with] / seen[of].max(1.0)).max(self.config.floor);
        let fill = move |row: usize, margins: &mut [f64]| {
            if let Label::Class(own) = targets.labels()[row] {
                for (column, margin) in margins[..classes].iter_mut().enumerate() {
                    *margin = self.config.alpha * (confusion(own, column) / confusion(column, own)).ln();
                }
            }
        };
        self.shifted(Grid::by_row([targets.rows(), classes + 1], fill))
    }

    /// The same in f32, once for each class of the batch.
    ///
    /// A class has its confusions with others in a row of the matrix, and those of others with it in a column: a number from each of `K` places far
    /// apart. So the matrix is read once, [`STREAMS`] rows at a time, for classes that are neighbours in it: as many as a thread gets, since a long piece of
    /// a row is fetched ahead. A row of margins does not depend on who makes it.
    fn shared_margins(&self, targets: &ClassTargets, ledger: &GradientLedger) -> Sigmoids<'static> {
        let (classes, sums) = (targets.num_classes(), ledger.remembered());
        let width = classes + 1;
        let share: Vec<f64> = ledger.instances().iter().map(|seen| 1.0 / seen.max(1.0)).collect();
        let floor = self.config.floor.max(f64::from(f32::MIN_POSITIVE));
        let instances = targets.instances();
        let present: Vec<usize> = (0..classes).filter(|class| instances[*class] > 0.0).collect();
        let mut margins = vec![0.0; present.len() * width];
        let write = |(margins, present): (&mut [f32], &[usize])| {
            for first in (0..classes).step_by(STREAMS) {
                let columns = first..classes.min(first + STREAMS);
                let (with, share) = (&sums[first * classes..columns.end * classes], &share[columns.clone()]);
                for (row, own) in margins.chunks_exact_mut(width).zip(present) {
                    let to = row[columns.clone()].iter_mut().zip(with.chunks_exact(classes)).zip(share);
                    to.for_each(|((to, with), share)| *to = (with[*own] * share).max(floor) as f32);
                }
            }
            let mut from_own = vec![1.0; classes];
            for (row, own) in margins.chunks_exact_mut(width).zip(present) {
                pass_kernel::shares(&sums[own * classes..][..classes], share[*own], floor, &mut from_own);
                pass_kernel::log_of_ratio(&from_own, self.config.alpha as f32, &mut row[..classes]);
            }
        };
        let together = present.len().div_ceil(rayon::current_num_threads()).max(1);
        margins.par_chunks_mut(together * width).zip(present.par_chunks(together)).for_each(write);
        let mut slots = vec![None; classes];
        present.iter().enumerate().for_each(|(slot, own)| slots[*own] = Some(slot));
        let slot = |label: &Label| if let Label::Class(own) = label { slots[*own] } else { None };
        self.shifted(Grid::shared(width, margins, targets.labels().iter().map(slot).collect()))
    }
}

/// The card.
pub const CARD: Card = Card {
    name: "fcbl",
    title: "FCBL (BACL)",
    summary: "Sigmoid cross-entropy with margins between two classes that are confused more one way than the other.",
    paper: "Balanced Classification: A Unified Framework for Long-Tailed Object Detection, 2023, arXiv 2308.02213",
    heads: &[Head::Proposals],
    needs: "nothing",
    formula: "CM[y,j] = mean softmax score of class j on rows of class y, so far;  m_ij = alpha log(max(CM[y,j], floor) / max(CM[j,y], floor)) on foreground rows, 0 on the background column;  L = (1/R) sum_ij BCE(z_ij + m_ij, t_ij)",
    scores: "sigmoid(z_j) * (1 - sigmoid(z_K))",
    state: "the sums of CM, [K, K] (12 MB for LVIS), and its number of rows of each class",
    options: &[
        ("alpha", "0.85", "strength of the margins"),
        ("floor", "0.001", "smallest confusion that counts"),
        ("prior", "0.001", "prior probability behind the initial bias"),
        ("background_prior", "0.001", "the same for the background column; 0.5 is neutral"),
        ("loss_weight", "1.0", "factor of the loss"),
    ],
    traps: "the matrix of a class that was never seen is 0, so that its margins are cut off at floor; the feature hallucination of BACL is no part of it",
};

impl ClassLoss for Fcbl {
    fn card(&self) -> Card {
        CARD
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        sigmoid::bias(num_classes, self.config.prior, Some(self.config.background_prior))
    }

    fn memory(&self) -> Option<MemorySpec> {
        Some(MemorySpec { loss: CARD.name, matrix: true, start: 0.0, rule: MemoryRule::Sum })
    }

    fn remembered(&self, batch: &Batch<'_>, row: usize, own: usize) -> Vec<f64> {
        batch.class_scores(row, own)
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        Form::Sigmoids(self.margins(targets, ledger))
    }

    fn pass<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Option<Form<'a>> {
        Some(Form::Sigmoids(self.shared_margins(targets, ledger)))
    }

    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        sigmoid::scores(logits, true)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        sigmoid::scores_f64(row, true)
    }

    fn loss_weight(&self) -> f64 {
        self.config.loss_weight
    }
}

impl Registered for Fcbl {
    const CARD: Card = CARD;
    type Config = FcblConfig;

    fn build(config: FcblConfig, _facts: &TrainingFacts) -> Result<Self> {
        config.check()?;
        Ok(Self::new(config))
    }
}
