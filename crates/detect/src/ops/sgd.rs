//! One step of stochastic gradient descent with momentum, in one pass over the memory.
//!
//! `d = scale · gradient + weight_decay · parameter`, `velocity = momentum · velocity + d`, `parameter = parameter - rate · velocity`, as in
//! PyTorch (no dampening; the velocity of the first step is `d`). As separate tensor operations this reads and writes
//! every parameter about ten times, and in large heads that takes longer than the arithmetic of the forward pass.

use burn::backend::flex::FlexTensor;
use burn::backend::{DType, Flex};
use burn::tensor::Tensor;
use rayon::prelude::*;

/// Values that one task updates.
const PIECE: usize = 1 << 15;

/// Numbers of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub rate: f32,
    /// Share of the velocity that is kept.
    pub momentum: f32,
    /// Factor of the parameter that is added to its gradient.
    pub weight_decay: f32,
    /// Factor of the gradient: averaging and clipping.
    pub scale: f32,
}

/// Applies one step; returns the parameter and the velocity.
///
/// On the `flex` backend, memory that no other tensor shares is updated in place. Tensors must not be on an autodiff
/// device (`Tensor::inner`).
///
/// # Panics
///
/// When the shapes differ.
pub fn sgd_update<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<D>>,
    step: SgdStep,
) -> (Tensor<D>, Tensor<D>) {
    assert_eq!(parameter.dims(), gradient.dims(), "a gradient has the shape of its parameter");
    let velocity = velocity.unwrap_or_else(|| gradient.zeros_like());
    assert_eq!(parameter.dims(), velocity.dims(), "a velocity has the shape of its parameter");
    let flat = |tensor: &Tensor<D>| {
        let inner = tensor.clone().try_into_primitive::<Flex>().ok()?;
        (inner.dtype() == DType::F32).then_some(())
    };
    if flat(&parameter).and(flat(&gradient)).and(flat(&velocity)).is_none() {
        let change = gradient * step.scale + parameter.clone() * step.weight_decay;
        let velocity = velocity * step.momentum + change;
        return (parameter - velocity.clone() * step.rate, velocity);
    }
    let inner = |tensor: Tensor<D>| tensor.try_into_primitive::<Flex>().expect("checked above").to_contiguous();
    let (mut parameter, gradient, mut velocity) = (inner(parameter), inner(gradient), inner(velocity));
    update(&mut parameter, &gradient, &mut velocity, step);
    (Tensor::from_primitive::<Flex>(parameter), Tensor::from_primitive::<Flex>(velocity))
}

fn update(parameter: &mut FlexTensor, gradient: &FlexTensor, velocity: &mut FlexTensor, step: SgdStep) {
    let SgdStep { rate, momentum, weight_decay, scale } = step;
    let work = |((parameter, velocity), gradient): ((&mut [f32], &mut [f32]), &[f32])| {
        for ((parameter, velocity), gradient) in parameter.iter_mut().zip(velocity).zip(gradient) {
            *velocity = momentum * *velocity + (scale * gradient + weight_decay * *parameter);
            *parameter -= rate * *velocity;
        }
    };
    let (parameter, velocity) = (parameter.storage_mut::<f32>(), velocity.storage_mut::<f32>());
    let gradient = gradient.storage::<f32>();
    if parameter.len() <= PIECE {
        work(((parameter, velocity), gradient));
    } else {
        let pieces =
            parameter.par_chunks_mut(PIECE).zip(velocity.par_chunks_mut(PIECE)).zip(gradient.par_chunks(PIECE));
        pieces.for_each(work);
    }
}
