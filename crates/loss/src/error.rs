//! What can be wrong with a loss, its options or its inputs.

/// The result of building or evaluating a loss.
pub type Result<T> = std::result::Result<T, LossError>;

/// An error that names what was expected, what came, and the way out.
#[derive(Debug, thiserror::Error)]
pub enum LossError {
    /// No loss of this name is registered.
    #[error("unknown loss `{name}`{}; known losses: {known}", nearest(suggestion))]
    UnknownLoss {
        /// The name asked for.
        name: String,
        /// The nearest registered name, if one is near.
        suggestion: Option<&'static str>,
        /// All registered names.
        known: String,
    },
    /// A loss has no option of this name.
    #[error("loss `{loss}` has no option `{name}`{}; known options: {known}", nearest(suggestion))]
    UnknownOption {
        /// The loss whose options were read.
        loss: &'static str,
        /// The name that was set.
        name: String,
        /// The nearest option, if one is near.
        suggestion: Option<&'static str>,
        /// All options of the loss.
        known: String,
    },
    /// An option of a loss has a wrong type or value.
    #[error("loss `{loss}`: {reason}")]
    Option {
        /// The loss whose options were read.
        loss: &'static str,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// A loss is made for other heads, or needs an option for this one.
    #[error("the loss `{loss}` is for {heads}; {reason}")]
    Head {
        /// The loss.
        loss: &'static str,
        /// The heads it is for.
        heads: String,
        /// Why not for this one, and the way out.
        reason: &'static str,
    },
    /// The logits do not have the number of channels that the loss declares.
    #[error(
        "the logits have {got} channels, but `{loss}` needs {expected} for {classes} classes; build the head with `ClassLoss::channels`"
    )]
    Channels {
        /// The loss.
        loss: &'static str,
        /// Channels needed.
        expected: usize,
        /// Channels of the logits.
        got: usize,
        /// Foreground classes `K`.
        classes: usize,
    },
    /// Logits and targets disagree on the number of rows.
    #[error("the logits have {logits} rows, but the targets have {targets}")]
    Rows {
        /// Rows of the logits.
        logits: usize,
        /// Rows of the targets.
        targets: usize,
    },
    /// A target names a class outside `0..K`.
    #[error(
        "row {row} is labelled with class {label}, but there are {classes} classes (0..{classes}); background and ignored rows have labels of their own"
    )]
    LabelOutOfRange {
        /// The row.
        row: usize,
        /// Its label.
        label: usize,
        /// Foreground classes `K`.
        classes: usize,
    },
    /// A per-row input of the targets has the wrong length or is not a finite number of at least zero.
    #[error("{field} of the targets: expected {expected}, got {got}")]
    Targets {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// The ledger counts other classes than the targets or the delta.
    #[error(
        "the gradient ledger has {ledger} classes, but the targets have {targets}; a ledger belongs to one class list"
    )]
    LedgerClasses {
        /// Classes of the ledger.
        ledger: usize,
        /// Classes of the targets, or of the delta made from them.
        targets: usize,
    },
    /// Sums for the ledger differ in length, or hold a value that is not a finite number of at least zero.
    #[error("`{field}` of the gradient ledger: expected {expected}, got {got}; the sums cannot be used")]
    LedgerSums {
        /// The list of sums.
        field: &'static str,
        /// What it must hold.
        expected: String,
        /// What it holds.
        got: String,
    },
    /// The ledger does not hold the state that the loss reads, or holds that of another loss.
    #[error(
        "`{loss}` needs a ledger with {expected}, but this one has {got}; make it with `GradientLedger::of`, or go on with the checkpoint that this loss wrote"
    )]
    State {
        /// The loss.
        loss: &'static str,
        /// The state it reads.
        expected: String,
        /// The state that is there.
        got: String,
    },
    /// A loss needs to know something of the training set that nobody told it.
    #[error(
        "`{loss}` needs {missing} of the training set, and none are there; build it with `TrainingFacts` that have them"
    )]
    Facts {
        /// The loss.
        loss: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// A loss was made with the counts of another class list.
    #[error(
        "`{loss}` was made with the counts of {known} classes, but the targets have {targets}; build it with those of this training set"
    )]
    FactsClasses {
        /// The loss.
        loss: &'static str,
        /// Classes that were counted.
        known: usize,
        /// Classes of the targets.
        targets: usize,
    },
    /// A calibration of scores cannot be made.
    #[error("calibration, {field}: expected {expected}, got {got}")]
    Calibration {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A logit is not finite, so that neither value nor gradient would be.
    #[error("row {row}, channel {channel}: the logit is {value}; lower the learning rate or clip gradients")]
    NotFinite {
        /// Row of the logit.
        row: usize,
        /// Channel of the logit.
        channel: usize,
        /// Its value.
        value: f64,
    },
}

fn nearest(suggestion: &Option<&'static str>) -> String {
    suggestion.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}
