//! Every registered loss: value, logit gradient and ledger sums, and a copy of the logits to compare with.

use burn::tensor::{Device, Tensor, TensorData};
use equipoise_loss::registry::{LOSSES, Options};
use equipoise_loss::{ClassLoss, ClassTargets, GradientLedger, LedgerDelta, TrainingFacts};

use super::measure::{Case, noise};

/// Classes of LVIS v1.
const CLASSES: usize = 1203;
/// Proposals: two pictures of 512, and sixteen.
const ROWS: [usize; 2] = [1024, 8192];

/// The cases.
pub fn cases(device: &Device) -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for rows in ROWS {
        let targets = targets(rows)?;
        for entry in LOSSES {
            let loss = entry.build(&Options::new(), &facts())?;
            let channels = loss.channels(CLASSES);
            let (targets, ledger, device) = (targets.clone(), ledger(&*loss)?, device.clone());
            // Made by the first run, which is not timed: a case that is not wanted leaves no memory behind.
            let mut made = None;
            let work = move || {
                let logits = made.get_or_insert_with(|| logits(rows, channels, &device));
                loss.step(logits.clone(), &targets, &ledger)?;
                Ok(())
            };
            cases.push(Case::new(entry.card.name, &format!("{rows} x {channels}"), work).with_units(rows, "rows"));
        }
        let mut made = None;
        let work = move || {
            let (from, to) =
                made.get_or_insert_with(|| (vec![1.0_f32; rows * (CLASSES + 1)], vec![0.0; rows * (CLASSES + 1)]));
            std::hint::black_box(&mut *to).copy_from_slice(std::hint::black_box(from));
            Ok(())
        };
        cases.push(Case::new("copy of the logits", &format!("{rows} x {}", CLASSES + 1), work));
    }
    Ok(cases)
}

/// A quarter of the rows is foreground.
fn targets(rows: usize) -> anyhow::Result<ClassTargets> {
    let mut random = noise(1);
    let label =
        |row: usize| if row.is_multiple_of(4) { (random() * CLASSES as f32) as usize % CLASSES } else { CLASSES };
    let labels: Vec<usize> = (0..rows).map(label).collect();
    Ok(ClassTargets::from_indices(&labels, CLASSES)?)
}

/// Counts of a long tail: from 50,000 objects down to one.
fn facts() -> TrainingFacts {
    let counts: Vec<u64> = (0..CLASSES).map(|class| 1 + 50_000 / (1 + class as u64).pow(2)).collect();
    TrainingFacts { image_counts: counts.clone(), instance_counts: counts, images: 100_000, seed: 0, steps: 1 }
}

/// Ratios between 0 and 2, after a foreground row of each class.
fn ledger(loss: &dyn ClassLoss) -> anyhow::Result<GradientLedger> {
    let (mut ledger, mut delta) = (GradientLedger::of(loss, CLASSES), LedgerDelta::zeros(CLASSES));
    let mut random = noise(2);
    // Scores around the mean of a softmax; a matrix of them is half below the floor of FCBL's.
    delta.memory = loss.memory().map(|spec| {
        let width = spec.len(CLASSES) / CLASSES;
        (0..CLASSES).map(|class| (class, (0..width).map(|_| 0.002 * f64::from(random())).collect())).collect()
    });
    delta.instances.fill(1.0);
    delta.positive.iter_mut().for_each(|sum| *sum = f64::from(random()));
    delta.negative.iter_mut().for_each(|sum| *sum = 0.5);
    delta.rows = 1;
    ledger.commit(&delta)?;
    Ok(ledger)
}

/// Around the bias of the prior, as early in a training.
fn logits(rows: usize, channels: usize, device: &Device) -> Tensor<2> {
    let mut random = noise(3);
    let values: Vec<f32> = (0..rows * channels).map(|_| -7.0 + 4.0 * random()).collect();
    Tensor::from_data(TensorData::new(values, [rows, channels]), device)
}
