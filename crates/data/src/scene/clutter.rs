//! Unlabelled clutter: soft spots, single shapes and small figures made of several shapes.
//!
//! Crisp, vividly coloured figures keep a detector from finding objects by "flat colour with a clean edge" alone.
//! Each split has shapes of its own.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    background::{Split, color},
    draw::Canvas,
    random::{chance, log_uniform, pick},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ellipse,
    Rectangle,
    Triangle,
    Stroke,
    Ring,
    Star,
    Hexagon,
    Crescent,
}

const TRAIN: [Kind; 4] = [Kind::Ellipse, Kind::Rectangle, Kind::Triangle, Kind::Stroke];
const VAL: [Kind; 4] = [Kind::Ring, Kind::Star, Kind::Hexagon, Kind::Crescent];

/// A filled shape; lengths in pixels.
struct Shape {
    kind: Kind,
    center: [f32; 2],
    /// Half the width and height before rotation.
    half: [f32; 2],
    angle: f32,
    color: [f32; 3],
    opacity: f32,
    /// Width of the soft edge.
    edge: f32,
}

/// Scatters `count` pieces of clutter.
pub(crate) fn scatter(canvas: &mut Canvas, rng: &mut ChaCha8Rng, split: Split, count: u32) {
    let side = canvas.side as f32;
    for _ in 0..count {
        let center = [rng.random_range(0.0..side), rng.random_range(0.0..side)];
        match rng.random_range(0..10u32) {
            0..3 => {
                let size = log_uniform(rng, 0.1, 0.35) * side;
                let mut spot = shape(rng, split, center, size);
                (spot.edge, spot.opacity) = (0.6 * size, rng.random_range(0.3..0.9));
                canvas.fill(&spot);
            }
            3..6 => {
                let size = log_uniform(rng, 0.03, 0.16) * side;
                let single = shape(rng, split, center, size);
                canvas.fill(&single);
            }
            _ => figure(canvas, rng, split, center),
        }
    }
}

/// A few shapes around one centre, each smaller than the one below, sometimes with an outline.
fn figure(canvas: &mut Canvas, rng: &mut ChaCha8Rng, split: Split, center: [f32; 2]) {
    let mut size = log_uniform(rng, 0.05, 0.18) * canvas.side as f32;
    let outlined = chance(rng, 30);
    for _ in 0..rng.random_range(2..5u32) {
        let offset = |rng: &mut ChaCha8Rng| rng.random_range(-0.45..0.45) * size;
        let at = [center[0] + offset(rng), center[1] + offset(rng)];
        let part = shape(rng, split, at, size);
        if outlined {
            let half = part.half.map(|h| h + 1.2);
            canvas.fill(&Shape { half, color: part.color.map(|c| 0.35 * c), ..part });
        }
        canvas.fill(&part);
        size *= rng.random_range(0.5..0.9);
    }
}

/// A crisp shape of about `size` pixels from its centre to its rim.
fn shape(rng: &mut ChaCha8Rng, split: Split, center: [f32; 2], size: f32) -> Shape {
    let kind = pick(rng, if split == Split::Train { &TRAIN } else { &VAL });
    let slim = if kind == Kind::Stroke { rng.random_range(0.06..0.2) } else { rng.random_range(0.45..1.0) };
    Shape {
        kind,
        center,
        half: [size, size * slim],
        angle: rng.random_range(0.0..std::f32::consts::TAU),
        color: color(rng, split),
        opacity: 1.0,
        edge: 1.0,
    }
}

impl Kind {
    /// Signed distance to the rim in units of the half size, negative inside: exact for none, smooth enough for an edge of a pixel.
    fn distance(self, x: f32, y: f32) -> f32 {
        match self {
            Self::Ellipse => x.hypot(y) - 1.0,
            Self::Rectangle | Self::Stroke => x.abs().max(y.abs()) - 1.0,
            Self::Triangle => (x.abs() * 0.87 + y * 0.5).max(-y) * 1.6 - 0.8,
            Self::Ring => (x.hypot(y) - 0.75).abs() - 0.25,
            Self::Star => x.hypot(y) - (0.7 + 0.3 * (5.0 * y.atan2(x)).cos()),
            Self::Hexagon => (x.abs() * 0.87 + y.abs() * 0.5).max(y.abs()) - 0.87,
            Self::Crescent => (x.hypot(y) - 1.0).max(0.8 - (x - 0.5).hypot(y)),
        }
    }
}

impl Canvas {
    fn fill(&mut self, shape: &Shape) {
        let reach = shape.half[0].hypot(shape.half[1]) + shape.edge;
        let span = |center: f32| {
            let from = (center - reach).floor().max(0.0) as usize;
            let to = ((center + reach).ceil().max(0.0) as usize).min(self.side);
            from..to
        };
        let (sin, cos) = shape.angle.sin_cos();
        let unit = shape.half[0].min(shape.half[1]);
        for row in span(shape.center[1]) {
            for column in span(shape.center[0]) {
                let (dx, dy) = (column as f32 + 0.5 - shape.center[0], row as f32 + 0.5 - shape.center[1]);
                let (x, y) = ((dx * cos + dy * sin) / shape.half[0], (dy * cos - dx * sin) / shape.half[1]);
                let alpha = shape.opacity * (0.5 - shape.kind.distance(x, y) * unit / shape.edge).clamp(0.0, 1.0);
                if alpha > 0.0 {
                    let under = &mut self.pixels[row * self.side + column];
                    (0..3).for_each(|c| under[c] += alpha * (shape.color[c] - under[c]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::random::{Purpose, stream};

    #[test]
    fn splits_share_no_shape() {
        assert!(TRAIN.iter().all(|kind| !VAL.contains(kind)));
    }

    #[test]
    fn every_shape_covers_its_middle_or_rim_and_not_the_corner() {
        for kind in TRAIN.into_iter().chain(VAL) {
            let mut canvas = Canvas { side: 40, pixels: vec![[0.0; 3]; 1600] };
            let (center, half) = ([20.0, 20.0], [12.0, 12.0]);
            canvas.fill(&Shape { kind, center, half, angle: 0.0, color: [1.0; 3], opacity: 1.0, edge: 1.0 });
            let covered: f32 = canvas.pixels.iter().map(|p| p[0]).sum();
            assert!((60.0..600.0).contains(&covered), "{kind:?} covers {covered} pixels");
            assert_eq!(canvas.pixels[0], [0.0; 3]);
        }
    }

    #[test]
    fn scattering_stays_inside_the_range_of_colours() {
        let mut canvas = Canvas { side: 32, pixels: vec![[0.5; 3]; 1024] };
        scatter(&mut canvas, &mut stream(3, Purpose::Crop, 1), Split::Val, 40);
        assert!(canvas.pixels.iter().flatten().all(|c| (0.0..=1.0).contains(c)));
        assert!(canvas.pixels.iter().any(|p| p != &[0.5; 3]));
    }
}
