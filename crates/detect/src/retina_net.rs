//! RetinaNet: one stage over a feature pyramid (arXiv 1708.02002).
//!
//! The levels on top of the backbone's are convolutions of stride 2, the first over the topmost level and not, as in the paper, over the
//! backbone's last map: torchvision's `retinanet_resnet50_fpn` does the same. A loss divides by the foreground anchors of the batch;
//! torchvision divides picture by picture and takes the mean, which is another loss where pictures have unlike numbers of objects.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use equipoise_data::Batch;
use equipoise_loss::{ClassLoss, Head};
use serde::{Deserialize, Serialize};

use crate::backbone::{Backbone, BackboneSpec};
use crate::check::{least, positive, share, within};
use crate::dense_head::{DenseHead, DenseHeadConfig};
use crate::fpn::{self, Fpn};
use crate::layers::{Conv, Norm, NormKind, relu};
use crate::{DetectConfig, DetectorCard, Found, GroundTruth, Init, Precision, Result, TrainOutput};

/// The card.
pub const CARD: DetectorCard =
    DetectorCard { kind: "retina_net", title: "RetinaNet", head: Head::Dense, class_layers: &["head.classifier."] };

/// Options of the detector; the defaults are those of RetinaNet with ResNet-50 and FPN in torchvision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetinaNetConfig {
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
    /// First stage of the backbone that feeds the pyramid: 0 has stride 4, 1 has stride 8 (P3).
    pub first_stage: usize,
    /// Channels of the pyramid and of the head.
    pub fpn_width: usize,
    /// Levels on top of the backbone's.
    pub extra_levels: usize,
    /// The head.
    pub head: DenseHeadConfig,
}

impl Default for RetinaNetConfig {
    fn default() -> Self {
        Self {
            backbone: "resnet50".into(),
            norm: NormKind::Frozen,
            norm_epsilon: Norm::EPSILON,
            precision: Precision::F32,
            frozen_stages: 2,
            first_stage: 1,
            fpn_width: 256,
            extra_levels: 2,
            head: DenseHeadConfig::default(),
        }
    }
}

/// The detector.
#[derive(Module, Debug)]
pub struct RetinaNet {
    backbone: Backbone,
    fpn: Fpn,
    /// The levels on top of the backbone's.
    top: Vec<Conv>,
    head: DenseHead,
    #[module(skip)]
    first_stage: usize,
    #[module(skip)]
    strides: Vec<usize>,
    #[module(skip)]
    picture_stride: usize,
}

impl RetinaNet {
    /// A detector with fresh weights for `num_classes` classes and the channels that `loss` asks for.
    ///
    /// # Errors
    /// When the backbone is unknown or the levels and the anchors do not fit.
    pub fn new(
        config: &RetinaNetConfig,
        num_classes: usize,
        loss: &dyn ClassLoss,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let spec = BackboneSpec::find(&config.backbone)?;
        config.check()?;
        let strides = fpn::level_strides(spec, config.first_stage, config.extra_levels)?;
        config.head.anchors.check(["head.anchors", "head.anchors.sizes"], &strides)?;
        config.precision.check(device)?;
        let mut init = Init::new(seed, device).with_precision(config.precision);
        let channels = spec.channels()[config.first_stage..].to_vec();
        let backbone = Backbone::new(spec, config.norm, config.frozen_stages, &mut init);
        let backbone = backbone.with_norm_epsilon(config.norm_epsilon);
        let width = config.fpn_width;
        let fpn = Fpn::new(&mut init, &channels, width, 0);
        let std = (1.0 / (9 * width) as f64).sqrt();
        let top = (0..config.extra_levels)
            .map(|_| Conv::with_std(&mut init, [width, width], 3, 2, std).with_bias(&mut init))
            .collect();
        let head = DenseHead::new(&mut init, width, num_classes, loss, config.head.clone());
        let picture_stride = spec.strides().last().copied().unwrap_or(1);
        Ok(Self { backbone, fpn, top, head, first_stage: config.first_stage, strides, picture_stride })
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
        let mut levels = self.fpn.forward(maps);
        for (at, conv) in self.top.iter().enumerate() {
            let below = levels.last().expect("a pyramid has a level").clone();
            levels.push(conv.forward(if at == 0 { below } else { relu(below) }));
        }
        levels
    }

    /// Logits, their targets and the box loss. Nothing is drawn: every anchor trains, and the seed changes nothing.
    ///
    /// # Errors
    /// When an object has a class outside `0..K`.
    pub fn forward_train(&self, batch: &Batch, device: &Device, _seed: u64) -> Result<TrainOutput> {
        let truth: Vec<GroundTruth> = batch.images.iter().map(GroundTruth::from).collect();
        let output = self.head.forward(&self.levels(batch, device), &self.strides, picture(batch));
        let targets = self.head.targets(&output, &truth)?;
        let box_loss = self.head.box_loss(&output, &targets);
        Ok(TrainOutput { logits: output.logits, targets: targets.classes, losses: vec![("box", box_loss)] })
    }

    /// Detections of every picture, in pixels of the batch.
    pub fn detect(
        &self,
        batch: &Batch,
        device: &Device,
        loss: &dyn ClassLoss,
        config: &DetectConfig,
    ) -> Vec<Vec<Found>> {
        let output = self.head.forward(&self.levels(batch, device), &self.strides, picture(batch));
        let sizes: Vec<[usize; 2]> = batch.images.iter().map(|image| image.size).collect();
        self.head.decode(output, loss, &sizes, config)
    }
}

impl RetinaNetConfig {
    /// The layers of the card that depend on the classes with these options.
    pub fn class_layers(&self) -> Vec<&'static str> {
        CARD.class_layers.to_vec()
    }

    /// Refuses values that no detector can be built from.
    fn check(&self) -> Result<()> {
        let head = &self.head;
        within("fpn_width", self.fpn_width, 1, 4096)?;
        within("extra_levels", self.extra_levels, 0, 4)?;
        within("head.convs", head.convs, 0, 16)?;
        within("head.pre_nms", head.pre_nms, 1, 1_000_000)?;
        positive("head.anchors.ratios", &head.anchors.ratios)?;
        positive("head.anchors.sizes", &head.anchors.sizes.concat())?;
        share("head.matching.foreground_iou", head.matching.foreground_iou.into())?;
        share("head.matching.background_iou", head.matching.background_iou.into())?;
        least("norm_epsilon", self.norm_epsilon)?;
        least("head.smooth_beta", head.smooth_beta.into())?;
        least("head.box_weight", head.box_weight.into())?;
        least("head.std", head.std)
    }
}

fn picture(batch: &Batch) -> [usize; 2] {
    [batch.shape[2], batch.shape[3]]
}
