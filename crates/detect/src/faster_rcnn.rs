//! Faster R-CNN with a feature pyramid (arXiv 1506.01497, 1612.03144), and with masks Mask R-CNN (arXiv 1703.06870).

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use equipoise_data::Batch;
use equipoise_loss::{ClassLoss, Head};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::backbone::{Backbone, BackboneSpec};
use crate::check::{least, positive, share, within};
use crate::fpn::{self, Fpn};
use crate::layers::{Norm, NormKind};
use crate::mask_head::{MaskHead, MaskHeadConfig};
use crate::ops::Roi;
use crate::roi_head::{RoiHead, RoiHeadConfig};
use crate::rpn::{Rpn, RpnConfig};
use crate::{DetectConfig, DetectorCard, Found, GroundTruth, Init, Precision, Result, TrainOutput, weights};

const LAYERS: [&str; 3] = ["roi_head.classifier.", "roi_head.deltas.", "mask_head.predictor."];

/// The card.
pub const CARD: DetectorCard =
    DetectorCard { kind: "faster_rcnn", title: "Faster R-CNN", head: Head::Proposals, class_layers: &LAYERS };

/// Options of the detector; the defaults are those of the published LVIS recipes: ResNet-50 and FPN, aligned RoIAlign, a box and a
/// mask for each class, the L1 loss. torchvision's are in the built-in recipe `torchvision`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FasterRcnnConfig {
    /// Name of the backbone.
    pub backbone: String,
    /// Normalisation of the backbone.
    pub norm: NormKind,
    /// Added to the variances of batch statistics; torchvision's detectors trained on COCO (`COCO_V1`) have 0.
    pub norm_epsilon: f64,
    /// Precision of convolutions and matrix products; half precision is for GPUs.
    pub precision: Precision,
    /// Parts of the backbone without gradient: 1 is the stem, 2 the stem and the first stage, …
    pub frozen_stages: usize,
    /// First stage of the backbone that feeds the pyramid: 0 has stride 4.
    pub first_stage: usize,
    /// Channels of the pyramid.
    pub fpn_width: usize,
    /// Levels on top of the backbone's.
    pub extra_levels: usize,
    /// The proposal network.
    pub rpn: RpnConfig,
    /// The box head.
    pub roi: RoiHeadConfig,
    /// Whether objects get masks: Mask R-CNN.
    pub masks: bool,
    /// The mask head.
    pub mask: MaskHeadConfig,
}

impl Default for FasterRcnnConfig {
    fn default() -> Self {
        Self {
            backbone: "resnet50".into(),
            norm: NormKind::Frozen,
            norm_epsilon: Norm::EPSILON,
            precision: Precision::F32,
            frozen_stages: 2,
            first_stage: 0,
            fpn_width: 256,
            extra_levels: 1,
            rpn: RpnConfig::default(),
            roi: RoiHeadConfig::default(),
            masks: false,
            mask: MaskHeadConfig::default(),
        }
    }
}

/// The detector.
#[derive(Module, Debug)]
pub struct FasterRcnn {
    backbone: Backbone,
    fpn: Fpn,
    rpn: Rpn,
    roi_head: RoiHead,
    mask_head: Option<MaskHead>,
    #[module(skip)]
    first_stage: usize,
    #[module(skip)]
    strides: Vec<usize>,
    #[module(skip)]
    picture_stride: usize,
}

impl FasterRcnn {
    /// A detector with fresh weights for `num_classes` classes and the channels that `loss` asks for.
    ///
    /// # Errors
    /// When the backbone is unknown or the levels and the anchors do not fit.
    pub fn new(
        config: &FasterRcnnConfig,
        num_classes: usize,
        loss: &dyn ClassLoss,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let spec = BackboneSpec::find(&config.backbone)?;
        config.check()?;
        let strides = fpn::level_strides(spec, config.first_stage, config.extra_levels)?;
        config.rpn.anchors.check(["rpn.anchors", "rpn.anchors.sizes"], &strides)?;
        config.precision.check(device)?;
        let mut init = Init::new(seed, device).with_precision(config.precision);
        let channels = spec.channels()[config.first_stage..].to_vec();
        let backbone = Backbone::new(spec, config.norm, config.frozen_stages, &mut init);
        let backbone = backbone.with_norm_epsilon(config.norm_epsilon);
        let fpn = Fpn::new(&mut init, &channels, config.fpn_width, config.extra_levels);
        let rpn = Rpn::new(&mut init, config.fpn_width, config.rpn.clone());
        let roi_head = RoiHead::new(&mut init, config.fpn_width, num_classes, loss, config.roi.clone());
        let mask_head =
            config.masks.then(|| MaskHead::new(&mut init, config.fpn_width, num_classes, config.mask.clone()));
        let picture_stride = spec.strides().last().copied().unwrap_or(1);
        let first_stage = config.first_stage;
        Ok(Self { backbone, fpn, rpn, roi_head, mask_head, first_stage, strides, picture_stride })
    }

    /// Height and width of a batch must be multiples of this many pixels, so that each map has half the size of the one before.
    pub fn picture_stride(&self) -> usize {
        self.picture_stride
    }

    /// The levels of the pyramid over the pictures of a batch.
    ///
    /// # Shapes
    /// `levels[l]`: `[N, width, H_l, W_l]`
    pub fn levels(&self, batch: &Batch, device: &Device) -> Vec<Tensor<4>> {
        let pictures = Tensor::from_data(TensorData::new(batch.pixels.clone(), batch.shape), device);
        let maps = self.backbone.forward(pictures).split_off(self.first_stage);
        self.fpn.forward(maps)
    }

