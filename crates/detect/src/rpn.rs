//! Region proposal network (Faster R-CNN, arXiv 1506.01497, section 3.1) over a feature pyramid.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::anchors::AnchorConfig;
use crate::boxes::{self, DeltaWeights};
use crate::layers::{Conv, relu};
use crate::matching::{Match, MatchConfig, SubsampleConfig, assign_targets, subsample};
use crate::{GroundTruth, Init, losses, ops, weights};

/// Options of the proposal network; the defaults are torchvision's, but for anchors that are not rounded and the L1 loss of the
/// published LVIS recipes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RpnConfig {
    /// The anchors.
    pub anchors: AnchorConfig,
    /// When an anchor is foreground.
    pub matching: MatchConfig,
    /// How many anchors train.
    pub subsample: SubsampleConfig,
    /// Proposals kept for each level before NMS, in training.
    pub pre_nms_train: usize,
    /// Proposals kept for each picture after NMS, in training.
    pub post_nms_train: usize,
    /// Proposals kept for each level before NMS, at inference.
    pub pre_nms_test: usize,
    /// Proposals kept for each picture after NMS, at inference.
    pub post_nms_test: usize,
    /// IoU above which the weaker of two proposals of a level goes.
    pub nms_iou: f32,
    /// Sides below this many pixels are dropped.
    pub min_side: f32,
    /// Where the smooth L1 loss of the deltas turns from square to linear; 0 is the L1 loss (torchvision: 1/9).
    pub smooth_beta: f32,
}

impl Default for RpnConfig {
    fn default() -> Self {
        Self {
            anchors: AnchorConfig::default(),
            matching: MatchConfig { foreground_iou: 0.7, background_iou: 0.3, best_for_each_object: true },
            subsample: SubsampleConfig { per_image: 256, foreground_fraction: 0.5 },
            pre_nms_train: 2000,
            post_nms_train: 2000,
            pre_nms_test: 1000,
            post_nms_test: 1000,
            nms_iou: 0.7,
            min_side: 1e-3,
            smooth_beta: 0.0,
        }
    }
}

/// Weights of the deltas of proposals.
pub(crate) const WEIGHTS: DeltaWeights = DeltaWeights([1.0; 4]);

/// The network: one 3×3 convolution, then an objectness and four deltas for each anchor.
#[derive(Module, Debug)]
pub struct Rpn {
    conv: Conv,
    objectness: Conv,
    deltas: Conv,
    #[module(skip)]
    config: RpnConfig,
}

/// What the network says about every anchor of a batch, level after level.
pub struct RpnOutput {
    /// `[N, T]`, `T` anchors of a picture.
    objectness: Tensor<2>,
    /// `[N, T, 4]`
    deltas: Tensor<3>,
    /// `[T]`
    anchors: Vec<[f32; 4]>,
    /// Anchors of each level.
    level_sizes: Vec<usize>,
}

impl Rpn {
    /// A network over levels of `width` channels.
    pub fn new(init: &mut Init, width: usize, config: RpnConfig) -> Self {
        let anchors = config.anchors.per_cell(0);
        Self {
            conv: Conv::with_std(init, [width, width], 3, 1, 0.01).with_bias(init),
            objectness: Conv::with_std(init, [width, anchors], 1, 1, 0.01).with_bias(init),
            deltas: Conv::with_std(init, [width, 4 * anchors], 1, 1, 0.01).with_bias(init),
            config,
        }
    }

    /// # Shapes
    /// `levels[l]`: `[N, width, H_l, W_l]`
    pub fn forward(&self, levels: &[Tensor<4>], strides: &[usize]) -> RpnOutput {
        let [_, _, height, width] = levels[0].dims();
        let picture = [height * strides[0], width * strides[0]];
        let (mut objectness, mut deltas) = (Vec::new(), Vec::new());
        let (mut anchors, mut level_sizes) = (Vec::new(), Vec::new());
        for (level, (map, stride)) in levels.iter().zip(strides).enumerate() {
            let [images, _, height, width] = map.dims();
            let per_cell = self.config.anchors.per_cell(level);
            let count = height * width * per_cell;
            let x = relu(self.conv.forward(map.clone()));
            objectness.push(self.objectness.forward(x.clone()).permute([0, 2, 3, 1]).reshape([images, count]));
            deltas.push(self.deltas.forward(x).permute([0, 2, 3, 1]).reshape([images, count, 4]));
            anchors.extend(self.config.anchors.level_of(level, [height, width], *stride, picture));
            level_sizes.push(count);
        }
        RpnOutput { objectness: Tensor::cat(objectness, 1), deltas: Tensor::cat(deltas, 1), anchors, level_sizes }
    }

