//! Integration tests of `equipoise-detect`.

mod ops_conv2d;
