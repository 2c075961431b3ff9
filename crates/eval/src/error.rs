//! What can go wrong while scoring, recording or reporting.

use std::path::PathBuf;

/// The result of scoring, recording or reporting.
pub type Result<T> = std::result::Result<T, EvalError>;

/// An error that names the file, the entry and the way out.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The data crate could not read or write.
    #[error(transparent)]
    Data(#[from] equipoise_data::DataError),
    /// A JSON file is not what it should be.
    #[error("`{}` is not {expected}: {reason}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What should be there: "a metrics file".
        expected: &'static str,
        /// The parser's reason with line and column.
        reason: String,
    },
    /// An entry of a results file cannot be used.
    #[error(
        "`{}`: detection {index} (counted from 0): {reason}. Expected an array of \
         {{\"image_id\", \"category_id\", \"bbox\": [x, y, width, height], \"score\"}}",
        path.display()
    )]
    ResultsEntry {
        /// The results file.
        path: PathBuf,
        /// Position of the entry, counted from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A results file names a picture that the truth does not have.
    #[error(
        "`{}`: detection {index} is on image {image}, which `{}` does not have: are these results of another split?",
        path.display(),
        truth.display()
    )]
    UnknownImage {
        /// The results file.
        path: PathBuf,
        /// Position of the entry, counted from 0.
        index: usize,
        /// The image id.
        image: u64,
        /// The annotation file.
        truth: PathBuf,
    },
    /// A results file names a category that the truth does not have.
    #[error(
        "`{}`: detection {index} is of category {category}, which `{}` does not have: \
         results must use the category ids of the annotation file, not class indices",
        path.display(),
        truth.display()
    )]
    UnknownCategory {
        /// The results file.
        path: PathBuf,
        /// Position of the entry, counted from 0.
        index: usize,
        /// The category id.
        category: u64,
        /// The annotation file.
        truth: PathBuf,
    },
    /// A detection in memory has a number that is not finite, or a box with negative sides.
    #[error("detection {index} on image {image}: {reason}")]
    Detection {
        /// Position in the slice.
        index: usize,
        /// The image id.
        image: u64,
        /// What is wrong.
        reason: String,
    },
    /// The scoring engine refused its input.
    #[error("the {protocol} protocol cannot score this: {reason}")]
    Protocol {
        /// Name of the protocol.
        protocol: &'static str,
        /// The engine's reason.
        reason: String,
    },
    /// No protocol has this name.
    #[error("no protocol is called `{name}`; there are: {known}")]
    UnknownProtocol {
        /// The name that was asked for.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// A row of a table that a run left behind cannot be read.
    #[error("`{}`, line {line}: {reason}. Delete the file to start it anew, or mend that line", path.display())]
    Row {
        /// The table.
        path: PathBuf,
        /// Line in the file, counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A folder holds no run.
    #[error("`{}` is not a run directory: {reason}", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A figure could not be rasterised.
    #[error("cannot draw `{what}`: {reason}")]
    Draw {
        /// The figure.
        what: String,
        /// The renderer's reason.
        reason: String,
    },
    /// A picture could not be decoded or encoded.
    #[error("cannot {action} the picture `{}`: {reason}", path.display())]
    Picture {
        /// "decode" or "encode".
        action: &'static str,
        /// The picture.
        path: PathBuf,
        /// The codec's reason.
        reason: String,
    },
    /// A report needs at least one run and the same classes in all of them.
    #[error("cannot write the report: {0}")]
    Report(String),
}

impl EvalError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
