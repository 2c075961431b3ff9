//! Backbone, pyramid and the layers that they are made of.

use super::graph::{Attribute, Graph, Value};
use crate::backbone::{BackboneSpec, Layout};
use crate::inverted::{self, InvertedGroup};
use crate::layers::{NormKind, group_count};
use crate::weights::{Weight, Weights};
use crate::{DetectError, Result};

/// A graph that grows by layers of a detector.
pub(super) struct Network<'a> {
    pub(super) graph: Graph,
    pub(super) weights: &'a Weights,
}

/// Geometry of a convolution.
#[derive(Clone, Copy)]
struct Geometry {
    stride: usize,
    /// Rows and columns of zeros before and after.
    padding: [usize; 2],
    groups: usize,
}

impl Geometry {
    fn same(kernel: usize, stride: usize) -> Self {
        Self { stride, padding: [kernel / 2; 2], groups: 1 }
    }

    /// As TensorFlow pads.
    fn behind(kernel: usize, stride: usize, groups: usize) -> Self {
        let total = kernel - stride.min(kernel);
        Self { stride, padding: [total / 2, total - total / 2], groups }
    }
}

/// How a backbone normalises.
#[derive(Clone, Copy)]
struct Normal {
    kind: NormKind,
    epsilon: f64,
}

