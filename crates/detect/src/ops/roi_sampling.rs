//! Where RoIAlign reads a feature map.
//!
//! A region is cut into `ph × pw` bins, each bin is sampled on a regular grid by bilinear interpolation, and the samples are
//! averaged (He et al., Mask R-CNN, arXiv 1703.06870, section 3). Both the grid and the interpolation are products of a row
//! part and a column part, so one region is described by two short lists of taps, one per axis, shared by all channels:
//! `out[i, j] = Σ_y Σ_x row[i][y] · column[j][x] · f[y, x]`.
//!
//! Borders as in torchvision: a sample outside `[-1, size]` counts as 0, one inside is clamped to the map. A region with a
//! coordinate that is not finite reads nothing.

use super::roi_align::{Roi, RoiAlignOptions};

/// One weighted connection of a bin and a cell along an axis.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tap {
    /// Position in [`AxisTaps::cells`] of the cell that a bin reads, or the bin that reads a cell.
    pub(super) other: u32,
    /// Share of the cell in the bin.
    pub(super) weight: f32,
}

/// Lists of taps, one after another.
#[derive(Debug, Clone, Default, PartialEq)]
struct Lists {
    taps: Vec<Tap>,
    ends: Vec<u32>,
}

impl Lists {
    #[inline(always)]
    fn get(&self, index: usize) -> &[Tap] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.taps[start as usize..self.ends[index] as usize]
    }
}

/// The bins of a region along one axis and the cells that they read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct AxisTaps {
    /// Rows or columns of the map that any bin reads, ascending.
    pub(super) cells: Vec<u32>,
    by_bin: Lists,
    by_cell: Lists,
}

impl AxisTaps {
    /// The cells that bin `bin` reads, as positions in `cells`.
    #[inline(always)]
    pub(super) fn of_bin(&self, bin: usize) -> &[Tap] {
        self.by_bin.get(bin)
    }

    /// The bins that read the cell at `position` in `cells`.
    #[inline(always)]
    pub(super) fn of_cell(&self, position: usize) -> &[Tap] {
        self.by_cell.get(position)
    }

    /// Taps of `bins` bins between `start` and `end` (map coordinates) on an axis of `size` cells.
    ///
    /// `sampling_ratio` 0 takes as many samples per bin as it has cells, rounded up.
    fn new(start: f32, end: f32, bins: usize, size: usize, sampling_ratio: usize) -> Self {
        let mut axis = AxisTaps::default();
        let bin_size = (end - start) / bins as f32;
        let usable = start.is_finite() && end.is_finite() && bin_size.is_finite() && size > 0;
        let samples = if sampling_ratio > 0 { sampling_ratio } else { bin_size.ceil().max(0.0) as usize };
        axis.by_bin.taps.reserve(4 * bins);
        for bin in 0..bins {
            if usable {
                axis.sample_bin(start + bin as f32 * bin_size, bin_size, samples, size);
            }
            axis.by_bin.ends.push(axis.by_bin.taps.len() as u32);
        }
        axis.index_cells();
        axis
    }

    /// Adds the taps of one bin, with `other` as the cell itself.
    fn sample_bin(&mut self, origin: f32, bin_size: f32, samples: usize, size: usize) {
        let first_tap = self.by_bin.taps.len();
        let share = 1.0 / samples.max(1) as f32;
        let step = bin_size * share;
        for sample in visible_samples(origin, step, samples, size) {
            let position = origin + (sample as f32 + 0.5) * step;
            if !(-1.0..=size as f32).contains(&position) {
                continue;
            }
            let position = position.max(0.0);
            let low = (position as usize).min(size - 1);
            let high = (low + 1).min(size - 1);
            let fraction = if high == low { 0.0 } else { position - low as f32 };
            self.add(first_tap, low, (1.0 - fraction) * share);
            self.add(first_tap, high, fraction * share);
        }
    }

    fn add(&mut self, first_tap: usize, cell: usize, weight: f32) {
        if weight == 0.0 {
            return;
        }
        let taps = &mut self.by_bin.taps;
        match taps[first_tap..].iter().rposition(|tap| tap.other == cell as u32) {
            Some(known) => taps[first_tap + known].weight += weight,
            None => taps.push(Tap { other: cell as u32, weight }),
        }
    }

    /// Collects the cells, lets bins name them by position, and lists the bins of each.
    fn index_cells(&mut self) {
        let AxisTaps { cells, by_bin, by_cell } = self;
        cells.extend(by_bin.taps.iter().map(|tap| tap.other));
        cells.sort_unstable();
        cells.dedup();
        by_cell.ends.resize(cells.len(), 0);
        for tap in &mut by_bin.taps {
            tap.other = cells.binary_search(&tap.other).expect("every cell is listed") as u32;
            by_cell.ends[tap.other as usize] += 1;
        }
        // Counts become starts, and starts become ends while the lists are filled.
        let mut start = 0;
        for end in &mut by_cell.ends {
            start += std::mem::replace(end, start);
        }
        by_cell.taps.resize(by_bin.taps.len(), Tap::default());
        for bin in 0..by_bin.ends.len() {
            for tap in by_bin.get(bin) {
                let place = &mut by_cell.ends[tap.other as usize];
                by_cell.taps[*place as usize] = Tap { other: bin as u32, weight: tap.weight };
                *place += 1;
            }
        }
    }
}

/// The samples of a bin that can fall on the map: a region far larger than the map must not cost time for each sample.
fn visible_samples(origin: f32, step: f32, samples: usize, size: usize) -> std::ops::Range<usize> {
    if samples <= 16 || step <= 0.0 {
        return 0..samples;
    }
    // One sample of slack on both sides for rounding.
    let first = ((-1.0 - origin) / step - 1.5).max(0.0) as usize;
    let last = ((size as f32 - origin) / step + 1.5).max(0.0) as usize;
    first.min(samples)..last.min(samples)
}

/// The taps of one region on one feature map.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RoiTaps {
    pub(super) rows: AxisTaps,
    pub(super) columns: AxisTaps,
}

impl RoiTaps {
    /// Taps of `roi` on a map of `size` (`[H, W]`) whose cells are `1 / scale` pixels apart.
    pub(super) fn new(roi: &Roi, scale: f32, size: [usize; 2], options: &RoiAlignOptions) -> Self {
        let offset = if options.aligned { 0.5 } else { 0.0 };
        let [x1, y1, x2, y2] = roi.bbox.map(|value| value * scale - offset);
        // The original, unaligned operation stretched every region to at least one cell.
        let least = if options.aligned { f32::NEG_INFINITY } else { 1.0 };
        let axis = |start: f32, end: f32, bins: usize, size: usize| {
            let end = if end - start < least { start + least } else { end };
            AxisTaps::new(start, end, bins, size, options.sampling_ratio)
        };
        RoiTaps { rows: axis(y1, y2, options.output[0], size[0]), columns: axis(x1, x2, options.output[1], size[1]) }
    }
}
