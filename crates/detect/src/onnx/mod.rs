//! A detector as one ONNX graph: a picture of a fixed size in, boxes, scores and classes out.
//!
//! | value | type | is |
//! |---|---|---|
//! | `pictures` | f32 `[1, 3, H, W]` | RGB of 0 to 1, less ImageNet's mean, over its deviation; 0 beyond the picture, which lies at the top left |
//! | `size` | f32 `[2]` | height and width of the picture in it |
//! | `boxes` | f32 `[D, 4]` | corners `x1, y1, x2, y2` in pixels of `pictures` |
//! | `scores`, `classes` | f32, i64 `[D]` | best first |
//! | `masks` | f32 `[D, S, S]` | with masks only: the chance that each cell of the box is of the object |
//!
//! Every step is one of ONNX's own operators (set 17), `RoiAlign` and `NonMaxSuppression` among them. Normalisation is folded into the convolutions. Anchors
//! are constants, so the size is fixed; `parity/onnx_runtime.py` holds the graph against the program in ONNX Runtime.

mod graph;
mod link;
mod masks;
mod network;
mod stages;
mod wire;

use std::collections::BTreeMap;

use equipoise_loss::ClassLoss;

use self::graph::{Axis, Graph};
use self::link::Link;
use self::network::Network;
use self::stages::Pooling;
use crate::backbone::BackboneSpec;
use crate::fpn::level_strides;
use crate::weights::Weights;
use crate::{DetectConfig, DetectError, FasterRcnnConfig, Result};

/// The detector of `config` with these weights as the bytes of an ONNX file for pictures of `size` (height, width); `metadata` is
/// text that the file carries.
///
/// # Errors
/// When the size does not fit the strides of the pyramid, a weight is missing, or the loss has a link that ONNX cannot say.
pub fn to_onnx(
    config: &FasterRcnnConfig,
    weights: &Weights,
    loss: &dyn ClassLoss,
    num_classes: usize,
    detect: &DetectConfig,
    size: [usize; 2],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let spec = BackboneSpec::find(&config.backbone)?;
    let strides = level_strides(spec, config.first_stage, config.extra_levels)?;
    let multiple = spec.strides().last().copied().unwrap_or(1);
    if size.iter().any(|side| *side == 0 || side % multiple != 0) {
        return Err(DetectError::Config {
            field: "size",
            expected: format!(
                "height and width that are multiples of {multiple}, the coarsest stride of `{}`",
                spec.name
            ),
            got: format!("{size:?}"),
        });
    }
    let mut network = Network { graph: Graph::default(), weights };
    let [height, width] = size;
    let axes = [Axis::Fixed(1), Axis::Fixed(3), Axis::Fixed(height), Axis::Fixed(width)];
    let pictures = network.graph.input("pictures", &axes);
    let inner = network.graph.input("size", &[Axis::Fixed(2)]);
    let maps = network.backbone(spec, config.norm, config.norm_epsilon, &pictures)?.split_off(config.first_stage);
    let levels = network.pyramid(&maps, config.extra_levels)?;
    // A level on top has every second row and column, the first among them.
    let grids: Vec<[usize; 2]> = strides.iter().map(|stride| size.map(|side| side.div_ceil(*stride))).collect();
    let proposals = network.proposals(&config.rpn, &levels, &strides, &grids, &inner)?;
    let head = (loss.classifier(), Link::of(loss, num_classes)?, num_classes);
    let [boxes, scores, classes] =
        network.detections(&config.roi, detect, &levels, &strides, &proposals, &inner, head)?;
    let count = || Axis::Named("detections");
    network.graph.output("boxes", &boxes, &[count(), Axis::Fixed(4)], false);
    network.graph.output("scores", &scores, &[count()], false);
    network.graph.output("classes", &classes, &[count()], true);
    if config.masks {
        let side = || Axis::Fixed(2 * config.mask.resolution);
        let pooling = Pooling::of(&config.roi);
        let masks = network.masks(&config.mask, &pooling, &levels, &strides, [&boxes, &classes])?;
        network.graph.output("masks", &masks, &[count(), side(), side()], false);
    }
    Ok(network.graph.model(metadata))
}
