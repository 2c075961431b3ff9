//! The page about a data set: how much there is, how long its tail is, how large its boxes are, and every class.

use equipoise_data::{BoxStats, ClassStats, Dataset, Quantiles, Stats};

use super::page::{Page, figure};
use super::text;
use crate::figure::ink::group_name;
use crate::figure::{class_histogram, thousands};

/// The page about `dataset`, whose numbers are `stats`; it works offline and has the same bytes for the same data.
pub fn stats_page(dataset: &Dataset, stats: &Stats) -> String {
    let source = dataset.source.file_name().unwrap_or(dataset.source.as_os_str()).to_string_lossy();
    let title = format!("Data set {source}");
    let mut page = Page::new(&title, &headline(stats), "", &facts(stats));
    page.optional("tail", "The tail", class_histogram(dataset).map(|drawing| figure(&drawing, "")));
    page.section("groups", "Groups", &groups(stats));
    page.section("boxes", "Boxes", &boxes(&stats.boxes));
    page.section("classes", "Classes", &classes(&stats.classes));
    let warnings = dataset.warnings.iter().map(|w| {
        let line = format!("{} {} ({}), such as {}", thousands(w.count as u64), w.what, w.action, w.example);
        format!("<li>{}</li>", text(line))
    });
    let warnings: String = warnings.collect();
    page.optional("warnings", "What was odd", (!warnings.is_empty()).then(|| format!("<ul>{warnings}</ul>\n")));
    page.finish("")
}

/// The first sentence is the heading.
fn headline(stats: &Stats) -> [String; 2] {
    let first = match stats.imbalance_factor {
        Some(factor) if factor >= 2.0 => {
            format!(
                "The largest class is in {} times as many pictures as the smallest",
                thousands(factor.round() as u64)
            )
        }
        Some(_) => "All classes are in about as many pictures".into(),
        None => "No class has an object".into(),
    };
    let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.2}"));
    let rest = format!(
        "The Gini coefficient is {} for pictures by class and {} for objects: 0 when all classes have the same, near 1 when one has everything.",
        number(stats.gini_images),
        number(stats.gini_instances)
    );
    [first, rest]
}

fn facts(stats: &Stats) -> String {
    let count = |n: u64, what: &str| format!("<li>{} {what}</li>", thousands(n));
    let mut facts = count(stats.images as u64, "pictures") + &count(stats.objects, "objects");
    facts += &count(stats.categories as u64, "classes");
    for (n, what) in [
        (stats.crowds, "crowd regions"),
        (stats.images_without_objects as u64, "pictures without objects"),
        (stats.categories_without_object as u64, "classes without objects"),
    ] {
        if n > 0 {
            facts += &count(n, what);
        }
    }
    format!("<ul class=\"facts\">{facts}</ul>\n")
}

fn groups(stats: &Stats) -> String {
    let rows = stats.groups.iter().map(|row| {
        let cells = [
            thousands(row.categories as u64),
            thousands(row.class_images),
            thousands(row.instances),
            odds(row.median_ratio),
        ];
        table_row(group_name(row.group), &cells)
    });
    let heads = ["group", "classes", "class-picture pairs", "objects", "yes : no"];
    format!(
        "{}<p class=\"aside\">yes : no is the median over the classes of a group: how often an object of the class says yes to it, against how often an object \
         of another class says no. Background says no as well, and is not counted here.</p>\n",
        numbers(&heads, &rows.collect::<String>())
    )
}

fn boxes(boxes: &BoxStats) -> String {
    let row = |title: &str, values: Option<Quantiles>, digits: usize| {
        let Some(Quantiles { min, p5, p25, median, p75, p95, max }) = values else { return String::new() };
        table_row(title, &[min, p5, p25, median, p75, p95, max].map(|value| format!("{value:.digits$}")))
    };
    let rows = row("side in pixels", boxes.side, 0)
        + &row("side by that of the picture", boxes.relative_side, 2)
        + &row("width by height", boxes.aspect, 2);
    let [small, medium, large] = [boxes.small, boxes.medium, boxes.large].map(|n| thousands(n as u64));
    format!(
        "{}<p>{small} objects are small (below 32² pixels), {medium} medium, {large} large (96² and more).</p>\n",
        numbers(&["", "least", "5 %", "25 %", "median", "75 %", "95 %", "most"], &rows)
    )
}

fn classes(classes: &[ClassStats]) -> String {
    let mut order: Vec<_> = classes.iter().collect();
    order.sort_by_key(|class| (class.images, class.instances, class.id));
    let rows: String = order
        .iter()
        .map(|class| {
            let group = group_name(class.group);
            format!(
                "<tr><th scope=\"row\">{}</th><td><span class=\"chip {group}\">{group}</span></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                text(&class.name),
                class.id.0,
                class.images,
                class.instances,
                class.ratio.map_or_else(|| "–".into(), |ratio| format!("{ratio:.3e}"))
            )
        })
        .collect();
    let heads = ["class", "group", "id", "pictures", "objects", "yes by no"];
    let heads: String = heads.iter().map(|name| format!("<th scope=\"col\"><button>{name}</button></th>")).collect();
    format!(
        "<p>Rarest first. A click on a column sorts by it.</p>\n<div class=\"wide tall\"><table class=\"classes\"><thead><tr hidden></tr><tr>{heads}</tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn odds(ratio: Option<f64>) -> String {
    let ratio = ratio.filter(|ratio| *ratio > 0.0);
    ratio.map_or_else(|| "–".into(), |ratio| format!("1 : {}", thousands((1.0 / ratio).round() as u64)))
}

fn table_row(title: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr><th scope=\"row\">{title}</th>{cells}</tr>\n")
}

fn numbers(heads: &[&str], rows: &str) -> String {
    let heads: String = heads.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    format!(
        "<div class=\"wide\"><table class=\"numbers plain\"><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}
