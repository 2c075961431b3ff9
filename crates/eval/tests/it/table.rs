//! Terminal tables as a person sees them.

use equipoise_eval::table::{Align, MAX_WIDTH, Table, percent, points};
use proptest::prelude::*;

fn runs(unicode: bool) -> String {
    let mut table = Table::new(&[("run", Align::Left), ("AP", Align::Right), ("APr", Align::Right)]).unicode(unicode);
    table.row(&["Sigmoid BCE", &percent(Some(0.2031)), &percent(Some(0.048))]);
    table.row(&["EQL v2", &percent(Some(0.2099)), &percent(None)]);
    table.row(&["difference", &points(Some(0.0068))]);
    table.render()
}

#[test]
fn columns_are_aligned() {
    insta::assert_snapshot!(runs(true), @"
    run            AP  APr
    ──────────────────────
    Sigmoid BCE  20.3  4.8
    EQL v2       21.0    –
    difference   +0.7
    ");
    insta::assert_snapshot!(runs(false).lines().nth(1).unwrap(), @"----------------------");
}

#[test]
fn numbers_say_what_they_are() {
    assert_eq!([percent(Some(1.0)), percent(None)], ["100.0", "–"]);
    assert_eq!(
        [points(Some(0.0312)), points(Some(-0.0312)), points(Some(0.0004)), points(None)],
        ["+3.1", "−3.1", "±0.0", "–"]
    );
}

#[test]
fn long_text_is_shortened_and_control_characters_are_shown() {
    let mut table = Table::new(&[("class", Align::Left), ("AP", Align::Right)]);
    table.row(&["x".repeat(300).as_str(), "12.5"]);
    table.row(&["red\u{1b}[31m\nline", "0.0"]);
    let text = table.render();
    assert_eq!(text.lines().count(), 4);
    assert!(text.lines().all(|line| line.chars().count() <= MAX_WIDTH), "{text}");
    assert!(text.contains("x…") && text.contains("red\u{fffd}[31m\u{fffd}line"), "{text}");
}

proptest! {
    #[test]
    fn every_line_fits(cells in prop::collection::vec(prop::collection::vec(".{0,60}", 0..9), 0..6), columns in 0_usize..14) {
        let names: Vec<String> = (0..columns).map(|c| format!("column {c}")).collect();
        let columns: Vec<(&str, Align)> =
            names.iter().enumerate().map(|(c, n)| (n.as_str(), if c % 2 == 0 { Align::Left } else { Align::Right })).collect();
        let mut table = Table::new(&columns);
        cells.iter().for_each(|row| table.row(row));
        let text = table.render();
        prop_assert_eq!(text.lines().count(), cells.len() + 2);
        prop_assert!(text.lines().all(|line| line.chars().count() <= MAX_WIDTH));
    }
}
