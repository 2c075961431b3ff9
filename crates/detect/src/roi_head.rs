//! The box head of a two-stage detector: pooled regions in, class logits and box deltas out (arXiv 1504.08083, 1612.03144).

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, TensorData};
use equipoise_loss::{ClassLoss, ClassTargets, Classifier, Label};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::boxes::{self, DeltaWeights};
use crate::layers::{Linear, relu};
use crate::matching::{Match, MatchConfig, SubsampleConfig, assign_targets, subsample};
use crate::ops::{self, Roi, RoiAlignOptions};
use crate::{DetectConfig, Found, GroundTruth, Init, Result, losses, weights};

/// Options of the box head; the defaults are those of FPN detectors on COCO and LVIS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoiHeadConfig {
    /// Bins per side of a pooled region.
    pub resolution: usize,
    /// Samples per bin and axis.
    pub sampling_ratio: usize,
    /// Whether pixel centres lie at half coordinates when regions are pooled, as in Detectron2; false as in torchvision.
    pub aligned: bool,
    /// Pyramid levels that regions are pooled from: the first so many.
    pub pooled_levels: usize,
    /// Side in pixels of a region that is pooled from the level of stride 16 (FPN, section 4.2: 224).
    pub canonical_side: f32,
    /// Width of the two hidden layers.
    pub hidden: usize,
    /// When a proposal is foreground.
    pub matching: MatchConfig,
    /// How many proposals train.
    pub subsample: SubsampleConfig,
    /// Weights of the box deltas.
    pub delta_weights: DeltaWeights,
    /// Where the smooth L1 loss of the deltas turns from square to linear; 0 is the L1 loss (torchvision: 1/9).
    pub smooth_beta: f32,
    /// Factor of the box loss. It is divided by all rows, so that it fades where few proposals are foreground.
    pub box_weight: f32,
    /// One set of deltas for each class (true), or one for all (false).
    pub class_specific_boxes: bool,
    /// Whether a class gets no gradient from pictures in which it was not looked for (federated labels of LVIS, arXiv 1908.03195);
    /// false as in the published recipes. Other data sets are not touched.
    pub federated: bool,
    /// Deviation of the classifier's initial weights.
    pub classifier_std: f64,
    /// Whether each logit has a factor of its own, which starts at 1: what the second stage of LWS learns (arXiv 1910.09217).
    pub class_scales: bool,
}

impl Default for RoiHeadConfig {
    fn default() -> Self {
        Self {
            resolution: 7,
            sampling_ratio: 2,
            aligned: true,
            pooled_levels: 4,
            canonical_side: 224.0,
            hidden: 1024,
            matching: MatchConfig { foreground_iou: 0.5, background_iou: 0.5, best_for_each_object: false },
            subsample: SubsampleConfig { per_image: 512, foreground_fraction: 0.25 },
            delta_weights: DeltaWeights([10.0, 10.0, 5.0, 5.0]),
            smooth_beta: 0.0,
            box_weight: 1.0,
            class_specific_boxes: true,
            federated: false,
            classifier_std: 0.01,
            class_scales: false,
        }
    }
}

/// The head.
#[derive(Module, Debug)]
pub struct RoiHead {
    hidden1: Linear,
    hidden2: Linear,
    classifier: Linear,
    deltas: Linear,
    /// `[C]`
    scales: Option<Param<Tensor<1>>>,
    #[module(skip)]
    config: RoiHeadConfig,
    #[module(skip)]
    num_classes: usize,
    #[module(skip)]
    kind: Classifier,
}

/// Proposals that train, picture after picture, and what they stand for.
pub struct RoiTargets {
    /// The regions, `[R]`.
    pub rois: Vec<Roi>,
    /// Their classes.
    pub classes: ClassTargets,
    /// Rows that stand for an object.
    pub(crate) foreground: Vec<Foreground>,
}

/// A proposal that stands for an object.
pub(crate) struct Foreground {
    /// Its row.
    pub(crate) row: usize,
    /// The object, of those of its picture.
    pub(crate) object: usize,
    /// The class of the object.
    pub(crate) class: usize,
    /// Delta targets.
    deltas: [f32; 4],
}

