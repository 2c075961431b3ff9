//! The long tail itself: training instances and pictures of every class.

use equipoise_data::{Category, Dataset, Group};

use super::Figure;
use super::font::{fitted, text_width};
use super::ink::{MUTED, TEXT, bar};
use super::plot::{LEFT, Plot, RIGHT, Scale, TOP, WIDTH, headings, log_ticks, plain, thousands};
use super::svg::{Svg, Type};

const PLOT_HEIGHT: f64 = 280.0;
/// With more classes than this their names would not fit under the bars.
const MOST_NAMES: usize = 80;
/// Dots would run into each other with more classes than this.
const MOST_DOTS: usize = 160;
const NAME_ROOM: f64 = 96.0;

/// Bars of training instances, most frequent first, on a log scale. `None` for a set without classes.
pub fn class_histogram(train: &Dataset) -> Option<Figure> {
    let mut order: Vec<(usize, &Category)> = train.categories.iter().enumerate().collect();
    order.sort_by_key(|(_, c)| (std::cmp::Reverse(c.instances), c.id));
    let most = order.first()?.1.instances.max(2) as f64;
    let named = order.len() <= MOST_NAMES;
    let mut svg = Svg::default();
    let total: u64 = order.iter().map(|(_, c)| c.instances).sum();
    let dots = order.len() <= MOST_DOTS;
    let subtitle = format!(
        "{} objects of {} classes{}; bars: instances{} (log scale)",
        thousands(total),
        thousands(order.len() as u64),
        if train.images.is_empty() {
            String::new()
        } else {
            format!(" in {} pictures", thousands(train.images.len() as u64))
        },
        if dots { ", dots: pictures with the class" } else { "" }
    );
    headings(&mut svg, "The long tail of the training set", &subtitle);
    let area = [LEFT, TOP, WIDTH - RIGHT, TOP + PLOT_HEIGHT];
    let plot = Plot {
        x: Scale::linear((-0.5, order.len() as f64 - 0.5), (area[0], area[2])),
        y: Scale::log((0.7, most * 1.3), (area[3], area[1])),
        area,
    };
    let groups: Vec<Group> = order.iter().map(|(_, c)| c.group).collect();
    plot.class_bands(&mut svg, &groups);
    plot.y_axis(&mut svg, &log_ticks(1.0, most), plain);
    bars(&mut svg, &plot, &order, dots);
    plot.x_axis(&mut svg, &[], plain);
    let below = if named { names(&mut svg, &plot, &order) } else { 0.0 };
    plot.axis_titles(&mut svg, "class, by training instances, most frequent first", "training instances", below + 24.0);
    let label = format!("Training instances of {} classes", order.len());
    Some(Figure::new("class_histogram", label, &svg, area[3] + below + 40.0))
}

fn bars(svg: &mut Svg, plot: &Plot, order: &[(usize, &Category)], dots: bool) {
    let [_, _, _, bottom] = plot.area;
    let pitch = plot.x.at(1.0) - plot.x.at(0.0);
    // Gaps between bars of a pixel or two would only shimmer.
    let width = if pitch < 3.0 { pitch * 1.02 } else { pitch * 0.72 };
    for (at, (class, category)) in order.iter().enumerate() {
        let x = plot.x.at(at as f64);
        let [instances, images] = [category.instances, category.images].map(thousands);
        svg.open_class(*class, format_args!("{}: {instances} instances in {images} pictures", category.name));
        if category.instances > 0 {
            let y = plot.y.at(category.instances as f64);
            svg.rect([x - width / 2.0, y, width, bottom - y], bar(category.group), 1.0);
        }
        if dots && category.images > 0 {
            svg.dot((x, plot.y.at(category.images as f64)), 2.2, TEXT, 1.0);
        }
        svg.close();
    }
}

/// Names under the bars, upright; gives the height they need.
fn names(svg: &mut Svg, plot: &Plot, order: &[(usize, &Category)]) -> f64 {
    let [_, _, _, bottom] = plot.area;
    let pitch = plot.x.at(1.0) - plot.x.at(0.0);
    let size = (pitch * 0.78).clamp(7.0, 11.5);
    let mut deepest: f64 = 0.0;
    for (at, (_, category)) in order.iter().enumerate() {
        let name = fitted(&category.name, size, false, NAME_ROOM);
        deepest = deepest.max(text_width(&name, size, false));
        let point = (plot.x.at(at as f64) + size * 0.36, bottom + 7.0);
        svg.text(point, name, Type::new(MUTED, size).end().turned(-90.0));
    }
    deepest + 12.0
}
