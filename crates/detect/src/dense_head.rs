//! The head of a one-stage detector (RetinaNet, arXiv 1708.02002, section 4): every anchor of every level is classified and moved.
//!
//! Rows of the logits are anchors, ten thousands for each picture. Anchors between the two thresholds and in crowds are ignored rows.
//! As in torchvision every object also takes the anchors that overlap it most; in the paper it may take none.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use equipoise_loss::{ClassLoss, ClassTargets, Label};
use serde::{Deserialize, Serialize};

use crate::anchors::{AnchorConfig, AnchorLayout};
use crate::boxes::{self, DeltaWeights};
use crate::layers::{Conv, relu};
use crate::matching::{Match, MatchConfig, assign_targets};
use crate::roi_head::{judged, keep_best};
use crate::{DetectConfig, Found, GroundTruth, Init, Result, losses, ops, weights};

/// Options of the head; the defaults are torchvision's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DenseHeadConfig {
    /// The anchors.
    pub anchors: AnchorConfig,
    /// Convolutions of each of the two branches before its last.
    pub convs: usize,
    /// When an anchor is foreground.
    pub matching: MatchConfig,
    /// Where the smooth L1 loss of the deltas turns from square to linear; 0 is the L1 loss.
    pub smooth_beta: f32,
    /// Factor of the box loss, which is divided by the foreground anchors of the batch.
    pub box_weight: f32,
    /// Whether a class gets no gradient from pictures in which it was not looked for (federated labels of LVIS, arXiv 1908.03195).
    pub federated: bool,
    /// Deviation of the initial weights.
    pub std: f64,
    /// Detections kept for each level before NMS.
    pub pre_nms: usize,
}

impl Default for DenseHeadConfig {
    fn default() -> Self {
        // Three sizes in an octave, cut to whole pixels.
        let octave = |side: f32| [0.0, 1.0, 2.0].map(|third: f32| (side * (third / 3.0).exp2()).floor()).to_vec();
        Self {
            anchors: AnchorConfig {
                sizes: [32.0, 64.0, 128.0, 256.0, 512.0].map(octave).to_vec(),
                ratios: vec![0.5, 1.0, 2.0],
                layout: AnchorLayout::Exact,
            },
            convs: 4,
            matching: MatchConfig { foreground_iou: 0.5, background_iou: 0.4, best_for_each_object: true },
            smooth_beta: 0.0,
            box_weight: 1.0,
            federated: false,
            std: 0.01,
            pre_nms: 1000,
        }
    }
}

const WEIGHTS: DeltaWeights = DeltaWeights([1.0; 4]);

/// The head: two branches of convolutions that all levels share.
#[derive(Module, Debug)]
pub struct DenseHead {
    class_convs: Vec<Conv>,
    classifier: Conv,
    box_convs: Vec<Conv>,
    deltas: Conv,
    #[module(skip)]
    config: DenseHeadConfig,
    #[module(skip)]
    num_classes: usize,
    #[module(skip)]
    channels: usize,
}

/// What the head says about every anchor of a batch: picture after picture, level after level.
pub struct DenseOutput {
    /// `[N T, C]`, `T` anchors of a picture.
    pub logits: Tensor<2>,
    /// `[N T, 4]`
    pub deltas: Tensor<2>,
    /// `[T]`
    pub anchors: Vec<[f32; 4]>,
    /// Anchors of each level, `[L]`.
    level_sizes: Vec<usize>,
}

/// What the anchors of a batch stand for.
pub struct DenseTargets {
    /// Their classes.
    pub classes: ClassTargets,
    /// Rows that stand for an object: (row, anchor, box).
    foreground: Vec<(usize, [f32; 4], [f32; 4])>,
}

