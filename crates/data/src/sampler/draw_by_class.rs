//! Draws that choose a class first and then one of its images: the common half of `class-aware` and `square-root`.
//!
//! With `n_c` images of class c, the class is drawn with chance `n_c^q / sum_k n_k^q` and an image of it uniformly (Kang et al. 2020,
//! arXiv 1910.09217, section 3): q = 0 is class-balanced, 1/2 square-root. An epoch has as many draws as the data set has images, each
//! independent of the others.
//!
//! Traps. `0^0` is 1, so a class without an image must be left out by hand. A detector's image brings all its other classes along: what an
//! epoch shows of each class is told by [`effective_counts`](crate::effective_counts), not by these chances. An image without labels is
//! never drawn; when no image has any, every image is shown once, since an epoch of nothing would be no epoch.

use rand::RngExt;

use crate::{
    Counts, Dataset,
    random::{Stream, stream},
};

/// The chance of every class to be drawn, `n^power / sum n^power`; 0 for a class without an image.
///
/// # Shapes
/// `images` and the result `[K]`.
pub fn class_chances(images: &[u64], power: f64) -> Vec<f64> {
    let weights: Vec<_> = images.iter().map(|&n| if n > 0 { (n as f64).powf(power) } else { 0.0 }).collect();
    let total = weights.iter().sum::<f64>();
    if total > 0.0 { weights.iter().map(|weight| weight / total).collect() } else { weights }
}

/// How often each image comes when as many are drawn as there are, `[N]`.
pub fn draw_by_class(dataset: &Dataset, power: f64, seed: u64, epoch: u64) -> Vec<usize> {
    let mut by_class = vec![Vec::new(); dataset.num_classes()];
    for (image, record) in dataset.images.iter().enumerate() {
        for class in record.classes() {
            by_class[class].push(image);
        }
    }
    let chances = class_chances(&Counts::of(dataset).images, power);
    // Classes with an image, each with the sum of chances up to and with its own.
    let mut drawable = Vec::new();
    let mut sum = 0.0;
    for (images, chance) in by_class.iter().zip(chances).filter(|(images, _)| !images.is_empty()) {
        sum += chance;
        drawable.push((sum, images));
    }
    let draws = dataset.images.len();
    let Some(last) = drawable.len().checked_sub(1) else { return vec![1; draws] };

    let mut random = stream(Stream::Repeat, seed, epoch, 0);
    let mut times = vec![0; draws];
    for _ in 0..draws {
        let at = random.random::<f64>() * sum;
        // The last sum may be reached by rounding.
        let (_, images) = drawable[drawable.partition_point(|&(upto, _)| upto <= at).min(last)];
        times[images[random.random_range(0..images.len())]] += 1;
    }
    times
}

/// Why drawing by class is the same as `uniform`; `None` unless no image has an object.
pub fn nothing_to_draw(dataset: &Dataset) -> Option<String> {
    let nothing = Counts::of(dataset).images.iter().all(|&n| n == 0);
    nothing.then(|| "no image has an object, so every image is shown once".into())
}