impl RoiHead {
    /// A head over levels of `width` channels for the channels, bias and classifier that `loss` asks for.
    pub fn new(init: &mut Init, width: usize, num_classes: usize, loss: &dyn ClassLoss, config: RoiHeadConfig) -> Self {
        let pooled = width * config.resolution * config.resolution;
        let sets = if config.class_specific_boxes { num_classes } else { 1 };
        Self {
            hidden1: Linear::he(init, pooled, config.hidden),
            hidden2: Linear::he(init, config.hidden, config.hidden),
            classifier: Linear::new(init, config.hidden, config.classifier_std, loss.bias_init(num_classes)),
            deltas: Linear::new(init, config.hidden, 0.001, vec![0.0; 4 * sets]),
            scales: config.class_scales.then(|| init.values(vec![1.0; loss.channels(num_classes)])),
            config,
            num_classes,
            kind: loss.classifier(),
        }
    }

    /// Draws the proposals that train; the objects themselves are among the candidates.
    ///
    /// # Errors
    /// When an object has a class outside `0..K`.
    pub fn targets(
        &self,
        proposals: Vec<Vec<[f32; 4]>>,
        truth: &[GroundTruth],
        rng: &mut ChaCha8Rng,
    ) -> Result<RoiTargets> {
        let (mut rois, mut labels, mut foreground) = (Vec::new(), Vec::new(), Vec::new());
        for (image, (mut candidates, truth)) in proposals.into_iter().zip(truth).enumerate() {
            candidates.extend(&truth.boxes);
            let matches = assign_targets(&candidates, &truth.boxes, &truth.crowds, self.config.matching);
            for index in subsample(&matches, self.config.subsample, rng) {
                if let Match::Object(object) = matches[index] {
                    let class = truth.classes[object];
                    let deltas =
                        boxes::encode_deltas(candidates[index], truth.boxes[object], self.config.delta_weights);
                    foreground.push(Foreground { row: rois.len(), object, class, deltas });
                    labels.push(Label::Class(class));
                } else {
                    labels.push(Label::Background);
                }
                rois.push(Roi { image, bbox: candidates[index] });
            }
        }
        let judged = self
            .config
            .federated
            .then(|| judged(rois.iter().map(|roi| roi.image), &labels, truth, self.num_classes))
            .flatten();
        let mut classes = ClassTargets::new(labels, self.num_classes)?;
        if let Some(judged) = judged {
            classes = classes.with_judged(judged)?;
        }
        Ok(RoiTargets { rois, classes, foreground })
    }

    /// What the two hidden layers make of regions, `[R, hidden]`.
    ///
    /// # Shapes
    /// `levels[l]`: `[N, width, H_l, W_l]`
    pub fn features(&self, levels: &[Tensor<4>], strides: &[usize], rois: &[Roi]) -> Tensor<2> {
        let pooled = self.pool(levels, strides, rois, self.config.resolution);
        let [rows, channels, height, width] = pooled.dims();
        let x = relu(self.hidden1.forward(pooled.reshape([rows, channels * height * width])));
        relu(self.hidden2.forward(x))
    }

    /// Regions pooled from their levels, `resolution` bins a side: `[R, width, resolution, resolution]`.
    pub(crate) fn pool(&self, levels: &[Tensor<4>], strides: &[usize], rois: &[Roi], resolution: usize) -> Tensor<4> {
        let used = self.config.pooled_levels.min(levels.len());
        let assign: Vec<usize> = rois.iter().map(|roi| self.level_of(roi.bbox, &strides[..used])).collect();
        let options = RoiAlignOptions {
            output: [resolution; 2],
            spatial_scale: 1.0,
            sampling_ratio: self.config.sampling_ratio,
            aligned: self.config.aligned,
        };
        ops::roi_align_pyramid(&levels[..used], &strides[..used], rois, &assign, &options)
    }

