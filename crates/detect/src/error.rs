//! What can be wrong with a detector, its configuration or its weights.

use std::path::PathBuf;

/// The result of building, running or loading a detector.
pub type Result<T> = std::result::Result<T, DetectError>;

/// An error that names the field or tensor, what was expected and what came.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// A name that no registry knows.
    #[error("unknown {kind} `{name}`; known: {known}")]
    Unknown {
        /// Kind of name: "backbone", "detector".
        kind: &'static str,
        /// The name.
        name: String,
        /// All known names.
        known: String,
    },
    /// A field of the configuration does not fit the others.
    #[error("detector configuration, `{field}`: expected {expected}, got {got}")]
    Config {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A weight file could not be read or is not what it claims.
    #[error("cannot read weights `{}`: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A tensor of the weights has another shape than the detector's.
    #[error("tensor `{name}` has shape {got:?}, but the detector needs {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape in the detector.
        expected: Vec<usize>,
        /// Shape in the weights.
        got: Vec<usize>,
    },
    /// The weights lack a tensor, or have one that the detector lacks.
    #[error("tensors are {reason}")]
    Names {
        /// Which tensors are missing or left over.
        reason: String,
    },
    /// Targets made by the detector were refused by the loss.
    #[error(transparent)]
    Loss(#[from] equipoise_loss::LossError),
}
