//! Integration tests of `equipoise-eval`.

mod compare;
mod detection;
mod diagnosis;
mod diagnosis_figures;
mod events;
mod figure;
mod files;
mod live;
mod open_images;
mod outcome;
mod protocol;
mod record;
mod report;
mod scalar;
mod smooth;
mod synthetic;
mod table;
mod world;
