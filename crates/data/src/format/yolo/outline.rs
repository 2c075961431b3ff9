//! Outlines in label files, `class x1 y1 x2 y2 x3 y3 …`: reading them, and writing the polygons of an object as one.
//!
//! Trap: a reader takes the extent of an outline for the box. Corners are therefore moved onto the box, which comes back bit for bit, by a
//! pixel at most; an outline that would have to move further is not written.

use std::collections::BTreeMap;

use super::{
    config::DataYaml,
    labels::{extent, read_outlines, to_pixels},
    pictures::label_file,
    write::DIGITS,
};
use crate::{
    Dataset, Result,
    mask::{Finder, Found, Outline},
};

/// How far an outline may end from the sides of its box, in pixels.
const TOLERANCE: f64 = 1.0;

/// Hands on the outlines in the label files that `dataset` was read from.
pub fn yolo_outlines(dataset: &Dataset, hand_on: &mut dyn FnMut(Found<'_>)) -> Result<()> {
    let yaml = DataYaml::read(&dataset.source)?;
    let mut finder = Finder::new(dataset);
    for (image, record) in dataset.images.iter().enumerate() {
        let size = [record.width, record.height];
        let file = label_file(&record.path);
        let rows = read_outlines(&file, dataset.num_classes(), yaml.key_points)?;
        // Lines that cannot be read were refused or counted when the data set was read.
        for (row, outline) in rows.into_iter().flatten().flatten() {
            let object = finder.find(image, row.class, to_pixels(row.corners, size));
            if let Some(mut corners) = outline {
                corners.iter_mut().enumerate().for_each(|(at, v)| *v *= f64::from(size[at % 2]));
                let name = || format!("line {} of `{}`", row.line, file.display());
                let outline = Outline::Polygons(vec![corners]);
                hand_on(Found { place: object.map(|object| (image, object)), outline, name: &name });
            }
        }
    }
    Ok(())
}

/// The corners of `polygons`, in pixels, as one outline in parts of the picture's sides, in the fewest digits from which `bbox` comes back
/// bit for bit; `None` when that is not the box of the polygons.
pub fn outline_text(polygons: &[Vec<f64>], bbox: [f32; 4], size: [u32; 2]) -> Option<String> {
    let limit = [size[0], size[1], size[0], size[1]].map(f64::from);
    let joined = join(polygons).into_flattened();
    let reach = extent(&joined);
    let sides = bbox.map(f64::from);
    if (0..4).any(|i| (reach[i].clamp(0.0, limit[i]) - sides[i]).abs() > TOLERANCE) {
        return None;
    }
    let part = |(at, &v): (usize, &f64)| {
        let axis = at % 2;
        let (low, high) = (sides[axis], sides[axis + 2]);
        let moved = match v {
            v if v <= reach[axis] => low,
            v if v >= reach[axis + 2] => high,
            v => v.clamp(low, high),
        };
        moved / limit[axis]
    };
    let parts: Vec<_> = joined.iter().enumerate().map(part).collect();
    let text = |digits: usize| parts.iter().map(|v| format!("{v:.digits$}")).collect::<Vec<_>>();
    let comes_back = |text: &Vec<String>| {
        let read: Vec<f64> = text.iter().map(|v| v.parse().unwrap_or(f64::NAN)).collect();
        let pixels = to_pixels(extent(&read), size);
        (0..4).all(|i| pixels[i].clamp(0.0, limit[i]) as f32 == bbox[i])
    };
    (DIGITS..18).map(text).find(comes_back).map(|text| text.join(" "))
}

/// The corner of another polygon that a line leads to, and that polygon.
type Way<'a> = (usize, &'a [[f64; 2]]);

/// One polygon around all: from a corner of the first a line leads to the nearest of each other, around it, and back the same way, so that
/// the area between them stays empty.
fn join(polygons: &[Vec<f64>]) -> Vec<[f64; 2]> {
    let Some((first, others)) = polygons.split_first() else { return Vec::new() };
    let first = first.as_chunks::<2>().0;
    let mut ways: BTreeMap<usize, Vec<Way>> = BTreeMap::new();
    for other in others {
        let other = other.as_chunks::<2>().0;
        let from = nearest(first, other[nearest(other, first[0])]);
        ways.entry(from).or_default().push((nearest(other, first[from]), other));
    }
    let mut joined = Vec::new();
    for (at, &corner) in first.iter().enumerate() {
        joined.push(corner);
        for &(start, other) in ways.get(&at).into_iter().flatten() {
            joined.extend(other[start..].iter().chain(&other[..=start]));
            joined.push(corner);
        }
    }
    joined
}

/// The corner next to `to`.
fn nearest(corners: &[[f64; 2]], to: [f64; 2]) -> usize {
    let distance = |&[x, y]: &[f64; 2]| (x - to[0]).powi(2) + (y - to[1]).powi(2);
    let pairs = corners.iter().map(distance).enumerate();
    pairs.min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Bitmap;

    #[test]
    fn joined_polygons_cover_what_they_covered() {
        let square = |x: f64, y: f64, s: f64| vec![x, y, x + s, y, x + s, y + s, x, y + s];
        let parts = [square(2.0, 2.0, 8.0), square(20.0, 5.0, 6.0), square(4.0, 22.0, 5.0), square(22.0, 20.0, 9.0)];
        let corners = |p: &[f64]| p.as_chunks::<2>().0.iter().map(|c| c.map(|v| v as f32)).collect::<Vec<_>>();
        let apart: Vec<_> = parts.iter().map(|p| corners(p)).collect();
        let joined = corners(join(&parts).as_flattened());
        let limits = [0, 0, 40, 40];
        assert_eq!(Bitmap::of_polygons(&[joined], limits), Bitmap::of_polygons(&apart, limits));
    }

    #[test]
    fn an_outline_is_moved_onto_its_box_by_a_pixel_at_most() {
        let polygon = [vec![10.2, 10.0, 20.0, 10.0, 20.0, 30.4, 10.2, 30.0]];
        let text = outline_text(&polygon, [10.0, 10.0, 20.0, 30.0], [100, 50]).unwrap();
        assert_eq!(text, "0.100000 0.200000 0.200000 0.200000 0.200000 0.600000 0.100000 0.600000");
        assert_eq!(outline_text(&polygon, [8.0, 10.0, 20.0, 30.0], [100, 50]), None);
        assert_eq!(outline_text(&[vec![5.0, 1.0, 5.0, 2.0, 5.0, 3.0]], [4.5, 1.0, 5.5, 3.0], [100, 50]), None);
    }
}
