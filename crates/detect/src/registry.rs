//! All detectors: one file and one line each.
//!
//! A detector is a module with `new`, `picture_stride`, `forward_train` and `detect`, a config, and a [`DetectorCard`]. Burn walks the
//! parameters of concrete types, hence an enum. Its variant is no part of a parameter's path (see [`crate::ParamPath`]).

use burn::module::Module;
use burn::tensor::Device;
use equipoise_data::Batch;
use equipoise_loss::{ClassLoss, Head};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::faster_rcnn::{self, FasterRcnn, FasterRcnnConfig};
use crate::retina_net::{self, RetinaNet, RetinaNetConfig};
use crate::{DetectConfig, DetectError, Found, Precision, Result, TrainOutput};

/// What sets one detector apart from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectorCard {
    /// Name in recipes.
    pub kind: &'static str,
    /// Title in messages.
    pub title: &'static str,
    /// What the rows of its logits are: a loss must be made for it.
    pub head: Head,
    /// Paths of the layers whose size depends on the class list, each the start of a parameter's name.
    pub class_layers: &'static [&'static str],
}

impl DetectorCard {
    /// Whether the size of a tensor depends on the class list.
    pub fn depends_on_classes(&self, name: &str) -> bool {
        self.class_layers.iter().any(|layer| name.starts_with(layer))
    }
}

/// A registered detector.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its card.
    pub card: DetectorCard,
    read: fn(Map<String, Value>) -> std::result::Result<DetectorConfig, String>,
}

/// The detector of a recipe that names none.
const DEFAULT: &str = faster_rcnn::CARD.kind;

macro_rules! detectors {
    ($($detector:ident($config:ident): $file:ident),* $(,)?) => {
        /// Every detector, in the order in which they are listed.
        pub const DETECTORS: &[Entry] = &[
            $(Entry {
                card: $file::CARD,
                read: |fields| Ok(DetectorConfig::$detector(read_fields::<$config>(fields)?)),
            }),*
        ];

        /// Options of a detector.
        ///
        /// In a recipe they are the options of the kind that `kind` names; without it, those of Faster R-CNN.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum DetectorConfig {
            $(
                #[doc = concat!("Of [`", stringify!($detector), "`].")]
                $detector($config)
            ),*
        }

        impl DetectorConfig {
            /// The card of the detector.
            pub fn card(&self) -> DetectorCard {
                match self {
                    $(Self::$detector(_) => $file::CARD),*
                }
            }

            /// Name of the backbone.
            pub fn backbone(&self) -> &str {
                match self {
                    $(Self::$detector(config) => &config.backbone),*
                }
            }

            /// Paths of the layers that depend on the classes, each the start of a parameter's name.
            pub fn class_layers(&self) -> Vec<&'static str> {
                match self {
                    $(Self::$detector(config) => config.class_layers()),*
                }
            }

            /// Precision of convolutions and matrix products.
            pub fn precision(&self) -> Precision {
                match self {
                    $(Self::$detector(config) => config.precision),*
                }
            }

            /// Parts of the backbone that do not train.
            pub fn frozen_stages(&self) -> usize {
                match self {
                    $(Self::$detector(config) => config.frozen_stages),*
                }
            }
        }

        /// A detector of any registered kind.
        #[derive(Module, Debug)]
        #[expect(clippy::large_enum_variant, reason = "few live at a time, and Burn has no boxed modules")]
        pub enum Detector {
            $(
                #[doc = concat!("[`", stringify!($detector), "`].")]
                $detector($detector)
            ),*
        }

        impl Detector {
            /// A detector with fresh weights for `num_classes` classes and the channels that `loss` asks for.
            ///
            /// # Errors
            /// When parts of the configuration do not fit.
            pub fn new(
                config: &DetectorConfig,
                num_classes: usize,
                loss: &dyn ClassLoss,
                seed: u64,
                device: &Device,
            ) -> Result<Self> {
                Ok(match config {
                    $(DetectorConfig::$detector(config) => {
                        Self::$detector($detector::new(config, num_classes, loss, seed, device)?)
                    }),*
                })
            }

            /// The card of the detector.
            pub fn card(&self) -> DetectorCard {
                match self {
                    $(Self::$detector(_) => $file::CARD),*
                }
            }

            /// Height and width of a batch must be multiples of this many pixels.
            pub fn picture_stride(&self) -> usize {
                match self {
                    $(Self::$detector(detector) => detector.picture_stride()),*
                }
            }

            /// Logits, their targets and the losses that are not the classification's. `seed` decides what is drawn.
            ///
            /// # Errors
            /// When an object has a class outside `0..K`.
            pub fn forward_train(&self, batch: &Batch, device: &Device, seed: u64) -> Result<TrainOutput> {
                match self {
                    $(Self::$detector(detector) => detector.forward_train(batch, device, seed)),*
                }
            }

            /// Detections of every picture, in pixels of the batch.
            pub fn detect(
                &self,
                batch: &Batch,
                device: &Device,
                loss: &dyn ClassLoss,
                config: &DetectConfig,
            ) -> Vec<Vec<Found>> {
                match self {
                    $(Self::$detector(detector) => detector.detect(batch, device, loss, config)),*
                }
            }
        }
    };
}

detectors! {
    FasterRcnn(FasterRcnnConfig): faster_rcnn,
    RetinaNet(RetinaNetConfig): retina_net,
}

impl Entry {
    /// The registered detector of this kind.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(kind: &str) -> Result<&'static Entry> {
        DETECTORS.iter().find(|entry| entry.card.kind == kind).ok_or_else(|| DetectError::Unknown {
            kind: "detector",
            name: kind.to_string(),
            known: DETECTORS.iter().map(|entry| entry.card.kind).collect::<Vec<_>>().join(", "),
        })
    }

    /// The default options.
    pub fn config(&self) -> DetectorConfig {
        (self.read)(Map::new()).expect("every option has a default")
    }
}

impl DetectorConfig {
    /// Whether the detector learns masks, and so needs those of the data set.
    pub fn masks(&self) -> bool {
        matches!(self, Self::FasterRcnn(config) if config.masks)
    }
}

impl Default for DetectorConfig {
    fn default() -> Self {
        Self::FasterRcnn(FasterRcnnConfig::default())
    }
}

impl<'de> Deserialize<'de> for DetectorConfig {
    /// By hand, since serde has no default for a tag: recipes and checkpoints without `kind` are those of Faster R-CNN.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let kind = match fields.remove("kind") {
            None => DEFAULT.to_string(),
            Some(Value::String(kind)) => kind,
            Some(other) => return Err(D::Error::custom(format!("`detector.kind` must be a name, but is {other}"))),
        };
        let entry = Entry::find(&kind).map_err(D::Error::custom)?;
        (entry.read)(fields).map_err(|reason| D::Error::custom(format!("{reason}\nthe detector is `{kind}`")))
    }
}

/// Reads options; an error names the place.
fn read_fields<T: DeserializeOwned>(fields: Map<String, Value>) -> std::result::Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| format!("`detector.{}`: {}", error.path(), error.inner()))
}
