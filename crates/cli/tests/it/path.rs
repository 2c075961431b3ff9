//! The whole path on a tiny set: train two losses, score, predict, report.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::program::{equipoise, fine};
use crate::world::{train, write};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn metrics_of(dir: &Path, run: &str) -> Value {
    json(&std::fs::read_to_string(dir.join(run).join("metrics.json")).unwrap())
}

#[test]
fn trained_runs_are_scored_shown_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    for (loss, out) in [("sigmoid_bce", "baseline"), ("eqlv2", "eqlv2")] {
        fine(dir, &train(loss, out));
    }
    scored(dir);
    predicted(dir);
    reported(dir);
    resumed(dir);
}

/// A run knows its data wherever both lie, and after both were moved together.
#[test]
fn a_run_far_from_its_data_finds_them() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("before");
    std::fs::create_dir(&dir).unwrap();
    write(&dir);
    fine(&dir, &train("eqlv2", "deep/er/run"));
    let moved = outer.path().join("after");
    std::fs::rename(&dir, &moved).unwrap();
    let again = json(&fine(&moved, &["eval", "--run", "deep/er/run", "--json"]));
    assert_eq!((&again["truth"], &again["metrics"]), (&"data/val.json".into(), &metrics_of(&moved, "deep/er/run")));
    fine(&moved, &["report", "deep/er/run"]);
    assert!(moved.join("deep/er/run/report.html").is_file());
    std::fs::rename(moved.join("data"), moved.join("gone")).unwrap();
    let ran = equipoise(&moved, &["eval", "--run", "deep/er/run"]);
    assert!(ran.code == 2 && ran.err.contains("--gt"), "{}", ran.err);
}

/// Validation during a run: a row each time, the best checkpoint, and a clear word when there is nothing to validate on.
#[test]
fn a_run_that_is_validated_keeps_its_best() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    let keys = ["--epochs", "2", "--set", "validate_every=0.5"];
    fine(dir, &[&train("eqlv2", "run")[..], &keys].concat());
    let text = std::fs::read_to_string(dir.join("run/validation.csv")).unwrap();
    let steps: Vec<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(steps, ["2", "4", "6", "8"]);
    let last = text.lines().last().unwrap().split(',').nth(2).unwrap().parse::<f64>().unwrap();
    assert_eq!(Some(last), metrics_of(dir, "run")["AP"].as_f64());
    fine(
        dir,
        &["predict", "--run", "run/checkpoints/best", "--data", "data/val.json", "--out", "best", "--no-pictures"],
    );
    // Going on with a finished run scores it again and leaves one row for each step.
    fine(dir, &["train", "--out", "run", "--threads", "1", "--resume"]);
    assert_eq!(std::fs::read_to_string(dir.join("run/validation.csv")).unwrap(), text);
    let blind = ["train", "--data", "data/train.json", "--recipe", "recipe.toml", "--out", "blind"];
    let ran = equipoise(dir, &[&blind[..], &keys].concat());
    assert!(ran.code == 2 && ran.err.contains("--val"), "{}", ran.err);
}

