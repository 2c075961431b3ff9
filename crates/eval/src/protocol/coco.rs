//! The COCO protocol: AP over IoU 0.50 to 0.95 with at most 100 detections of a class in a picture; every class is judged in every picture.
//!
//! COCO itself has no frequency groups: APr, APc and APf here are means of the per-class AP over the training groups.

use equipoise_data::{Dataset, Group};

use super::engine::{Rules, add_ap50_of_groups, evaluate, group_mean};
use super::{Evaluation, Protocol};
use crate::detection::Detection;
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
        "COCO box AP: 100 detections of a class in a picture, with groups by training images added"
    }

    fn evaluate(&self, truth: &Dataset, detections: &[Detection]) -> Result<Evaluation> {
        let mut evaluation = evaluate(self.name(), Rules::Coco, &KEYS, truth, detections)?;
        for (key, group) in [("APr", Group::Rare), ("APc", Group::Common), ("APf", Group::Frequent)] {
            let value = group_mean(truth, &evaluation.classes, group, |c| c.ap);
            evaluation.metrics.set(key, value);
        }
        add_ap50_of_groups(&mut evaluation, truth);
        Ok(evaluation)
    }
}
