//! The mask head of Mask R-CNN (He et al., arXiv 1703.06870, section 3): pooled regions in, one mask for each class out.
//!
//! Convolutions, a transposed convolution of stride 2 and a linear map of each cell to the classes. A region needs the mask of one
//! class, its own: only that row of the last layer is computed, so that the cost does not grow with the number of classes.
//!
//! ```text
//! loss = mean over rows and cells of -(t log p + (1 - t) log(1 - p)),  p = sigmoid(logit of the object's class)
//! ```
//!
//! Targets are RoIAlign of the object's bits with the proposal, shares between 0 and 1, as in torchvision; the paper rounds them.
//! Objects without a mask teach nothing here.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use equipoise_data::BatchImage;
use serde::{Deserialize, Serialize};

use crate::layers::{Conv, relu};
use crate::ops::{self, Roi};
use crate::roi_head::{RoiHead, RoiTargets};
use crate::{BoxMask, Found, Init, Precision, weights};

/// Options of the mask head; the defaults are the paper's for FPN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaskHeadConfig {
    /// Bins per side of a pooled region; its mask has twice as many cells per side.
    pub resolution: usize,
    /// Convolutions before the transposed one.
    pub convs: usize,
    /// Their channels.
    pub width: usize,
    /// One mask for each class (true), or one for all (false).
    pub class_specific: bool,
    /// Factor of the mask loss.
    pub weight: f32,
}

impl Default for MaskHeadConfig {
    fn default() -> Self {
        Self { resolution: 14, convs: 4, width: 256, class_specific: true, weight: 1.0 }
    }
}

/// Regions that go through the head at once in prediction: hundreds of them would need gigabytes.
const CHUNK: usize = 128;

/// The head.
#[derive(Module, Debug)]
pub struct MaskHead {
    convs: Vec<Conv>,
    deconv: Deconv,
    predictor: Conv,
    #[module(skip)]
    config: MaskHeadConfig,
}

/// A transposed convolution with a kernel of 2 and a stride of 2: every cell becomes two by two.
#[derive(Module, Debug)]
pub struct Deconv {
    /// `[in, out, 2, 2]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
    #[module(skip)]
    precision: Precision,
}

impl Deconv {
    fn new(init: &mut Init, inputs: usize, outputs: usize) -> Self {
        // He's rule over the fan-in: with this stride only one cell reaches each result.
        let std = (2.0 / inputs as f64).sqrt();
        let precision = init.precision();
        Self { weight: init.normal([inputs, outputs, 2, 2], std), bias: init.constant([outputs], 0.0), precision }
    }

    /// `[R, in, H, W]` → `[R, out, 2 H, 2 W]`, as a 1×1 convolution to four times the channels.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [rows, _, height, width] = x.dims();
        let [inputs, out, ..] = self.weight.dims();
        let weight = self.weight.val().permute([1, 2, 3, 0]).reshape([4 * out, inputs, 1, 1]);
        let bias: Tensor<2> = self.bias.val().reshape([out, 1]);
        let bias = bias.repeat_dim(1, 4).reshape([4 * out]);
        let y = self.precision.conv2d(x, weight, Some(bias), ops::ConvOptions::new(1, 0));
        let cells: Tensor<6> = y.reshape([rows, out, 2, 2, height, width]).permute([0, 1, 4, 2, 5, 3]);
        cells.reshape([rows, out, 2 * height, 2 * width])
    }
}

impl MaskHead {
    /// A head over levels of `width` channels.
    pub fn new(init: &mut Init, width: usize, num_classes: usize, config: MaskHeadConfig) -> Self {
        let inputs = |at: usize| if at == 0 { width } else { config.width };
        let convs =
            (0..config.convs).map(|at| Conv::new(init, [inputs(at), config.width], 3, 1).with_bias(init)).collect();
        let deconv = Deconv::new(init, inputs(config.convs), config.width);
        let sets = if config.class_specific { num_classes } else { 1 };
        let predictor = Conv::with_std(init, [config.width, sets], 1, 1, 0.001).with_bias(init);
        Self { convs, deconv, predictor, config }
    }