/// The cells of a comparison are trained once, tabled by method, and planned without training.
#[test]
fn methods_are_compared_over_seeds() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    let data = ["compare", "--data", "data/train.json", "--val", "data/val.json", "--recipe", "recipe.toml"];
    let methods = ["--loss", "sigmoid_bce,eqlv2", "--seeds", "2", "--out", "cmp", "--threads", "2"];
    let command = [&data[..], &methods].concat();
    let plan = json(&fine(dir, &[&command[..], &["--list", "--json"]].concat()));
    assert_eq!(plan["cells"].as_array().unwrap().len(), 4);
    assert_eq!((&plan["cells"][0]["state"], &plan["cells"][3]["seed"]), (&"new".into(), &1.into()));
    assert!(plan["estimated_seconds"].as_f64().unwrap() > 0.0);
    assert!(!dir.join("cmp").exists(), "a plan leaves nothing behind");

    let first = json(&fine(dir, &[&command[..], &["--json"]].concat()));
    let (baseline, rival) = (&first["methods"][0], &first["methods"][1]);
    assert_eq!((&baseline["title"], &rival["title"]), (&"Sigmoid BCE".into(), &"EQL v2".into()));
    assert!(baseline["metrics"][0]["difference"].is_null());
    let of_run = |run: &str| metrics_of(&dir.join("cmp"), run)["AP"].as_f64().unwrap();
    let (a, b) = (of_run("sigmoid-bce-s0"), of_run("sigmoid-bce-s1"));
    let ap = &baseline["metrics"][0];
    assert_eq!((&ap["values"][0], &ap["values"][1]), (&a.into(), &b.into()));
    assert!((ap["mean"].as_f64().unwrap() - (a + b) / 2.0).abs() < 1e-12);
    let difference = (of_run("eql-v2-s0") - a + of_run("eql-v2-s1") - b) / 2.0;
    assert!((rival["metrics"][0]["difference"]["mean"].as_f64().unwrap() - difference).abs() < 1e-12);
    assert!(dir.join("cmp/report.html").is_file() && dir.join("cmp/compare.json").is_file());
    let again = json(&fine(dir, &["report", "cmp", "--json"]));
    assert_eq!(again["runs"][0]["name"], "sigmoid-bce-s0", "the baseline is the comparison's, not the first by name");

    // What is done is not done again, and another recipe is not mixed in.
    let checkpoint = dir.join("cmp/eql-v2-s1/checkpoints/last/checkpoint.safetensors");
    let written = std::fs::metadata(&checkpoint).unwrap().modified().unwrap();
    let ran = equipoise(dir, &command);
    assert!(ran.code == 0 && ran.err.contains("done before"), "{}", ran.err);
    assert_eq!(std::fs::metadata(&checkpoint).unwrap().modified().unwrap(), written);
    let ran = equipoise(dir, &[&command[..], &["--set", "optimizer.lr=0.5"]].concat());
    assert!(ran.code == 2 && ran.err.contains("sigmoid-bce-s0"), "{}", ran.err);
    let ran = equipoise(dir, &[&data[..], &["--loss", "eqlv2,eqlv2"]].concat());
    assert!(ran.code == 2 && ran.err.contains("twice"), "{}", ran.err);
    let own = [&data[..], &["--loss", "sigmoid_bce,eqlv2+class-aware", "--list", "--json", "--seeds", "1"]].concat();
    let plan = json(&fine(dir, &own));
    let methods = [0, 1].map(|cell| plan["cells"][cell]["method"].as_str().unwrap().to_string());
    assert_eq!(methods, ["Sigmoid BCE", "EQL v2, class-aware"]);
    let ran = equipoise(dir, &[&own[..], &["--sampler", "uniform"]].concat());
    assert!(ran.code == 2 && ran.err.contains("leave one of them out"), "{}", ran.err);

    // A loss with options, and one that has nothing to do here and says so.
    let own = ["--loss", "eql,eql:lambda=0.9:prior=0.02", "--list", "--json", "--seeds", "1"];
    let ran = equipoise(dir, &[&data[..], &own].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(json(&ran.out)["cells"][1]["method"], "EQL v1, lambda=0.9, prior=0.02");
    assert!(ran.err.contains("note: `EQL v1`: every class is in 0.0011 or more"), "{}", ran.err);
    assert!(!ran.err.contains("note: `EQL v1, lambda"), "{}", ran.err);
    let ran = equipoise(dir, &[&data[..], &["--loss", "eql:lamda=0.9", "--list"]].concat());
    assert!(ran.code == 2 && ran.err.contains("did you mean `lambda`?"), "{}", ran.err);
}

