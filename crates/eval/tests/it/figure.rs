//! Figures: what is in them, that they rasterise, and that odd runs do not break them.

use equipoise_data::{Bitmap, Group};
use equipoise_eval::figure::{Figure, class_ap, class_histogram, gradient_ratio, loss_curves, ratio_over_steps};
use equipoise_eval::record::{RunMeta, RunRecord};
use equipoise_eval::{LabelledBox, RunLengths, annotate};
use image::RgbImage;

use crate::synthetic::{run, sets};
use crate::world::truth;

fn two_runs() -> Vec<RunRecord> {
    let (train, val) = sets(24, None);
    vec![
        run("baseline", "Sigmoid <BCE>", "sigmoid", 0.1, 1, &train, &val),
        run("eqlv2", "EQL v2", "eqlv2", 0.5, 1, &train, &val),
    ]
}

fn all(runs: &[RunRecord]) -> Vec<Figure> {
    [gradient_ratio(runs), class_ap(runs), loss_curves(runs), ratio_over_steps(&runs[0], "ratio_over_steps")]
        .into_iter()
        .flatten()
        .collect()
}

/// No attribute may hold a number that is none.
fn sound(figure: &Figure) {
    for bad in ["NaN", "inf", "<BCE>"] {
        assert!(!figure.svg.contains(bad), "{bad} in {}", figure.name);
    }
    let png = figure.png().unwrap();
    let picture = image::load_from_memory(&png).unwrap().to_rgb8();
    assert_eq!(picture.width(), 1920);
    let colours: std::collections::BTreeSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
    assert!(colours.len() > 50, "{} is not blank", figure.name);
}

#[test]
fn every_figure_names_its_runs_and_groups() {
    let runs = two_runs();
    let figures = all(&runs);
    assert_eq!(
        figures.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(),
        ["gradient_ratio", "class_ap", "loss_curves", "ratio_over_steps"]
    );
    figures.iter().for_each(sound);
    for figure in &figures[..3] {
        assert!(figure.svg.contains("Sigmoid &lt;BCE&gt;") && figure.svg.contains("EQL v2"), "{}", figure.name);
    }
    for figure in &figures[..2] {
        assert!(figure.svg.contains("rare ·") && figure.svg.contains("frequent ·"), "{}", figure.name);
    }
    assert!(figures[3].svg.contains("step 2,000"));
}

#[test]
fn a_figure_has_the_same_bytes_each_time() {
    let draw = || all(&two_runs()).iter().map(|f| f.png().unwrap()).collect::<Vec<_>>();
    assert_eq!(draw(), draw());
}

#[test]
fn a_run_keeps_its_colour_whatever_stands_beside_it() {
    let runs = two_runs();
    let stroke = |figure: Figure| {
        let blue = figure.svg.matches("s-run0").count();
        (blue > 0, figure.svg.contains("s-run1"))
    };
    assert_eq!(stroke(gradient_ratio(&runs).unwrap()), (true, true));
    assert_eq!(stroke(gradient_ratio(&runs[1..]).unwrap()), (true, false), "EQL v2 is blue alone, too");
    assert_eq!(stroke(gradient_ratio(&runs[..1]).unwrap()), (false, true));
}

#[test]
fn ratios_beyond_the_axis_are_clipped_and_counted() {
    let mut runs = two_runs();
    for (row, odd) in runs[0].ledger.iter_mut().rev().zip([100.0, f64::INFINITY, f64::NAN, -0.0]) {
        row.ratio = odd;
    }
    let figure = gradient_ratio(&runs).unwrap();
    assert!(figure.svg.contains("2 values above the axis"), "{}", &figure.svg[..1500]);
    sound(&figure);
    sound(&ratio_over_steps(&runs[0], "steps").unwrap());
}

#[test]
fn runs_without_anything_draw_nothing() {
    let bare = RunRecord { meta: RunMeta::default(), ..RunRecord::default() };
    assert!(all(std::slice::from_ref(&bare)).is_empty());
    assert!(gradient_ratio(&[]).is_none() && class_ap(&[]).is_none() && loss_curves(&[]).is_none());
    let mixed = [bare, two_runs().remove(1)];
    for figure in [gradient_ratio(&mixed), class_ap(&mixed), loss_curves(&mixed)] {
        sound(&figure.unwrap());
    }
}

