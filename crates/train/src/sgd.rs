//! Stochastic gradient descent with momentum and weight decay, on gradients summed over several passes.
//!
//! ```text
//! v <- momentum v + (g + weight_decay p)
//! p <- p - lr v
//! ```
//!
//! as in PyTorch (no dampening). Burn's optimizers clip each tensor by itself and keep their state by a random parameter id;
//! here the norm is global and state is kept by path, so that it can be written into a checkpoint.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use equipoise_detect::ParamPath;
use equipoise_detect::ops::{SgdStep, sgd_update};

use crate::recipe::OptimizerConfig;

/// Flat tensors by the path of their parameter.
pub type FlatTensors = BTreeMap<String, Tensor<1>>;

/// Adds the gradients of one backward pass to `sum`.
pub fn add_gradients(sum: &mut FlatTensors, module: &impl Module, gradients: Gradients) {
    module.visit(&mut GradientReader { path: ParamPath::default(), gradients, sum });
}

struct GradientReader<'a> {
    path: ParamPath,
    gradients: Gradients,
    sum: &'a mut FlatTensors,
}

impl ModuleVisitor for GradientReader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if !value.is_require_grad() {
            return;
        }
        if let Some(gradient) = value.grad_remove(&mut self.gradients) {
            let gradient = flat(gradient);
            let name = self.path.name();
            let sum = match self.sum.remove(&name) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            self.sum.insert(name, sum);
        }
    }
}

/// Global norm of the gradients, in f64 over the tensors.
pub fn norm(gradients: &FlatTensors) -> f64 {
    gradients.values().map(|g| f64::from(g.clone().square().sum().into_scalar::<f32>())).sum::<f64>().sqrt()
}

/// The optimizer and what it remembers.
#[derive(Debug, Default)]
pub struct Sgd {
    velocity: FlatTensors,
}

impl Sgd {
    /// An optimizer that goes on with this velocity.
    pub fn with_velocity(velocity: FlatTensors) -> Self {
        Self { velocity }
    }

    /// The velocity by parameter.
    pub fn velocity(&self) -> &FlatTensors {
        &self.velocity
    }

    /// One step with gradients times `scale`. Parameters without a gradient stay as they are.
    pub fn update<M: Module>(
        &mut self,
        module: M,
        gradients: FlatTensors,
        scale: f64,
        lr: f64,
        config: OptimizerConfig,
    ) -> M {
        let velocity = &mut self.velocity;
        module.map(&mut Updater { path: ParamPath::default(), gradients, velocity, scale, lr, config })
    }
}

struct Updater<'a> {
    path: ParamPath,
    gradients: FlatTensors,
    velocity: &'a mut FlatTensors,
    scale: f64,
    lr: f64,
    config: OptimizerConfig,
}

impl ModuleMapper for Updater<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let Some(gradient) = self.gradients.remove(&name) else { return param };
        let step = SgdStep {
            rate: self.lr as f32,
            momentum: self.config.momentum as f32,
            weight_decay: self.config.weight_decay as f32,
            scale: self.scale as f32,
        };
        param.map(|old| {
            let shape = old.dims();
            let (new, velocity) = sgd_update(flat(old.inner()), gradient, self.velocity.remove(&name), step);
            self.velocity.insert(name, velocity);
            Tensor::from_inner(new.reshape(shape)).require_grad()
        })
    }
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.dims().iter().product::<usize>();
    x.reshape([count])
}
