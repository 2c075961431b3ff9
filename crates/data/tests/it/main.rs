//! Integration tests of `equipoise-data`.

mod augment;
mod classes;
mod coco;
mod demo;
mod doctor;
mod fixture;
mod hostile;
mod loader;
mod lvis;
mod masks;
mod mutations;
mod open_images;
mod pictures;
mod samplers;
mod stats;
mod write;
mod write_formats;
mod yolo;