impl DenseHead {
    /// A head over levels of `width` channels for the channels and the bias that `loss` asks for.
    ///
    /// # Panics
    /// When levels have unlike numbers of anchors, which [`AnchorConfig::check`] refuses.
    pub fn new(
        init: &mut Init,
        width: usize,
        num_classes: usize,
        loss: &dyn ClassLoss,
        config: DenseHeadConfig,
    ) -> Self {
        let per_cell = config.anchors.per_cell(0);
        let channels = loss.channels(num_classes);
        let conv = |init: &mut Init, outputs| Conv::with_std(init, [width, outputs], 3, 1, config.std).with_bias(init);
        let class_convs = (0..config.convs).map(|_| conv(init, width)).collect();
        let mut classifier = conv(init, per_cell * channels);
        classifier.bias = Some(init.values(loss.bias_init(num_classes).repeat(per_cell)));
        let box_convs = (0..config.convs).map(|_| conv(init, width)).collect();
        let deltas = conv(init, per_cell * 4);
        Self { class_convs, classifier, box_convs, deltas, config, num_classes, channels }
    }

    /// # Shapes
    /// `levels[l]`: `[N, width, H_l, W_l]`; `picture` is (height, width) of the batch, padding included.
    pub fn forward(&self, levels: &[Tensor<4>], strides: &[usize], picture: [usize; 2]) -> DenseOutput {
        let (mut logits, mut deltas) = (Vec::new(), Vec::new());
        let (mut anchors, mut level_sizes) = (Vec::new(), Vec::new());
        for (level, (map, stride)) in levels.iter().zip(strides).enumerate() {
            let [_, _, height, width] = map.dims();
            let branch = |convs: &[Conv]| convs.iter().fold(map.clone(), |x, conv| relu(conv.forward(x)));
            logits.push(by_anchor(self.classifier.forward(branch(&self.class_convs)), self.channels));
            deltas.push(by_anchor(self.deltas.forward(branch(&self.box_convs)), 4));
            anchors.extend(self.config.anchors.level_of(level, [height, width], *stride, picture));
            level_sizes.push(height * width * self.config.anchors.per_cell(level));
        }
        let rows = levels.first().map_or(0, |map| map.dims()[0]) * anchors.len();
        let logits = Tensor::cat(logits, 1).reshape([rows, self.channels]);
        DenseOutput { logits, deltas: Tensor::cat(deltas, 1).reshape([rows, 4]), anchors, level_sizes }
    }

    /// What every anchor stands for. The quality of a foreground row is the overlap of the box that it predicts with its object.
    ///
    /// # Errors
    /// When an object has a class outside `0..K`.
    pub fn targets(&self, output: &DenseOutput, truth: &[GroundTruth]) -> Result<DenseTargets> {
        let total = output.anchors.len();
        let (mut labels, mut foreground) = (Vec::with_capacity(truth.len() * total), Vec::new());
        for truth in truth {
            let matches = assign_targets(&output.anchors, &truth.boxes, &truth.crowds, self.config.matching);
            for (found, anchor) in matches.into_iter().zip(&output.anchors) {
                labels.push(match found {
                    Match::Object(object) => {
                        foreground.push((labels.len(), *anchor, truth.boxes[object]));
                        Label::Class(truth.classes[object])
                    }
                    Match::Background => Label::Background,
                    Match::Ignored => Label::Ignored,
                });
            }
        }
        let pictures = || (0..labels.len()).map(|row| row / total);
        let judged = self.config.federated.then(|| judged(pictures(), &labels, truth, self.num_classes)).flatten();
        let quality = self.quality(output, &foreground, labels.len());
        let mut classes = ClassTargets::new(labels, self.num_classes)?.with_quality(quality)?;
        if let Some(judged) = judged {
            classes = classes.with_judged(judged)?;
        }
        Ok(DenseTargets { classes, foreground })
    }

