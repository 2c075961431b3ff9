//! Scores detectors by the LVIS, COCO and Open Images protocols, keeps the record of a run, and writes the report on its long tail.
//!
//! Letters used in shapes: `N` images, `K` foreground classes, `D` detections, `G` ground-truth boxes, `H, W` height and width (in that order).
//!
//! ```
//! use equipoise_data::{Category, CategoryId, Dataset, Group, ImageId, ImageRecord, Object};
//! use equipoise_eval::{Detection, protocol::protocol};
//!
//! let object = Object { class: 0, bbox: [10.0, 10.0, 50.0, 50.0], area: 1600.0, crowd: false };
//! let truth = Dataset {
//!     source: "val.json".into(),
//!     categories: vec![Category { id: CategoryId(7), name: "owl".into(), group: Group::Rare, images: 2, instances: 3 }],
//!     images: vec![ImageRecord {
//!         id: ImageId(1),
//!         path: "1.png".into(),
//!         width: 64,
//!         height: 64,
//!         objects: vec![object],
//!         negative: vec![],
//!         not_exhaustive: vec![],
//!     }],
//!     federated: false,
//!     warnings: vec![],
//! };
//! let found = [Detection { image: ImageId(1), category: CategoryId(7), bbox: [10.0, 10.0, 50.0, 42.0], score: 0.9, mask: None }];
//! let evaluation = protocol("lvis")?.evaluate(&truth, &found)?;
//! // An overlap of 0.8 passes seven of the ten thresholds from 0.50 to 0.95.
//! assert!((evaluation.metrics.get("APr").unwrap() - 0.7).abs() < 1e-9);
//! assert_eq!(evaluation.metrics.get("APf"), None);
//! # Ok::<(), equipoise_eval::EvalError>(())
//! ```
//!
//! Metrics are fractions in `0..=1`; a metric that is not defined (no truth to score it on) is `None` and `null` in files, never −1.

mod annotate;
pub mod case;
pub mod compare;
mod detection;
pub mod diagnosis;
mod error;
pub mod figure;
pub mod live;
pub mod outcome;
mod overlay;
pub mod protocol;
pub mod record;
pub mod report;
mod results;
mod sheet;
pub mod smooth;
pub mod symptoms;
pub mod table;

pub use annotate::{LabelledBox, annotate};
pub use case::{Case, Shape};
pub use detection::{Detection, RunLengths, check_detections, read_detections, results_json, write_detections};
pub use error::{EvalError, Result};
pub use sheet::{Tile, TileBox, contact_sheet};
