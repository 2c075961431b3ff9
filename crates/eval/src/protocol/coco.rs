//! The COCO protocol: AP over IoU 0.50 to 0.95 with at most 100 detections of a class in a picture; every class is judged in every picture.
//!
//! COCO itself has no frequency groups: APr, APc and APf here are means of the per-class AP over the training groups.

use equipoise_data::Group;

use super::engine::{Rules, evaluate, group_mean};
use super::extra::{Kind, score};
use super::{Evaluation, Options, Protocol};
use crate::case::Case;
use crate::error::Result;

/// The COCO protocol.
#[derive(Clone, Copy, Debug)]
pub struct Coco;

const KEYS: [&str; 12] = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR", "ARs", "ARm", "ARl"];

impl Protocol for Coco {
    fn name(&self) -> &'static str {
        "coco"
    }

    fn title(&self) -> &'static str {
        "COCO AP: 100 detections of a class in a picture, with groups by training images added"
    }

    fn score(&self, case: &Case, options: &Options) -> Result<Evaluation> {
        let kind = Kind { protocol: self.name(), rules: Rules::Coco };
        score(kind, case, options, |limit| {
            let mut evaluation = evaluate(self.name(), Rules::Coco, &KEYS, case, limit)?;
            for (key, group) in [("APr", Group::Rare), ("APc", Group::Common), ("APf", Group::Frequent)] {
                let value = group_mean(case.truth, &evaluation.classes, group, |c| c.ap);
                evaluation.metrics.set(key, value);
            }
            Ok(evaluation)
        })
    }
}
