//! Integration tests of `equipoise-train`.

mod checkpoint;
mod decouple;
mod initial_weights;
mod losses;
mod overfit;
mod overfit_dense;
mod recipe;
mod resume;
mod schedule;
mod training;
mod world;
