//! `bench`: that it times what it says, not how long it takes.

use equipoise_loss::registry::LOSSES;
use serde_json::Value;

use crate::program::{fine, refused};

#[test]
fn every_loss_is_timed() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["bench", "loss", "--only", "1024 x", "--seconds", "0.01", "--threads", "1"];
    let report: Value = serde_json::from_str(&fine(dir.path(), &[&args[..], &["--json"]].concat())).unwrap();
    assert_eq!((&report["device"], &report["threads"]), (&"cpu".into(), &1.into()));
    let cases = report["cases"].as_array().unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case["name"].as_str().unwrap()).collect();
    let losses = LOSSES.iter().map(|entry| entry.card.name);
    assert_eq!(names, losses.chain(["copy of the logits"]).collect::<Vec<_>>());
    for case in cases {
        let [lower, median, upper] = ["lower_ms", "median_ms", "upper_ms"].map(|key| case[key].as_f64().unwrap());
        assert!(0.0 < lower && lower <= median && median <= upper && case["runs"].as_u64().unwrap() >= 3, "{case}");
    }
    let table = fine(dir.path(), &args);
    assert!(table.contains("1024 x 1204") && table.contains("rows/s"), "{table}");
}

#[test]
fn parts_and_seconds_that_make_no_sense_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = refused(dir.path(), &["bench", "lose"]);
    assert!(error.contains("`lose`") && error.contains("loss, ops, step"), "{error}");
    assert!(refused(dir.path(), &["bench", "eval", "--seconds", "nan"]).contains("--seconds"));
    assert!(refused(dir.path(), &["bench", "eval", "--only", "nothing has this"]).contains("nothing has this"));
}
