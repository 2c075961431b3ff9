//! What is done to pictures and their boxes before they are learnt from: one file for each augmentation.
//!
//! | what | key of a recipe | file |
//! |---|---|---|
//! | scale jitter, mirror | `loader.scale_range`, `loader.flip` | `loader/place.rs` |
//! | short side from a list | `loader.short_side` | `short_side.rs` |
//! | random crop | `loader.crop` | `crop.rs` |
//! | mosaic of four | `loader.mosaic` | `mosaic.rs` |
//! | copy-paste of rare objects | `loader.copy_paste` | `copy_paste.rs`, `occlude.rs` |
//! | colour | `loader.jitter` | `picture/color.rs` |
//!
//! Order: size, crop, scale, mirror, mosaic, copy-paste, colour. Each draws from a stream of its own, keyed by (seed, epoch, position), so
//! that one more augmentation changes no number of the others.

mod copy_paste;
mod crop;
mod mosaic;
mod occlude;
mod short_side;

pub use copy_paste::{CopyPasteConfig, paste};
pub use crop::CropConfig;
pub use mosaic::{MosaicConfig, mosaic};
pub use occlude::own_mask;
pub use short_side::ShortSideConfig;

use crate::{Bitmap, ClassIndex, DataError, Result, loader::Map, picture::Picture};

/// A picture on its way into a batch, and what is known to be on it.
pub struct Scene {
    /// The pixels.
    pub picture: Picture,
    /// Objects that show at least a pixel.
    pub objects: Vec<Placed>,
    /// As [`BatchImage::exhaustive`](crate::BatchImage::exhaustive).
    pub exhaustive: Option<Vec<ClassIndex>>,
}

/// An object on a [`Scene`].
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Its class.
    pub class: ClassIndex,
    /// What is seen of it, pixels of the scene.
    pub bbox: [f32; 4],
    /// Neither target nor background: a crowd, or too little of an object.
    pub crowd: bool,
    /// Index of its picture and of itself there.
    pub origin: (usize, usize),
    /// From its own picture to the tile that it lies on.
    pub map: Map,
    /// `[left, top]` of that tile.
    pub tile: [usize; 2],
    /// What is seen of it, pixel by pixel, where masks are asked for and it has one.
    pub mask: Option<Bitmap>,
}

/// An option in its range, or the error that names it.
pub fn require(right: bool, option: &'static str, got: impl ToString, expected: &str) -> Result<()> {
    if right { Ok(()) } else { Err(DataError::Option { option, got: got.to_string(), expected: expected.into() }) }
}

/// `value` must be a chance.
pub fn chance(option: &'static str, value: f32) -> Result<()> {
    require((0.0..=1.0).contains(&value), option, value, "a chance, 0 to 1")
}
