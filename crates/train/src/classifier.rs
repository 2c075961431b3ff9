//! The linear classifier of a two-stage detector among its weights.

use equipoise_detect::weights::Weights;

/// What the names of its parts begin with.
pub(crate) const CLASSIFIER: &str = "roi_head.classifier.";
const WEIGHT: &str = "roi_head.classifier.weight";
const BIAS: &str = "roi_head.classifier.bias";

/// Weights `[D, C]` and bias `[C]` in float64.
///
/// # Errors
/// Names the part that is not there.
pub fn classifier(weights: &Weights) -> Result<[Vec<f64>; 2], String> {
    let values = |name: &str| {
        let weight = weights.get(name).ok_or_else(|| format!("the run has no `{name}`"))?;
        Ok::<_, String>(weight.values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>())
    };
    Ok([values(WEIGHT)?, values(BIAS)?])
}

/// Puts a scale and a shift of every logit, `[C]` each, into the classifier.
///
/// # Errors
/// Names the part that is not there.
pub fn rescale_classifier(weights: &mut Weights, scale: &[f64], shift: &[f64]) -> Result<(), String> {
    for (name, shift) in [(WEIGHT, None), (BIAS, Some(shift))] {
        let weight = weights.get_mut(name).ok_or_else(|| format!("the run has no `{name}`"))?;
        for (at, value) in weight.values.iter_mut().enumerate() {
            let column = at % scale.len();
            *value = (f64::from(*value) * scale[column] + shift.map_or(0.0, |shift| shift[column])) as f32;
        }
    }
    Ok(())
}
