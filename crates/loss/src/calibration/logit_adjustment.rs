//! Post-hoc logit adjustment (Menon et al., ICLR 2021, arXiv 2007.07314): scores of `softmax(z - tau log pi)`.
//!
//! Unlike NorCal it moves background too: the prior has an entry for every channel.

use super::{Calibration, demand};
use crate::Result;

/// Post-hoc logit adjustment for this prior of the logits, `[C]`, up to a factor.
///
/// # Errors
/// When a prior is not above 0, or `tau` is not a finite number.
pub fn logit_adjustment(prior: &[f64], tau: f64) -> Result<Calibration> {
    demand(tau.is_finite(), "tau", "a finite number", tau)?;
    let wrong = prior.iter().find(|part| !part.is_finite() || **part <= 0.0);
    demand(wrong.is_none(), "prior", "finite numbers above 0", wrong.copied().unwrap_or_default())?;
    let shift = prior.iter().map(|part| -tau * part.ln()).collect();
    Ok(Calibration::new("logit-adjustment", Some(tau), vec![1.0; prior.len()], shift))
}