    /// The proposals of every picture from its levels, best first, for training or for inference.
    pub fn propose(&self, batch: &Batch, levels: &[Tensor<4>], training: bool) -> Vec<Vec<[f32; 4]>> {
        self.rpn.propose(&self.rpn.forward(levels, &self.strides), &sizes(batch), training)
    }

    /// Logits, their targets and the losses that are not the classification's. `seed` decides which boxes train.
    ///
    /// # Errors
    /// When an object has a class outside `0..K`.
    pub fn forward_train(&self, batch: &Batch, device: &Device, seed: u64) -> Result<TrainOutput> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let truth: Vec<GroundTruth> = batch.images.iter().map(GroundTruth::from).collect();
        let levels = self.levels(batch, device);
        let output = self.rpn.forward(&levels, &self.strides);
        let proposals = self.rpn.propose(&output, &sizes(batch), true);
        let [rpn_objectness, rpn_box] = self.rpn.losses(&output, &truth, &mut rng);
        let targets = self.roi_head.targets(proposals, &truth, &mut rng)?;
        let features = self.roi_head.features(&levels, &self.strides, &targets.rois);
        let logits = self.roi_head.logits(features.clone());
        let box_loss = self.roi_head.box_loss(features, &targets);
        let mut losses = vec![("rpn_objectness", rpn_objectness), ("rpn_box", rpn_box), ("box", box_loss)];
        if let Some(head) = &self.mask_head {
            losses.push(("mask", head.loss(&self.roi_head, &levels, &self.strides, &targets, &batch.images)));
        }
        Ok(TrainOutput { logits, targets: targets.classes, losses })
    }

    /// Detections of every picture, in pixels of the batch.
    pub fn detect(
        &self,
        batch: &Batch,
        device: &Device,
        loss: &dyn ClassLoss,
        config: &DetectConfig,
    ) -> Vec<Vec<Found>> {
        let levels = self.levels(batch, device);
        let output = self.rpn.forward(&levels, &self.strides);
        let sizes = sizes(batch);
        let proposals = self.rpn.propose(&output, &sizes, false);
        let rois: Vec<Roi> = proposals
            .iter()
            .enumerate()
            .flat_map(|(image, boxes)| boxes.iter().map(move |&bbox| Roi { image, bbox }))
            .collect();
        if rois.is_empty() {
            return vec![Vec::new(); sizes.len()];
        }
        let features = self.roi_head.features(&levels, &self.strides, &rois);
        let scores = weights::host(&loss.scores(self.roi_head.logits(features.clone())));
        let mut found = self.roi_head.decode(&rois, &scores, features, &sizes, config);
        if let Some(head) = &self.mask_head {
            head.add_masks(&self.roi_head, &levels, &self.strides, &mut found);
        }
        found
    }
}

impl FasterRcnnConfig {
    /// The layers of the card that depend on the classes with these options.
    pub fn class_layers(&self) -> Vec<&'static str> {
        let [classifier, deltas, masks] = LAYERS;
        let deltas = Some(deltas).filter(|_| self.roi.class_specific_boxes);
        let masks = Some(masks).filter(|_| self.mask.class_specific);
        [classifier].into_iter().chain(deltas).chain(masks).collect()
    }

    /// Refuses values that no detector can be built from.
    fn check(&self) -> Result<()> {
        let (rpn, roi) = (&self.rpn, &self.roi);
        within("fpn_width", self.fpn_width, 1, 4096)?;
        within("extra_levels", self.extra_levels, 0, 4)?;
        within("roi.resolution", roi.resolution, 1, 64)?;
        within("roi.hidden", roi.hidden, 1, 65_536)?;
        within("roi.pooled_levels", roi.pooled_levels, 1, 16)?;
        within("roi.sampling_ratio", roi.sampling_ratio, 0, 64)?;
        positive("roi.delta_weights", &roi.delta_weights.0)?;
        positive("roi.canonical_side", &[roi.canonical_side])?;
        positive("rpn.anchors.ratios", &rpn.anchors.ratios)?;
        positive("rpn.anchors.sizes", &rpn.anchors.sizes.concat())?;
        least("roi.smooth_beta", roi.smooth_beta.into())?;
        least("roi.box_weight", roi.box_weight.into())?;
        least("roi.classifier_std", roi.classifier_std)?;
        least("rpn.min_side", rpn.min_side.into())?;
        least("rpn.smooth_beta", rpn.smooth_beta.into())?;
        least("norm_epsilon", self.norm_epsilon)?;
        within("mask.resolution", self.mask.resolution, 1, 64)?;
        within("mask.convs", self.mask.convs, 0, 16)?;
        within("mask.width", self.mask.width, 1, 4096)?;
        least("mask.weight", self.mask.weight.into())?;
        share("rpn.nms_iou", rpn.nms_iou.into())?;
        for (field, subsample) in
            [("rpn.subsample.foreground_fraction", rpn.subsample), ("roi.subsample.foreground_fraction", roi.subsample)]
        {
            share(field, subsample.foreground_fraction)?;
        }
        for (field, matching) in [("rpn.matching", rpn.matching), ("roi.matching", roi.matching)] {
            share(field, matching.foreground_iou.into())?;
            share(field, matching.background_iou.into())?;
        }
        Ok(())
    }
}

fn sizes(batch: &Batch) -> Vec<[usize; 2]> {
    batch.images.iter().map(|image| image.size).collect()
}
