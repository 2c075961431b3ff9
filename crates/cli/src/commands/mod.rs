//! The commands, one file each.

pub mod bench;
pub mod compare;
pub mod data;
pub mod demo;
pub mod docs;
pub mod eval;
pub mod explain;
pub mod losses;
pub mod predict;
pub mod report;
pub mod train;
pub mod weights;
