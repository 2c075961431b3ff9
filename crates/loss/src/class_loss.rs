//! The seam: what a classification loss is, and how its value, gradient and ledger sums are made.

use std::fmt::Debug;

use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use rayon::prelude::*;

use crate::form::Form;
use crate::pass::{self, Passed};
use crate::{
    Batch, Card, ClassTargets, Computed, GradientLedger, Label, LedgerDelta, LossError, MemorySpec, Result, Values,
    memory,
};

/// Value, gradient and ledger sums of one batch.
///
/// Drive a network with `(logits * gradient).sum()`: its gradient with respect to the parameters is exactly the loss's.
#[derive(Clone, Debug)]
pub struct LossStep {
    /// The normalised loss, natural logarithm.
    pub value: f64,
    /// Gradient of `value` with respect to the logits, detached, `[R, C]`, f32 whatever the logits are.
    pub gradient: Tensor<2>,
    /// What to commit to the ledger once the optimizer has stepped.
    pub delta: LedgerDelta,
}

/// The same in float64 by plain loops: the witness that tensor code is tested against.
#[derive(Clone, Debug, PartialEq)]
pub struct LossStepF64 {
    /// The normalised loss.
    pub value: f64,
    /// Gradient with respect to the logits, row by row, `[R, C]`.
    pub gradient: Vec<f64>,
    /// What to commit to the ledger.
    pub delta: LedgerDelta,
}

/// The layer that makes the logits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Classifier {
    /// `z = W x + b`.
    #[default]
    Linear,
    /// `z_j = temperature cos(w_j, x) + b_j`: a class with long weights has no advantage.
    Normalized {
        /// Factor of the cosines.
        temperature: f64,
    },
}

/// A classification loss. Stateless: what must be remembered between steps is in the ledger.
///
/// A loss owns its whole contract (channels, bias, link, normaliser), since heads and losses that are configured apart
/// drift apart: a head trained with sigmoids and scored with a softmax ranks its classes in another order.
pub trait ClassLoss: Debug + Send + Sync {
    /// What a reader needs to choose it.
    fn card(&self) -> Card;

    /// Initial bias of the classifier for `num_classes` foreground classes `K`, `[C]`.
    fn bias_init(&self, num_classes: usize) -> Vec<f32>;

    /// Logit channels `C`: one for each number of [`ClassLoss::bias_init`].
    fn channels(&self, num_classes: usize) -> usize {
        self.bias_init(num_classes).len()
    }

    /// The loss of a batch, with the constants that this step has of ledger, counts and draws.
    fn form<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Form<'a>;

    /// The layer that its logits come from.
    fn classifier(&self) -> Classifier {
        Classifier::Linear
    }

    /// Number of classes whose counts it was made with; `None` when it needs none.
    fn counted_classes(&self) -> Option<usize> {
        None
    }

    /// What it remembers beside the sums of gradients.
    fn memory(&self) -> Option<MemorySpec> {
        None
    }

    /// What a foreground row of the class `own` adds to the sums of its class in the memory.
    fn remembered(&self, _batch: &Batch<'_>, _row: usize, _own: usize) -> Vec<f64> {
        Vec::new()
    }

    /// What is left of the ledger's gradient sums when those of a step are added.
    fn discount(&self) -> f64 {
        1.0
    }

    /// What somebody should know who starts a training with these options and counts.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Unreduced terms by tensor operations: the definition every faster path is tested against.
    ///
    /// Their sum, divided by [`ClassLoss::normalizer`] and multiplied by [`ClassLoss::loss_weight`], is the loss; weights
    /// made from the ledger are constants in it.
    ///
    /// # Shapes
    /// `logits` `[R, C]` in f32 → `[R, C]`
    fn terms(&self, logits: Tensor<2>, targets: &ClassTargets, ledger: &GradientLedger) -> Tensor<2> {
        self.form(targets, ledger).terms(logits, targets)
    }