    /// The best boxes of every picture, for training or for inference; `sizes` are (height, width) without padding.
    pub fn propose(&self, output: &RpnOutput, sizes: &[[usize; 2]], training: bool) -> Vec<Vec<[f32; 4]>> {
        let total = output.anchors.len();
        let objectness = weights::host(&output.objectness);
        let deltas = weights::host(&output.deltas);
        let pictures = objectness.chunks_exact(total).zip(deltas.chunks_exact(4 * total)).zip(sizes);
        pictures
            .map(|((scores, deltas), size)| self.filter_proposals(output, scores, deltas, *size, training))
            .collect()
    }

    fn filter_proposals(
        &self,
        output: &RpnOutput,
        scores: &[f32],
        deltas: &[f32],
        size: [usize; 2],
        training: bool,
    ) -> Vec<[f32; 4]> {
        let (pre_nms, post_nms) = if training {
            (self.config.pre_nms_train, self.config.post_nms_train)
        } else {
            (self.config.pre_nms_test, self.config.post_nms_test)
        };
        let (mut kept, mut kept_scores, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        let mut start = 0;
        for (level, count) in output.level_sizes.iter().enumerate() {
            let mut order: Vec<usize> = (start..start + count).collect();
            order.sort_unstable_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
            for index in order.into_iter().take(pre_nms) {
                let delta = [0, 1, 2, 3].map(|k| deltas[4 * index + k]);
                let candidate = boxes::clip(boxes::decode_deltas(output.anchors[index], delta, WEIGHTS), size);
                let (w, h) = (candidate[2] - candidate[0], candidate[3] - candidate[1]);
                // A NaN side fails the comparison and is dropped with the small ones.
                if w >= self.config.min_side && h >= self.config.min_side {
                    kept.push(candidate);
                    kept_scores.push(scores[index]);
                    groups.push(level);
                }
            }
            start += count;
        }
        let order = ops::batched_nms(&kept, &kept_scores, &groups, self.config.nms_iou);
        order.into_iter().take(post_nms).map(|index| kept[index]).collect()
    }

    /// Objectness and box losses over a sample of anchors, each divided by the number sampled in the batch.
    pub fn losses(&self, output: &RpnOutput, truth: &[GroundTruth], rng: &mut ChaCha8Rng) -> [Tensor<1>; 2] {
        let total = output.anchors.len();
        let device = output.objectness.device();
        let (mut sampled, mut labels) = (Vec::new(), Vec::new());
        let (mut positive, mut targets) = (Vec::new(), Vec::new());
        for (image, truth) in truth.iter().enumerate() {
            let matches = assign_targets(&output.anchors, &truth.boxes, &truth.crowds, self.config.matching);
            for index in subsample(&matches, self.config.subsample, rng) {
                let flat = (image * total + index) as i64;
                sampled.push(flat);
                labels.push(f32::from(matches!(matches[index], Match::Object(_))));
                if let Match::Object(object) = matches[index] {
                    positive.push(flat);
                    targets.extend(boxes::encode_deltas(output.anchors[index], truth.boxes[object], WEIGHTS));
                }
            }
        }
        let count = sampled.len().max(1) as f32;
        let rows = output.objectness.dims()[0] * total;
        if sampled.is_empty() {
            return [Tensor::zeros([1], &device), Tensor::zeros([1], &device)];
        }
        let logits = output.objectness.clone().reshape([rows]).select(0, indices(sampled, &device));
        // One log-sigmoid of the signed logit is the binary cross-entropy.
        let signs: Vec<f32> = labels.iter().map(|label| 2.0 * label - 1.0).collect();
        let signs = Tensor::<1>::from_data(TensorData::new(signs, [labels.len()]), &device);
        let objectness = activation::log_sigmoid(logits * signs).neg().sum().div_scalar(count);
        let boxes = if positive.is_empty() {
            Tensor::zeros([1], &device)
        } else {
            let targets = Tensor::<2>::from_data(TensorData::new(targets, [positive.len(), 4]), &device);
            let deltas = output.deltas.clone().reshape([rows, 4]).select(0, indices(positive, &device));
            losses::smooth_l1(deltas, targets, self.config.smooth_beta).div_scalar(count)
        };
        [objectness, boxes]
    }
}

fn indices(values: Vec<i64>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
