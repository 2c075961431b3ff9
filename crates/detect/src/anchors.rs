//! Anchors: the boxes that every cell of the pyramid starts from (arXiv 1506.01497, section 3.1.1).

/// Sizes and shapes of anchors.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnchorConfig {
    /// Side in pixels of the square anchors, one list for each pyramid level.
    pub sizes: Vec<Vec<f32>>,
    /// Height over width.
    pub ratios: Vec<f32>,
    /// Where anchors lie.
    pub layout: AnchorLayout,
}

/// Where anchors lie around the corner of a cell, and how far cells are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnchorLayout {
    /// Sides as they are computed, cells a stride apart.
    #[default]
    Exact,
    /// As in torchvision: corners rounded to whole pixels, and cells as far apart as the sides of the padded batch hold that many
    /// cells, rounded down. It differs on a level with an odd number of cells below it: of 5 cells the next level has 3, whose
    /// stride on 160 pixels is 53, not 64.
    Torchvision,
}

impl Default for AnchorConfig {
    /// One size for each of five levels and three shapes (FPN, arXiv 1612.03144, section 4.1).
    fn default() -> Self {
        Self {
            sizes: [32.0, 64.0, 128.0, 256.0, 512.0].map(|size| vec![size]).to_vec(),
            ratios: vec![0.5, 1.0, 2.0],
            layout: AnchorLayout::Exact,
        }
    }
}

impl AnchorConfig {
    /// Anchors `A` of a cell of `level`.
    pub fn per_cell(&self, level: usize) -> usize {
        self.sizes[level].len() * self.ratios.len()
    }

    /// Anchors of a level, centred on the top left corner of each cell as in torchvision, in the order (row, column, anchor).
    ///
    /// # Shapes
    /// `grid` is (height, width) in cells; the result has `H * W * A` boxes.
    pub fn level(&self, level: usize, grid: [usize; 2], stride: usize) -> Vec<[f32; 4]> {
        self.cells(level, grid, [stride; 2])
    }

    /// The same on a batch of `picture` pixels, padding included, by the rule of the layout.
    ///
    /// # Shapes
    /// `grid` and `picture` are (height, width).
    pub fn level_of(&self, level: usize, grid: [usize; 2], stride: usize, picture: [usize; 2]) -> Vec<[f32; 4]> {
        let strides = match self.layout {
            AnchorLayout::Exact => [stride; 2],
            AnchorLayout::Torchvision => [0, 1].map(|axis| picture[axis] / grid[axis].max(1)),
        };
        self.cells(level, grid, strides)
    }

    /// Half width and half height of the anchors of a cell.
    fn halves(&self, level: usize) -> Vec<[f32; 2]> {
        let sides = |ratio: f32| {
            self.sizes[level].iter().map(move |size| [size / ratio.sqrt() / 2.0, size * ratio.sqrt() / 2.0])
        };
        let halves = self.ratios.iter().flat_map(|ratio| sides(*ratio));
        match self.layout {
            AnchorLayout::Exact => halves.collect(),
            AnchorLayout::Torchvision => halves.map(|half| half.map(f32::round_ties_even)).collect(),
        }
    }

    fn cells(&self, level: usize, grid: [usize; 2], strides: [usize; 2]) -> Vec<[f32; 4]> {
        let shapes = self.halves(level);
        let mut anchors = Vec::with_capacity(grid[0] * grid[1] * shapes.len());
        for row in 0..grid[0] {
            for column in 0..grid[1] {
                let (x, y) = ((column * strides[1]) as f32, (row * strides[0]) as f32);
                anchors.extend(shapes.iter().map(|[w, h]| [x - w, y - h, x + w, y + h]));
            }
        }
        anchors
    }
}
