//! Masks of visible pixels, and COCO's run-length text for them.
//!
//! Runs go down the columns, beginning with one outside the mask. The text stores each run from the fourth on as a difference to the run
//! two before, five bits a character (format of `pycocotools`). Polygons could not say it: an object behind another may have holes.

/// The pixels of an object in a square picture.
pub(crate) struct Mask {
    side: usize,
    inside: Vec<bool>,
}

impl Mask {
    /// An empty mask.
    pub fn new(side: usize) -> Self {
        Self { side, inside: vec![false; side * side] }
    }

    /// Adds the pixel with this index, counted row by row.
    pub fn set(&mut self, at: usize) {
        self.inside[at] = true;
    }

    /// Number of pixels.
    #[cfg(test)]
    pub fn area(&self) -> u32 {
        self.inside.iter().map(|&inside| u32::from(inside)).sum()
    }

    /// `[x1, y1, x2, y2]` around the pixels; nothing around none.
    #[cfg(test)]
    pub fn bounds(&self) -> Option<[u32; 4]> {
        let set = || (0..self.inside.len()).filter(|&at| self.inside[at]);
        let x = || set().map(|at| (at % self.side) as u32);
        let y = || set().map(|at| (at / self.side) as u32);
        Some([x().min()?, y().min()?, x().max()? + 1, y().max()? + 1])
    }

    /// Lengths of the runs.
    fn runs(&self) -> Vec<u32> {
        let mut runs = vec![0u32];
        let mut now = false;
        for column in 0..self.side {
            for row in 0..self.side {
                let inside = self.inside[row * self.side + column];
                if inside != now {
                    runs.push(0);
                    now = inside;
                }
                *runs.last_mut().expect("there is a first run") += 1;
            }
        }
        runs
    }

    /// COCO's compressed text of the runs.
    pub fn text(&self) -> String {
        let runs = self.runs();
        let mut text = String::new();
        for (i, &run) in runs.iter().enumerate() {
            let before = if i > 2 { i64::from(runs[i - 2]) } else { 0 };
            let mut left = i64::from(run) - before;
            loop {
                let bits = (left & 0x1f) as u8;
                left >>= 5;
                let more = left != if bits & 0x10 == 0 { 0 } else { -1 };
                text.push(char::from(48 + bits + if more { 0x20 } else { 0 }));
                if !more {
                    break;
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(side: usize, pixels: &[[usize; 2]]) -> Mask {
        let mut mask = Mask::new(side);
        pixels.iter().for_each(|[x, y]| mask.set(y * side + x));
        mask
    }

    #[test]
    fn runs_go_down_the_columns() {
        assert_eq!(mask(3, &[[0, 0], [1, 1], [1, 2]]).runs(), [0, 1, 3, 2, 3]);
        assert_eq!(mask(2, &[]).runs(), [4]);
        assert_eq!(mask(2, &[]).bounds(), None);
    }

    /// Texts from `pycocotools` 2.0.
    #[test]
    fn the_text_is_that_of_pycocotools() {
        for (side, pixels, text) in REFERENCE {
            assert_eq!(mask(*side, pixels).text(), *text);
        }
    }

    type Case = (usize, &'static [[usize; 2]], &'static str);

    const REFERENCE: &[Case] = &[
        (3, &[[0, 0], [1, 1], [1, 2]], "01310"),
        (2, &[], "4"),
        (2, &[[0, 0], [1, 0], [0, 1], [1, 1]], "04"),
        (
            9,
            &[
                [2, 1],
                [4, 1],
                [7, 7],
                [7, 6],
                [3, 1],
                [7, 0],
                [6, 6],
                [0, 7],
                [4, 3],
                [1, 5],
                [0, 0],
                [0, 8],
                [0, 6],
                [3, 6],
                [0, 8],
                [3, 7],
                [7, 8],
                [3, 5],
                [3, 3],
                [7, 4],
            ],
            "01520NO040I0021NO0c00^O010N28",
        ),
    ];

    #[test]
    fn long_runs_take_several_characters() {
        let mut mask = Mask::new(200);
        (0..200).for_each(|y| mask.set(y * 200 + 150));
        mask.set(7 * 200 + 3);
        assert_eq!(mask.text(), r"ob01`fl0W6hk\O");
    }
}
