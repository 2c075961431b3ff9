//! Ranges of options: each refuses a value outside and names the option.

use crate::{DetectError, Result};

fn need(right: bool, field: &'static str, expected: &str, got: String) -> Result<()> {
    if right { Ok(()) } else { Err(DetectError::Config { field, expected: expected.into(), got }) }
}

pub(crate) fn within(field: &'static str, got: usize, low: usize, high: usize) -> Result<()> {
    need((low..=high).contains(&got), field, &format!("{low} to {high}"), got.to_string())
}

pub(crate) fn positive(field: &'static str, values: &[f32]) -> Result<()> {
    let right = values.iter().all(|value| value.is_finite() && *value > 0.0);
    need(right, field, "finite numbers above 0", format!("{values:?}"))
}

pub(crate) fn share(field: &'static str, got: f64) -> Result<()> {
    need((0.0..=1.0).contains(&got), field, "0 to 1", got.to_string())
}

pub(crate) fn least(field: &'static str, got: f64) -> Result<()> {
    need(got.is_finite() && got >= 0.0, field, "a finite number of at least 0", got.to_string())
}