/// The second stage of a run, its calibration and its thresholds, and what `predict` makes of them.
#[test]
fn a_run_is_improved_after_training() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    fine(dir, &train("softmax_ce", "first"));
    let before = metrics_of(dir, "first");

    let eval = ["eval", "--run", "first", "--calibrate", "norcal", "--json", "--threads", "1"];
    let said = json(&fine(dir, &eval));
    assert_eq!(said["calibration"]["tried"].as_array().unwrap().len(), 6, "as it was, and the grid");
    assert_eq!(said["calibration"]["stored"], false);
    assert!(dir.join("first/calibrated/metrics.json").is_file());
    assert_eq!(metrics_of(dir, "first"), before, "the run's own scores stay");

    let keep =
        ["eval", "--run", "first", "--calibrate", "logit-adjustment=2", "--thresholds", "0.5", "--store", "--json"];
    let said = json(&fine(dir, &keep));
    assert_eq!((&said["calibration"]["parameter"], &said["calibration"]["stored"]), (&2.0.into(), &true.into()));
    let classes = said["thresholds"]["classes"].as_array().unwrap().len();
    let predict = |out: &str, more: &[&str]| {
        let base = ["predict", "--run", "first", "--data", "data/val.json", "--no-pictures", "--out", out];
        let text = fine(dir, &[&base[..], more].concat());
        let found = json(&std::fs::read_to_string(dir.join(out).join("detections.json")).unwrap());
        (text, found)
    };
    let (text, calibrated) = predict("calibrated", &[]);
    assert!(!text.contains("are drawn"), "{text}");
    let shown = fine(dir, &["predict", "--run", "first", "--images", "data/v*/*.png", "--out", "drawn"]);
    assert!(shown.contains("50 % are right") && shown.contains("pictures/s"), "{shown}");
    assert_eq!(std::fs::read_dir(dir.join("drawn/pictures")).unwrap().count(), 4);
    let nothing = equipoise(dir, &["predict", "--run", "first", "--images", "data/*.tiff"]);
    assert!(nothing.code == 2 && nothing.err.contains("nothing is called"), "{}", nothing.err);
    fine(dir, &["eval", "--run", "first", "--calibrate", "none", "--store"]);
    let (_, plain) = predict("plain", &[]);
    assert_ne!(plain, calibrated);
    assert!(classes > 0);

    fine(dir, &["train", "--from", "first", "--decouple", "tau-norm", "--out", "tau", "--set", "decouple.tau=0.5"]);
    fine(dir, &["train", "--from", "first", "--decouple", "crt", "--out", "crt"]);
    for run in ["tau", "crt"] {
        assert!(metrics_of(dir, run)["AP"].is_number(), "{run}");
    }
    fine(dir, &["report", "first", "tau", "crt", "--out", "three"]);
    for (arguments, says) in [
        (&["eval", "--run", "first", "--store"][..], "--calibrate and --thresholds"),
        (&["eval", "--gt", "data/val.json", "--dt", "first/detections.json", "--thresholds", "0.5"], "--run"),
        (&["eval", "--run", "first", "--calibrate", "platt"], "norcal"),
        (&["train", "--data", "data/train.json", "--decouple", "crt"], "--from"),
        (&["train", "--from", "data", "--decouple", "crt", "--data", "data/train.json", "--out", "no"], "not a run"),
    ] {
        let ran = equipoise(dir, arguments);
        assert!(ran.code == 2 && ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
}

/// What Ctrl-C does to a training: a checkpoint, the command that goes on, and the exit code of shells.
#[cfg(unix)]
#[test]
fn a_training_that_is_interrupted_can_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir);
    let endless = [&train("eqlv2", "run")[..], &["--epochs", "100000"]].concat();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_equipoise"));
    let mut child = command.args(&endless).current_dir(dir).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let rows = || std::fs::read_to_string(dir.join("run/history.csv")).map_or(0, |text| text.lines().count());
    while rows() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "the training ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The shell's own `kill`: the program of that name is not on every machine.
    let interrupt = std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(interrupt.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("go on with: equipoise train --out run --resume --threads 1"), "{err}");
    assert!(dir.join("run/checkpoints/last/checkpoint.safetensors").is_file());
    assert!(!dir.join("run/metrics.json").exists());
}

/// The scores that training left are those of `eval`, from the run or from the files.
fn scored(dir: &Path) {
    let again = json(&fine(dir, &["eval", "--run", "eqlv2", "--json"]));
    assert_eq!(again["protocol"], "lvis");
    assert_eq!(again["metrics"], metrics_of(dir, "eqlv2"));
    let files = ["eval", "--gt", "data/val.json", "--dt", "eqlv2/detections.json", "--train", "data/train.json"];
    assert_eq!(json(&fine(dir, &[&files[..], &["--json"]].concat()))["metrics"], again["metrics"]);
    let packed = std::fs::File::create(dir.join("data/val.json.gz")).unwrap();
    let mut packed = GzEncoder::new(packed, Compression::fast());
    packed.write_all(&std::fs::read(dir.join("data/val.json")).unwrap()).unwrap();
    packed.finish().unwrap();
    let of_packed = files.map(|part| if part == "data/val.json" { "data/val.json.gz" } else { part });
    assert_eq!(json(&fine(dir, &[&of_packed[..], &["--json"]].concat()))["metrics"], again["metrics"]);
    let table = fine(dir, &[&files[..], &["--protocol", "coco", "--out", "scores"]].concat());
    assert!(table.contains("AP50") && table.contains("2 rare, 0 common, 0 frequent"), "{table}");
    assert!(dir.join("scores/metrics.json").is_file() && dir.join("scores/classes.csv").is_file());
}