#[test]
fn one_class_and_twelve_runs_are_fine() {
    let (train, val) = sets(1, None);
    let one = run("one", "One", "one", 0.5, 1, &train, &val);
    all(&[one]).iter().for_each(sound);
    sound(&class_histogram(&train).unwrap());
    let twelve: Vec<RunRecord> = two_runs().into_iter().cycle().take(12).collect();
    let figure = gradient_ratio(&twelve).unwrap();
    sound(&figure);
    assert!(figure.svg.contains("EQL v2 (run 2)") && figure.svg.contains("EQL v2 (run 12)"));
    assert!(figure.svg.contains("stroke-dasharray=\"7 3\""), "more runs than colours are told apart by dashes");
}

#[test]
fn the_histogram_names_few_classes_and_takes_many() {
    let few = class_histogram(&truth(&[Group::Rare, Group::Frequent], &[])).unwrap();
    assert!(few.svg.contains("class 0") && few.svg.contains("503 objects of 2 classes"));
    sound(&few);
    sound(&class_histogram(&sets(300, None).0).unwrap());
    assert!(class_histogram(&truth(&[], &[])).is_none());
}

#[test]
fn annotations_change_the_picture_where_the_boxes_are() {
    let grey = RgbImage::from_pixel(800, 700, image::Rgb([128, 128, 128]));
    let labelled =
        LabelledBox { bbox: [300.0, 300.0, 500.0, 500.0], name: "owl".into(), score: Some(0.9), class: 3, mask: None };
    let drawn = annotate(&grey, std::slice::from_ref(&labelled)).unwrap();
    assert_eq!(drawn.dimensions(), (800, 700));
    assert_ne!(drawn.get_pixel(400, 300), grey.get_pixel(400, 300), "the upper edge is drawn");
    assert_eq!(drawn.get_pixel(400, 400), grey.get_pixel(400, 400), "the inside is left alone");
    assert_eq!(annotate(&grey, &[]).unwrap(), grey);
    let hostile = LabelledBox {
        bbox: [f32::NAN, -1e9, 1e9, 1e9],
        name: "<&\u{0}>".into(),
        score: None,
        class: usize::MAX,
        mask: None,
    };
    assert_eq!(annotate(&grey, std::slice::from_ref(&hostile)).unwrap(), grey, "a box without a place is not drawn");
    annotate(&grey, &[LabelledBox { bbox: [-1e9, -1e9, 1e9, 1e9], ..hostile }]).unwrap();
}

#[test]
fn a_mask_is_tinted_and_nothing_else() {
    let grey = RgbImage::from_pixel(96, 64, image::Rgb([128, 128, 128]));
    let square = Bitmap::from_fn([20, 10, 40, 30], |_, _| true);
    let of = |size: [usize; 2]| Some(Box::new(RunLengths { size, counts: square.packed([64, 96]) }));
    let bbox = [60.0, 40.0, 80.0, 60.0];
    let labelled = LabelledBox { bbox, name: String::new(), score: None, class: 0, mask: of([64, 96]) };
    let drawn = annotate(&grey, std::slice::from_ref(&labelled)).unwrap();
    // Seven times as large; the box is elsewhere.
    for (x, y, inside) in [(20, 10, true), (30, 20, true), (39, 29, true), (19, 20, false), (30, 30, false)] {
        assert_eq!(*drawn.get_pixel(7 * x + 3, 7 * y + 3) != image::Rgb([128; 3]), inside, "{x} {y}");
    }
    let other = LabelledBox { mask: of([96, 64]), ..labelled.clone() };
    assert_eq!(annotate(&grey, &[other]).unwrap(), annotate(&grey, &[LabelledBox { mask: None, ..labelled }]).unwrap());
}

#[test]
fn a_small_picture_is_enlarged_so_that_names_fit() {
    let small = RgbImage::from_pixel(96, 64, image::Rgb([9, 9, 9]));
    let labelled =
        LabelledBox { bbox: [10.0, 10.0, 40.0, 40.0], name: "owl".into(), score: None, class: 0, mask: None };
    assert_eq!(annotate(&small, &[labelled]).unwrap().dimensions(), (672, 448));
    assert_eq!(annotate(&RgbImage::new(1, 1), &[]).unwrap().dimensions(), (8, 8));
    assert!(annotate(&RgbImage::new(0, 5), &[]).is_err());
}
