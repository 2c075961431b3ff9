//! Sprites and their antialiased placement: how a drawing gets onto a picture.
//!
//! A sprite is one rendered icon, cut to its visible part, as premultiplied RGBA with mip levels. It is placed by an inverse affine map
//! with four bilinear samples per pixel, taken from the level whose pixels are closest in size to the picture's.
//! Trap: everything stays premultiplied; resampling straight colours would draw dark fringes around every object.

use resvg::{tiny_skia, usvg};

use crate::{DataError, Result};

/// Alpha from which a pixel counts as part of the object.
pub(crate) const SOLID: f32 = 0.5;

/// Largest step between samples, in pixels of the mip level; above it thin lines flicker.
const MAX_STEP: f32 = 1.6;

struct Level {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
}

/// A rendered icon with mip levels; level 0 is the largest.
pub(crate) struct Sprite {
    levels: Vec<Level>,
}

/// Where and how a sprite is put: centre and size in pixels of the picture, angle in radians.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pose {
    pub center: [f32; 2],
    /// Longer side of the unrotated sprite.
    pub size: f32,
    pub angle: f32,
    pub flip: bool,
}

/// A change of colour: brightness and saturation as factors, one factor per channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tone {
    pub brightness: f32,
    pub saturation: f32,
    pub tint: [f32; 3],
}

/// A placed sprite: premultiplied RGBA in 0..1 with its top left corner, which may lie outside the picture.
pub(crate) struct Patch {
    pub x: i32,
    pub y: i32,
    pub width: usize,
    pub pixels: Vec<[f32; 4]>,
}

/// A square RGB picture in 0..1 while it is being painted.
pub(crate) struct Canvas {
    pub side: usize,
    pub pixels: Vec<[f32; 3]>,
}

impl Sprite {
    /// Renders an SVG document into a square of `size` pixels and cuts it to its visible part.
    ///
    /// # Errors
    /// [`DataError::Art`] when the document cannot be drawn or is empty.
    pub fn render(name: &str, svg: &str, size: u32) -> Result<Self> {
        Self::from_pixels(name, &Self::rasterize(name, svg, size)?, size as usize)
    }

    /// Draws an SVG document into a square of `size` pixels, premultiplied RGBA.
    ///
    /// # Errors
    /// [`DataError::Art`] when the document cannot be drawn.
    pub fn rasterize(name: &str, svg: &str, size: u32) -> Result<Vec<[u8; 4]>> {
        let fail = |reason: String| DataError::Art { name: name.to_owned(), reason };
        let tree = usvg::Tree::from_str(svg, &usvg::Options::default()).map_err(|e| fail(e.to_string()))?;
        let mut pixmap =
            tiny_skia::Pixmap::new(size, size).ok_or_else(|| fail(format!("no picture of side {size}")))?;
        let scale = size as f32 / tree.size().width().max(tree.size().height());
        resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixmap.as_mut());
        Ok(pixmap.data().as_chunks::<4>().0.to_vec())
    }

    /// Cuts a square of premultiplied RGBA to its visible part.
    ///
    /// # Errors
    /// [`DataError::Art`] when nothing is visible.
    pub fn from_pixels(name: &str, pixels: &[[u8; 4]], side: usize) -> Result<Self> {
        let empty = || DataError::Art { name: name.to_owned(), reason: "nothing visible".into() };
        let first = cut(pixels, side).ok_or_else(empty)?;
        let mut levels = vec![first];
        while levels[levels.len() - 1].width.max(levels[levels.len() - 1].height) > 12 {
            levels.push(halve(&levels[levels.len() - 1]));
        }
        Ok(Self { levels })
    }

    /// Width and height at `size`, before rotation.
    fn extent(&self, size: f32) -> [f32; 2] {
        let (w, h) = (self.levels[0].width as f32, self.levels[0].height as f32);
        [size * w / w.max(h), size * h / w.max(h)]
    }

    /// Width and height of the upright rectangle around the sprite in this pose.
    pub fn footprint(&self, pose: &Pose) -> [f32; 2] {
        let [w, h] = self.extent(pose.size);
        let (sin, cos) = (pose.angle.sin().abs(), pose.angle.cos().abs());
        [w * cos + h * sin, w * sin + h * cos]
    }

    /// Draws the sprite in this pose.
    pub fn place(&self, pose: &Pose, tone: &Tone) -> Patch {
        let [fw, fh] = self.footprint(pose);
        let [cx, cy] = pose.center;
        let (x, y) = ((cx - fw / 2.0).floor() as i32, (cy - fh / 2.0).floor() as i32);
        let width = ((cx + fw / 2.0).ceil() as i32 - x).max(1) as usize;
        let height = ((cy + fh / 2.0).ceil() as i32 - y).max(1) as usize;

        let base = self.levels[0].width.max(self.levels[0].height) as f32 / pose.size;
        let mut step = base;
        let mut level = 0;
        while step > MAX_STEP && level + 1 < self.levels.len() {
            level += 1;
            step /= 2.0;
        }
        let source = &self.levels[level];
        let [ew, eh] = self.extent(pose.size);
        let (kx, ky) = (source.width as f32 / ew, source.height as f32 / eh);
        let (sin, cos) = pose.angle.sin_cos();
        let mirror = if pose.flip { -1.0 } else { 1.0 };
        let (mx, my) = (source.width as f32 / 2.0, source.height as f32 / 2.0);

        let mut pixels = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let mut sum = [0.0f32; 4];
                for (ox, oy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let dx = (x + column as i32) as f32 + ox - cx;
                    let dy = (y + row as i32) as f32 + oy - cy;
                    let u = (dx * cos + dy * sin) * kx * mirror + mx;
                    let v = (dy * cos - dx * sin) * ky + my;
                    source.add_sample(u, v, &mut sum);
                }
                pixels.push(tone.apply(sum.map(|c| c / (4.0 * 255.0))));
            }
        }
        Patch { x, y, width, pixels }
    }
}

