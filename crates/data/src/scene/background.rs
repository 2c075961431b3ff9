//! Backgrounds: cut out of photos, or procedural, a scalar field (clouds, stripes, wood …) coloured by a small palette.
//!
//! Train and val share no field and no hue: each split has its own list of fields, and the colour circle is cut into 24 sectors that
//! alternate between them. So a detector cannot learn the validation backgrounds, yet both splits look alike in statistics.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{Picture, picture::CropBox};

use super::{
    draw::Canvas,
    random::{chance, log_uniform, pick},
};

/// Which half of the backgrounds, hues and clutter shapes is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Train,
    Val,
}

const SECTORS: u32 = 24;

/// Side of the lattice of random values behind the noise; a power of two.
const LATTICE: i32 = 32;

/// A value in about 0..1 for a point of the picture, whose sides are 1 long.
type Field = Box<dyn Fn(f32, f32) -> f32>;

/// Paints a background of `side` pixels.
pub(crate) fn background(rng: &mut ChaCha8Rng, side: usize, split: Split) -> Canvas {
    let field = match split {
        Split::Train => train_field(rng),
        Split::Val => val_field(rng),
    };
    let palette = [color(rng, split), color(rng, split), color(rng, split)];
    let grain = Noise::new(rng);
    let (grain_scale, grain_depth) = (log_uniform(rng, 8.0, 40.0), rng.random_range(0.0..0.14));
    let mut pixels = Vec::with_capacity(side * side);
    for row in 0..side {
        for column in 0..side {
            let (x, y) = ((column as f32 + 0.5) / side as f32, (row as f32 + 0.5) / side as f32);
            let t = field(x, y).clamp(0.0, 1.0) * 2.0;
            let (from, to, part) = if t < 1.0 { (0, 1, t) } else { (1, 2, t - 1.0) };
            let light = 1.0 + grain_depth * (2.0 * grain.fractal(x * grain_scale, y * grain_scale, 2) - 1.0);
            pixels
                .push([0, 1, 2].map(|c| {
                    ((palette[from][c] + (palette[to][c] - palette[from][c]) * part) * light).clamp(0.0, 1.0)
                }));
        }
    }
    Canvas { side, pixels }
}

/// Shares of a photo's shorter side that a cut-out may have, percent.
const CUT: std::ops::RangeInclusive<u32> = 25..=90;

/// Cuts a background of `side` pixels out of one of the photos, mirrored or not.
pub(crate) fn photo(rng: &mut ChaCha8Rng, side: usize, photos: &[Picture]) -> Canvas {
    let photo = &photos[rng.random_range(0..photos.len())];
    let (width, height) = (photo.width(), photo.height());
    let cut = (width.min(height) * rng.random_range(CUT) / 100).max(1);
    let [left, top] = [width, height].map(|length| f64::from(rng.random_range(0..=length - cut)));
    let part = CropBox { left, top, width: f64::from(cut), height: f64::from(cut) };
    let mut part = photo.part(part, side as u32, side as u32);
    if chance(rng, 50) {
        part.flip();
    }
    let pixels = part.pixels().as_chunks::<3>().0.iter().map(|pixel| pixel.map(|c| f32::from(c) / 255.0)).collect();
    Canvas { side, pixels }
}

/// A colour whose hue belongs to the split.
pub(crate) fn color(rng: &mut ChaCha8Rng, split: Split) -> [f32; 3] {
    let sector = 2 * rng.random_range(0..SECTORS / 2) + u32::from(split == Split::Val);
    let hue = (sector as f32 + rng.random_range(0.0..1.0)) * 6.0 / SECTORS as f32;
    let (saturation, value) = (rng.random_range(0.05..0.85), rng.random_range(0.2..1.0));
    let channel = |shift: f32| {
        let k = (shift + hue) % 6.0;
        value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0))
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

