//! Resizing with a triangle filter; it widens when shrinking, so that no pixel is skipped, unless the rule is torchvision's.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use super::Picture;

/// A part of a picture in pixels; fractions are allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropBox {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// How sizes are rounded and pixels made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeRule {
    /// The nearest whole size, and a filter as wide as what becomes a pixel.
    #[default]
    Smooth,
    /// As torchvision's detectors: sizes rounded down, and each pixel between the nearest four, which skips some when shrinking.
    Torchvision,
}

impl ResizeRule {
    fn algorithm(self) -> ResizeAlg {
        match self {
            Self::Smooth => ResizeAlg::Convolution(FilterType::Bilinear),
            Self::Torchvision => ResizeAlg::Interpolation(FilterType::Bilinear),
        }
    }
}

impl CropBox {
    /// The whole of `picture`.
    pub fn whole(picture: &Picture) -> Self {
        Self { left: 0.0, top: 0.0, width: f64::from(picture.width), height: f64::from(picture.height) }
    }

    /// The nearest part of `picture` that has an area: the resizer refuses any other.
    fn inside(self, picture: &Picture) -> Self {
        const SMALLEST: f64 = 1e-6;
        let fit = |start: f64, length: f64, whole: u32| {
            let whole = f64::from(whole);
            let start = start.max(0.0).min(whole - SMALLEST);
            let mut length = length.max(SMALLEST).min(whole - start);
            // `start + (whole - start)` may round to more than `whole`.
            while start + length > whole {
                length = length.next_down();
            }
            (start, length)
        };
        let (left, width) = fit(self.left, self.width, picture.width);
        let (top, height) = fit(self.top, self.height, picture.height);
        Self { left, top, width, height }
    }
}

impl Picture {
    /// Brings the part `from` to `width` × `height` pixels; sides of 0 become 1, and what lies outside the picture is left
    /// out. The whole picture at its own size is handed through unchanged.
    pub fn resize(self, from: CropBox, width: u32, height: u32) -> Self {
        self.resize_by(ResizeRule::Smooth, from, width, height)
    }

    /// [`Picture::resize`] by this rule.
    pub fn resize_by(self, rule: ResizeRule, from: CropBox, width: u32, height: u32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        if (width, height) == (self.width, self.height) && from == CropBox::whole(&self) {
            return self;
        }
        self.part_by(rule, from, width, height)
    }

    /// The part `from`, brought to `width` × `height` pixels, which are not 0.
    pub(crate) fn part(&self, from: CropBox, width: u32, height: u32) -> Self {
        self.part_by(ResizeRule::Smooth, from, width, height)
    }

    fn part_by(&self, rule: ResizeRule, from: CropBox, width: u32, height: u32) -> Self {
        let part = from.inside(self);
        let options = ResizeOptions::new()
            .resize_alg(rule.algorithm())
            .crop(part.left, part.top, part.width, part.height)
            .use_alpha(false);
        let source = ImageRef::new(self.width, self.height, &self.pixels, PixelType::U8x3)
            .expect("a picture has width * height * 3 bytes");
        let mut target = Image::new(width, height, PixelType::U8x3);
        Resizer::new().resize(&source, &mut target, &options).expect("both pictures are RGB and the part lies inside");
        Self { width, height, pixels: target.into_vec() }
    }
}
