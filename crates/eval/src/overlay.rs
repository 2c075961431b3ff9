//! Boxes with names on a picture, as vector shapes: text stays crisp at any size, and labels keep out of each other's way.

use crate::figure::ink::WHITE;
use crate::figure::svg::{Ink, Stroke, Svg, Type};
use crate::figure::{fitted, text_width};

/// A box to draw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    /// `[x1, y1, x2, y2]` in pixels of the picture.
    pub bbox: [f64; 4],
    pub label: String,
    pub ink: Ink,
    /// A dashed box, for those who do not tell the colours apart.
    pub dashed: bool,
}

/// Draws the boxes, then the labels over all boxes, in the order given: the first label chooses its place first. `font` is the size of the text and the
/// measure of everything else, in pixels of the picture.
pub(crate) fn overlay(svg: &mut Svg, marks: &[Mark], (width, height): (f64, f64), font: f64) {
    let line = (font / 6.0).max(0.6);
    for mark in marks {
        let [x1, y1, x2, y2] = mark.bbox;
        let shape = [x1, y1, x2 - x1, y2 - y1];
        svg.frame(shape, line, Stroke::new(WHITE, line * 2.2).opacity(0.75));
        svg.frame(shape, line, Stroke::new(mark.ink, line * 1.2).dash(mark.dashed.then_some("5 3")));
    }
    let mut taken: Vec<[f64; 4]> = Vec::new();
    for mark in marks.iter().filter(|mark| !mark.label.is_empty()) {
        let label = fitted(&mark.label, font, true, width - font);
        let room = text_width(&label, font, true);
        let size = (room + font * 0.7, font * 1.35);
        let chip = place(mark.bbox, size, (width, height), &taken);
        svg.rect([chip[0], chip[1], size.0, size.1], mark.ink, 0.92);
        svg.text((chip[0] + font * 0.35, chip[1] + font * 1.02), label, Type::new(WHITE, font).bold().wide(room));
        taken.push(chip);
    }
}

/// Where a label of this size goes: the first place around the box, else inside it, that covers least of the labels before it.
fn place([x1, y1, x2, y2]: [f64; 4], (w, h): (f64, f64), (width, height): (f64, f64), taken: &[[f64; 4]]) -> [f64; 4] {
    let corners = [
        (x1, y1 - h),
        (x2 - w, y1 - h),
        (x1, y2),
        (x2 - w, y2),
        (x1, y1),
        (x1, y2 - h),
        (x2 - w, y1),
        (x2 - w, y2 - h),
    ];
    let mut best = ([0.0; 4], f64::INFINITY);
    for (x, y) in corners {
        let inside = (x.min(width - w).max(0.0), y.min(height - h).max(0.0));
        let chip = [inside.0, inside.1, inside.0 + w, inside.1 + h];
        let covered: f64 = taken.iter().map(|other| common_area(chip, *other)).sum();
        // Pushed back into the picture a label may lie on its own box: better than on another label, worse than beside the box.
        let pushed = (inside.1 - y).abs() * w * 0.01;
        if covered + pushed < best.1 {
            best = (chip, covered + pushed);
        }
    }
    best.0
}

fn common_area(a: [f64; 4], b: [f64; 4]) -> f64 {
    (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stay_in_the_picture_and_apart() {
        let picture = (100.0, 100.0);
        let mut taken = Vec::new();
        for bbox in [[0.0, 0.0, 40.0, 40.0], [2.0, 1.0, 41.0, 42.0], [60.0, 60.0, 100.0, 100.0], [1.0, 0.0, 99.0, 99.0]]
        {
            let chip = place(bbox, (30.0, 10.0), picture, &taken);
            assert!(chip[0] >= 0.0 && chip[1] >= 0.0 && chip[2] <= 100.0 && chip[3] <= 100.0, "{chip:?}");
            assert!(taken.iter().all(|other| common_area(chip, *other) == 0.0), "{chip:?} covers {taken:?}");
            taken.push(chip);
        }
    }
}
