//! Masks of objects: read from the file of a data set when an augmentation or a conversion asks for them, kept compactly and drawn as bits
//! when needed, or carried into another file as written.

mod bitmap;
mod carry;
mod finder;
mod json;
mod outline;
mod read;
mod rle;
mod store;

pub use bitmap::Bitmap;
pub(crate) use carry::CarriedMasks;
pub(crate) use finder::Finder;
pub use outline::Outline;
pub use read::read_masks;
pub(crate) use read::{Found, each_outline};
pub use store::Masks;
