//! Integration tests of `equipoise-eval`.

mod compare;
mod detection;
mod events;
mod figure;
mod live;
mod protocol;
mod record;
mod report;
mod scalar;
mod smooth;
mod synthetic;
mod table;
mod world;