    fn quality(&self, output: &DenseOutput, foreground: &[(usize, [f32; 4], [f32; 4])], rows: usize) -> Vec<f32> {
        let mut quality = vec![1.0; rows];
        if foreground.is_empty() {
            return quality;
        }
        let deltas = weights::host(&select(output.deltas.clone().inner(), foreground));
        for ((row, anchor, bbox), deltas) in foreground.iter().zip(deltas.as_chunks::<4>().0) {
            let predicted = boxes::decode_deltas(*anchor, *deltas, WEIGHTS);
            let overlap = ops::iou_matrix(&[predicted], &[*bbox])[0];
            // A network that has left the finite numbers is found by its losses.
            quality[*row] = if overlap.is_finite() { overlap.clamp(0.0, 1.0) } else { 0.0 };
        }
        quality
    }

    /// Box loss of the foreground rows, divided by their number.
    pub fn box_loss(&self, output: &DenseOutput, targets: &DenseTargets) -> Tensor<1> {
        let device = output.deltas.device();
        let count = targets.foreground.len();
        if count == 0 {
            return Tensor::zeros([1], &device);
        }
        let encode = |(_, anchor, bbox): &(usize, [f32; 4], [f32; 4])| boxes::encode_deltas(*anchor, *bbox, WEIGHTS);
        let wanted: Vec<f32> = targets.foreground.iter().flat_map(encode).collect();
        let wanted = Tensor::<2>::from_data(TensorData::new(wanted, [count, 4]), &device);
        let deltas = select(output.deltas.clone(), &targets.foreground);
        losses::smooth_l1(deltas, wanted, self.config.smooth_beta).mul_scalar(self.config.box_weight / count as f32)
    }

    /// Detections of every picture; `sizes` are (height, width) without padding.
    pub fn decode(
        &self,
        output: DenseOutput,
        loss: &dyn ClassLoss,
        sizes: &[[usize; 2]],
        config: &DetectConfig,
    ) -> Vec<Vec<Found>> {
        let scores = weights::host(&loss.scores(output.logits));
        let deltas = weights::host(&output.deltas);
        let (total, classes) = (output.anchors.len(), self.num_classes);
        let of_picture = |(image, size): (usize, &[usize; 2])| {
            let (mut found, mut first) = (Vec::new(), 0);
            for count in &output.level_sizes {
                let row = image * total + first;
                for (at, score) in self.best(&scores[row * classes..][..count * classes], config.score_threshold) {
                    let (anchor, class) = (at / classes, at % classes);
                    let delta = [0, 1, 2, 3].map(|k| deltas[4 * (row + anchor) + k]);
                    let bbox = boxes::decode_deltas(output.anchors[first + anchor], delta, WEIGHTS);
                    let bbox = boxes::clip(bbox, *size);
                    if boxes::area(bbox) > 0.0 {
                        found.push(Found { bbox, class, score, mask: None });
                    }
                }
                first += count;
            }
            keep_best(found, config)
        };
        sizes.iter().enumerate().map(of_picture).collect()
    }

    /// The best scores of a level above the threshold, as (index, score).
    fn best(&self, scores: &[f32], threshold: f32) -> Vec<(usize, f32)> {
        // A NaN score fails the comparison.
        let mut found: Vec<(usize, f32)> =
            scores.iter().copied().enumerate().filter(|(_, score)| *score > threshold).collect();
        let order = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let most = self.config.pre_nms;
        if found.len() > most {
            found.select_nth_unstable_by(most, order);
            found.truncate(most);
        }
        found.sort_unstable_by(order);
        found
    }
}

/// `[N, A X, H, W]` → `[N, H W A, X]`: rows in the order of anchors.
fn by_anchor(map: Tensor<4>, values: usize) -> Tensor<3> {
    let [images, channels, height, width] = map.dims();
    let anchors = channels / values.max(1);
    map.permute([0, 2, 3, 1]).reshape([images, height * width * anchors, values])
}

fn select(rows: Tensor<2>, foreground: &[(usize, [f32; 4], [f32; 4])]) -> Tensor<2> {
    let indices: Vec<i64> = foreground.iter().map(|(row, ..)| *row as i64).collect();
    let device: Device = rows.device();
    rows.select(0, Tensor::<1, Int>::from_data(TensorData::new(indices, [foreground.len()]), &device))
}
