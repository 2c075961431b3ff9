//! Faster R-CNN and Mask R-CNN with a feature pyramid for Burn, and the operations that it is made of.
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
mod detector;
mod error;
pub mod faster_rcnn;
pub mod fpn;
mod init;
pub mod layers;
pub mod losses;
pub mod mask_head;
pub mod matching;
pub mod ops;
mod path;
pub mod roi_head;
pub mod rpn;
pub mod torchvision;
pub mod weights;

pub use box_mask::BoxMask;
pub use detector::{DetectConfig, Found, GroundTruth, TrainOutput};
pub use error::{DetectError, Result};
pub use faster_rcnn::{FasterRcnn, FasterRcnnConfig};
pub use init::Init;
pub use path::ParamPath;
