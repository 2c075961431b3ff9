//! Numerical operations of a detector that Burn does not offer, or offers too slowly on the CPU.
//!
//! | operation | gradient | on Burn's `flex` CPU backend | on any other backend |
//! |---|---|---|---|
//! | [`conv2d`] | input, weight, bias | own kernels | Burn's convolution |
//! | [`roi_align`], [`roi_align_pyramid`] | features | own kernels | matrix products of dense sampling matrices |
//! | [`nms`], [`batched_nms`] | none | host | host |
//! | [`iou_matrix`] | none | host | host |
//! | [`mask_align`] | none | host | host |
//! | [`sgd_update`] | none | one pass | tensor operations |
//!
//! Every kernel gives the same bits whatever the number of threads: work is cut into pieces by shape alone, each output
//! value is written by one piece, and sums run in a fixed order. Kernels are reentrant: several trainings may share
//! the global `rayon` pool.

mod conv2d;
mod conv2d_flex;
mod conv2d_kernel;
mod conv2d_weight_kernel;
mod conv_planes;
mod depthwise_kernel;
mod flex;
mod iou;
mod lattice_kernel;
mod mask_align;
mod nms;
pub(crate) mod overlap;
mod roi_align;
mod roi_align_dense;
mod roi_align_flex;
mod roi_align_kernel;
mod roi_sampling;
mod scratch;
mod sgd;
mod simd_kernel;
mod transpose_kernel;

pub use conv2d::{ConvOptions, conv2d};
pub use iou::iou_matrix;
pub use mask_align::mask_align;
pub use nms::{batched_nms, nms};
pub use roi_align::{Roi, RoiAlignOptions, roi_align, roi_align_pyramid};
pub use sgd::{SgdStep, sgd_update};