fn train_field(rng: &mut ChaCha8Rng) -> Field {
    let noise = Noise::new(rng);
    let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
    let scale = log_uniform(rng, 2.0, 9.0);
    let warp = rng.random_range(0.0..0.25);
    match rng.random_range(0..6u32) {
        // Gradient.
        0 => Box::new(move |x, y| {
            0.5 + 0.6 * ((x - 0.5) * cos + (y - 0.5) * sin) + warp * (noise.fractal(2.0 * x, 2.0 * y, 2) - 0.5)
        }),
        // Clouds.
        1 => Box::new(move |x, y| steep(noise.fractal(scale * x, scale * y, 4), 2.0)),
        // Stripes, straight or wavy.
        2 => {
            let hard = rng.random_range(1.0..8.0);
            Box::new(move |x, y| {
                let shift = warp * noise.fractal(3.0 * x, 3.0 * y, 2);
                steep(0.5 + 0.5 * (scale * std::f32::consts::TAU * (x * cos + y * sin + shift)).sin(), hard)
            })
        }
        // Checker with stained fields.
        3 => Box::new(move |x, y| {
            let (u, v) = (scale * (x * cos + y * sin), scale * (y * cos - x * sin));
            let dark = (u.floor() as i32 + v.floor() as i32).rem_euclid(2) as f32;
            0.7 * dark + 0.3 * noise.fractal(4.0 * x, 4.0 * y, 3)
        }),
        // Wood: stretched noise, folded into year rings.
        4 => Box::new(move |x, y| {
            let (u, v) = (x * cos + y * sin, y * cos - x * sin);
            let rings = 3.0 * noise.fractal(scale * u + 40.0, 0.6 * v + 40.0, 3);
            0.75 * rings.fract() + 0.25 * noise.fractal(24.0 * u + 80.0, 2.0 * v + 80.0, 2)
        }),
        // Camouflage: noise cut into few levels.
        _ => {
            let levels = pick(rng, &[3.0f32, 4.0, 6.0]);
            Box::new(move |x, y| (steep(noise.fractal(scale * x, scale * y, 3), 1.8) * levels).floor() / (levels - 1.0))
        }
    }
}

fn val_field(rng: &mut ChaCha8Rng) -> Field {
    let noise = Noise::new(rng);
    let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
    let scale = log_uniform(rng, 2.0, 9.0);
    let warp = rng.random_range(0.0..0.25);
    match rng.random_range(0..6u32) {
        // Rings around a point.
        0 => {
            let center = [rng.random_range(-0.2..1.2), rng.random_range(-0.2..1.2f32)];
            let hard = rng.random_range(1.0..6.0);
            Box::new(move |x, y| {
                let radius = (x - center[0]).hypot(y - center[1]) + warp * noise.fractal(3.0 * x, 3.0 * y, 2);
                steep(0.5 + 0.5 * (scale * std::f32::consts::TAU * radius).sin(), hard)
            })
        }
        // Cells, like leaves or stones seen from above.
        1 => {
            let edges = chance(rng, 50);
            Box::new(move |x, y| {
                let (near, far, shade) = noise.cells(scale * x, scale * y);
                if edges { 0.6 * shade + 0.4 * ((far - near) * 4.0).min(1.0) } else { near }
            })
        }
        // Plaid.
        2 => Box::new(move |x, y| {
            let (u, v) = (x * cos + y * sin, y * cos - x * sin);
            let wave = |t: f32| steep(0.5 + 0.5 * (scale * std::f32::consts::TAU * t).sin(), 3.0);
            0.5 * (wave(u) + wave(v))
        }),
        // Marble: folded noise.
        3 => Box::new(move |x, y| 1.0 - (4.0 * noise.fractal(scale * x, scale * y, 4) - 2.0).abs()),
        // Bricks of varying shade with mortar.
        4 => Box::new(move |x, y| {
            let v = 1.6 * scale * y;
            let u = 0.8 * scale * x + 0.5 * (v.floor() as i32).rem_euclid(2) as f32;
            let mortar = u.fract().min(1.0 - u.fract()).min(v.fract().min(1.0 - v.fract())) < 0.07;
            if mortar { 1.0 } else { 0.7 * noise.lattice(u.floor() as i32, v.floor() as i32) }
        }),
        // Scales in rows, each lit from one side.
        _ => Box::new(move |x, y| {
            let v = scale * y;
            let u = scale * x + 0.5 * (v.floor() as i32).rem_euclid(2) as f32;
            let (du, dv) = (u.fract() - 0.5, v.fract());
            0.6 * (du.hypot(dv)).min(1.0) + 0.4 * noise.lattice(u.floor() as i32, v.floor() as i32)
        }),
    }
}