    /// [`ClassLoss::form`] for one fused pass over the logits on the CPU; `None` where only [`ClassLoss::terms`] can tell it.
    ///
    /// A loss whose [`ClassLoss::record`] needs more than [`Computed::all`] and the logits has none.
    fn pass<'a>(&'a self, targets: &'a ClassTargets, ledger: &'a GradientLedger) -> Option<Form<'a>> {
        Some(self.form(targets, ledger))
    }

    /// What a batch adds to the sums of the ledger: the absolute gradients of both sides, neither normalised nor times the loss weight.
    fn record(&self, computed: &Computed<'_>) -> LedgerDelta {
        computed.all(1.0)
    }

    /// Class scores at inference, probabilities in f32.
    ///
    /// # Shapes
    /// `logits` `[R, C]` → `[R, K]`
    fn scores(&self, logits: Tensor<2>) -> Tensor<2>;

    /// Value, gradient and sums in float64 by plain loops, `logits` being `[R, C]` row by row.
    ///
    /// # Panics
    /// When rows, channels or ledger do not fit; [`ClassLoss::check`] says so beforehand.
    fn step_f64(&self, logits: &[f64], targets: &ClassTargets, ledger: &GradientLedger) -> LossStepF64 {
        self.form(targets, ledger).step_f64(self, logits, targets)
    }

    /// Scores of one row in float64, `[C]` → `[K]`.
    fn scores_f64(&self, row: &[f64]) -> Vec<f64>;

    /// Divisor of the sum of terms: the rows that are not ignored, at least 1.
    fn normalizer(&self, targets: &ClassTargets) -> f64 {
        targets.counted_rows().max(1) as f64
    }

    /// Weights `(q, r)` that the positive and the negative gradients of `class` get while the ledger is as it is; 1 and 1 for a
    /// loss that does not read it.
    fn side_weights(&self, _ledger: &GradientLedger, _class: usize) -> (f64, f64) {
        (1.0, 1.0)
    }

    /// Factor of the loss and its gradient; the ledger does not see it.
    fn loss_weight(&self) -> f64 {
        1.0
    }

    /// Value, logit gradient and ledger sums: by the fused pass where loss and device allow it, else by
    /// [`ClassLoss::step_by_terms`].
    ///
    /// The ledger's weights are those of the steps before: the caller commits `delta` after its optimizer step.
    ///
    /// # Shapes
    /// `logits` `[R, C]`, on any device, tracked or not, in any precision: half-precision logits are computed in f32, since
    /// in half precision `1 - 1e-4` is 1
    ///
    /// # Errors
    /// When rows, channels or ledger do not fit, or a logit is not finite, even in an ignored row.
    fn step(&self, logits: Tensor<2>, targets: &ClassTargets, ledger: &GradientLedger) -> Result<LossStep> {
        let [rows, channels] = logits.dims();
        self.check(rows, channels, targets, ledger)?;
        let device = logits.device().inner();
        if targets.counted_rows() == 0 {
            let gradient = Tensor::zeros([rows, channels], (&device, DType::F32));
            return Ok(LossStep { value: 0.0, gradient, delta: LedgerDelta::zeros(targets.num_classes()) });
        }
        let logits = logits.inner().cast(FloatDType::F32);
        if let Some(pass) = self.pass(targets, ledger) {
            let scale = self.loss_weight() / self.normalizer(targets);
            if let Some(passed) = pass::run(self, &pass, &logits, targets, scale as f32) {
                let Passed { value, gradient, delta } = passed?;
                let gradient = Tensor::from_data(TensorData::new(gradient, [rows, channels]), &device);
                return Ok(LossStep { value: value * scale, gradient, delta });
            }
        }
        self.step_by_terms(logits, targets, ledger)
    }

    /// [`ClassLoss::step`] by differentiating [`ClassLoss::terms`] from a leaf of its own, on every device.
    ///
    /// # Errors
    /// As [`ClassLoss::step`].
    fn step_by_terms(&self, logits: Tensor<2>, targets: &ClassTargets, ledger: &GradientLedger) -> Result<LossStep> {
        let [rows, channels] = logits.dims();
        self.check(rows, channels, targets, ledger)?;
        let device = logits.device().inner();
        let leaf = logits.inner().cast(FloatDType::F32);
        let host = leaf.to_data_as::<f32>();
        let host = host.as_slice::<f32>().expect("the data was just converted to f32");
        check_finite(host, channels)?;
        let leaf = leaf.autodiff().require_grad();
        let sum = self.terms(leaf.clone(), targets, ledger).sum();
        let value = f64::from(sum.clone().inner().into_scalar::<f32>());
        let gradient =
            leaf.grad(&sum.backward()).unwrap_or_else(|| Tensor::zeros([rows, channels], (&device, DType::F32)));
        let data = gradient.to_data_as::<f32>();
        let data = data.as_slice::<f32>().expect("the data was just converted to f32");
        let (logits, changes) = (Values::F32(host), Values::F32(data));
        let batch = Batch { logits, channels, targets };
        let computed = Computed { batch, gradient: changes, known: None };
        let delta = recorded(self, &computed, || remembered_rows(self, &batch));
        let scale = self.loss_weight() / self.normalizer(targets);
        Ok(LossStep { value: value * scale, gradient: gradient.mul_scalar(scale as f32), delta })
    }

    /// Checks that rows, channels, targets and ledger belong together.
    ///
    /// # Errors
    /// Names the two numbers that differ.
    fn check(&self, rows: usize, channels: usize, targets: &ClassTargets, ledger: &GradientLedger) -> Result<()> {
        let classes = targets.num_classes();
        if channels != self.channels(classes) {
            let expected = self.channels(classes);
            return Err(LossError::Channels { loss: self.card().name, expected, got: channels, classes });
        }
        if rows != targets.rows() {
            return Err(LossError::Rows { logits: rows, targets: targets.rows() });
        }
        if ledger.num_classes() != classes {
            return Err(LossError::LedgerClasses { ledger: ledger.num_classes(), targets: classes });
        }
        if let Some(known) = self.counted_classes().filter(|known| *known != classes) {
            return Err(LossError::FactsClasses { loss: self.card().name, known, targets: classes });
        }
        ledger.serves(self)
    }
}

