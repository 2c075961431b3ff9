//! Anchors: the boxes that every cell of the pyramid starts from (arXiv 1506.01497, section 3.1.1).

/// Sizes and shapes of anchors.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnchorConfig {
    /// Side in pixels of the square anchors, one list for each pyramid level.
    pub sizes: Vec<Vec<f32>>,
    /// Height over width.
    pub ratios: Vec<f32>,
}

impl Default for AnchorConfig {
    /// One size for each of five levels and three shapes (FPN, arXiv 1612.03144, section 4.1).
    fn default() -> Self {
        Self { sizes: [32.0, 64.0, 128.0, 256.0, 512.0].map(|size| vec![size]).to_vec(), ratios: vec![0.5, 1.0, 2.0] }
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
        let shapes: Vec<[f32; 2]> = self
            .ratios
            .iter()
            .flat_map(|ratio| self.sizes[level].iter().map(move |size| [size / ratio.sqrt(), size * ratio.sqrt()]))
            .collect();
        let mut anchors = Vec::with_capacity(grid[0] * grid[1] * shapes.len());
        for row in 0..grid[0] {
            for column in 0..grid[1] {
                let (x, y) = ((column * stride) as f32, (row * stride) as f32);
                anchors.extend(shapes.iter().map(|[w, h]| [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]));
            }
        }
        anchors
    }
}
