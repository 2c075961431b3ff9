//! Where the tail is lost: a table of every class, the mistakes, calibration and confusions by frequency group, as data for the report and for others.
//!
//! Everything is counted at IoU 0.50 on the detections that the protocol judges, by [`Outcomes`]; it explains the numbers, it is none of them.

mod calibration;
mod confusion;
mod errors;
mod thresholds;

use equipoise_data::{CategoryId, ClassIndex, Group};
use serde::{Deserialize, Serialize};

pub use calibration::{BINS, Bin, calibration_error, reliability};
pub use confusion::{Confusion, TOP_CONFUSIONS, confusions};
pub use errors::{ClassErrors, ERROR_KINDS, ErrorKind, class_errors};
pub use thresholds::Thresholds;

use crate::case::Case;
use crate::outcome::Outcomes;
use crate::protocol::Evaluation;
use crate::record::LedgerRow;

/// A class of the tail table, a row of `tail.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TailRow {
    /// Dense index of the class.
    pub class_index: ClassIndex,
    /// Id in the annotation file.
    pub id: CategoryId,
    /// Name in the annotation file.
    pub name: String,
    /// Group by training images.
    pub group: Group,
    /// Training images.
    pub train_images: u64,
    /// Training instances.
    pub train_instances: u64,
    /// Validation objects, crowds not counted.
    pub val_objects: u64,
    /// Detections of the class, before any cap.
    pub detections: u64,
    /// Average precision of the protocol; empty without validation objects.
    pub ap: Option<f64>,
    /// Average precision at IoU 0.50.
    pub ap50: Option<f64>,
    /// Average recall of the protocol.
    pub ar: Option<f64>,
    /// Positive over negative gradients at the end of training, where a ledger was kept.
    pub gradient_ratio: Option<f64>,
    /// Whether no detection has this class.
    pub never_predicted: bool,
    /// Whether the validation set has no object of it.
    pub never_in_validation: bool,
    /// The more frequent class that covers at least half of its objects.
    pub swallowed_by: Option<String>,
    /// AP50 that wrong classes cost.
    pub class_cost: Option<f64>,
    /// AP50 that loose boxes cost.
    pub location_cost: Option<f64>,
    /// AP50 that detections wrong in both cost.
    pub both_cost: Option<f64>,
    /// AP50 that duplicates cost.
    pub duplicate_cost: Option<f64>,
    /// AP50 that detections of nothing cost.
    pub background_cost: Option<f64>,
    /// AP50 that missed objects cost.
    pub missed_cost: Option<f64>,
}

/// A kind of mistake in a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorShare {
    /// The kind.
    pub kind: ErrorKind,
    /// How often it occurs.
    pub count: u64,
    /// AP50 that it costs: the mean over the classes with validation objects.
    pub cost: Option<f64>,
}

/// What is known about the classes of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupDiagnosis {
    /// The group; `None` for all classes.
    pub group: Option<Group>,
    /// Classes of it.
    pub classes: usize,
    /// Those with validation objects.
    pub classes_in_validation: usize,
    /// Those that no detection has.
    pub never_predicted: usize,
    /// Those that a more frequent class swallows.
    pub swallowed: usize,
    /// Mean AP50.
    pub ap50: Option<f64>,
    /// Expected calibration error.
    pub calibration_error: Option<f64>,
    /// The bins behind it.
    pub reliability: Vec<Bin>,
    /// The mistakes, by [`ERROR_KINDS`]. *Location* against *class* says whether boxes or names cost more.
    pub errors: Vec<ErrorShare>,
}

/// The diagnosis of a detector; `diagnosis.json` holds all but the table, which is `tail.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Name of the protocol whose judged detections were used.
    pub protocol: String,
    /// All classes, then rare, common, frequent.
    pub groups: Vec<GroupDiagnosis>,
    /// The largest confusions of every class.
    pub confusions: Vec<Confusion>,
    /// Every class.
    #[serde(skip)]
    pub classes: Vec<TailRow>,
}

/// Diagnoses a scored case; `ledger` is the last snapshot of the run's gradients, where there is one.
pub fn diagnose(case: &Case, evaluation: &Evaluation, outcomes: &Outcomes, ledger: &[&LedgerRow]) -> Diagnosis {
    let errors = class_errors(case, outcomes);
    let confusions = confusions(case, outcomes);
    let classes = tail_rows(case, evaluation, &errors, &confusions, ledger);
    let groups = [None, Some(Group::Rare), Some(Group::Common), Some(Group::Frequent)];
    let groups = groups.map(|group| group_diagnosis(group, &classes, outcomes, &errors)).to_vec();
    Diagnosis { protocol: evaluation.protocol.into(), groups, confusions, classes }
}

fn tail_rows(
    case: &Case,
    evaluation: &Evaluation,
    errors: &[ClassErrors],
    confusions: &[Confusion],
    ledger: &[&LedgerRow],
) -> Vec<TailRow> {
    let row = |result: &crate::protocol::ClassResult| {
        let category = &case.truth.categories[result.class];
        let swallower = confusions.iter().find(|c| c.class_index == result.class && c.swallowed);
        let ratio = ledger.iter().find(|row| row.class_index == result.class && row.id == category.id);
        let cost = |kind: ErrorKind| errors[result.class].cost.map(|cost| cost[kind as usize]);
        TailRow {
            class_index: result.class,
            id: category.id,
            name: category.name.clone(),
            group: category.group,
            train_images: category.images,
            train_instances: category.instances,
            val_objects: result.objects,
            detections: result.detections,
            ap: result.ap,
            ap50: result.ap50,
            ar: result.ar,
            gradient_ratio: ratio.map(|row| row.ratio),
            never_predicted: result.detections == 0,
            never_in_validation: result.objects == 0,
            swallowed_by: swallower.map(|c| c.taken_for.clone()),
            class_cost: cost(ErrorKind::Class),
            location_cost: cost(ErrorKind::Location),
            both_cost: cost(ErrorKind::Both),
            duplicate_cost: cost(ErrorKind::Duplicate),
            background_cost: cost(ErrorKind::Background),
            missed_cost: cost(ErrorKind::Missed),
        }
    };
    evaluation.classes.iter().map(row).collect()
}

fn group_diagnosis(
    group: Option<Group>,
    rows: &[TailRow],
    outcomes: &Outcomes,
    errors: &[ClassErrors],
) -> GroupDiagnosis {
    let mine: Vec<&TailRow> = rows.iter().filter(|row| group.is_none_or(|g| row.group == g)).collect();
    let classes: Vec<ClassIndex> = mine.iter().map(|row| row.class_index).collect();
    let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    let reliability = reliability(outcomes, &classes);
    let share = |kind: ErrorKind| ErrorShare {
        kind,
        count: classes.iter().map(|&k| errors[k].counts[kind as usize]).sum(),
        cost: mean(classes.iter().filter_map(|&k| errors[k].cost).map(|cost| cost[kind as usize]).collect()),
    };
    GroupDiagnosis {
        group,
        classes: mine.len(),
        classes_in_validation: mine.iter().filter(|row| !row.never_in_validation).count(),
        never_predicted: mine.iter().filter(|row| row.never_predicted).count(),
        swallowed: mine.iter().filter(|row| row.swallowed_by.is_some()).count(),
        ap50: mean(mine.iter().filter_map(|row| row.ap50).collect()),
        calibration_error: calibration_error(&reliability),
        reliability,
        errors: ERROR_KINDS.map(share).to_vec(),
    }
}
