//! Equalization Loss v2 and its rivals for Burn, with a gradient ledger that shows what each class was taught.
//!
//! A [`ClassLoss`] turns logits and targets into a value and a gradient with respect to the logits. A
//! [`GradientLedger`], owned by the training loop, adds up the positive and negative gradients of every class; EQL v2
//! reads its weights from it, and every other loss can be recorded with it.
//!
//! Letters used in shapes: `R` rows (proposals) in the batch, background included; `K` foreground classes; `C` logit channels.
//! Columns `0..K` are classes; column `K`, where a loss has one, is background.
//!
//! A classifier trained with EQL v2, start to end:
//!
//! ```
//! use burn::{nn::LinearConfig, module::Module, optim::{GradientsParams, Optimizer, SgdConfig}, tensor::{Device, Tensor}};
//! use equipoise_loss::{ClassLoss, ClassTargets, EqlV2, GradientLedger};
//!
//! # fn main() -> equipoise_loss::Result<()> {
//! let device = Device::flex().autodiff();
//! let (loss, mut ledger) = (EqlV2::default(), GradientLedger::new(3));
//! let mut head = LinearConfig::new(2, loss.channels(3)).init(&device); // a real head starts from `loss.bias_init(3)`
//! let mut sgd = SgdConfig::new().init();
//! let features = Tensor::<2>::from_floats([[1., 0.], [0., 1.], [1., 1.], [-1., -1.]], &device);
//! let targets = ClassTargets::from_indices(&[0, 1, 2, 3], 3)?; // 3 is background
//! for _ in 0..5 {
//!     let logits = head.forward(features.clone());
//!     let step = loss.step(logits.clone(), &targets, &ledger)?;
//!     let driver = (logits * Tensor::from_inner(step.gradient)).sum();
//!     let gradients = GradientsParams::from_grads(driver.backward(), &head);
//!     head = sgd.step(0.1, head, gradients);
//!     ledger.commit(&step.delta)?;
//! }
//! assert_eq!(ledger.steps(), 5);
//! assert!(ledger.ratios().iter().all(|ratio| *ratio > 0.0));
//! # Ok(())
//! # }
//! ```

mod card;
mod class_loss;
mod eqlv2;
mod error;
mod ledger;
mod pass;
mod pass_kernel;
pub mod registry;
mod sigmoid;
mod sigmoid_bce;
mod softmax_ce;
mod targets;

pub use card::Card;
pub use class_loss::{ClassLoss, LossStep, LossStepF64};
pub use eqlv2::{EqlV2, EqlV2Config};
pub use error::{LossError, Result};
pub use ledger::{GradientLedger, LedgerDelta, RATIO_EPSILON, START_RATIO};
pub use pass::Pass;
pub use sigmoid::{prior_bias, sigmoid};
pub use sigmoid_bce::{SigmoidBce, SigmoidBceConfig};
pub use softmax_ce::{SoftmaxCe, SoftmaxCeConfig};
pub use targets::{ClassTargets, Label};