impl Level {
    /// Adds the bilinear sample at `(u, v)`, where pixel centres lie at half-integers and everything outside is transparent.
    fn add_sample(&self, u: f32, v: f32, sum: &mut [f32; 4]) {
        let (u, v) = (u - 0.5, v - 0.5);
        if u <= -1.0 || v <= -1.0 || u >= self.width as f32 || v >= self.height as f32 {
            return;
        }
        let (u0, v0) = (u.floor(), v.floor());
        let (fu, fv) = (u - u0, v - v0);
        let (i, j) = (u0 as isize, v0 as isize);
        let taps = [(0, 0, (1.0 - fu) * (1.0 - fv)), (1, 0, fu * (1.0 - fv)), (0, 1, (1.0 - fu) * fv), (1, 1, fu * fv)];
        let inner = i >= 0 && j >= 0 && i + 1 < self.width as isize && j + 1 < self.height as isize;
        for (di, dj, weight) in taps {
            let (px, py) = (i + di, j + dj);
            if inner || (px >= 0 && py >= 0 && (px as usize) < self.width && (py as usize) < self.height) {
                let pixel = self.pixels[py as usize * self.width + px as usize];
                for (total, value) in sum.iter_mut().zip(pixel) {
                    *total += weight * f32::from(value);
                }
            }
        }
    }
}

/// Cuts a square picture to the rectangle of pixels that are not transparent; nothing when all are.
fn cut(pixels: &[[u8; 4]], side: usize) -> Option<Level> {
    let visible = |x: usize, y: usize| pixels[y * side + x][3] > 8;
    let columns: Vec<usize> = (0..side).filter(|&x| (0..side).any(|y| visible(x, y))).collect();
    let rows: Vec<usize> = (0..side).filter(|&y| (0..side).any(|x| visible(x, y))).collect();
    let (x0, x1) = (*columns.first()?, *columns.last()? + 1);
    let (y0, y1) = (*rows.first()?, *rows.last()? + 1);
    let pixels = (y0..y1).flat_map(|y| pixels[y * side + x0..y * side + x1].iter().copied()).collect();
    Some(Level { width: x1 - x0, height: y1 - y0, pixels })
}

/// The next mip level: means of 2 × 2 pixels; an odd last row or column is averaged with transparency.
fn halve(level: &Level) -> Level {
    let (width, height) = (level.width.div_ceil(2), level.height.div_ceil(2));
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let mut sum = [2u32; 4];
            for (px, py) in [(2 * x, 2 * y), (2 * x + 1, 2 * y), (2 * x, 2 * y + 1), (2 * x + 1, 2 * y + 1)] {
                if px < level.width && py < level.height {
                    let pixel = level.pixels[py * level.width + px];
                    sum.iter_mut().zip(pixel).for_each(|(total, value)| *total += u32::from(value));
                }
            }
            pixels.push(sum.map(|total| (total / 4) as u8));
        }
    }
    Level { width, height, pixels }
}

impl Tone {
    /// No change.
    #[cfg(test)]
    pub const NONE: Self = Self { brightness: 1.0, saturation: 1.0, tint: [1.0; 3] };

    fn apply(&self, [r, g, b, a]: [f32; 4]) -> [f32; 4] {
        let grey = 0.299 * r + 0.587 * g + 0.114 * b;
        let change =
            |value: f32, tint: f32| ((grey + (value - grey) * self.saturation) * self.brightness * tint).clamp(0.0, a);
        [change(r, self.tint[0]), change(g, self.tint[1]), change(b, self.tint[2]), a]
    }
}

impl Patch {
    /// Number of solid pixels, also those outside the picture.
    pub fn solid(&self) -> usize {
        self.pixels.iter().filter(|p| p[3] >= SOLID).count()
    }

    /// Calls `visit` with the index in a picture of `side` and the pixel, for every pixel inside that is not transparent.
    pub fn for_each_inside(&self, side: usize, mut visit: impl FnMut(usize, &[f32; 4])) {
        for (row, line) in self.pixels.chunks_exact(self.width).enumerate() {
            let py = self.y + row as i32;
            if py < 0 || py >= side as i32 {
                continue;
            }
            for (column, pixel) in line.iter().enumerate() {
                let px = self.x + column as i32;
                if px >= 0 && px < side as i32 && pixel[3] > 0.0 {
                    visit(py as usize * side + px as usize, pixel);
                }
            }
        }
    }
}

