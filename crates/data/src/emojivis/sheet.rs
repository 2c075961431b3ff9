//! A contact sheet: pictures of all parts with their boxes, to be looked at before a training.
//!
//! Two rows of training, one of the flat and one of the natural validation set. Boxes of rare classes are red, of common ones yellow, of
//! frequent ones white, all with a dark rim, which shows on any background.

use std::io::Cursor;

use image::{Rgb, RgbImage};

use super::{folder::Folder, part::Part, plan::Plan, truth::Described};
use crate::{DataError, Group, Result, picture::decode, write_atomically};

/// Pictures in a row.
const COLUMNS: usize = 6;

/// The part of each row.
const ROWS: [Part; 4] = [Part::Train, Part::Train, Part::Val, Part::Natural];

/// Pixels between pictures.
const GAP: u32 = 6;

/// Pixels of a box's line, with a rim as wide around it.
const LINE: u32 = 2;

const RIM: Rgb<u8> = Rgb([20, 20, 20]);

/// Draws and writes the sheet.
pub(super) fn write_sheet(folder: &Folder, side: u32, plan: &Plan, parts: &[Vec<Described>; 3]) -> Result<()> {
    let span = |count: u32| count * (side + GAP) + GAP;
    let mut sheet = RgbImage::from_pixel(span(COLUMNS as u32), span(ROWS.len() as u32), Rgb([255; 3]));
    for (row, part) in ROWS.into_iter().enumerate() {
        let pictures = &parts[part as usize];
        let (first, places) = if part == Part::Train { (row * COLUMNS, 2 * COLUMNS) } else { (0, COLUMNS) };
        for column in 0..COLUMNS.min(pictures.len()) {
            // Evenly spread over the part.
            let index = (first + column) * pictures.len() / places;
            let at = [span(column as u32), span(row as u32)];
            place(&mut sheet, &decode(&folder.picture(part, index))?, at);
            for (seen, _) in &pictures[index] {
                let color = match plan.groups[seen.class] {
                    Group::Rare => Rgb([255, 40, 70]),
                    Group::Common => Rgb([255, 210, 40]),
                    Group::Frequent => Rgb([255; 3]),
                };
                frame(&mut sheet, at, side, seen.bbox, color);
            }
        }
    }
    let path = folder.sheet();
    let mut bytes = Cursor::new(Vec::new());
    sheet.write_to(&mut bytes, image::ImageFormat::Png).map_err(|e| DataError::Io {
        action: "write",
        path: path.clone(),
        source: std::io::Error::other(e),
    })?;
    write_atomically(&path, bytes.get_ref())
}

fn place(sheet: &mut RgbImage, picture: &crate::Picture, [x, y]: [u32; 2]) {
    for (row, pixels) in picture.rows().enumerate() {
        for (column, pixel) in pixels.as_chunks::<3>().0.iter().enumerate() {
            sheet.put_pixel(x + column as u32, y + row as u32, Rgb(*pixel));
        }
    }
}

/// Draws a box inside its picture.
fn frame(sheet: &mut RgbImage, [x, y]: [u32; 2], side: u32, [x1, y1, x2, y2]: [u32; 4], color: Rgb<u8>) {
    for (grow, shrink, color) in [(LINE, LINE, RIM), (LINE / 2, LINE / 2, color)] {
        let outer = [x1.saturating_sub(grow), y1.saturating_sub(grow), (x2 + grow).min(side), (y2 + grow).min(side)];
        for py in outer[1]..outer[3] {
            for px in outer[0]..outer[2] {
                let inside = px >= x1 + shrink && px + shrink < x2 && py >= y1 + shrink && py + shrink < y2;
                if !inside {
                    sheet.put_pixel(x + px, y + py, color);
                }
            }
        }
    }
}