fn check_finite(logits: &[f32], channels: usize) -> Result<()> {
    match logits.iter().position(|logit| !logit.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let value = f64::from(logits[at]);
            Err(LossError::NotFinite { row: at / channels, channel: at % channels, value })
        }
    }
}

/// What a batch adds to the ledger, its memory included; `rows` gives what each row leaves in that.
pub(crate) fn recorded<L: ClassLoss + ?Sized>(
    loss: &L,
    computed: &Computed<'_>,
    rows: impl FnOnce() -> Vec<(usize, Vec<f64>)>,
) -> LedgerDelta {
    let mut delta = loss.record(computed);
    delta.memory = (loss.memory().is_some() && delta.rows > 0).then(|| memory::sums(rows()));
    delta
}

/// What each row of a batch leaves in the memory of the loss.
fn remembered_rows<L: ClassLoss + ?Sized>(loss: &L, batch: &Batch<'_>) -> Vec<(usize, Vec<f64>)> {
    (0..batch.targets.rows()).into_par_iter().filter_map(|row| remembered(loss, batch, row)).collect()
}

/// The class of a foreground row, and what it leaves in the memory of the loss.
pub(crate) fn remembered<L: ClassLoss + ?Sized>(loss: &L, batch: &Batch<'_>, row: usize) -> Option<(usize, Vec<f64>)> {
    match batch.targets.labels()[row] {
        Label::Class(own) => Some((own, loss.remembered(batch, row, own))),
        Label::Background | Label::Ignored => None,
    }
}

/// Drives a loss whose rows are independent: `row(index, logits, gradient)` writes the un-normalised gradient and returns the row's terms summed.
pub(crate) fn rows_f64<L: ClassLoss + ?Sized>(
    loss: &L,
    logits: &[f64],
    targets: &ClassTargets,
    mut row: impl FnMut(usize, &[f64], &mut [f64]) -> f64,
) -> LossStepF64 {
    let channels = loss.channels(targets.num_classes());
    assert_eq!(logits.len(), targets.rows() * channels, "logits are [R, C]");
    let mut gradient = vec![0.0; logits.len()];
    let mut value = 0.0;
    for (index, (logits, gradient)) in
        logits.chunks_exact(channels.max(1)).zip(gradient.chunks_exact_mut(channels.max(1))).enumerate()
    {
        if targets.column(index).is_some() {
            value += row(index, logits, gradient);
        }
    }
    let batch = Batch { logits: Values::F64(logits), channels, targets };
    let computed = Computed { batch, gradient: Values::F64(&gradient), known: None };
    let delta = recorded(loss, &computed, || remembered_rows(loss, &batch));
    let scale = loss.loss_weight() / loss.normalizer(targets);
    gradient.iter_mut().for_each(|value| *value *= scale);
    LossStepF64 { value: value * scale, gradient, delta }
}
