//! Integration tests of the program: what it prints, what it writes, and how it fails.

mod bench;
mod cards;
mod data;
mod failures;
mod help;
mod path;
mod program;
mod weights;
mod world;
