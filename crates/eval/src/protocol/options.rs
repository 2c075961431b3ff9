//! What can be asked for beyond a protocol's own numbers, and the label that says how a number was made.
//!
//! Numbers of different caps, pools or groups share no name, in `metrics.json` or elsewhere: `AP` is always the protocol's own, `AP_fixed` and `AP_pool` are
//! those of Dave et al. (arXiv 2102.01066). Whoever asks for `AP` of two runs compares like with like.

use equipoise_data::GroupThresholds;
use serde::{Deserialize, Serialize};

use super::hierarchy::Hierarchy;
use crate::case::Shape;

/// Detections of a class that AP-Fixed keeps over the whole set (Dave et al., section 4).
pub const FIXED_LIMIT: usize = 10_000;

/// What to score beyond the protocol's own numbers.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Adds AP-Fixed: that many best detections of each class over the whole set, and no cap on a picture.
    pub fixed: Option<usize>,
    /// Adds AP-Pool: one precision-recall curve over the detections of all classes.
    pub pool: bool,
    /// How the groups came about.
    pub groups: Groups,
    /// Parents of classes; Open Images only.
    pub hierarchy: Option<Hierarchy>,
}

/// Where the frequency groups of the classes come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Groups {
    /// From the truth: its own `frequency`, else its own counts.
    #[default]
    Truth,
    /// From the training set at this path.
    Training(String),
    /// By thresholds of one's own, from the counts of this file.
    Thresholds(GroupThresholds, String),
}

impl std::fmt::Display for Groups {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Truth => write!(f, "groups as in the truth"),
            Self::Training(path) => write!(f, "groups of the training set `{path}`"),
            Self::Thresholds(t, path) => {
                write!(f, "groups at {} and {} pictures, counted in `{path}`", t.rare, t.common)
            }
        }
    }
}

/// How many detections are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The best of each picture, whatever their class.
    PerImage(usize),
    /// The best of each class in each picture.
    PerImageAndClass(usize),
    /// The best of each class in the whole set.
    PerClass(usize),
    /// All.
    All,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::PerImage(n) => write!(f, "{n} detections a picture"),
            Self::PerImageAndClass(n) => write!(f, "{n} detections of a class in a picture"),
            Self::PerClass(n) => write!(f, "{n} detections of a class in the whole set"),
            Self::All => write!(f, "all detections"),
        }
    }
}

/// A number and how it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelledScore {
    /// Its name in `metrics.json`: "APr_fixed".
    pub key: String,
    /// The number; not defined without truth.
    pub value: Option<f64>,
    /// Name of the protocol.
    pub protocol: String,
    /// "box" or "mask".
    pub shape: String,
    /// How many detections were judged.
    pub limit: Limit,
    /// Whether the detections of all classes made one curve.
    pub pooled: bool,
    /// All of it in a line: "LVIS box AP-Fixed, 10000 detections of a class in the whole set, groups as in the truth".
    pub label: String,
}

/// Makes the labels of one family of numbers.
pub(super) struct Family<'a> {
    pub protocol: &'static str,
    pub shape: Shape,
    pub limit: Limit,
    /// "" for the protocol's own, "-Fixed", "-Pool".
    pub variant: &'static str,
    pub groups: &'a Groups,
}

impl Family<'_> {
    pub fn label(&self, key: &str, value: Option<f64>) -> LabelledScore {
        let name = match self.protocol {
            "lvis" => "LVIS",
            "coco" => "COCO",
            "openimages" => "Open Images",
            other => other,
        };
        let kind = if key.starts_with("AR") { "AR" } else { "AP" };
        // `AR10` names its own cap.
        let own: String = key.strip_prefix("AR").unwrap_or("").chars().take_while(char::is_ascii_digit).collect();
        let limit = match (self.limit, own.parse()) {
            (Limit::PerImageAndClass(_), Ok(own)) => Limit::PerImageAndClass(own),
            (limit, _) => limit,
        };
        LabelledScore {
            key: key.into(),
            value,
            protocol: self.protocol.into(),
            shape: self.shape.noun().into(),
            limit,
            pooled: self.variant == "-Pool",
            label: format!("{name} {} {kind}{}, {limit}, {}", self.shape.noun(), self.variant, self.groups),
        }
    }
}
