//! The classifier that a loss asks for.

use burn::tensor::{Device, Tensor};
use equipoise_detect::layers::Linear;
use equipoise_detect::weights::host;
use equipoise_detect::{FasterRcnn, Init};
use equipoise_loss::{EqlV2, Seesaw, SeesawConfig};

use crate::scene::{CLASSES, Truth, batch, config};

#[test]
fn normalised_logits_are_cosines_times_the_temperature() {
    let device = Device::flex();
    let linear = Linear::new(&mut Init::new(3, &device), 3, 0.5, vec![0.25, -1.0]);
    let x = Tensor::<2>::from_floats([[1.0, -2.0, 0.5], [1e4, 1e4, -1e4], [1e-3, 0.0, 0.0]], &device);
    let (weight, rows) = (host(&linear.weight.val()), host(&x));
    let got = host(&linear.forward_normalized(x, 20.0));
    let length = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
    for (row, x) in rows.chunks(3).enumerate() {
        for (column, bias) in [0.25, -1.0].into_iter().enumerate() {
            let w: Vec<f32> = (0..3).map(|at| weight[at * 2 + column]).collect();
            let product: f32 = w.iter().zip(x).map(|(w, x)| w * x).sum();
            let expected = 20.0 * product / (length(&w) * length(x)) + bias;
            let value = got[row * 2 + column];
            assert!((value - expected).abs() < 1e-4, "row {row}, column {column}: {value}, expected {expected}");
        }
    }
}

/// All features of a region can be 0 after the rectifier: its logits are the bias, and its gradient a number.
#[test]
fn a_row_of_zeros_has_a_finite_gradient() {
    let device = Device::flex().autodiff();
    let linear = Linear::new(&mut Init::new(3, &device), 4, 0.5, vec![0.5; 2]);
    let x = Tensor::<2>::zeros([2, 4], &device).require_grad();
    let logits = linear.forward_normalized(x.clone(), 20.0);
    assert_eq!(host(&logits.clone().inner()), [0.5; 4]);
    let gradients = logits.sum().backward();
    for gradient in [x.grad(&gradients).unwrap(), linear.weight.val().grad(&gradients).unwrap()] {
        assert!(host(&gradient).iter().all(|value| value.is_finite()));
    }
}

#[test]
fn the_head_honours_the_classifier_of_its_loss() {
    let device = Device::flex().autodiff();
    let mut config = config();
    config.roi.classifier_std = 1e3;
    let batch = batch([64, 64], vec![Truth::spread(2)]);
    let largest = |detector: FasterRcnn| {
        let logits = detector.forward_train(&batch, &device, 1).unwrap().logits;
        host(&logits.inner()).into_iter().fold(0.0f32, |most, z| most.max(z.abs()))
    };
    let seesaw = |normalized| Seesaw::new(SeesawConfig { normalized, ..SeesawConfig::default() });
    let of = |loss: &dyn equipoise_loss::ClassLoss| FasterRcnn::new(&config, CLASSES, loss, 1, &device).unwrap();
    assert!(largest(of(&seesaw(true))) <= 20.001);
    assert!(largest(of(&seesaw(false))) > 100.0 && largest(of(&EqlV2::default())) > 100.0);
}
