//! The record of a run: there and back, resume, crash, and hostile files.

use std::fs;

use equipoise_data::{CategoryId, Group};
use equipoise_eval::protocol::protocol;
use equipoise_eval::record::{
    HistoryRow, HistoryWriter, LedgerRow, LedgerWriter, Metrics, RunDir, RunMeta, RunRecord, Timing, ValidationRow,
    ValidationWriter, class_rows, final_ledger, ledger_steps, read_history, read_results, read_validation, result_rows,
    snapshot, write_evaluation, write_results,
};
use equipoise_eval::{EvalError, write_detections};

use crate::world::{object, perfect, truth};

fn row(step: u64) -> HistoryRow {
    HistoryRow { step, epoch: step as f64 / 3.0, lr: 0.1, loss: 1.0 / step as f64, ..HistoryRow::default() }
}

fn ledger_row(step: u64, class_index: usize) -> LedgerRow {
    LedgerRow {
        step,
        class_index,
        id: CategoryId(10 * (class_index as u64 + 1)),
        name: "a \"quoted\", name".into(),
        group: Group::Rare,
        images: 2,
        instances: 3,
        positive: 0.1 + 0.2,
        negative: 1e-300,
        ratio: f64::INFINITY,
        q: 1.0,
        r: 0.25,
    }
}

#[test]
fn a_run_is_read_back_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::create(folder.path().join("run")).unwrap();
    assert!(dir.figures().is_dir());
    let meta = RunMeta { name: "eqlv2".into(), title: "EQL v2".into(), seed: 7, steps: 20, ..RunMeta::default() };
    meta.write(&dir.meta()).unwrap();
    let mut history = HistoryWriter::create(&dir.history()).unwrap();
    let mut ledger = LedgerWriter::create(&dir.ledger()).unwrap();
    for step in [10, 20] {
        history.add(&row(step)).unwrap();
        ledger.add(&[ledger_row(step, 1), ledger_row(step, 0)]).unwrap();
    }
    let world = truth(&[Group::Rare, Group::Common], &[&[object(0, [0.0, 0.0, 9.0, 9.0])]]);
    let evaluation = protocol("lvis").unwrap().evaluate(&world, &perfect(&world)).unwrap();
    write_evaluation(&dir, &evaluation, &world).unwrap();
    write_detections(&dir.detections(), &perfect(&world)).unwrap();
    Timing { train_seconds: 1.5, ..Timing::default() }.write(&dir.timing()).unwrap();

    let record = RunRecord::read(dir.root()).unwrap();
    assert_eq!(record.meta, meta);
    assert_eq!(record.history, [row(10), row(20)]);
    assert_eq!(ledger_steps(&record.ledger), [10, 20]);
    assert_eq!(snapshot(&record.ledger, 10), [&ledger_row(10, 0), &ledger_row(10, 1)]);
    assert_eq!(final_ledger(&record.ledger)[0], &ledger_row(20, 0));
    assert_eq!(record.metrics.as_ref(), Some(&evaluation.metrics));
    assert_eq!(record.metric("APr"), evaluation.metrics.get("APr"));
    assert_eq!(record.metric("APc"), None);
    assert_eq!(record.classes, class_rows(&evaluation, &world));
    assert_eq!(record.detections, perfect(&world));
    assert_eq!(record.timing.unwrap().train_seconds, 1.5);
    assert!(record.warnings.is_empty());
}

#[test]
fn metrics_keep_their_order_and_write_null() {
    let mut metrics = Metrics::default();
    metrics.set("AP", Some(0.5));
    metrics.set("APl", Some(f64::NAN));
    metrics.set("AR", None);
    metrics.set("AP", Some(0.25));
    let text = serde_json::to_string(&metrics).unwrap();
    assert_eq!(text, r#"{"AP":0.25,"APl":null,"AR":null}"#);
    assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), metrics);
}

#[test]
fn a_stopped_run_is_shown_as_far_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let error = RunRecord::read(folder.path()).unwrap_err();
    assert!(matches!(error, EvalError::NotARun { .. }), "{error}");
    RunMeta::default().write(&RunDir::new(folder.path()).meta()).unwrap();
    let record = RunRecord::read(folder.path()).unwrap();
    assert!(record.metrics.is_none() && record.history.is_empty() && record.detections.is_empty());
}

#[test]
fn a_cut_last_line_is_a_warning_and_any_other_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.csv");
    let mut history = HistoryWriter::create(&path).unwrap();
    [10, 20, 30].iter().for_each(|&step| history.add(&row(step)).unwrap());
    let whole = fs::read_to_string(&path).unwrap();

    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let mut warnings = Vec::new();
    assert_eq!(read_history(&path, &mut warnings).unwrap(), [row(10), row(20)]);
    assert_eq!(warnings, ["the last line of `history.csv` is cut off and was left out"]);

    fs::write(&path, whole.replacen("20,", "twenty,", 1)).unwrap();
    let error = read_history(&path, &mut warnings).unwrap_err().to_string();
    assert!(error.contains("history.csv`, line 3: ") && error.contains("invalid digit"), "{error}");

    for broken in ["", "step\n1\n", "\u{0}\u{1}\n"] {
        fs::write(&path, broken).unwrap();
        let outcome = read_history(&path, &mut warnings);
        assert!(outcome.as_ref().map_or(true, Vec::is_empty), "{broken:?}: {outcome:?}");
    }
}

