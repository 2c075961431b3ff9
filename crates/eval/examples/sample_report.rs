//! Writes a report and every figure from made-up runs: `cargo run -p equipoise-eval --example sample_report -- FOLDER`. For those who change how they look.

#[path = "../tests/it/synthetic.rs"]
mod synthetic;

use std::path::{Path, PathBuf};

use equipoise_eval::figure::{class_ap, gradient_ratio};
use equipoise_eval::live::lines;
use equipoise_eval::record::{
    HistoryWriter, LedgerWriter, RunDir, RunRecord, TensorBoard, ValidationWriter, write_results,
};
use equipoise_eval::report::{DEMO_NOTES, ReportInput, headline, write_report};
use equipoise_eval::{LabelledBox, annotate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name a folder")?);
    for (name, classes, count) in [("two", 60, 2), ("twelve", 60, 12), ("lvis", 1203, 3)] {
        sample(&folder.join(name), classes, count)?;
    }
    Ok(())
}

fn sample(folder: &Path, classes: usize, count: usize) -> Result<(), Box<dyn std::error::Error>> {
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures)?;
    let (train, val) = synthetic::sets(classes, Some(&pictures));
    let kinds = [("Sigmoid BCE", "sigmoid", 0.06), ("EQL v2", "eqlv2", 0.45)];
    let runs: Vec<_> = (0..count)
        .map(|i| {
            let (title, loss, tail) = kinds.get(i).copied().unwrap_or(("Rival loss", "rival", 0.05 * i as f64));
            synthetic::run(&format!("run{i}"), title, loss, tail, i as u64, &train, &val)
        })
        .collect();
    let input = ReportInput {
        title: "equipoise: a sample of a report",
        runs: &runs,
        train: &train,
        val: &val,
        checks: &[],
        notes: DEMO_NOTES,
        credits: "Shapes drawn by the sample itself.",
    };
    println!("{}: {}", write_report(folder, &input)?.display(), headline(&runs));
    for run in &runs {
        record(&RunDir::create(folder.join(&run.meta.name))?, run)?;
    }
    println!("{}", lines(&runs[0], 80, true).join("\n"));
    let image = &val.images[0];
    let boxes: Vec<LabelledBox> = image
        .objects
        .iter()
        .map(|o| LabelledBox {
            bbox: o.bbox,
            name: train.categories[o.class].name.clone(),
            score: Some(0.87),
            class: o.class,
            mask: None,
        })
        .collect();
    annotate(&image::open(&image.path)?.to_rgb8(), &boxes)?.save(folder.join("annotated.png"))?;
    Ok(())
}

/// The files of a run, those for TensorBoard included.
fn record(dir: &RunDir, run: &RunRecord) -> Result<(), Box<dyn std::error::Error>> {
    run.meta.write(&dir.meta())?;
    let mut history = HistoryWriter::create(&dir.history())?;
    run.history.iter().try_for_each(|row| history.add(row))?;
    LedgerWriter::create(&dir.ledger())?.add(&run.ledger)?;
    let mut validation = ValidationWriter::resume(&dir.validation(), 0)?;
    run.validation.iter().try_for_each(|row| validation.add(row).map(|_| ()))?;
    write_results(dir, run)?;
    let mut board = TensorBoard::create(dir, 0)?;
    board.follow(run)?;
    board.metrics(run)?;
    for figure in [gradient_ratio(std::slice::from_ref(run)), class_ap(std::slice::from_ref(run))].iter().flatten() {
        board.figure(figure, run.meta.steps)?;
    }
    Ok(())
}