impl Network<'_> {
    /// The tensor of this name.
    pub(super) fn weight(&self, name: &str) -> Result<&Weight> {
        self.weights.get(name).ok_or_else(|| DetectError::Names { reason: format!("1 missing (`{name}`)") })
    }

    fn conv(&mut self, x: &str, weight: &Weight, bias: Option<&[f32]>, geometry: Geometry) -> Value {
        let kernel = [weight.shape[2] as i64, weight.shape[3] as i64];
        let weight = self.graph.floats(&weight.shape, &weight.values);
        let bias = bias.map(|bias| self.graph.floats(&[bias.len()], bias));
        let inputs: Vec<&str> = [x, weight.as_str()].into_iter().chain(bias.as_deref()).collect();
        let [before, after] = geometry.padding.map(|padding| padding as i64);
        let attributes = [
            ("kernel_shape", Attribute::Ints(&kernel)),
            ("strides", Attribute::Ints(&[geometry.stride as i64; 2])),
            ("pads", Attribute::Ints(&[before, before, after, after])),
            ("group", Attribute::Int(geometry.groups as i64)),
        ];
        self.graph.op("Conv", &inputs, &attributes)
    }

    /// The convolution called `name`, with its bias.
    pub(super) fn conv_bias(&mut self, x: &str, name: &str) -> Result<Value> {
        let weight = self.weight(&format!("{name}.weight"))?.clone();
        let bias = self.weight(&format!("{name}.bias"))?.values.clone();
        let geometry = Geometry::same(weight.shape[2], 1);
        Ok(self.conv(x, &weight, Some(&bias), geometry))
    }

    /// The convolution called `name` with its normalisation, which is folded into it unless it follows the picture.
    fn conv_norm(&mut self, x: &str, name: &str, normal: Normal, geometry: Geometry) -> Result<Value> {
        let mut weight = self.weight(&format!("{name}.conv.weight"))?.clone();
        let part = |part: &str| Ok::<_, DetectError>(self.weight(&format!("{name}.norm.{part}"))?.values.clone());
        let (gamma, beta) = (part("gamma")?, part("beta")?);
        if normal.kind == NormKind::Group {
            let y = self.conv(x, &weight, None, geometry);
            return Ok(self.group_norm(&y, &gamma, &beta, normal.epsilon));
        }
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let scale = |at: usize| gamma[at] / (variance[at] + normal.epsilon as f32).sqrt();
        let values = weight.values.len() / gamma.len().max(1);
        for (at, kernel) in weight.values.chunks_exact_mut(values.max(1)).enumerate() {
            kernel.iter_mut().for_each(|value| *value *= scale(at));
        }
        let bias: Vec<f32> = (0..gamma.len()).map(|at| beta[at] - mean[at] * scale(at)).collect();
        Ok(self.conv(x, &weight, Some(&bias), geometry))
    }

    fn group_norm(&mut self, x: &str, gamma: &[f32], beta: &[f32], epsilon: f64) -> Value {
        let groups = group_count(gamma.len());
        let (ones, zeros) = (vec![1.0; groups], vec![0.0; groups]);
        let (ones, zeros) = (self.graph.floats(&[groups], &ones), self.graph.floats(&[groups], &zeros));
        let shape = self.graph.op("Shape", &[x], &[]);
        let parts = self.graph.reshape(x, &[1, groups as i64, -1]);
        let epsilon = [("epsilon", Attribute::Float(epsilon as f32))];
        let normal = self.graph.op("InstanceNormalization", &[&parts, &ones, &zeros], &epsilon);
        let normal = self.graph.op("Reshape", &[&normal, &shape], &[]);
        let channels = [1, gamma.len(), 1, 1];
        let (gamma, beta) = (self.graph.floats(&channels, gamma), self.graph.floats(&channels, beta));
        let scaled = self.graph.op("Mul", &[&normal, &gamma], &[]);
        self.graph.op("Add", &[&scaled, &beta], &[])
    }

    pub(super) fn relu(&mut self, x: &str) -> Value {
        self.graph.op("Relu", &[x], &[])
    }

    fn relu6(&mut self, x: &str) -> Value {
        let (low, high) = (self.graph.number(0.0), self.graph.number(6.0));
        self.graph.op("Clip", &[x, &low, &high], &[])
    }

    /// The map of every stage.
    pub(super) fn backbone(
        &mut self,
        spec: &BackboneSpec,
        kind: NormKind,
        epsilon: f64,
        pictures: &str,
    ) -> Result<Vec<Value>> {
        match spec.layout {
            Layout::Residual { large_stem, blocks, expansion, .. } => {
                let normal = Normal { kind, epsilon };
                let stem = Geometry::same(if large_stem { 7 } else { 3 }, 2);
                let x = self.conv_norm(pictures, "backbone.stem", normal, stem)?;
                let mut x = self.relu(&x);
                if large_stem {
                    let attributes = [
                        ("kernel_shape", Attribute::Ints(&[3, 3])),
                        ("strides", Attribute::Ints(&[2, 2])),
                        ("pads", Attribute::Ints(&[1, 1, 1, 1])),
                    ];
                    x = self.graph.op("MaxPool", &[&x], &attributes);
                }
                let mut maps = Vec::new();
                for (stage, &count) in blocks.iter().enumerate() {
                    for block in 0..count {
                        let stride = if block > 0 || (stage == 0 && large_stem) { 1 } else { 2 };
                        let name = format!("backbone.stages.{stage}.{block}");
                        x = self.residual(&x, &name, normal, stride, expansion > 1)?;
                    }
                    maps.push(x.clone());
                }
                Ok(maps)
            }
            Layout::Inverted(stages) => {
                let normal = Normal { kind, epsilon: inverted::EPSILON };
                let x = self.conv_norm(pictures, "backbone.stem", normal, Geometry::behind(3, 2, 1))?;
                let mut x = self.relu6(&x);
                let (mut inputs, mut maps) = (spec.stem_width, Vec::new());
                for (stage, groups) in stages.iter().enumerate() {
                    let blocks = groups.iter().flat_map(|group| (0..group.repeats).map(move |at| (*group, at)));
                    for (block, (group, at)) in blocks.enumerate() {
                        let name = format!("backbone.stages.{stage}.{block}");
                        x = self.inverted(&x, &name, normal, inputs, group, at)?;
                        inputs = group.outputs;
                    }
                    let scale = self.graph.number(spec.map_scales()[stage]);
                    maps.push(self.graph.op("Div", &[&x, &scale], &[]));
                }
                Ok(maps)
            }
        }
    }

    fn residual(&mut self, x: &str, name: &str, normal: Normal, stride: usize, bottleneck: bool) -> Result<Value> {
        let shortcut = match self.weights.contains_key(&format!("{name}.downsample.conv.weight")) {
            true => self.conv_norm(x, &format!("{name}.downsample"), normal, Geometry::same(1, stride))?,
            false => x.to_string(),
        };
        let [first, second] = match bottleneck {
            true => [Geometry::same(1, 1), Geometry::same(3, stride)],
            false => [Geometry::same(3, stride), Geometry::same(3, 1)],
        };
        let y = self.conv_norm(x, &format!("{name}.conv1"), normal, first)?;
        let y = self.relu(&y);
        let mut y = self.conv_norm(&y, &format!("{name}.conv2"), normal, second)?;
        if bottleneck {
            let inner = self.relu(&y);
            y = self.conv_norm(&inner, &format!("{name}.conv3"), normal, Geometry::same(1, 1))?;
        }
        let sum = self.graph.op("Add", &[&y, &shortcut], &[]);
        Ok(self.relu(&sum))
    }

    fn inverted(
        &mut self,
        x: &str,
        name: &str,
        normal: Normal,
        inputs: usize,
        group: InvertedGroup,
        at: usize,
    ) -> Result<Value> {
        let stride = if at == 0 { group.stride } else { 1 };
        let width = inputs * group.expansion;
        let mut y = x.to_string();
        if group.expansion > 1 {
            y = self.conv_norm(&y, &format!("{name}.expand"), normal, Geometry::same(1, 1))?;
            y = self.relu6(&y);
        }
        y = self.conv_norm(&y, &format!("{name}.depthwise"), normal, Geometry::behind(group.kernel, stride, width))?;
        y = self.relu6(&y);
        y = self.conv_norm(&y, &format!("{name}.project"), normal, Geometry::same(1, 1))?;
        let shortcut = stride == 1 && inputs == group.outputs;
        Ok(if shortcut { self.graph.op("Add", &[&y, x], &[]) } else { y })
    }

    /// The levels of the pyramid.
    pub(super) fn pyramid(&mut self, maps: &[Value], extra_levels: usize) -> Result<Vec<Value>> {
        let mut levels = Vec::new();
        for (at, map) in maps.iter().enumerate() {
            levels.push(self.conv_bias(map, &format!("fpn.lateral.{at}"))?);
        }
        let scales = self.graph.floats(&[4], &[1.0, 1.0, 2.0, 2.0]);
        let nearest = [
            ("mode", Attribute::Text("nearest")),
            ("coordinate_transformation_mode", Attribute::Text("asymmetric")),
            ("nearest_mode", Attribute::Text("floor")),
        ];
        for level in (1..levels.len()).rev() {
            let twice = self.graph.op("Resize", &[&levels[level], "", &scales], &nearest);
            levels[level - 1] = self.graph.op("Add", &[&levels[level - 1], &twice], &[]);
        }
        for (at, level) in levels.iter_mut().enumerate() {
            *level = self.conv_bias(level, &format!("fpn.output.{at}"))?;
        }
        for _ in 0..extra_levels {
            let every_second = [("kernel_shape", Attribute::Ints(&[1, 1])), ("strides", Attribute::Ints(&[2, 2]))];
            let top = levels.last().cloned().unwrap_or_default();
            levels.push(self.graph.op("MaxPool", &[&top], &every_second));
        }
        Ok(levels)
    }
}
