//! Masks of objects: read from COCO and LVIS JSON when an augmentation asks for them, kept compactly, and drawn as bits when needed.

mod bitmap;
mod read;
mod rle;
mod store;

pub use bitmap::Bitmap;
pub use read::read_masks;
pub use store::{Masks, Outline};
