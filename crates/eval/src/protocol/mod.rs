//! Scoring protocols. A new one is a file here and a line in [`PROTOCOLS`].

mod coco;
mod engine;
mod lvis;

use equipoise_data::{ClassIndex, Dataset};

use crate::detection::{Detection, defect};
use crate::error::{EvalError, Result};
use crate::record::Metrics;

pub use coco::Coco;
pub use lvis::Lvis;

/// A way of scoring detections against truth.
pub trait Protocol: Sync {
    /// Name on the command line: "lvis".
    fn name(&self) -> &'static str;

    /// One line for lists: what it is and what it is comparable to.
    fn title(&self) -> &'static str;

    /// Scores the detections. Groups are those of `truth.categories`: the caller puts the groups of the *training* set there, since a
    /// validation file counts its own images.
    ///
    /// # Errors
    /// A detection on an unknown image, of an unknown category, or with a number that is not finite.
    fn evaluate(&self, truth: &Dataset, detections: &[Detection]) -> Result<Evaluation>;
}

/// Every protocol.
pub static PROTOCOLS: &[&dyn Protocol] = &[&Lvis, &Coco];

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
    /// One entry for each class, `[K]`.
    pub classes: Vec<ClassResult>,
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

/// Refuses what no protocol can score.
fn check(truth: &Dataset, detections: &[Detection]) -> Result<()> {
    if let Some((index, detection, reason)) =
        detections.iter().enumerate().find_map(|(i, d)| defect(d).map(|reason| (i, d, reason)))
    {
        return Err(EvalError::Detection { index, image: detection.image.0, reason });
    }
    crate::detection::check_detections(std::path::Path::new("detections"), detections, truth)
}
