//! Detectors with a feature pyramid for Burn, of two stages (Faster R-CNN, Mask R-CNN) and of one (RetinaNet), and the operations that they are made of.
//!
//! A detector hands out class logits and their targets; it never computes a classification loss. The loss decides the
//! classifier's channels and initial bias, and turns logits into scores.
//!
//! Letters used in shapes: `N` pictures, `R` proposals in the batch, `K` foreground classes, `C` logit channels, `A` anchors of a
//! cell, `L` pyramid levels, `H, W` height and width (in that order), `G` ground-truth boxes.

pub mod anchors;
pub mod backbone;
mod box_mask;
pub mod boxes;
mod check;
pub mod dense_head;
mod detector;
pub mod efficientnet;
mod error;
pub mod faster_rcnn;
mod fit;
pub mod fpn;
mod init;
pub mod inverted;
pub mod layers;
pub mod losses;
pub mod mask_head;
pub mod matching;
pub mod naming;
pub mod onnx;
pub mod ops;
mod path;
mod pickle_scan;
mod precision;
pub mod registry;
pub mod retina_net;
pub mod roi_head;
pub mod rpn;
pub mod torchvision;
pub mod torchvision_retina;
mod weight_file;
pub mod weights;

pub use box_mask::BoxMask;
pub use detector::{DetectConfig, Found, GroundTruth, TrainOutput};
pub use error::{DetectError, Result};
pub use faster_rcnn::{FasterRcnn, FasterRcnnConfig};
pub use fit::{Fit, Misshapen};
pub use init::Init;
pub use path::ParamPath;
pub use precision::Precision;
pub use registry::{DETECTORS, Detector, DetectorCard, DetectorConfig};
pub use retina_net::{RetinaNet, RetinaNetConfig};
pub use weight_file::{TensorEntry, WeightFile};
