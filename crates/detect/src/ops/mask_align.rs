//! RoIAlign of a mask: which share of each bin of a region an object covers. What a mask head learns from.
//!
//! As torchvision's `project_masks_on_boxes`: bits as a map of 0 and 1 of the size of the picture, as many samples per bin as it has
//! pixels, rounded up, and no half-pixel shift. Only the bits under the region are looked at.

use equipoise_data::Bitmap;

use super::roi_align::{Roi, RoiAlignOptions};
use super::roi_sampling::RoiTaps;

/// The share of `mask` in each bin of `region`, `[bins * bins]` row by row, on a picture of `size` (height, width).
pub fn mask_align(mask: &Bitmap, size: [usize; 2], region: [f32; 4], bins: usize) -> Vec<f32> {
    let options = RoiAlignOptions { output: [bins; 2], spatial_scale: 1.0, sampling_ratio: 0, aligned: false };
    let taps = RoiTaps::new(&Roi { image: 0, bbox: region }, 1.0, size, &options);
    let mut shares = vec![0.0; bins * bins];
    let mut line = vec![0.0; bins];
    for (position, &y) in taps.rows.cells.iter().enumerate() {
        for (bin, share) in line.iter_mut().enumerate() {
            let inside = |x: u32| mask.has(x as usize, y as usize);
            let covered = taps.columns.of_bin(bin).iter().filter(|tap| inside(taps.columns.cells[tap.other as usize]));
            *share = covered.map(|tap| tap.weight).sum();
        }
        for tap in taps.rows.of_cell(position) {
            let row = &mut shares[tap.other as usize * bins..][..bins];
            row.iter_mut().zip(&line).for_each(|(share, part)| *share += tap.weight * part);
        }
    }
    shares
}
