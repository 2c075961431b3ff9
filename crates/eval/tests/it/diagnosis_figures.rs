//! The figures of the diagnosis: their numbers against the diagnosis, and runs that have little or odd ones.

use equipoise_data::Group;
use equipoise_eval::diagnosis::{Confusion, Diagnosis, ErrorKind};
use equipoise_eval::figure::{Figure, class_fates, class_or_box, error_costs, reliability, top_confusions};
use equipoise_eval::record::RunRecord;

use crate::synthetic::{run, sets};

fn runs(count: usize) -> Vec<RunRecord> {
    let (train, val) = sets(40, None);
    let one = |at: usize| {
        run(&format!("run{at}"), &format!("Loss <{at}>"), "a", 0.1 + 0.1 * at as f64, at as u64, &train, &val)
    };
    (0..count).map(one).collect()
}

fn all(runs: &[RunRecord]) -> Vec<Figure> {
    let all = [class_fates(runs), error_costs(runs), class_or_box(runs), top_confusions(runs), reliability(runs)];
    all.into_iter().flatten().collect()
}

/// No attribute may hold a number that is none, and text out of files is escaped.
fn sound(figure: &Figure) {
    for bad in ["NaN", "inf", "Loss <"] {
        assert!(!figure.svg.contains(bad), "{bad} in {}", figure.name);
    }
    let png = image::load_from_memory(&figure.png().unwrap()).unwrap().to_rgb8();
    let colours: std::collections::BTreeSet<[u8; 3]> = png.pixels().map(|p| p.0).collect();
    assert!(png.width() == 1920 && colours.len() > 20, "{} is not blank", figure.name);
}

fn diagnosis(run: &mut RunRecord) -> &mut Diagnosis {
    run.diagnosis.as_mut().unwrap()
}

#[test]
fn every_figure_shows_every_run_and_has_the_same_bytes_each_time() {
    for count in [1, 2, 4] {
        let runs = runs(count);
        let figures = all(&runs);
        let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(names, ["class_fates", "error_costs", "class_or_box", "top_confusions", "reliability"]);
        for figure in &figures {
            sound(figure);
            for at in 0..count {
                assert!(figure.svg.contains(&format!("Loss &lt;{at}&gt;")), "run {at} is missing in {}", figure.name);
            }
        }
        assert_eq!(figures, all(&runs));
    }
    // Of two seeds the first is drawn, of many methods the first four.
    let mut seeds = runs(6);
    seeds[1].meta.title = seeds[0].meta.title.clone();
    let figure = class_fates(&seeds).unwrap();
    let drawn: Vec<_> = (0..6).filter(|at| figure.svg.contains(&format!("Loss &lt;{at}&gt;"))).collect();
    assert_eq!(drawn, [0, 2, 3, 4]);
    assert!(figure.svg.contains("(seed 0)") && !figure.svg.contains("(seed 1)"));
}

#[test]
fn a_class_has_one_fate() {
    let mut runs = runs(1);
    let rows = &mut diagnosis(&mut runs[0]).classes;
    rows.truncate(5);
    for (row, at) in rows.iter_mut().zip(0..) {
        row.group = Group::Rare;
        row.never_in_validation = at == 0;
        // A class without objects that nothing claims is one that cannot be judged.
        row.never_predicted = at <= 1;
        row.swallowed_by = (at == 2).then(|| "yak".into());
        row.ap50 = Some(if at == 4 { 0.5 } else { 0.0 });
    }
    let svg = class_fates(&runs).unwrap().svg;
    assert!(svg.contains("5 classes"));
    for fate in ["AP50 above 0", "AP50 of 0", "swallowed", "never predicted", "not in validation"] {
        assert!(svg.contains(&format!("rare: 1 {fate}")), "{fate}");
    }
}

#[test]
fn costs_are_those_of_the_diagnosis() {
    let mut runs = runs(2);
    for group in &mut diagnosis(&mut runs[1]).groups {
        for share in &mut group.errors {
            share.cost = (group.group == Some(Group::Rare) && share.kind == ErrorKind::Location).then_some(0.3219);
        }
    }
    let svg = error_costs(&runs).unwrap().svg;
    assert!(svg.contains("Loss &lt;1&gt;, rare: loose box costs 32.2 points"));
    assert_eq!(svg.matches("Loss &lt;1&gt;, ").count(), 1, "what is not known is not drawn");
}

#[test]
fn confusions_begin_with_the_swallowed() {
    let mut runs = runs(1);
    let confusion = |class: usize, objects: u64, share: f64, swallowed: bool| Confusion {
        class_index: class,
        class: format!("class {class}"),
        taken_for_index: 0,
        taken_for: "yak".into(),
        objects,
        share,
        swallowed,
    };
    diagnosis(&mut runs[0]).confusions = vec![
        confusion(1, 40, 0.4, false),
        confusion(2, 2, 0.5, true),
        confusion(3, 9, 0.9, true),
        confusion(4, 0, f64::NAN, true),
    ];
    let svg = top_confusions(&runs).unwrap().svg;
    let places: Vec<_> = [3, 2, 1].iter().map(|k| svg.find(&format!("data-class=\"{k}\"")).unwrap()).collect();
    assert!(places.is_sorted() && !svg.contains("data-class=\"4\""));
    assert!(svg.contains("class 3 · 9 of 10 objects are called yak") && svg.contains(">2 of 4<"));
    assert!(svg.contains("3 swallowed"), "all are counted, whether they are drawn or not");
    diagnosis(&mut runs[0]).confusions.clear();
    assert_eq!(top_confusions(&runs), None);
}

#[test]
fn calibration_is_that_of_the_diagnosis() {
    let mut runs = runs(1);
    let rare = diagnosis(&mut runs[0]).groups.iter_mut().find(|g| g.group == Some(Group::Rare)).unwrap();
    rare.calibration_error = Some(0.1234);
    rare.reliability.iter_mut().for_each(|bin| bin.detections = 0);
    rare.reliability[7] =
        equipoise_eval::diagnosis::Bin { low: 0.4, high: 0.5, detections: 8, confidence: 0.45, precision: 0.25 };
    let svg = reliability(&runs).unwrap().svg;
    assert!(svg.contains("rare: 8 detections scored 0.40 to 0.50, 25.0 % right") && svg.contains(">12.3<"));
    assert_eq!(svg.matches(", rare: ").count(), 1, "empty bins are not drawn");
}

#[test]
fn runs_without_a_diagnosis_draw_nothing_and_odd_ones_are_sound() {
    let mut two = runs(2);
    assert!(all(&[]).is_empty() && all(&[RunRecord::default()]).is_empty());
    two[0].diagnosis = None;
    all(&two).iter().for_each(sound);
    let odd = diagnosis(&mut two[1]);
    for group in &mut odd.groups {
        group.calibration_error = Some(f64::NAN);
        group
            .errors
            .iter_mut()
            .zip([f64::NAN, f64::INFINITY, -0.5, 1e300])
            .for_each(|(share, odd)| share.cost = Some(odd));
        group.reliability.iter_mut().for_each(|bin| bin.precision = f64::NAN);
    }
    for row in &mut odd.classes {
        (row.class_cost, row.location_cost, row.ap50) = (Some(f64::NAN), Some(9.0), Some(f64::NAN));
    }
    odd.classes[0].class_cost = Some(-1.0);
    odd.classes.truncate(3);
    all(&two).iter().for_each(|figure| drop(figure.png().unwrap()));
    let bare = RunRecord { diagnosis: Some(Diagnosis::default()), ..RunRecord::default() };
    all(&[bare]).iter().for_each(|figure| drop(figure.png().unwrap()));
}
