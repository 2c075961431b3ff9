//! Integration tests of `equipoise-detect`.

mod backbones;
mod boxes;
mod classifier;
mod detectors;
mod faster_rcnn;
mod masks;
mod matching;
mod onnx;
mod ops_conv2d;
mod ops_nms;
mod ops_roi_align;
mod ops_sgd;
mod ops_vectors;
mod retina_net;
mod scene;
mod weight_files;
mod weights;