/// Raises the contrast of a value around one half.
fn steep(value: f32, factor: f32) -> f32 {
    ((value - 0.5) * factor + 0.5).clamp(0.0, 1.0)
}

/// Value noise on a repeating lattice.
struct Noise {
    values: Vec<f32>,
}

impl Noise {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        Self { values: (0..LATTICE * LATTICE).map(|_| rng.random_range(0.0..1.0)).collect() }
    }

    fn lattice(&self, i: i32, j: i32) -> f32 {
        self.values[((j & (LATTICE - 1)) * LATTICE + (i & (LATTICE - 1))) as usize]
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        let (x0, y0) = (x.floor(), y.floor());
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (u, v) = (ease(x - x0), ease(y - y0));
        let (i, j) = (x0 as i32, y0 as i32);
        let top = self.lattice(i, j) * (1.0 - u) + self.lattice(i + 1, j) * u;
        let bottom = self.lattice(i, j + 1) * (1.0 - u) + self.lattice(i + 1, j + 1) * u;
        top * (1.0 - v) + bottom * v
    }

    /// Octaves of halving amplitude and doubling frequency, scaled to 0..1.
    fn fractal(&self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut total, mut amplitude, mut frequency) = (0.0, 0.0, 1.0, 1.0);
        for octave in 0..octaves {
            // The shift keeps lattice points of different octaves apart.
            let shift = 7.3 * octave as f32;
            sum += amplitude * self.at(x * frequency + shift, y * frequency + shift);
            total += amplitude;
            amplitude *= 0.5;
            frequency *= 2.0;
        }
        sum / total
    }

    /// Distances to the nearest and second nearest of the points scattered one per lattice cell, and the shade of the nearest.
    fn cells(&self, x: f32, y: f32) -> (f32, f32, f32) {
        let (i, j) = (x.floor() as i32, y.floor() as i32);
        let (mut near, mut far, mut shade) = (f32::MAX, f32::MAX, 0.0);
        for (ci, cj) in (-1..=1).flat_map(|dj| (-1..=1).map(move |di| (i + di, j + dj))) {
            let (px, py) = (ci as f32 + self.lattice(ci, cj), cj as f32 + self.lattice(ci + 11, cj + 5));
            let distance = (x - px).hypot(y - py);
            if distance < near {
                (near, far, shade) = (distance, near, self.lattice(ci + 3, cj + 17));
            } else {
                far = far.min(distance);
            }
        }
        (near, far, shade)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::random::{Purpose, stream};

    fn hue_sector([r, g, b]: [f32; 3]) -> Option<u32> {
        let (high, low) = (r.max(g).max(b), r.min(g).min(b));
        let span = high - low;
        // Nearly grey: the hue would be rounding noise.
        (span > 0.02).then(|| {
            let hue = if high == r {
                ((g - b) / span).rem_euclid(6.0)
            } else if high == g {
                (b - r) / span + 2.0
            } else {
                (r - g) / span + 4.0
            };
            (hue * SECTORS as f32 / 6.0) as u32
        })
    }

    #[test]
    fn hues_of_train_and_val_never_meet() {
        let mut rng = stream(1, Purpose::Crop, 0);
        let mut seen = 0;
        for (split, parity) in [(Split::Train, 0), (Split::Val, 1)] {
            for _ in 0..500 {
                if let Some(sector) = hue_sector(color(&mut rng, split)) {
                    assert_eq!(sector % 2, parity);
                    seen += 1;
                }
            }
        }
        assert!(seen > 900);
    }

    #[test]
    fn every_background_is_finite_and_not_flat() {
        for index in 0..60 {
            for split in [Split::Train, Split::Val] {
                let canvas = background(&mut stream(5, Purpose::Crop, index), 40, split);
                assert!(canvas.pixels.iter().flatten().all(|c| (0.0..=1.0).contains(c)));
                assert!(canvas.pixels.iter().any(|p| p != &canvas.pixels[0]));
            }
        }
    }
}