    /// Cells per side of a mask.
    pub fn side(&self) -> usize {
        2 * self.config.resolution
    }

    /// Logits of the masks of `rois`, each for its class.
    ///
    /// # Shapes
    /// `rois` and `classes` `[R]`, at least one → `[R, side * side]`
    pub fn logits(
        &self,
        roi_head: &RoiHead,
        levels: &[Tensor<4>],
        strides: &[usize],
        rois: &[Roi],
        classes: &[usize],
    ) -> Tensor<2> {
        let mut x = roi_head.pool(levels, strides, rois, self.config.resolution);
        for conv in &self.convs {
            x = relu(conv.forward(x));
        }
        let x = relu(self.deconv.forward(x));
        let [rows, channels, height, width] = x.dims();
        let set = |class: &usize| if self.config.class_specific { *class as i64 } else { 0 };
        let sets: Vec<i64> = classes.iter().map(set).collect();
        let sets = Tensor::<1, Int>::from_data(TensorData::new(sets, [rows]), &x.device());
        let weight = self.predictor.weight.val();
        let count = weight.dims()[0];
        let weight: Tensor<2> = weight.reshape([count, channels]);
        let weight: Tensor<3> = weight.select(0, sets.clone()).reshape([rows, 1, channels]);
        let logits = weight.matmul(x.reshape([rows, channels, height * width])).reshape([rows, height * width]);
        match &self.predictor.bias {
            Some(bias) => logits + bias.val().select(0, sets).reshape([rows, 1]),
            None => logits,
        }
    }

    /// Mask loss of the rows that stand for an object with a mask, in the mean over them.
    pub fn loss(
        &self,
        roi_head: &RoiHead,
        levels: &[Tensor<4>],
        strides: &[usize],
        targets: &RoiTargets,
        images: &[BatchImage],
    ) -> Tensor<1> {
        let (mut rois, mut classes, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for foreground in &targets.foreground {
            let roi = targets.rois[foreground.row];
            let image = &images[roi.image];
            if let Some(Some(mask)) = image.masks.get(foreground.object) {
                wanted.extend(ops::mask_align(mask, image.size, roi.bbox, self.side()));
                rois.push(roi);
                classes.push(foreground.class);
            }
        }
        let device = levels[0].device();
        if rois.is_empty() {
            return Tensor::zeros([1], &device);
        }
        let logits = self.logits(roi_head, levels, strides, &rois, &classes);
        mask_loss(logits, wanted, &device).mul_scalar(self.config.weight)
    }

    /// Gives every detection its mask.
    pub fn add_masks(&self, roi_head: &RoiHead, levels: &[Tensor<4>], strides: &[usize], found: &mut [Vec<Found>]) {
        let mut all: Vec<(usize, &mut Found)> =
            found.iter_mut().enumerate().flat_map(|(image, found)| found.iter_mut().map(move |f| (image, f))).collect();
        for chunk in all.chunks_mut(CHUNK) {
            let rois: Vec<Roi> = chunk.iter().map(|(image, found)| Roi { image: *image, bbox: found.bbox }).collect();
            let classes: Vec<usize> = chunk.iter().map(|(_, found)| found.class).collect();
            let logits = self.logits(roi_head, levels, strides, &rois, &classes);
            let chances = weights::host(&activation::sigmoid(logits));
            let side = self.side();
            for ((_, found), chances) in chunk.iter_mut().zip(chances.chunks_exact(side * side)) {
                found.mask = Some(BoxMask { side, chances: chances.to_vec() });
            }
        }
    }
}

/// Binary cross-entropy in the mean: `(1 - t) x - log sigmoid(x)`.
fn mask_loss(logits: Tensor<2>, wanted: Vec<f32>, device: &Device) -> Tensor<1> {
    let wanted = Tensor::<2>::from_data(TensorData::new(wanted, logits.dims()), device);
    let terms = wanted.neg().add_scalar(1.0) * logits.clone() - activation::log_sigmoid(logits);
    terms.mean()
}
