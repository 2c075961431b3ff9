//! Moving average of the weights: steadier than the last step's, and scored in their place.

use equipoise_detect::weights::Weights;

/// `average <- decay average + (1 - decay) weights`, value by value; an empty average starts at the weights.
///
/// The decay is shortened early, `min(decay, (1 + step) / (10 + step))`, so that the random start is soon forgotten.
pub fn update_average(average: &mut Weights, weights: Weights, decay: f64, step: u64) {
    if average.is_empty() {
        *average = weights;
        return;
    }
    let decay = decay.min((1 + step) as f64 / (10 + step) as f64) as f32;
    for (name, weight) in weights {
        if let Some(average) = average.get_mut(&name) {
            for (average, value) in average.values.iter_mut().zip(weight.values) {
                *average = decay * *average + (1.0 - decay) * value;
            }
        }
    }
}
