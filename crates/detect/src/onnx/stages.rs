//! The two stages of Faster R-CNN: proposals, and what the box head makes of them.

use super::graph::{Attribute, Graph, Value};
use super::link::Link;
use super::network::Network;
use crate::boxes::{DeltaWeights, MAX_LOG_SCALE};
use crate::layers::LENGTH_EPSILON;
use crate::roi_head::RoiHeadConfig;
use crate::rpn::{self, RpnConfig};
use crate::{DetectConfig, Result};
use equipoise_loss::Classifier;

/// Below every score: ONNX's suppression drops what does not score above.
const NO_SCORE: f32 = -3.0e38;

/// Lowest and highest corners of boxes, whatever axes come before the last.
struct Corners {
    low: [Value; 2],
    high: [Value; 2],
}

/// How features of regions are pooled from the levels.
#[derive(Clone, Copy)]
pub(super) struct Pooling {
    resolution: usize,
    pooled_levels: usize,
    canonical_side: f32,
    sampling_ratio: usize,
}

impl Pooling {
    /// The same to another resolution.
    pub(super) fn to(self, resolution: usize) -> Self {
        Self { resolution, ..self }
    }

    pub(super) fn of(config: &RoiHeadConfig) -> Self {
        let RoiHeadConfig { resolution, pooled_levels, canonical_side, sampling_ratio, .. } = *config;
        Self { resolution, pooled_levels, canonical_side, sampling_ratio }
    }
}

impl Graph {
    fn binary(&mut self, kind: &str, a: &str, b: &str) -> Value {
        self.op(kind, &[a, b], &[])
    }

    /// The boxes that deltas make of anchors, cut at the borders of the picture; `size` is its height and width.
    fn decode(&mut self, anchors: &str, deltas: &str, weights: DeltaWeights, size: &str) -> Value {
        let [x1, y1, x2, y2] = self.columns(anchors, [[0, 1], [1, 2], [2, 3], [3, 4]]);
        let shifts = self.columns(deltas, [[0, 1], [1, 2]]);
        let scales = self.columns(deltas, [[2, 3], [3, 4]]);
        let borders = self.columns(size, [[1, 2], [0, 1]]);
        let (half, zero) = (self.number(0.5), self.number(0.0));
        let (smallest, largest) = (self.number(1e-3), self.number(MAX_LOG_SCALE));
        let mut corners = Corners { low: Default::default(), high: Default::default() };
        for (axis, (low, high)) in [(x1, x2), (y1, y2)].into_iter().enumerate() {
            let side = self.binary("Sub", &high, &low);
            let side = self.binary("Max", &side, &smallest);
            let half_side = self.binary("Mul", &side, &half);
            let middle = self.binary("Add", &low, &half_side);
            let weight = self.number(weights.0[axis]);
            let shift = self.binary("Div", &shifts[axis], &weight);
            let shift = self.binary("Mul", &shift, &side);
            let middle = self.binary("Add", &middle, &shift);
            let weight = self.number(weights.0[2 + axis]);
            let scale = self.binary("Div", &scales[axis], &weight);
            let scale = self.binary("Min", &scale, &largest);
            let scale = self.op("Exp", &[&scale], &[]);
            let half_side = self.binary("Mul", &half_side, &scale);
            for (slot, kind) in [(&mut corners.low[axis], "Sub"), (&mut corners.high[axis], "Add")] {
                let corner = self.binary(kind, &middle, &half_side);
                let corner = self.binary("Max", &corner, &zero);
                *slot = self.binary("Min", &corner, &borders[axis]);
            }
        }
        let parts = [&corners.low[0], &corners.low[1], &corners.high[0], &corners.high[1]].map(String::as_str);
        self.op("Concat", &parts, &[("axis", Attribute::Int(-1))])
    }

