//! All losses: one file and one line each.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    Acsl, Bags, BalancedSoftmax, Card, ClassBalancedFocal, ClassBalancedSigmoid, ClassBalancedSoftmax, ClassLoss,
    DropLoss, Ecm, Efl, Eqfl, EqlV1, EqlV2, Fcbl, Federated, Focal, Head, Ldam, Loce, LogitAdjustment, LossError,
    Result, Seesaw, SigmoidBce, SoftmaxCe, SoftmaxEql, SoftmaxEqlV2, TrainingFacts, WeightedBce, WeightedCe,
};

/// Options of a loss as they stand in a recipe.
pub type Options = Map<String, Value>;

/// How a loss enters the registry.
pub(crate) trait Registered: ClassLoss + Sized {
    /// Its card.
    const CARD: Card;
    /// Its options.
    type Config: DeserializeOwned;

    /// The loss with these options for this training.
    fn build(config: Self::Config, facts: &TrainingFacts) -> Result<Self>;

    /// Why these options do not fit a head that the card names; `None` when they do.
    fn unfit(_config: &Self::Config, _head: Head) -> Option<&'static str> {
        None
    }
}

/// A registered loss.
#[derive(Debug)]
pub struct Entry {
    /// Its card.
    pub card: Card,
    build: fn(&Options, &TrainingFacts) -> Result<Box<dyn ClassLoss>>,
    unfit: fn(&Options, Head) -> Option<&'static str>,
}

/// Every loss, in the order in which they are listed.
pub const LOSSES: &[Entry] = &[
    entry::<SoftmaxCe>(),
    entry::<SigmoidBce>(),
    entry::<EqlV2>(),
    entry::<EqlV1>(),
    entry::<Seesaw>(),
    entry::<Federated>(),
    entry::<DropLoss>(),
    entry::<Acsl>(),
    entry::<Bags>(),
    entry::<Loce>(),
    entry::<Ecm>(),
    entry::<Fcbl>(),
    entry::<BalancedSoftmax>(),
    entry::<LogitAdjustment>(),
    entry::<Ldam>(),
    entry::<ClassBalancedSoftmax>(),
    entry::<ClassBalancedSigmoid>(),
    entry::<ClassBalancedFocal>(),
    entry::<WeightedCe>(),
    entry::<WeightedBce>(),
    entry::<Focal>(),
    entry::<Efl>(),
    entry::<Eqfl>(),
    entry::<SoftmaxEql>(),
    entry::<SoftmaxEqlV2>(),
];

const fn entry<L: Registered + 'static>() -> Entry {
    Entry {
        card: L::CARD,
        build: |options, facts| Ok(Box::new(L::build(read::<L::Config>(&L::CARD, options)?, facts)?)),
        unfit: |options, head| L::unfit(&read::<L::Config>(&L::CARD, options).ok()?, head),
    }
}

impl Entry {
    /// Builds the loss with these options, the published defaults where they are silent.
    ///
    /// # Errors
    /// When an option is unknown or has a wrong type or value, or the loss needs counts that `facts` do not have.
    pub fn build(&self, options: &Options, facts: &TrainingFacts) -> Result<Box<dyn ClassLoss>> {
        (self.build)(options, facts)
    }

    /// Refuses a head that the loss, or the loss with these options, is not made for. Options that cannot be read are refused by
    /// [`Entry::build`].
    ///
    /// # Errors
    /// Says which heads it is for and why.
    pub fn check_head(&self, options: &Options, head: Head) -> Result<()> {
        let reason = if self.card.heads.contains(&head) { (self.unfit)(options, head) } else { Some(self.card.traps) };
        match reason {
            None => Ok(()),
            Some(reason) => Err(LossError::Head { loss: self.card.name, heads: self.card.heads_text(), reason }),
        }
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

/// Builds the loss of this name with these options for this training.
///
/// # Errors
/// When there is no such loss, or as [`Entry::build`].
pub fn build(name: &str, options: &Options, facts: &TrainingFacts) -> Result<Box<dyn ClassLoss>> {
    find(name)?.build(options, facts)
}

fn names() -> impl Iterator<Item = &'static str> {
    LOSSES.iter().map(|entry| entry.card.name)
}

/// Reads options into a config; a key that is not on the card is an error that names the nearest.
fn read<T: DeserializeOwned>(card: &Card, options: &Options) -> Result<T> {
    let known = || card.options.iter().map(|(name, ..)| *name);
    if let Some(name) = options.keys().find(|name| !known().any(|known| known == *name)) {
        return Err(LossError::UnknownOption {
            loss: card.name,
            name: name.clone(),
            suggestion: nearest(name, known()),
            known: known().collect::<Vec<_>>().join(", "),
        });
    }
    serde_json::from_value(Value::Object(options.clone()))
        .map_err(|error| LossError::Option { loss: card.name, reason: error.to_string() })
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