    /// Class logits `[R, C]` of features.
    pub fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        let logits = match self.kind {
            Classifier::Linear => self.classifier.forward(features),
            Classifier::Normalized { temperature } => self.classifier.forward_normalized(features, temperature),
        };
        match &self.scales {
            Some(scales) => logits * scales.val().unsqueeze(),
            None => logits,
        }
    }

    /// Deltas `[rows, 4 or 4K]` of some rows of the features, at least one.
    ///
    /// With a box for every class this layer is as large as all others but the first, and most rows need none: in training those
    /// of the background, in prediction those without a score above the threshold.
    fn deltas_of(&self, features: Tensor<2>, rows: &[usize]) -> Tensor<2> {
        let indices: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [rows.len()]), &features.device());
        self.deltas.forward(features.select(0, indices))
    }

    /// FPN, equation 1: a region of the canonical side belongs to stride 16, one of half the side to stride 8.
    fn level_of(&self, bbox: [f32; 4], strides: &[usize]) -> usize {
        let side = boxes::area(bbox).sqrt();
        let wanted = 16.0 * 2f32.powf((side / self.config.canonical_side + 1e-6).log2().floor());
        strides.iter().rposition(|stride| *stride as f32 <= wanted).unwrap_or(0)
    }

    /// Box loss of the foreground rows, divided by all rows.
    pub fn box_loss(&self, features: Tensor<2>, targets: &RoiTargets) -> Tensor<1> {
        let device = features.device();
        let count = targets.foreground.len();
        if count == 0 {
            return Tensor::zeros([1], &device);
        }
        let [rows, _] = features.dims();
        let foreground: Vec<usize> = targets.foreground.iter().map(|foreground| foreground.row).collect();
        let deltas = self.deltas_of(features, &foreground);
        let sets = deltas.dims()[1] / 4;
        let set_of = |(at, foreground): (usize, &Foreground)| {
            (at * sets + if self.config.class_specific_boxes { foreground.class } else { 0 }) as i64
        };
        let indices: Vec<i64> = targets.foreground.iter().enumerate().map(set_of).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [count]), &device);
        let wanted: Vec<f32> = targets.foreground.iter().flat_map(|foreground| foreground.deltas).collect();
        let wanted = Tensor::<2>::from_data(TensorData::new(wanted, [count, 4]), &device);
        let picked = deltas.reshape([count * sets, 4]).select(0, indices);
        losses::smooth_l1(picked, wanted, self.config.smooth_beta).mul_scalar(self.config.box_weight / rows as f32)
    }

    /// Detections of every picture from scores `[R, K]` and features of its proposals.
    pub fn decode(
        &self,
        rois: &[Roi],
        scores: &[f32],
        features: Tensor<2>,
        sizes: &[[usize; 2]],
        config: &DetectConfig,
    ) -> Vec<Vec<Found>> {
        let mut found: Vec<Vec<Found>> = vec![Vec::new(); sizes.len()];
        // A NaN score fails the comparison.
        let passes = |score: f32| score > config.score_threshold;
        let scores_of = |row: usize| &scores[row * self.num_classes..][..self.num_classes];
        let rows: Vec<usize> =
            (0..rois.len()).filter(|&row| scores_of(row).iter().any(|score| passes(*score))).collect();
        if rows.is_empty() {
            return found;
        }
        let deltas = weights::host(&self.deltas_of(features, &rows));
        for (&row, deltas) in rows.iter().zip(deltas.chunks_exact(deltas.len() / rows.len())) {
            let roi = &rois[row];
            for (class, &score) in scores_of(row).iter().enumerate().filter(|(_, score)| passes(**score)) {
                let at = if self.config.class_specific_boxes { 4 * class } else { 0 };
                let delta = [0, 1, 2, 3].map(|k| deltas[at + k]);
                let bbox = boxes::decode_deltas(roi.bbox, delta, self.config.delta_weights);
                let bbox = boxes::clip(bbox, sizes[roi.image]);
                let shorter = (bbox[2] - bbox[0]).min(bbox[3] - bbox[1]);
                if shorter > 0.0 && shorter >= config.min_side {
                    found[roi.image].push(Found { bbox, class, score, mask: None });
                }
            }
        }
        found.into_iter().map(|found| keep_best(found, config)).collect()
    }
}

/// Which classes each row may teach, `[R, K]`: its own, and those of which every object of its picture is labelled. `None`: all.
pub(crate) fn judged(
    pictures: impl Iterator<Item = usize>,
    labels: &[Label],
    truth: &[GroundTruth],
    num_classes: usize,
) -> Option<Vec<bool>> {
    if truth.iter().all(|truth| truth.exhaustive.is_none()) {
        return None;
    }
    let mut judged = vec![false; labels.len() * num_classes];
    for ((picture, label), row) in pictures.zip(labels).zip(judged.chunks_exact_mut(num_classes.max(1))) {
        match &truth[picture].exhaustive {
            None => row.fill(true),
            Some(classes) => classes.iter().filter(|class| **class < num_classes).for_each(|&class| row[class] = true),
        }
        if let Label::Class(class) = *label
            && class < num_classes
        {
            row[class] = true;
        }
    }
    Some(judged)
}

/// The best detections of a picture after NMS within each class, best first.
pub(crate) fn keep_best(found: Vec<Found>, config: &DetectConfig) -> Vec<Found> {
    let boxes: Vec<_> = found.iter().map(|found| found.bbox).collect();
    let scores: Vec<_> = found.iter().map(|found| found.score).collect();
    let classes: Vec<_> = found.iter().map(|found| found.class).collect();
    let order = ops::batched_nms(&boxes, &scores, &classes, config.nms_iou);
    order.into_iter().take(config.max_detections).map(|index| found[index].clone()).collect()
}
