//! The LVIS protocol (Gupta et al., arXiv 1908.03195): AP over IoU 0.50 to 0.95, at most 300 detections a picture, federated truth.
//!
//! Federated: in a picture a class is judged only if it is labelled there or verified absent (`negative`); where its labels are not exhaustive an
//! unmatched detection is ignored. APr, APc, APf are means over the classes of a training group, so AP is *not* their mean.

use super::engine::{Rules, evaluate};
use super::extra::{Kind, score};
use super::{Evaluation, Options, Protocol};
use crate::case::Case;
use crate::error::Result;

/// The LVIS protocol.
#[derive(Clone, Copy, Debug)]
pub struct Lvis;

const KEYS: [&str; 13] = ["AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf", "AR", "ARs", "ARm", "ARl"];

impl Protocol for Lvis {
    fn name(&self) -> &'static str {
        "lvis"
    }

    fn title(&self) -> &'static str {
        "LVIS AP: federated, 300 detections a picture, groups by training images"
    }

    fn score(&self, case: &Case, options: &Options) -> Result<Evaluation> {
        let kind = Kind { protocol: self.name(), rules: Rules::Lvis };
        score(kind, case, options, |limit| evaluate(self.name(), Rules::Lvis, &KEYS, case, limit))
    }
}
