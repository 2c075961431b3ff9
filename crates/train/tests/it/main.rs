//! Integration tests of `equipoise-train`.

mod checkpoint;
mod recipe;
mod resume;
mod schedule;
mod training;
mod world;
