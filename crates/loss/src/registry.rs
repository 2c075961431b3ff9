//! All losses: one file and one line each.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Card, ClassLoss, LossError, Result, eqlv2, sigmoid_bce, softmax_ce};

/// Options of a loss as they stand in a recipe.
pub type Options = Map<String, Value>;

/// A registered loss.
pub struct Entry {
    /// Its card.
    pub card: Card,
    build: fn(&Card, &Options) -> Result<Box<dyn ClassLoss>>,
}

/// Every loss, in the order in which they are listed.
pub const LOSSES: &[Entry] = &[
    Entry {
        card: softmax_ce::CARD,
        build: |card, options| Ok(Box::new(softmax_ce::SoftmaxCe::new(read(card, options)?))),
    },
    Entry {
        card: sigmoid_bce::CARD,
        build: |card, options| Ok(Box::new(sigmoid_bce::SigmoidBce::new(read(card, options)?))),
    },
    Entry { card: eqlv2::CARD, build: |card, options| Ok(Box::new(eqlv2::EqlV2::new(read(card, options)?))) },
];

impl Entry {
    /// Builds the loss with these options, the published defaults where they are silent.
    ///
    /// # Errors
    /// When an option is unknown or has a wrong type.
    pub fn build(&self, options: &Options) -> Result<Box<dyn ClassLoss>> {
        (self.build)(&self.card, options)
    }
}

/// The registered loss of this name.
///
/// # Errors
/// When there is none; the error names the nearest one.
pub fn find(name: &str) -> Result<&'static Entry> {
    LOSSES.iter().find(|entry| entry.card.name == name).ok_or_else(|| LossError::UnknownLoss {
        name: name.to_string(),
        suggestion: suggestion(name),
        known: LOSSES.iter().map(|entry| entry.card.name).collect::<Vec<_>>().join(", "),
    })
}

/// Builds the loss of this name with these options.
///
/// # Errors
/// When there is no such loss or option.
pub fn build(name: &str, options: &Options) -> Result<Box<dyn ClassLoss>> {
    find(name)?.build(options)
}

fn read<T: DeserializeOwned>(card: &Card, options: &Options) -> Result<T> {
    serde_json::from_value(Value::Object(options.clone()))
        .map_err(|error| LossError::Option { loss: card.name, reason: error.to_string() })
}

fn suggestion(name: &str) -> Option<&'static str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = plain(name);
    let distance = |entry: &&Entry| strsim::damerau_levenshtein(&plain(entry.card.name), &wanted);
    let nearest = LOSSES.iter().min_by_key(distance)?;
    (distance(&nearest) <= 3 || plain(nearest.card.name).contains(&wanted)).then_some(nearest.card.name)
}
