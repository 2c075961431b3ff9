//! A contact sheet: training pictures in a grid, with boxes and names in the colour of their group.

use equipoise_data::Group;
use image::RgbImage;
use image::imageops::{FilterType, replace, resize};

use crate::annotate::lay_over;
use crate::error::{EvalError, Result};
use crate::figure::ink::{MUTED, TEXT, on_picture};
use crate::figure::svg::{Svg, Type};
use crate::figure::{fitted, pixels, text_width};
use crate::overlay::{Mark, overlay};

/// A picture of the sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// The pixels.
    pub picture: RgbImage,
    /// What is written below.
    pub caption: String,
    /// Boxes of targets.
    pub boxes: Vec<TileBox>,
    /// Regions that are neither target nor background: drawn dashed and without a name.
    pub crowds: Vec<[f32; 4]>,
}

/// A target of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct TileBox {
    /// `[x1, y1, x2, y2]` in pixels of the picture.
    pub bbox: [f32; 4],
    /// Name of its class.
    pub name: String,
    /// Decides the colour.
    pub group: Group,
}

/// Side of the square that a picture is fitted into, and the room around it.
const SIDE: u32 = 360;
const GAP: u32 = 16;
const CAPTION: u32 = 26;
const LEGEND: u32 = 44;
const FONT: f64 = 13.0;

/// The pictures in rows of `columns`, each fitted into a square, with a legend of the groups on top.
///
/// # Errors
/// A picture without pixels.
pub fn contact_sheet(tiles: &[Tile], columns: usize) -> Result<RgbImage> {
    let columns = columns.clamp(1, tiles.len().max(1)) as u32;
    let rows = (tiles.len() as u32).div_ceil(columns);
    // Room for the legend, even above a single picture.
    let width = (GAP + columns * (SIDE + GAP)).max(2 * SIDE);
    let height = LEGEND + rows * (SIDE + CAPTION + GAP);
    let mut sheet = RgbImage::from_pixel(width, height, image::Rgb([255; 3]));
    let mut text = Svg::default();
    legend(&mut text);
    for (at, tile) in tiles.iter().enumerate() {
        let (column, row) = (at as u32 % columns, at as u32 / columns);
        let (left, top) = (GAP + column * (SIDE + GAP), LEGEND + row * (SIDE + CAPTION + GAP));
        let drawn = draw(tile)?;
        replace(&mut sheet, &drawn, left.into(), top.into());
        let caption = fitted(&tile.caption, FONT, false, f64::from(SIDE));
        let below = f64::from(top + drawn.height()) + FONT * 1.4;
        text.text((f64::from(left), below), caption, Type::new(TEXT, FONT));
    }
    let (w, h) = (f64::from(width), f64::from(height));
    lay_over(&mut sheet, &pixels("contact sheet", &text.document(w, h, None, ""), 1.0)?);
    Ok(sheet)
}

fn legend(text: &mut Svg) {
    let mut x = f64::from(GAP);
    let middle = f64::from(LEGEND) / 2.0;
    for (group, name) in [(Group::Rare, "rare"), (Group::Common, "common"), (Group::Frequent, "frequent")] {
        text.rect([x, middle - FONT * 0.6, FONT, FONT], on_picture(group), 1.0);
        text.text((x + FONT * 1.5, middle + FONT * 0.36), name, Type::new(TEXT, FONT).bold());
        x += FONT * 3.4 + text_width(name, FONT, true);
    }
    let rest = "dashed: neither target nor background";
    text.text((x, middle + FONT * 0.36), rest, Type::new(MUTED, FONT));
}

/// A picture of the sheet with its boxes.
fn draw(tile: &Tile) -> Result<RgbImage> {
    let (width, height) = tile.picture.dimensions();
    if width == 0 || height == 0 {
        return Err(EvalError::Draw { what: "contact sheet".into(), reason: "a picture has no pixels".into() });
    }
    let scale = f64::from(SIDE) / f64::from(width.max(height));
    let side = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).clamp(1, SIDE);
    let mut canvas = resize(&tile.picture, side(width), side(height), FilterType::Triangle);
    let place = |bbox: [f32; 4]| bbox.map(|v| f64::from(v) * scale);
    let crowd = |bbox: &[f32; 4]| Mark { bbox: place(*bbox), label: String::new(), ink: MUTED, dashed: true };
    let target = |target: &TileBox| Mark {
        bbox: place(target.bbox),
        label: target.name.clone(),
        ink: on_picture(target.group),
        dashed: false,
    };
    let marks: Vec<Mark> = tile.crowds.iter().map(crowd).chain(tile.boxes.iter().map(target)).collect();
    let (w, h) = (f64::from(canvas.width()), f64::from(canvas.height()));
    let mut svg = Svg::default();
    overlay(&mut svg, &marks, (w, h), FONT * 0.85);
    lay_over(&mut canvas, &pixels("contact sheet", &svg.document(w, h, None, ""), 1.0)?);
    Ok(canvas)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(width: u32, height: u32, group: Group) -> Tile {
        let boxes =
            vec![TileBox { bbox: [0.0, 0.0, width as f32 / 2.0, height as f32 / 2.0], name: "yak".into(), group }];
        let picture = RgbImage::from_pixel(width, height, image::Rgb([9; 3]));
        Tile { picture, caption: "picture 1".into(), boxes, crowds: vec![[1.0, 1.0, 3.0, 3.0]] }
    }

    #[test]
    fn a_sheet_has_room_for_all_and_shows_the_groups() {
        let groups = [Group::Rare, Group::Common, Group::Frequent];
        let sheets = groups.map(|group| contact_sheet(&[tile(40, 30, group)], 4).unwrap());
        assert!(sheets[0] != sheets[1] && sheets[1] != sheets[2]);
        let tiles: Vec<_> = (0..5).map(|at| tile(30 + at, 90 - at, Group::Rare)).collect();
        let sheet = contact_sheet(&tiles, 3).unwrap();
        assert_eq!(sheet.dimensions(), (GAP + 3 * (SIDE + GAP), LEGEND + 2 * (SIDE + CAPTION + GAP)));
        assert!(contact_sheet(&[tile(0, 0, Group::Rare)], 1).is_err());
        assert_eq!(contact_sheet(&[], 3).unwrap().height(), LEGEND);
    }
}
