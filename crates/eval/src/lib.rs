//! Scores detectors by the LVIS and COCO protocols, keeps the record of a run, and writes the report on its long tail.
//!
//! Letters used in shapes: `N` images, `K` foreground classes, `D` detections, `G` ground-truth boxes, `H, W` height and width (in that order).
//! Metrics are fractions in `0..=1`; a metric that is not defined (no truth to score it on) is `None` and `null` in files, never −1.

mod annotate;
pub mod compare;
mod detection;
mod error;
pub mod figure;
mod overlay;
pub mod protocol;
pub mod record;
pub mod report;
pub mod smooth;
pub mod table;

pub use annotate::{LabelledBox, annotate};
pub use detection::{Detection, check_detections, read_detections, results_json, write_detections};
pub use error::{EvalError, Result};
