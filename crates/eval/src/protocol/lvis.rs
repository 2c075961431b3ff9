//! The LVIS protocol (Gupta et al., arXiv 1908.03195): AP over IoU 0.50 to 0.95, at most 300 detections a picture, federated truth.
//!
//! Federated: in a picture a class is judged only if it is labelled there or verified absent (`negative`); where its labels are not exhaustive an
//! unmatched detection is ignored. APr, APc, APf are means over the classes of a training group, so AP is *not* their mean.

use equipoise_data::Dataset;

use super::engine::{Rules, add_ap50_of_groups, evaluate};
use super::{Evaluation, Protocol};
use crate::detection::Detection;
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
        "LVIS box AP: federated, 300 detections a picture, groups by training images"
    }

    fn evaluate(&self, truth: &Dataset, detections: &[Detection]) -> Result<Evaluation> {
        let mut evaluation = evaluate(self.name(), Rules::Lvis, &KEYS, truth, detections)?;
        add_ap50_of_groups(&mut evaluation, truth);
        Ok(evaluation)
    }
}
