//! The table that `eval` prints, and what each of its numbers is taken over.

use equipoise_data::{Dataset, Group};
use equipoise_eval::compare::ImageComparison;
use equipoise_eval::protocol::{Evaluation, PROTOCOLS};
use equipoise_eval::table::{Align, Table, percent, points};

/// Classes that a comparison lists, those with the clearest differences.
const CLASSES: usize = 10;

/// The scores with their protocol, groups and caps.
pub fn scores(truth: &Dataset, detections: usize, groups: &str, evaluation: &Evaluation) -> String {
    let title = PROTOCOLS.iter().find(|p| p.name() == evaluation.protocol).map_or("", |p| p.title());
    let of = |group| truth.categories.iter().filter(|c| c.group == group).count();
    let mut out = format!("{title}\n{detections} detections on {} pictures\n", truth.images.len());
    out += &format!(
        "{} rare, {} common, {} frequent classes: {groups}\n\n",
        of(Group::Rare),
        of(Group::Common),
        of(Group::Frequent)
    );
    let mut table = Table::new(&[("metric", Align::Left), ("%", Align::Right), ("over", Align::Left)]);
    for (key, value) in evaluation.metrics.iter() {
        table.row(&[key, &percent(value), &meaning(evaluation.protocol, key)]);
    }
    out + &table.render()
}

/// How another detector differs on the same pictures.
pub fn comparison(truth: &Dataset, other: &str, compared: &ImageComparison) -> String {
    let mut out = format!("\ndifference of these detections to `{other}`, 95 % interval over pictures\n\n");
    let columns =
        [("", Align::Left), ("points", Align::Right), ("from", Align::Right), ("to", Align::Right), ("", Align::Left)];
    let mut table = Table::new(&columns);
    let mut row = |name: &str, d: &equipoise_eval::compare::PairedDifference| {
        let verdict = if d.is_clear() { "clear" } else { "may be luck" };
        table.row(&[name, &points(Some(d.mean)), &points(Some(d.low)), &points(Some(d.high)), verdict]);
    };
    for (name, difference) in &compared.groups {
        if let Some(difference) = difference {
            row(name, difference);
        }
    }
    let mut clear: Vec<_> = compared.classes.iter().zip(&truth.categories).collect();
    clear.retain(|(d, _)| d.is_some_and(|d| d.is_clear()));
    clear.sort_by(|(a, _), (b, _)| {
        b.map(|d| d.mean.abs()).partial_cmp(&a.map(|d| d.mean.abs())).unwrap_or(std::cmp::Ordering::Equal)
    });
    for (difference, category) in clear.iter().take(CLASSES) {
        if let Some(difference) = difference {
            row(&category.name, difference);
        }
    }
    out += &table.render();
    let hidden = clear.len().saturating_sub(CLASSES);
    if hidden > 0 {
        out += &format!("and {hidden} more classes with a clear difference\n");
    }
    out
}

/// What a metric is taken over, read from its name.
fn meaning(protocol: &str, key: &str) -> String {
    let (plain, how) = if let Some(plain) = key.strip_suffix("_fixed") {
        (plain, ", AP-Fixed")
    } else if let Some(plain) = key.strip_suffix("_pool") {
        (plain, ", AP-Pool")
    } else {
        (key, "")
    };
    let (kind, rest) = if let Some(rest) = plain.strip_prefix("AP") {
        ("precision", rest)
    } else if let Some(rest) = plain.strip_prefix("AR") {
        ("recall", rest)
    } else {
        return String::new();
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let objects = match &rest[digits.len()..] {
        "" => "all classes",
        "s" => "small objects",
        "m" => "medium objects",
        "l" => "large objects",
        "r" => "rare classes",
        "c" => "common classes",
        "f" => "frequent classes",
        _ => return String::new(),
    };
    if protocol == "openimages" {
        return match (kind, digits.as_str()) {
            ("precision", "" | "50") => format!("average precision at IoU 0.50, {objects}"),
            ("precision", fifth) => format!("the same, fifth {fifth} of the classes, 1 having the fewest instances"),
            _ => format!("recall at IoU 0.50, {objects}"),
        };
    }
    match (kind, digits.as_str()) {
        (kind, "") => format!("average {kind}, IoU 0.50 to 0.95, {objects}{how}"),
        ("recall", most) => format!("average recall of the {most} best detections of a picture, {objects}"),
        (kind, iou) => format!("average {kind} at IoU 0.{iou}, {objects}{how}"),
    }
}
