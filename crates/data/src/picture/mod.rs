//! Pictures as 8-bit RGB: decoding, resizing, and the changes that augmentation makes.

mod color;
mod decode;
mod resize;

pub use color::{ColorChange, JitterConfig};
pub use decode::{decode, decode_upright, dimensions};
pub use resize::{CropBox, ResizeRule};

/// A picture of 8-bit RGB pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// A picture of `pixels`, `[H, W, 3]` row by row; `None` when their number does not fit or a side is 0.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let expected = u128::from(width) * u128::from(height) * 3;
        (expected == pixels.len() as u128 && expected > 0).then_some(Self { width, height, pixels })
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, `[H, W, 3]` row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, to be changed.
    pub(crate) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The rows from the top, each `[W, 3]`.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.width as usize * 3)
    }

    /// Mirrors the picture left to right.
    pub fn flip(&mut self) {
        for row in self.pixels.chunks_exact_mut(self.width as usize * 3) {
            let (pixels, _) = row.as_chunks_mut::<3>();
            pixels.reverse();
        }
    }
}

/// Mirrors a box left to right in a picture of `width` pixels.
pub fn flip_box([x1, y1, x2, y2]: [f32; 4], width: f32) -> [f32; 4] {
    [width - x2, y1, width - x1, y2]
}