    /// Sides of boxes: `[…, 4]` → width and height, `[…, 1]`.
    fn sides(&mut self, boxes: &str) -> [Value; 2] {
        let [low, high] = self.columns(boxes, [[0, 2], [2, 4]]);
        let sides = self.binary("Sub", &high, &low);
        self.columns(&sides, [[0, 1], [1, 2]])
    }

    fn product(&mut self, [a, b]: [Value; 2]) -> Value {
        self.binary("Mul", &a, &b)
    }

    pub(super) fn gather(&mut self, values: &str, indices: &str) -> Value {
        self.op("Gather", &[values, indices], &[("axis", Attribute::Int(0))])
    }

    /// The places of the `most` highest of `scores` `[n]`, or of all, best first.
    fn best(&mut self, scores: &str, most: usize) -> [Value; 2] {
        let (all, most) = (self.op("Shape", &[scores], &[]), self.ints(&[most as i64]));
        let count = self.binary("Min", &all, &most);
        self.ops("TopK", &[scores, &count], &[("axis", Attribute::Int(0))])
    }

    fn suppress(&mut self, boxes: &str, scores: &str, most: usize, iou: f32, threshold: f32) -> Value {
        let (most, iou, threshold) =
            (self.ints(&[most as i64]), self.floats(&[1], &[iou]), self.floats(&[1], &[threshold]));
        self.op("NonMaxSuppression", &[boxes, scores, &most, &iou, &threshold], &[])
    }
}