#[test]
fn resuming_drops_what_the_checkpoint_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.csv");
    let mut history = HistoryWriter::create(&path).unwrap();
    [10, 20, 30].iter().for_each(|&step| history.add(&row(step)).unwrap());
    let mut whole = fs::read(&path).unwrap();
    let mut history = HistoryWriter::resume(&path, 20).unwrap();
    history.add(&row(30)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), whole, "a resumed file has the same bits");

    whole.truncate(whole.len() - 3);
    fs::write(&path, &whole).unwrap();
    HistoryWriter::resume(&path, 30).unwrap().add(&row(30)).unwrap();
    assert_eq!(read_history(&path, &mut Vec::new()).unwrap(), [row(10), row(20), row(30)]);

    let mut ledger = LedgerWriter::resume(&folder.path().join("new.csv"), 5).unwrap();
    ledger.add(&[ledger_row(10, 0)]).unwrap();
}

#[test]
fn broken_json_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.json");
    for broken in ["", "{\"AP\":", "{\"AP\":\"high\"}", "[1]"] {
        fs::write(&path, broken).unwrap();
        let error = Metrics::read(&path).unwrap_err().to_string();
        assert!(error.contains("metrics.json` is not a flat object of metrics: "), "{error}");
        assert!(error.contains("line 1"), "{error}");
    }
}

#[test]
fn validation_goes_on_and_knows_its_best() {
    let dir = tempfile::tempdir().unwrap();
    let path = RunDir::new(dir.path()).validation();
    let row = |step: u64, ap: Option<f64>| ValidationRow { step, epoch: step as f64 / 10.0, ap, ..Default::default() };
    let mut rows = ValidationWriter::resume(&path, 0).unwrap();
    let better = [(10, Some(0.2)), (20, Some(0.1)), (30, None), (40, Some(0.3)), (40, Some(0.9))];
    let better = better.map(|(step, ap)| rows.add(&row(step, ap)).unwrap());
    assert_eq!(better, [true, false, false, true, false]);
    // From a checkpoint of step 25 on, what came later is not known.
    let mut rows = ValidationWriter::resume(&path, 25).unwrap();
    assert!(rows.add(&row(30, Some(0.25))).unwrap());
    let read = read_validation(&path, &mut Vec::new()).unwrap();
    assert_eq!(
        read.iter().map(|row| (row.step, row.ap)).collect::<Vec<_>>(),
        [(10, Some(0.2)), (20, Some(0.1)), (30, Some(0.25))]
    );
    // A new run in an old folder starts anew.
    drop(ValidationWriter::resume(&path, 0).unwrap());
    assert!(read_validation(&path, &mut Vec::new()).unwrap().is_empty());
}

/// Rows where an epoch ends, where it is validated and at the end; each has the mean of the losses since the row before.
#[test]
fn results_are_joined_from_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::new(folder.path());
    let validation = |step: u64, ap| ValidationRow { step, epoch: step as f64 / 3.0, ap, ..Default::default() };
    let mut metrics = Metrics::default();
    metrics.set("AP", Some(0.5));
    metrics.set("APr", Some(0.25));
    let mut run = RunRecord {
        history: (1..=7).map(row).collect(),
        validation: vec![validation(2, Some(0.1)), validation(6, None)],
        metrics: Some(metrics),
        ..RunRecord::default()
    };
    write_results(&dir, &run).unwrap();
    let rows = read_results(&dir.results(), &mut Vec::new()).unwrap();
    assert_eq!(rows, result_rows(&run));
    assert_eq!(rows.iter().map(|row| row.step).collect::<Vec<_>>(), [2, 3, 6, 7]);
    assert_eq!(rows[0].loss, Some((1.0 + 0.5) / 2.0));
    assert_eq!(rows[1].loss, Some(1.0 / 3.0));
    assert_eq!((rows[0].ap, rows[1].ap, rows[2].ap), (Some(0.1), None, None));
    assert_eq!((rows[3].ap, rows[3].ap_rare, rows[3].lr), (Some(0.5), Some(0.25), Some(0.1)));
    let text = fs::read_to_string(dir.results()).unwrap();
    insta::assert_snapshot!(text.lines().next().unwrap(), @"step,epoch,train/loss,train/cls_loss,train/box_loss,train/rpn_cls_loss,train/rpn_box_loss,train/mask_loss,metrics/AP,metrics/AP50,metrics/APr,metrics/APc,metrics/APf,lr");
    run.history.clear();
    assert_eq!(result_rows(&run).iter().map(|row| (row.step, row.loss)).collect::<Vec<_>>(), [(2, None), (6, None)]);
    assert!(result_rows(&RunRecord::default()).is_empty());
}
