//! All losses: one file and one line each.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Card, ClassLoss, LossError, Result, eqlv2, sigmoid_bce, softmax_ce};

/// Options of a loss as they stand in a recipe.
pub type Options = Map<String, Value>;

/// A registered loss.
#[derive(Debug)]
pub struct Entry {
    /// Its card.
    pub card: Card,
    build: fn(&Card, &Options) -> Result<Box<dyn ClassLoss>>,
}

/// Every loss, in the order in which they are listed.
pub const LOSSES: &[Entry] = &[
    Entry {
        card: softmax_ce::CARD,
        build: |card, options| {
            Ok(Box::new(softmax_ce::SoftmaxCe::new(read(card, options, softmax_ce::SoftmaxCeConfig::check)?)))
        },
    },
    Entry {
        card: sigmoid_bce::CARD,
        build: |card, options| {
            Ok(Box::new(sigmoid_bce::SigmoidBce::new(read(card, options, sigmoid_bce::SigmoidBceConfig::check)?)))
        },
    },
    Entry {
        card: eqlv2::CARD,
        build: |card, options| Ok(Box::new(eqlv2::EqlV2::new(read(card, options, eqlv2::EqlV2Config::check)?))),
    },
];

impl Entry {
    /// Builds the loss with these options, the published defaults where they are silent.
    ///
    /// # Errors
    /// When an option is unknown or has a wrong type or value.
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
        suggestion: nearest(name, names()),
        known: names().collect::<Vec<_>>().join(", "),
    })
}

/// Builds the loss of this name with these options.
///
/// # Errors
/// When there is no such loss, or an option is unknown or has a wrong type or value.
pub fn build(name: &str, options: &Options) -> Result<Box<dyn ClassLoss>> {
    find(name)?.build(options)
}

fn names() -> impl Iterator<Item = &'static str> {
    LOSSES.iter().map(|entry| entry.card.name)
}

/// Reads options into a config; a key that is not on the card is an error that names the nearest.
fn read<T: DeserializeOwned>(card: &Card, options: &Options, check: fn(&T) -> Result<()>) -> Result<T> {
    let known = || card.options.iter().map(|(name, ..)| *name);
    if let Some(name) = options.keys().find(|name| !known().any(|known| known == *name)) {
        return Err(LossError::UnknownOption {
            loss: card.name,
            name: name.clone(),
            suggestion: nearest(name, known()),
            known: known().collect::<Vec<_>>().join(", "),
        });
    }
    let config = serde_json::from_value(Value::Object(options.clone()))
        .map_err(|error| LossError::Option { loss: card.name, reason: error.to_string() })?;
    check(&config)?;
    Ok(config)
}

/// The known name that looks most like this one, if one looks like it.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = plain(name);
    let distance = |known: &str| strsim::damerau_levenshtein(&plain(known), &wanted);
    let contains = |known: &str| wanted.len() >= 2 && plain(known).contains(&wanted);
    known
        .filter(|known| contains(known) || distance(known) <= 3.min(known.len() / 2))
        .min_by_key(|known| distance(known))
}
