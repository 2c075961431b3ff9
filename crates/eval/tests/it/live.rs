//! The live view and the symptoms: what they show, in every width, and what they say of runs that went wrong.

use equipoise_eval::live::{LEAST_WIDTH, Screen, board, lines};
use equipoise_eval::record::RunRecord;
use equipoise_eval::symptoms::{Symptom, symptoms};

use crate::synthetic::{run, sets};

fn sample() -> RunRecord {
    let (train, val) = sets(40, None);
    run("eqlv2", "EQL v2", "eqlv2", 0.3, 1, &train, &val)
}

fn shown(run: &RunRecord, width: usize) -> String {
    lines(run, width, false).join("\n")
}

#[test]
fn a_run_under_way_in_three_widths() {
    let mut run = sample();
    run.metrics = None;
    run.history.truncate(120);
    run.validation.truncate(2);
    run.ledger.retain(|row| row.step <= 1000);
    insta::assert_snapshot!(shown(&run, 60), @"
    EQL v2  step 1,200/2,000  epoch 4.80  lr 2.00e-2
    loss      ██▇▆▆▆▆▅▅▅▄▄▄▄▄▃▄▄▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▂▃▂▂▂▃▂▂ 1.158
              cls 0.770  box 0.206  rpn 0.181
    scores    AP 14.8  APr 8.2  APc 13.9  APf 23.6  step 800
    rare      ▁▂▃▄ g 0.41
    common    ▂▃▄▅ g 0.60
    frequent  ▂▄▆█ g 0.90
    ");
    insta::assert_snapshot!(shown(&run, 80), @"
    EQL v2  step 1,200/2,000  epoch 4.80  lr 2.00e-2
    loss      ██▇▇▇▆▆▆▅▅▅▄▄▄▄▄▃▄▄▄▄▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▂▂▂▂▃▂▂ 1.158
              cls 0.770  box 0.206  rpn 0.181
    scores    AP 14.8  APr 8.2  APc 13.9  APf 23.6  step 800
    rare      ▁▂▃▄ g 0.41
    common    ▂▃▄▅ g 0.60
    frequent  ▂▄▆█ g 0.90
    ");
    insta::assert_snapshot!(shown(&run, 120), @"
    EQL v2  step 1,200/2,000  epoch 4.80  lr 2.00e-2
    loss      ██▇▇▇▆▆▆▅▅▅▄▄▄▄▄▃▄▄▄▄▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▃▂▂▂▂▃▂▂ 1.158
              cls 0.770  box 0.206  rpn 0.181
    scores    AP 14.8  APr 8.2  APc 13.9  APf 23.6  step 800
    rare      ▁▂▃▄ g 0.41
    common    ▂▃▄▅ g 0.60
    frequent  ▂▄▆█ g 0.90
    ");
}

#[test]
fn a_run_that_went_wrong_says_so() {
    let mut run = sample();
    run.metrics = None;
    run.ledger.iter_mut().for_each(|row| (row.ratio, row.q, row.r) = (1.02, 1.3, 0.96));
    run.meta.title = "odd \u{1b}[31m name".into();
    insta::assert_snapshot!(shown(&run, 60), @"
    odd �[31m name  step 2,000/2,000  epoch 8.00  lr 2.00e-2
    loss      █▇▇▆▆▅▄▄▄▄▄▄▃▃▃▃▃▃▃▃▃▃▃▂▃▂▃▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂ 0.970
              cls 0.626  box 0.192  rpn 0.152
    scores    AP 37.0  APr 20.5  APc 34.7  APf 59.0  step 2,000
    rare      ██████ g 1.02
    common    ██████ g 1.02
    frequent  ██████ g 1.02
    ! Ratio never moved: between steps 100 and 2000 no ratio of
      40 classes changed by 1 % (the most: 0.00 %). The ledger
      is fed from the wrong tensor, or its sums are not
      committed.
    ! Saturated for all classes: at step 2000 each of 40 ratios
      is at least 1.02, so the loss weighs every class as one in
      balance and acts like the loss it is built on. More
      proposals for each object, or a longer training, bring the
      tail out of balance.
    ");
}

#[test]
fn no_line_is_too_wide_whatever_the_numbers() {
    let mut run = sample();
    run.history[150].loss = f64::NAN;
    run.history.iter_mut().for_each(|row| row.classification = 1e300);
    run.ledger.iter_mut().step_by(3).for_each(|row| row.ratio = f64::INFINITY);
    run.ledger.iter_mut().step_by(4).for_each(|row| row.ratio = f64::NAN);
    for width in [0, 1, 40, 60, 80, 120, 500] {
        for line in lines(&run, width, false) {
            assert!(line.chars().count() <= width.max(40), "{line}");
        }
    }
    run.history.iter_mut().for_each(|row| row.loss = 1e300);
    lines(&run, 40, false);
    assert_eq!(lines(&RunRecord::default(), 80, false).len(), 1);
}

#[test]
fn colours_change_nothing_but_colours() {
    let run = sample();
    let plain: Vec<String> = lines(&run, 80, true)
        .iter()
        .map(|line| {
            ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[33m", "\u{1b}[0m"]
                .iter()
                .fold(line.clone(), |line, code| line.replace(code, ""))
        })
        .collect();
    assert_eq!(plain, lines(&run, 80, false));
    assert_ne!(plain, lines(&run, 80, true));
}

/// The run with its ledger and history changed.
fn with(change: impl FnOnce(&mut RunRecord)) -> Vec<Symptom> {
    let mut run = sample();
    change(&mut run);
    symptoms(&run)
}

#[test]
fn a_healthy_run_has_no_symptoms() {
    assert_eq!(symptoms(&sample()), []);
    assert_eq!(symptoms(&RunRecord::default()), []);
    assert_eq!(with(|run| run.ledger.iter_mut().for_each(|row| row.step /= 10)), [], "too early to say");
}

#[test]
fn each_symptom_is_seen() {
    let still = with(|run| {
        let first: Vec<f64> = run.ledger.iter().filter(|row| row.step == 100).map(|row| row.ratio).collect();
        run.ledger.iter_mut().for_each(|row| row.ratio = first[row.class_index] * (1.0 + 1e-6 * row.step as f64));
    });
    assert!(matches!(still[..], [Symptom::NeverMoved { steps: (100, 2000), classes: 40, .. }]), "{still:?}");
    assert!(still[0].to_string().starts_with("Ratio never moved: between steps 100 and 2000"), "{}", still[0]);
    let high = with(|run| run.ledger.iter_mut().for_each(|row| row.r = 0.96 + row.ratio / 1000.0));
    assert!(matches!(high[..], [Symptom::SaturatedHigh { step: 2000, classes: 40, .. }]), "{high:?}");
    let low = with(|run| run.ledger.iter_mut().for_each(|row| row.r = 0.01));
    assert!(matches!(low[..], [Symptom::SaturatedLow { .. }]), "{low:?}");
    let unweighted = with(|run| run.ledger.iter_mut().for_each(|row| (row.q, row.r) = (1.0, 1.0)));
    assert_eq!(unweighted, [], "a loss that does not weigh is not saturated");
    let unfed = with(|run| run.ledger.iter_mut().for_each(|row| (row.positive, row.negative) = (0.0, 0.0)));
    assert_eq!(unfed, [Symptom::NoGradients { step: 2000 }]);
    let unseen = with(|run| run.ledger.iter_mut().filter(|row| row.class_index < 5).for_each(|row| row.positive = 0.0));
    let [Symptom::NeverPositive { names, .. }] = &unseen[..] else { panic!("{unseen:?}") };
    assert!(names.len() == 5 && unseen[0].to_string().contains(" and 2 more)"), "{}", unseen[0]);
    let rose = with(|run| run.history.iter_mut().for_each(|row| row.loss = row.step as f64));
    assert!(matches!(rose[..], [Symptom::LossRose { .. }]), "{rose:?}");
    let broken = with(|run| run.history[3].loss = f64::INFINITY);
    assert_eq!(broken[0], Symptom::NotFinite { step: 40 });
}

fn shown_board(under_way: &[RunRecord], done: &[RunRecord], width: usize, height: usize) -> Vec<String> {
    let lines = board(under_way, done, Screen { width, height, colour: false });
    assert!(lines.len() <= height, "{} lines on {height}:\n{}", lines.len(), lines.join("\n"));
    assert!(lines.iter().all(|line| line.chars().count() <= width), "{}", lines.join("\n"));
    lines
}

fn under_way(title: &str, seed: u64) -> RunRecord {
    let mut run = sample();
    run.metrics = None;
    run.history.truncate(120);
    run.validation.truncate(2);
    run.ledger.retain(|row| row.step <= 1000);
    (run.meta.title, run.meta.seed) = (title.into(), seed);
    run
}

#[test]
fn two_trainings_stand_one_below_the_other_or_side_by_side() {
    let two = [under_way("Sigmoid BCE", 0), under_way("EQL v2", 0)];
    let below = shown_board(&two, &[], 79, 21);
    // As `lines` shows a run of that name.
    let alone = |run: &RunRecord, width| {
        let mut named = run.clone();
        named.meta.title += " seed 0";
        lines(&named, width, false)
    };
    let [first, second] = [0, 1].map(|at| alone(&two[at], 79));
    assert_eq!(below, [&first[..], &[String::new()], &second[..]].concat(), "whole, with a line between them");
    let beside = shown_board(&two, &[], 119, 27);
    let [first, second] = [0, 1].map(|at| alone(&two[at], 58));
    assert_eq!(first[0].chars().count(), 36, "epoch and rate do not fit: {}", first[0]);
    let rows: Vec<String> = first.iter().zip(&second).map(|(a, b)| format!("{a:58}   {b}")).collect();
    assert_eq!(beside, rows.iter().map(|row| row.trim_end().to_string()).collect::<Vec<_>>());
    // Where both do not fit whole, the parts of the loss go first.
    let short = shown_board(&two, &[], 79, 14);
    assert!(short.len() == 13 && !short.iter().any(|line| line.contains("cls ")), "{}", short.join("\n"));
    assert_eq!(shown_board(&two, &[], 79, 5).len(), 2);
}

#[test]
fn what_is_done_follows_the_best_first() {
    let mut done: Vec<RunRecord> =
        (0..6).map(|seed| RunRecord { metrics: sample().metrics, ..under_way("LDAM", seed) }).collect();
    done[3].metrics.as_mut().unwrap().set("AP", Some(0.9));
    let lines = shown_board(&[under_way("EQL v2", 2)], &done, 79, 12);
    let at = lines.iter().position(|line| line == "done (6), best AP first").unwrap();
    assert!(lines[at + 1].starts_with("LDAM seed 3  AP 90.0  APr "), "{}", lines.join("\n"));
    assert!(lines.last().unwrap().ends_with(" more"), "{}", lines.join("\n"));
}

/// Whatever the terminal: nothing is wider or higher than it, and the first training is always told of.
#[test]
fn a_board_fits_every_terminal() {
    let many: Vec<RunRecord> = (0..9).map(|seed| under_way("Equalization loss", seed)).collect();
    for height in [2, 3, 5, 8, 21, 40, 100] {
        for width in [LEAST_WIDTH, 60, 79, 119, 200] {
            for count in [1, 2, 4, 9] {
                let lines = shown_board(&many[..count], &many[..5], width, height);
                assert!(height < 5 || lines[0].contains("Equalization loss seed 0"), "{}", lines.join("\n"));
            }
        }
    }
    assert!(board(&[], &[], Screen { width: 80, height: 24, colour: true }).is_empty());
    let coloured = board(&many[..2], &[], Screen { width: 119, height: 27, colour: true });
    assert!(coloured[0].contains("\u{1b}[1m") && coloured[0].matches("Equalization").count() == 2);
}
