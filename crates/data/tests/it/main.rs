//! Integration tests of `equipoise-data`.

mod classes;
mod coco;
mod demo;
mod fixture;
mod hostile;
mod loader;
mod lvis;
mod open_images;
mod pictures;
mod samplers;
mod write;
mod write_formats;
mod yolo;