impl Network<'_> {
    /// The proposals of the picture, `[R, 4]`, best first. `grids` are the rows and columns of the levels.
    pub(super) fn proposals(
        &mut self,
        config: &RpnConfig,
        levels: &[Value],
        strides: &[usize],
        grids: &[[usize; 2]],
        size: &str,
    ) -> Result<Value> {
        let (mut boxes, mut scores) = (Vec::new(), Vec::new());
        for (level, map) in levels.iter().enumerate() {
            let x = self.conv_bias(map, "rpn.conv")?;
            let x = self.relu(&x);
            let objectness = self.conv_bias(&x, "rpn.objectness")?;
            let deltas = self.conv_bias(&x, "rpn.deltas")?;
            let last = [("perm", Attribute::Ints(&[0, 2, 3, 1]))];
            let graph = &mut self.graph;
            let objectness = graph.op("Transpose", &[&objectness], &last);
            let objectness = graph.reshape(&objectness, &[-1]);
            let deltas = graph.op("Transpose", &[&deltas], &last);
            let deltas = graph.reshape(&deltas, &[-1, 4]);
            let anchors = config.anchors.level(level, grids[level], strides[level]);
            let anchors = graph.floats(&[anchors.len(), 4], anchors.as_flattened());
            let [objectness, places] = graph.best(&objectness, config.pre_nms_test);
            let (anchors, deltas) = (graph.gather(&anchors, &places), graph.gather(&deltas, &places));
            let decoded = graph.decode(&anchors, &deltas, rpn::WEIGHTS, size);
            // A box with a side too small scores nothing.
            let sides = graph.sides(&decoded);
            let least = graph.number(config.min_side);
            let [wide, high] = sides.map(|side| graph.op("GreaterOrEqual", &[&side, &least], &[]));
            let large = graph.binary("And", &wide, &high);
            let large = graph.reshape(&large, &[-1]);
            let nothing = graph.number(NO_SCORE * 1.1);
            let usable = graph.op("Where", &[&large, &objectness, &nothing], &[]);
            let (batch, single) = (graph.reshape(&decoded, &[1, -1, 4]), graph.reshape(&usable, &[1, 1, -1]));
            let kept = graph.suppress(&batch, &single, config.pre_nms_test, config.nms_iou, NO_SCORE);
            let [kept] = graph.columns(&kept, [[2, 3]]);
            let kept = graph.reshape(&kept, &[-1]);
            boxes.push(graph.gather(&decoded, &kept));
            scores.push(graph.gather(&usable, &kept));
        }
        let join = |graph: &mut Graph, values: &[Value]| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            graph.op("Concat", &values, &[("axis", Attribute::Int(0))])
        };
        let (boxes, scores) = (join(&mut self.graph, &boxes), join(&mut self.graph, &scores));
        let [_, best] = self.graph.best(&scores, config.post_nms_test);
        Ok(self.graph.gather(&boxes, &best))
    }

    /// Features of regions level by level, and the places of their regions among `rois`.
    pub(super) fn pooled(&mut self, config: &Pooling, levels: &[Value], strides: &[usize], rois: &str) -> [Value; 2] {
        let graph = &mut self.graph;
        let used = config.pooled_levels.min(levels.len());
        let area = graph.sides(rois);
        let area = graph.product(area);
        let side = graph.op("Sqrt", &[&area], &[]);
        // FPN, equation 1; the strides are powers of two, so that the level is a difference of logarithms.
        let canonical = graph.number(config.canonical_side);
        let (small, log_two) = (graph.number(1e-6), graph.number(std::f32::consts::LN_2));
        let share = graph.binary("Div", &side, &canonical);
        let share = graph.binary("Add", &share, &small);
        let log = graph.op("Log", &[&share], &[]);
        let log = graph.binary("Div", &log, &log_two);
        let level = graph.op("Floor", &[&log], &[]);
        let first = graph.number(4.0 - strides[0].ilog2() as f32);
        let level = graph.binary("Add", &level, &first);
        let (low, high) = (graph.number(0.0), graph.number(used as f32 - 1.0));
        let level = graph.op("Clip", &[&level, &low, &high], &[]);
        let level = graph.reshape(&level, &[-1]);
        let (mut features, mut places) = (Vec::new(), Vec::new());
        for at in 0..used {
            let wanted = graph.number(at as f32);
            let mine = graph.binary("Equal", &level, &wanted);
            let mine = graph.op("NonZero", &[&mine], &[]);
            let mine = graph.reshape(&mine, &[-1]);
            let boxes = graph.gather(rois, &mine);
            // Every region is of picture 0.
            let pictures = graph.binary("Sub", &mine, &mine);
            let attributes = [
                ("mode", Attribute::Text("avg")),
                ("coordinate_transformation_mode", Attribute::Text("half_pixel")),
                ("output_height", Attribute::Int(config.resolution as i64)),
                ("output_width", Attribute::Int(config.resolution as i64)),
                ("sampling_ratio", Attribute::Int(config.sampling_ratio as i64)),
                ("spatial_scale", Attribute::Float(1.0 / strides[at] as f32)),
            ];
            features.push(graph.op("RoiAlign", &[&levels[at], &boxes, &pictures], &attributes));
            places.push(mine);
        }
        [features, places].map(|values| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            graph.op("Concat", &values, &[("axis", Attribute::Int(0))])
        })
    }

    fn linear(&mut self, x: &str, name: &str) -> Result<Value> {
        let weight = self.weight(&format!("{name}.weight"))?.clone();
        let bias = self.weight(&format!("{name}.bias"))?.values.clone();
        let weight = self.graph.floats(&weight.shape, &weight.values);
        let bias = self.graph.floats(&[bias.len()], &bias);
        Ok(self.graph.op("Gemm", &[x, &weight, &bias], &[]))
    }

    fn logits(&mut self, features: &str, classifier: Classifier) -> Result<Value> {
        let Classifier::Normalized { temperature } = classifier else {
            return self.linear(features, "roi_head.classifier");
        };
        let mut weight = self.weight("roi_head.classifier.weight")?.clone();
        let outputs = weight.shape[1];
        for column in 0..outputs {
            let squares: f32 = weight.values.iter().skip(column).step_by(outputs).map(|value| value * value).sum();
            let length = (squares + LENGTH_EPSILON as f32).sqrt();
            weight
                .values
                .iter_mut()
                .skip(column)
                .step_by(outputs)
                .for_each(|value| *value *= temperature as f32 / length);
        }
        let bias = self.weight("roi_head.classifier.bias")?.values.clone();
        let graph = &mut self.graph;
        let (axis, small) = (graph.ints(&[1]), graph.number(LENGTH_EPSILON as f32));
        let squares = graph.binary("Mul", features, features);
        let squares = graph.op("ReduceSum", &[&squares, &axis], &[]);
        let length = graph.binary("Add", &squares, &small);
        let length = graph.op("Sqrt", &[&length], &[]);
        let unit = graph.binary("Div", features, &length);
        let (weight, bias) = (graph.floats(&weight.shape, &weight.values), graph.floats(&[outputs], &bias));
        Ok(graph.op("Gemm", &[&unit, &weight, &bias], &[]))
    }

    /// Boxes `[D, 4]`, scores `[D]` and classes `[D]` of the picture, best first.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn detections(
        &mut self,
        config: &RoiHeadConfig,
        detect: &DetectConfig,
        levels: &[Value],
        strides: &[usize],
        proposals: &str,
        size: &str,
        (classifier, link, classes): (Classifier, Link, usize),
    ) -> Result<[Value; 3]> {
        let [pooled, order] = self.pooled(&Pooling::of(config), levels, strides, proposals);
        let rois = self.graph.gather(proposals, &order);
        let width = self.weight("roi_head.hidden1.weight")?.shape[0];
        let x = self.graph.reshape(&pooled, &[-1, width as i64]);
        let x = self.linear(&x, "roi_head.hidden1")?;
        let x = self.relu(&x);
        let x = self.linear(&x, "roi_head.hidden2")?;
        let x = self.relu(&x);
        let logits = self.logits(&x, classifier)?;
        let scores = link.scores(&mut self.graph, &logits, classes);
        let deltas = self.linear(&x, "roi_head.deltas")?;
        let sets = if config.class_specific_boxes { classes } else { 1 };
        let graph = &mut self.graph;
        let deltas = graph.reshape(&deltas, &[-1, sets as i64, 4]);
        let anchors = graph.reshape(&rois, &[-1, 1, 4]);
        let boxes = graph.decode(&anchors, &deltas, config.delta_weights, size);
        // [sets, R, 4] and [K, R]; a box without an area scores nothing.
        let boxes = graph.op("Transpose", &[&boxes], &[("perm", Attribute::Ints(&[1, 0, 2]))]);
        let scores = graph.op("Transpose", &[&scores], &[("perm", Attribute::Ints(&[1, 0]))]);
        let area = graph.sides(&boxes);
        let area = graph.product(area);
        let area = graph.reshape(&area, &[sets as i64, -1]);
        let (zero, nothing) = (graph.number(0.0), graph.number(NO_SCORE));
        let real = graph.op("Greater", &[&area, &zero], &[]);
        let scores = graph.op("Where", &[&real, &scores, &nothing], &[]);
        // One set of boxes is a picture with K classes, K sets are K pictures with one.
        let rest = if sets == 1 { classes as i64 } else { 1 };
        let grouped = graph.reshape(&scores, &[sets as i64, rest, -1]);
        let (most, iou) = (detect.max_detections, detect.nms_iou);
        let kept = graph.suppress(&boxes, &grouped, most, iou, detect.score_threshold);
        let [picture, class, place] = graph.columns(&kept, [[0, 1], [1, 2], [2, 3]]);
        let class = graph.binary("Add", &picture, &class);
        let along = [("axis", Attribute::Int(1))];
        let of_scores = graph.op("Concat", &[&class, &place], &along);
        let of_boxes = graph.op("Concat", &[&picture, &place], &along);
        let scores = graph.op("GatherND", &[&scores, &of_scores], &[]);
        let boxes = graph.op("GatherND", &[&boxes, &of_boxes], &[]);
        let class = graph.reshape(&class, &[-1]);
        let [scores, best] = graph.best(&scores, most);
        Ok([graph.gather(&boxes, &best), scores, graph.gather(&class, &best)])
    }
}
