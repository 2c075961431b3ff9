//! A loss with calibrated scores.

use burn::tensor::Tensor;

use super::Calibration;
use crate::form::Form;
use crate::{
    Batch, Card, ClassLoss, ClassTargets, Classifier, Computed, GradientLedger, LedgerDelta, LossStepF64, MemorySpec,
    Result,
};

/// The same loss in all but its scores.
#[derive(Debug)]
pub struct Calibrated {
    loss: Box<dyn ClassLoss>,
    calibration: Calibration,
}

impl Calibrated {
    /// `loss` with scores by `calibration`, for `num_classes` classes.
    ///
    /// # Errors
    /// When the calibration was made for other channels.
    pub fn new(loss: Box<dyn ClassLoss>, calibration: Calibration, num_classes: usize) -> Result<Self> {
        calibration.check(loss.channels(num_classes))?;
        Ok(Self { loss, calibration })
    }
}

impl ClassLoss for Calibrated {
    fn scores(&self, logits: Tensor<2>) -> Tensor<2> {
        self.calibration.scores(&*self.loss, logits)
    }

    fn scores_f64(&self, row: &[f64]) -> Vec<f64> {
        self.calibration.scores_f64(&*self.loss, row)
    }

    fn card(&self) -> Card {
        self.loss.card()
    }

    fn channels(&self, num_classes: usize) -> usize {
        self.loss.channels(num_classes)
    }

    fn bias_init(&self, num_classes: usize) -> Vec<f32> {
        self.loss.bias_init(num_classes)
    }

    fn classifier(&self) -> Classifier {
        self.loss.classifier()
    }

    fn counted_classes(&self) -> Option<usize> {
        self.loss.counted_classes()
    }

    fn memory(&self) -> Option<MemorySpec> {
        self.loss.memory()
    }

    fn remembered(&self, batch: &Batch<'_>, row: usize, own: usize) -> Vec<f64> {
        self.loss.remembered(batch, row, own)
    }

    fn discount(&self) -> f64 {
        self.loss.discount()
    }

    fn notes(&self) -> Vec<String> {
        self.loss.notes()
    }

    fn terms(&self, logits: Tensor<2>, targets: &ClassTargets, ledger: &GradientLedger) -> Tensor<2> {
        self.loss.terms(logits, targets, ledger)
    }

    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a> {
        self.loss.form(targets, ledger)
    }

    fn pass<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Option<Form<'a>> {
        self.loss.pass(targets, ledger)
    }

    fn record(&self, computed: &Computed<'_>) -> LedgerDelta {
        self.loss.record(computed)
    }

    fn step_f64(&self, logits: &[f64], targets: &ClassTargets, ledger: &GradientLedger) -> LossStepF64 {
        self.loss.step_f64(logits, targets, ledger)
    }

    fn normalizer(&self, targets: &ClassTargets) -> f64 {
        self.loss.normalizer(targets)
    }

    fn side_weights(&self, ledger: &GradientLedger, class: usize) -> (f64, f64) {
        self.loss.side_weights(ledger, class)
    }

    fn loss_weight(&self) -> f64 {
        self.loss.loss_weight()
    }
}
