//! Equalization Loss v2 and its rivals for Burn, with a gradient ledger that shows what each class was taught.
//!
//! A [`ClassLoss`] turns logits and targets into a value and a gradient with respect to the logits. A
//! [`GradientLedger`], owned by the training loop, adds up the positive and negative gradients of every class; EQL v2
//! reads its weights from it, and every other loss can be recorded with it.
//!
//! Letters used in shapes: `R` rows (proposals) in the batch, background included; `K` foreground classes; `C` logit channels.
//! Columns `0..K` are classes; column `K`, where a loss has one, is background (in Seesaw it is "object", and `K + 1` background).
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

mod acsl;
mod bags;
mod balanced_softmax;
pub mod calibration;
mod card;
mod class_balanced;
mod class_balanced_focal;
mod class_balanced_sigmoid;
mod class_balanced_softmax;
mod class_loss;
mod computed;
mod draws;
mod droploss;
mod ecm;
mod efl;
mod eqfl;
mod eqlv1;
mod eqlv2;
mod error;
mod facts;
mod fcbl;
mod federated;
mod focal;
mod focal_terms;
mod form;
mod grid;
mod ldam;
mod ledger;
mod loce;
mod logit_adjustment;
mod memory;
mod pass;
mod pass_kernel;
mod pass_row;
pub mod registry;
mod seesaw;
mod sigmoid;
mod sigmoid_bce;
mod softmax;
mod softmax_ce;
mod softmax_eql;
mod softmax_eqlv2;
mod softmaxes;
mod targets;
mod weighted_bce;
mod weighted_ce;

pub use acsl::{Acsl, AcslConfig};
pub use bags::{Bags, BagsConfig};
pub use balanced_softmax::{BalancedSoftmax, BalancedSoftmaxConfig};
pub use card::{Card, Head};
pub use class_balanced_focal::{ClassBalancedFocal, ClassBalancedFocalConfig};
pub use class_balanced_sigmoid::{ClassBalancedSigmoid, ClassBalancedSigmoidConfig};
pub use class_balanced_softmax::{ClassBalancedSoftmax, ClassBalancedSoftmaxConfig};
pub use class_loss::{ClassLoss, Classifier, LossStep, LossStepF64};
pub use computed::{Batch, Computed, Values};
pub use droploss::{DropLoss, DropLossConfig};
pub use ecm::{Ecm, EcmConfig};
pub use efl::{Efl, EflConfig};
pub use eqfl::{Eqfl, EqflConfig};
pub use eqlv1::{EqlV1, EqlV1Config};
pub use eqlv2::{EqlV2, EqlV2Config};
pub use error::{LossError, Result};
pub use facts::TrainingFacts;
pub use fcbl::{Fcbl, FcblConfig};
pub use federated::{Federated, FederatedConfig};
pub use focal::{Focal, FocalConfig};
pub use focal_terms::FocalTerms;
pub use form::Form;
pub use grid::Grid;
pub use ldam::{Ldam, LdamConfig};
pub use ledger::{GradientLedger, LedgerDelta, RATIO_EPSILON, START_RATIO};
pub use loce::{Loce, LoceConfig};
pub use logit_adjustment::{LogitAdjustment, LogitAdjustmentConfig};
pub use memory::{Memory, MemoryRule, MemorySpec, MemorySums};
pub use seesaw::{Seesaw, SeesawConfig};
pub use sigmoid::Sigmoids;
pub use sigmoid::{prior_bias, sigmoid};
pub use sigmoid_bce::{SigmoidBce, SigmoidBceConfig};
pub use softmax::Softmax;
pub use softmax_ce::{SoftmaxCe, SoftmaxCeConfig};
pub use softmax_eql::{SoftmaxEql, SoftmaxEqlConfig};
pub use softmax_eqlv2::{SoftmaxEqlV2, SoftmaxEqlV2Config};
pub use softmaxes::Softmaxes;
pub use targets::{ClassTargets, Label};
pub use weighted_bce::{WeightedBce, WeightedBceConfig};
pub use weighted_ce::{WeightedCe, WeightedCeConfig};

#[cfg(test)]
mod drawn_golden;
