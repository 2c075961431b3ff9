//! How an operation with kernels of its own enters Burn's `flex` CPU backend and its autodiff graph.
//!
//! An operation implements [`FlexOp`] (forward and backward on plain CPU tensors) and is run by [`apply`], which finds
//! out whether any input lives on an autodiff device and then records the step. Callers ask [`supports`] first and take
//! Burn's own operations for tensors of other backends or dtypes, so that a build with `wgpu` or `cuda` needs nothing here.

use std::fmt::Debug;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, CheckpointStrategy, NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, BackendTensor, Bytes, DType, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, Flex,
    GradientCheckpointingStrategy, Shape,
};
use burn::tensor::Tensor;

/// An operation of `N` float tensors to one, with kernels for contiguous f32 tensors on the CPU.
pub(super) trait FlexOp<const N: usize>: Clone + Debug + Send + 'static {
    /// Which inputs [`FlexOp::backward`] reads.
    const SAVED: [bool; N];

    /// The result. Inputs are contiguous f32 tensors.
    fn forward(&self, inputs: &[FlexTensor; N]) -> FlexTensor;

    /// Gradients of the `wanted` inputs, given the contiguous f32 gradient of the result.
    ///
    /// `inputs[i]` is present and contiguous where `SAVED[i]`.
    fn backward(
        &self,
        inputs: &[Option<FlexTensor>; N],
        gradient: &FlexTensor,
        wanted: [bool; N],
    ) -> [Option<FlexTensor>; N];
}

/// Whether [`apply`] can run on this tensor: f32 on the `flex` backend, with or without autodiff.
pub(super) fn supports(tensor: &DispatchTensor) -> bool {
    match &tensor.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(inner)) => inner.dtype() == DType::F32,
        DispatchTensorKind::Autodiff(inner) => match inner.as_ref() {
            DispatchTensorKind::Flex(BackendTensor::Autodiff(inner)) => inner.primitive().dtype() == DType::F32,
            _ => false,
        },
        _ => false,
    }
}

/// Runs `op` and, where an input is on an autodiff device, records its backward step.
///
/// # Panics
///
/// When an input fails [`supports`].
pub(super) fn apply<const N: usize, const D: usize, O: FlexOp<N>>(op: O, inputs: [DispatchTensor; N]) -> Tensor<D> {
    let context = inputs.iter().fold(DispatchAutodiffContext::Disabled, |merged, input| merged.merge(input.autodiff));
    match context {
        DispatchAutodiffContext::Disabled => {
            let inputs = inputs.map(|input| contiguous(&untracked(input)));
            Tensor::from_primitive::<Flex>(op.forward(&inputs))
        }
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Disabled) => {
            Tensor::from_primitive::<Autodiff<Flex, NoCheckpointing>>(record::<N, O, NoCheckpointing>(op, inputs))
        }
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Balanced) => {
            Tensor::from_primitive::<Autodiff<Flex, BalancedCheckpointing>>(record::<N, O, BalancedCheckpointing>(
                op, inputs,
            ))
        }
    }
}

/// A tensor without a copy where its values already follow each other in memory.
fn contiguous(tensor: &FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor.clone() } else { tensor.to_contiguous() }
}

/// The values of a contiguous f32 tensor.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().expect("operations receive contiguous f32 tensors")
}

/// A contiguous f32 tensor of `values`.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    debug_assert_eq!(values.len(), shape.iter().product::<usize>());
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(shape)), DType::F32)
}

fn untracked(input: DispatchTensor) -> FlexTensor {
    match input.kind {
        DispatchTensorKind::Flex(inner) => inner.float(),
        _ => panic!("expected a tensor of the flex backend"),
    }
}

/// The autodiff primitive of an input; one from a device without autodiff becomes a constant.
fn tracked(input: DispatchTensor) -> FloatTensor<Autodiff<Flex>> {
    match input.kind {
        DispatchTensorKind::Autodiff(inner) => match *inner {
            DispatchTensorKind::Flex(inner) => inner.autodiff(),
            _ => panic!("expected a tensor of the flex backend"),
        },
        kind => {
            let constant = untracked(DispatchTensor { kind, autodiff: DispatchAutodiffContext::Disabled });
            FloatTensor::<Autodiff<Flex>>::new(constant)
        }
    }
}

/// The backward step of a [`FlexOp`].
#[derive(Debug)]
struct Recorded<O>(std::marker::PhantomData<O>);

impl<const N: usize, O: FlexOp<N>> Backward<Flex, N> for Recorded<O> {
    type State = (O, [Option<NodeId>; N]);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (op, saved) = ops.state;
        let gradient = contiguous(&gradients.consume::<Flex>(&ops.node));
        let inputs = saved.map(|id| id.map(|id| contiguous(&checkpointer.retrieve_node_output::<FlexTensor>(id))));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let results = op.backward(&inputs, &gradient, wanted);
        for (parent, result) in ops.parents.into_iter().zip(results) {
            if let (Some(parent), Some(result)) = (parent, result) {
                gradients.register::<Flex>(parent.id, result);
            }
        }
    }
}

fn record<const N: usize, O: FlexOp<N>, C: CheckpointStrategy>(
    op: O,
    inputs: [DispatchTensor; N],
) -> FloatTensor<Autodiff<Flex>> {
    let inputs = inputs.map(tracked);
    let nodes = inputs.each_ref().map(|input| input.node());
    let prepared = Recorded::<O>(std::marker::PhantomData).prepare::<C>(nodes).compute_bound().stateful();
    match prepared {
        OpsKind::Tracked(mut prepared) => {
            let mut saved = [None; N];
            for ((slot, input), keep) in saved.iter_mut().zip(&inputs).zip(O::SAVED) {
                if keep {
                    *slot = Some(prepared.checkpoint(input));
                }
            }
            let output = op.forward(&inputs.map(|input| contiguous(input.primitive())));
            prepared.finish((op, saved), output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(op.forward(&inputs.map(|input| contiguous(input.primitive())))),
    }
}