impl Canvas {
    /// Paints a patch over the picture.
    pub fn paste(&mut self, patch: &Patch) {
        patch.for_each_inside(self.side, |at, &[r, g, b, a]| {
            let under = &mut self.pixels[at];
            *under = [r + (1.0 - a) * under[0], g + (1.0 - a) * under[1], b + (1.0 - a) * under[2]];
        });
    }

    /// Gaussian blur of standard deviation `sigma` pixels; the rim repeats its last pixel.
    pub fn blur(&mut self, sigma: f32) {
        if sigma <= 0.05 {
            return;
        }
        let radius = (2.5 * sigma).ceil() as usize;
        let kernel: Vec<f32> = (0..=radius).map(|i| (-((i * i) as f32) / (2.0 * sigma * sigma)).exp()).collect();
        let total = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
        let side = self.side;
        for (stride, across) in [(1, side), (side, 1)] {
            let mut line = vec![[0.0f32; 3]; side];
            for start in (0..side).map(|i| i * across) {
                (0..side).for_each(|i| line[i] = self.pixels[start + i * stride]);
                for i in 0..side {
                    let mut sum = line[i].map(|c| c * kernel[0]);
                    for (offset, weight) in kernel.iter().enumerate().skip(1) {
                        let (a, b) = (line[i.saturating_sub(offset)], line[(i + offset).min(side - 1)]);
                        (0..3).for_each(|c| sum[c] += weight * (a[c] + b[c]));
                    }
                    self.pixels[start + i * stride] = sum.map(|c| c / total);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &str =
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><path fill="#F00" d="M9 9h18v18H9z"/></svg>"##;

    #[test]
    fn an_upright_square_covers_exactly_its_pixels() {
        let sprite = Sprite::render("square", SQUARE, 128).unwrap();
        let pose = Pose { center: [20.0, 30.0], size: 16.0, angle: 0.0, flip: true };
        let patch = sprite.place(&pose, &Tone::NONE);
        assert_eq!((patch.x, patch.y, patch.width, patch.pixels.len()), (12, 22, 16, 256));
        assert_eq!(patch.solid(), 256);
        let mut canvas = Canvas { side: 64, pixels: vec![[0.0, 0.0, 1.0]; 64 * 64] };
        canvas.paste(&patch);
        assert_eq!(canvas.pixels[30 * 64 + 20].map(|c| (c * 255.0).round()), [255.0, 0.0, 0.0]);
        assert_eq!(canvas.pixels[0], [0.0, 0.0, 1.0]);
    }

    #[test]
    fn rotation_and_size_keep_the_area() {
        let sprite = Sprite::render("square", SQUARE, 128).unwrap();
        for size in [10.0f32, 23.0, 48.0, 90.0] {
            for angle in [0.0f32, 0.2, -0.43] {
                let pose = Pose { center: [50.3, 49.8], size, angle, flip: false };
                let alpha: f32 = sprite.place(&pose, &Tone::NONE).pixels.iter().map(|p| p[3]).sum();
                let expected = size * size;
                assert!(
                    (alpha - expected).abs() < 0.06 * expected + 2.0,
                    "size {size}, angle {angle}: {alpha} against {expected}"
                );
            }
        }
    }

    #[test]
    fn patches_may_hang_over_every_edge() {
        let sprite = Sprite::render("square", SQUARE, 128).unwrap();
        let mut canvas = Canvas { side: 8, pixels: vec![[0.0; 3]; 64] };
        for center in [[0.0, 0.0], [8.0, 8.0], [-40.0, 3.0], [3.0, 90.0]] {
            canvas.paste(&sprite.place(&Pose { center, size: 6.0, angle: 0.3, flip: false }, &Tone::NONE));
        }
        assert!(canvas.pixels[0][0] > 0.9 && canvas.pixels[63][0] > 0.9 && canvas.pixels[28][0] == 0.0);
    }

    #[test]
    fn blur_keeps_the_sum_of_an_inner_spot() {
        let mut canvas = Canvas { side: 15, pixels: vec![[0.0; 3]; 225] };
        canvas.pixels[7 * 15 + 7] = [1.0; 3];
        canvas.blur(0.7);
        let sum: f32 = canvas.pixels.iter().map(|p| p[1]).sum();
        assert!((sum - 1.0).abs() < 1e-5);
        assert!(canvas.pixels[7 * 15 + 7][0] < 0.6);
    }

    #[test]
    fn broken_art_is_an_error() {
        let empty = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"></svg>"#;
        assert!(matches!(Sprite::render("none", empty, 32), Err(DataError::Art { .. })));
        assert!(matches!(Sprite::render("bad", "<svg", 32), Err(DataError::Art { .. })));
    }
}
