//! The fused optimizer step against the formula in float64.

use burn::tensor::{Device, Tensor, TensorData};
use equipoise_detect::ops::{SgdStep, sgd_update};

use crate::ops_conv2d::noise;

/// Three steps of values near 1, each rounded to 2⁻²⁴ a few times.
const TOLERANCE: f64 = 1e-6;

const STEP: SgdStep = SgdStep { rate: 0.1, momentum: 0.9, weight_decay: 0.01, scale: 0.5 };

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("f32 values")
}

#[test]
fn three_steps_follow_the_formula() {
    let device = Device::flex();
    // Longer than one piece of work.
    for rows in [1, 9000] {
        let tensor = |seed| Tensor::<2>::from_data(TensorData::new(noise(rows * 7, seed), [rows, 7]), &device);
        let mut parameter = tensor(1);
        let mut expected: Vec<f64> = flat(parameter.clone()).into_iter().map(f64::from).collect();
        let mut expected_velocity = vec![0.0f64; rows * 7];
        let mut velocity = None;
        for step in 0..3 {
            let gradient = tensor(10 + step);
            for ((p, v), g) in expected.iter_mut().zip(&mut expected_velocity).zip(flat(gradient.clone())) {
                *v = 0.9 * *v + 0.5 * f64::from(g) + 0.01 * *p;
                *p -= 0.1 * *v;
            }
            let (new, next) = sgd_update(parameter, gradient, velocity, STEP);
            (parameter, velocity) = (new, Some(next));
        }
        for (index, (p, expected)) in flat(parameter).into_iter().zip(expected).enumerate() {
            assert!((f64::from(p) - expected).abs() <= TOLERANCE, "{index}: {p} against {expected}");
        }
    }
}

#[test]
fn tensors_that_others_hold_keep_their_values() {
    let device = Device::flex();
    let parameter = Tensor::<1>::from_data([1.0f32, 2.0, 3.0], &device);
    let velocity = Tensor::<1>::from_data([1.0f32, 1.0, 1.0], &device);
    let gradient = Tensor::<1>::from_data([1.0f32, 0.0, -1.0], &device);
    let (new, next) = sgd_update(parameter.clone(), gradient.clone(), Some(velocity.clone()), STEP);
    assert_eq!(flat(parameter), [1.0, 2.0, 3.0]);
    assert_eq!(flat(velocity), [1.0; 3]);
    assert_eq!(flat(gradient), [1.0, 0.0, -1.0]);
    assert!(flat(new).iter().chain(&flat(next)).all(|value| value.is_finite()));
}

#[test]
fn views_are_updated_in_their_own_order() {
    let device = Device::flex();
    let matrix = Tensor::<2>::from_data([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]], &device);
    let step = SgdStep { rate: 1.0, momentum: 0.0, weight_decay: 0.0, scale: 1.0 };
    let (new, _) = sgd_update(matrix.clone().transpose(), matrix.transpose(), None, step);
    assert_eq!(flat(new), [0.0; 6]);
}

#[test]
fn other_number_types_take_tensor_operations() {
    let device = Device::flex();
    let values = Tensor::<1>::from_data([1.0f32, 2.0], &device).cast(burn::tensor::DType::F64);
    let (new, _) = sgd_update(values.clone(), values, None, SgdStep { weight_decay: 0.0, ..STEP });
    let new = new.into_data().try_to_vec::<f64>().expect("f64 values");
    assert!((new[0] - 0.95).abs() < 1e-7 && (new[1] - 1.9).abs() < 1e-7, "{new:?}");
}
