//! Scoring protocols. A new one is a file here and a line in [`PROTOCOLS`].

mod coco;
mod engine;
mod extra;
mod hierarchy;
mod lvis;
mod open_images;
mod options;

use equipoise_data::{ClassIndex, Dataset};

use crate::case::Case;
use crate::detection::Detection;
use crate::error::{EvalError, Result};
use crate::outcome::Outcomes;
use crate::record::Metrics;

pub use coco::Coco;
pub use engine::Rules;
pub use hierarchy::Hierarchy;
pub use lvis::Lvis;
pub use open_images::{OpenImages, fifths};
pub use options::{FIXED_LIMIT, Groups, LabelledScore, Limit, Options};

/// A way of scoring detections against truth.
pub trait Protocol: Sync {
    /// Name on the command line: "lvis".
    fn name(&self) -> &'static str;

    /// One line for lists: what it is and what it is comparable to.
    fn title(&self) -> &'static str;

    /// Scores `case` with everything that `options` ask for. Groups are those of `truth.categories`: the caller puts the groups of the *training* set
    /// there, since a validation file counts its own images.
    ///
    /// # Errors
    /// An option or shape that the protocol does not know; what the engine refuses.
    fn score(&self, case: &Case, options: &Options) -> Result<Evaluation>;

    /// Scores detections in memory, without options.
    ///
    /// # Errors
    /// A detection on an unknown image, of an unknown category, or with a number that is not finite.
    fn evaluate(&self, truth: &Dataset, detections: &[Detection]) -> Result<Evaluation> {
        self.score(&Case::new(truth, detections)?, &Options::default())
    }
}

/// The outcome of every judged detection by the rules of LVIS, or those of COCO under the name "coco", at the protocol's cap.
///
/// What needs single detections (calibration, error types, the bootstrap) has no rule of its own for Open Images; there COCO's is used.
pub fn outcomes(protocol: &str, case: &Case) -> Outcomes {
    let rules = if protocol == "lvis" { Rules::Lvis } else { Rules::Coco };
    Outcomes::of(case, rules.limit(), rules)
}

/// Every protocol.
pub static PROTOCOLS: &[&dyn Protocol] = &[&Lvis, &Coco, &OpenImages];

/// The protocol called `name`.
///
/// # Errors
/// A name that no protocol has; the error lists those there are.
pub fn protocol(name: &str) -> Result<&'static dyn Protocol> {
    PROTOCOLS.iter().find(|p| p.name() == name).copied().ok_or_else(|| EvalError::UnknownProtocol {
        name: name.into(),
        known: PROTOCOLS.iter().map(|p| p.name()).collect::<Vec<_>>().join(", "),
    })
}

/// The scores of a detector.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Name of the protocol.
    pub protocol: &'static str,
    /// The protocol's numbers, then ours.
    pub metrics: Metrics,
    /// The same numbers, each with how it was made.
    pub labels: Vec<LabelledScore>,
    /// One entry for each class, `[K]`.
    pub classes: Vec<ClassResult>,
}

impl Evaluation {
    /// Adds the numbers of the masks of the same detections, under names of their own: `mask_AP`, `mask_APr` …
    pub fn add_masks(&mut self, masks: &Evaluation) {
        let named = |key: &str| format!("mask_{key}");
        masks.metrics.iter().for_each(|(key, value)| self.metrics.set(&named(key), value));
        self.labels.extend(masks.labels.iter().map(|label| LabelledScore { key: named(&label.key), ..label.clone() }));
    }
}

/// The scores of a class; `None` where there is no truth to score it on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassResult {
    /// The class.
    pub class: ClassIndex,
    /// Average precision over IoU 0.50 to 0.95.
    pub ap: Option<f64>,
    /// Average precision at IoU 0.50.
    pub ap50: Option<f64>,
    /// Average recall over IoU 0.50 to 0.95 at the protocol's largest number of detections.
    pub ar: Option<f64>,
    /// Objects in the truth, crowds not counted.
    pub objects: u64,
    /// Images of the truth with at least one of them.
    pub images: u64,
    /// Detections of the class, before any cap.
    pub detections: u64,
}
