//! Integration tests of `equipoise-eval`.

mod compare;
mod detection;
mod protocol;
mod record;
mod scalar;
mod smooth;
mod table;
mod world;