/// A data set and a folder with the same pictures give the same boxes.
fn predicted(dir: &Path) {
    let of_set = ["predict", "--run", "eqlv2", "--data", "data/val.json", "--out", "set", "--threads", "1"];
    let summary = json(&fine(dir, &[&of_set[..], &["--json", "--score-threshold", "0"]].concat()));
    assert_eq!((&summary["pictures"], &summary["skipped"]), (&4.into(), &0.into()));
    let read = |path: &str| std::fs::read(dir.join(path)).unwrap();
    assert_eq!(read("set/detections.json"), read("eqlv2/detections.json"));
    assert!(summary["drawn"].as_u64().unwrap() > 0);
    let picture = image::open(dir.join("set/pictures/2.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (512, 512));

    let checkpoint = "eqlv2/checkpoints/last";
    let folder = ["predict", "--checkpoint", checkpoint, "--images", "data/val", "--out", "folder", "--no-pictures"];
    let text = fine(dir, &[&folder[..], &["--threads", "1"]].concat());
    assert!(text.contains("on 4 pictures"), "{text}");
    assert_eq!(read("folder/detections.json"), read("eqlv2/detections.json"));
    assert!(!dir.join("folder/pictures").exists());
    let list = json(&String::from_utf8(read("folder/images.json")).unwrap());
    assert_eq!(list["images"].as_array().unwrap().len(), 4);
    assert_eq!(list["categories"][1]["name"], "yak");

    // Pictures of one size: a pass of one and of all of them find the same.
    let single =
        ["predict", "--run", "eqlv2", "--images", "data/val", "--out", "single", "--no-pictures", "--batch", "1"];
    fine(dir, &single);
    let scores = |path: &str| -> Vec<f64> {
        let found = json(&String::from_utf8(read(path)).unwrap());
        found.as_array().unwrap().iter().map(|found| found["score"].as_f64().unwrap()).collect()
    };
    let (single, together) = (scores("single/detections.json"), scores("folder/detections.json"));
    assert_eq!(single.len(), together.len());
    assert!(single.iter().zip(&together).all(|(a, b)| (a - b).abs() < 1e-5));
    let ran = equipoise(dir, &["predict", "--run", "eqlv2", "--images", "data/val", "--batch", "0"]);
    assert!(ran.code == 2 && ran.err.contains("--batch"), "{}", ran.err);
}

/// A folder of runs is reported from itself, the same twice.
fn reported(dir: &Path) {
    let page = || std::fs::read_to_string(dir.join("report.html")).unwrap();
    let text = fine(dir, &["report", "."]);
    assert!(text.contains("Sigmoid BCE") && text.contains("EQL v2") && text.contains("report.html"), "{text}");
    let first = page();
    assert!(dir.join("figures").read_dir().unwrap().count() > 0);
    let summary = json(&fine(dir, &["report", ".", "--json"]));
    assert_eq!(summary["runs"][0]["name"], "baseline");
    assert_eq!(summary["runs"][1]["metrics"], metrics_of(dir, "eqlv2"));
    assert!(page() == first, "the same runs give another page");
    let ran = equipoise(dir, &["report", "eqlv2", "baseline"]);
    assert!(ran.code == 2 && ran.err.contains("--out"), "{}", ran.err);
    fine(dir, &["report", "eqlv2", "baseline", "--out", "other", "--title", "two < runs"]);
    assert!(std::fs::read_to_string(dir.join("other/report.html")).unwrap().contains("two &lt; runs"));
}

/// A finished run is gone on with and stays as it is; a new one does not overwrite it.
fn resumed(dir: &Path) {
    let before = metrics_of(dir, "eqlv2");
    fine(dir, &["train", "--out", "eqlv2", "--threads", "1", "--resume"]);
    assert_eq!(metrics_of(dir, "eqlv2"), before);
    let ran = equipoise(dir, &train("eqlv2", "eqlv2"));
    assert!(ran.code == 2 && ran.err.contains("--resume"), "{}", ran.err);
}
