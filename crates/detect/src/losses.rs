//! Losses of boxes.

use burn::tensor::Tensor;

/// Sum of the smooth L1 loss (Fast R-CNN, arXiv 1504.08083, equation 3): square below `beta`, linear above; the plain L1 loss when `beta` is 0.
///
/// # Shapes
/// `[B, 4]`, `[B, 4]` → `[1]`
pub fn smooth_l1(deltas: Tensor<2>, targets: Tensor<2>, beta: f32) -> Tensor<1> {
    let difference = (deltas - targets).abs();
    if beta == 0.0 {
        return difference.sum();
    }
    let square = difference.clone().clamp_max(beta);
    // x²/2β below beta and x − β/2 above, without a branch: with m = min(x, β), m²/2β + (x − m).
    (square.clone().square().div_scalar(2.0 * beta) + difference - square).sum()
}
