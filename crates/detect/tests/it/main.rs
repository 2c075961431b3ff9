//! Integration tests of `equipoise-detect`.

mod backbones;
mod boxes;
mod classifier;
mod faster_rcnn;
mod masks;
mod matching;
mod ops_conv2d;
mod ops_nms;
mod ops_roi_align;
mod ops_sgd;
mod ops_vectors;
mod scene;
mod weights;
