//! `classes.csv`: the scores of every class beside its training counts.

use std::path::Path;

use equipoise_data::{CategoryId, ClassIndex, Dataset, Group};
use serde::{Deserialize, Serialize};

use super::rows::{read_rows, table_bytes};
use super::{RunDir, write_file, write_scores};
use crate::error::Result;
use crate::protocol::Evaluation;

/// A class with its scores and counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRow {
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
    /// Validation images with the class.
    pub val_images: u64,
    /// Validation objects of the class.
    pub val_objects: u64,
    /// Detections of the class.
    pub detections: u64,
    /// Average precision over IoU 0.50 to 0.95; empty where the class has no validation object.
    pub ap: Option<f64>,
    /// Average precision at IoU 0.50.
    pub ap50: Option<f64>,
    /// Average recall over IoU 0.50 to 0.95.
    pub ar: Option<f64>,
}

/// Joins the scores of every class with its training counts.
pub fn class_rows(evaluation: &Evaluation, train: &Dataset) -> Vec<ClassRow> {
    evaluation
        .classes
        .iter()
        .filter_map(|result| {
            let category = train.categories.get(result.class)?;
            Some(ClassRow {
                class_index: result.class,
                id: category.id,
                name: category.name.clone(),
                group: category.group,
                train_images: category.images,
                train_instances: category.instances,
                val_images: result.images,
                val_objects: result.objects,
                detections: result.detections,
                ap: result.ap,
                ap50: result.ap50,
                ar: result.ar,
            })
        })
        .collect()
}

/// Reads `classes.csv`; a truncated last line becomes a warning.
///
/// # Errors
/// A file or a line that cannot be read.
pub fn read_classes(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<ClassRow>> {
    read_rows(path, warnings)
}

/// Writes `classes.csv`.
///
/// # Errors
/// A file that cannot be written.
pub fn write_classes(path: &Path, rows: &[ClassRow]) -> Result<()> {
    write_file(path, &table_bytes(path, rows)?)
}

/// Writes `classes.csv`, `scores.json` and `metrics.json` of a run; `train` gives the counts. The metrics come last: a run that has them is whole.
///
/// # Errors
/// A file that cannot be written.
pub fn write_evaluation(dir: &RunDir, evaluation: &Evaluation, train: &Dataset) -> Result<()> {
    write_classes(&dir.classes(), &class_rows(evaluation, train))?;
    write_scores(&dir.scores(), &evaluation.labels)?;
    evaluation.metrics.write(&dir.metrics())
}
