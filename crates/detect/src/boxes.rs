//! Boxes on the host: `[x1, y1, x2, y2]` in pixels, and their deltas (Faster R-CNN, arXiv 1506.01497, section 3.1.2).

/// Largest log-scale delta, so that `exp` of an untrained head cannot overflow: a factor of 1000 / 16 (as in torchvision).
pub(crate) const MAX_LOG_SCALE: f32 = 4.135_166_6;
/// Smallest side in pixels that is taken into a logarithm.
const MIN_SIDE: f32 = 1e-3;

/// Weights of the four deltas `dx, dy, dw, dh`; regression targets are multiplied by them.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct DeltaWeights(pub [f32; 4]);

fn center_form(b: [f32; 4]) -> [f32; 4] {
    let (w, h) = ((b[2] - b[0]).max(MIN_SIDE), (b[3] - b[1]).max(MIN_SIDE));
    [b[0] + 0.5 * w, b[1] + 0.5 * h, w, h]
}

/// Deltas that turn `anchor` into `target`, times `weights`.
pub fn encode_deltas(anchor: [f32; 4], target: [f32; 4], weights: DeltaWeights) -> [f32; 4] {
    let ([ax, ay, aw, ah], [tx, ty, tw, th], w) = (center_form(anchor), center_form(target), weights.0);
    [w[0] * (tx - ax) / aw, w[1] * (ty - ay) / ah, w[2] * (tw / aw).ln(), w[3] * (th / ah).ln()]
}

/// The box that `deltas` make of `anchor`: the inverse of [`encode_deltas`].
pub fn decode_deltas(anchor: [f32; 4], deltas: [f32; 4], weights: DeltaWeights) -> [f32; 4] {
    let ([ax, ay, aw, ah], w) = (center_form(anchor), weights.0);
    let (x, y) = (ax + deltas[0] / w[0] * aw, ay + deltas[1] / w[1] * ah);
    let scale = |delta: f32, weight: f32| (delta / weight).min(MAX_LOG_SCALE).exp();
    let (half_w, half_h) = (0.5 * aw * scale(deltas[2], w[2]), 0.5 * ah * scale(deltas[3], w[3]));
    [x - half_w, y - half_h, x + half_w, y + half_h]
}

/// `b` cut at the borders of a picture of `size` (height, width).
pub fn clip(b: [f32; 4], size: [usize; 2]) -> [f32; 4] {
    let [h, w] = [size[0] as f32, size[1] as f32];
    [b[0].clamp(0.0, w), b[1].clamp(0.0, h), b[2].clamp(0.0, w), b[3].clamp(0.0, h)]
}

/// Area in square pixels, 0 for an empty box.
pub fn area(b: [f32; 4]) -> f32 {
    (b[2] - b[0]).max(0.0) * (b[3] - b[1]).max(0.0)
}

/// Area that two boxes share, square pixels.
pub fn intersection(a: [f32; 4], b: [f32; 4]) -> f32 {
    area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])])
}

/// Share of `inner` that lies in `outer`: how much of a proposal is inside a crowd region.
pub fn share_inside(inner: [f32; 4], outer: [f32; 4]) -> f32 {
    let whole = area(inner);
    if whole > 0.0 { intersection(inner, outer) / whole } else { 0.0 }
}
