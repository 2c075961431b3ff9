//! The mask head of Mask R-CNN on the boxes that were found.

use super::graph::{Attribute, Value};
use super::network::Network;
use super::stages::Pooling;
use crate::Result;
use crate::mask_head::MaskHeadConfig;

impl Network<'_> {
    /// The mask of each of `boxes` `[D, 4]` for its class, `[D, S, S]`, as chances of the cells of the box.
    pub(super) fn masks(
        &mut self,
        config: &MaskHeadConfig,
        pooling: &Pooling,
        levels: &[Value],
        strides: &[usize],
        [boxes, classes]: [&str; 2],
    ) -> Result<Value> {
        let [mut x, order] = self.pooled(&pooling.to(config.resolution), levels, strides, boxes);
        for at in 0..config.convs {
            x = self.conv_bias(&x, &format!("mask_head.convs.{at}"))?;
            x = self.relu(&x);
        }
        let weight = self.weight("mask_head.deconv.weight")?.clone();
        let bias = self.weight("mask_head.deconv.bias")?.values.clone();
        let (weight, bias) =
            (self.graph.floats(&weight.shape, &weight.values), self.graph.floats(&[bias.len()], &bias));
        let twice = [("kernel_shape", Attribute::Ints(&[2, 2])), ("strides", Attribute::Ints(&[2, 2]))];
        let x = self.graph.op("ConvTranspose", &[&x, &weight, &bias], &twice);
        let x = self.relu(&x);
        let logits = self.conv_bias(&x, "mask_head.predictor")?;
        let graph = &mut self.graph;
        let chances = graph.op("Sigmoid", &[&logits], &[]);
        let set = match config.class_specific {
            true => graph.gather(classes, &order),
            false => graph.op("Sub", &[&order, &order], &[]),
        };
        let set = graph.reshape(&set, &[-1, 1]);
        let own = graph.op("GatherND", &[&chances, &set], &[("batch_dims", Attribute::Int(1))]);
        // From the order of the levels back to that of the boxes: what sorts an order undoes it.
        let count = graph.op("Shape", &[&order], &[]);
        let rising = [("axis", Attribute::Int(0)), ("largest", Attribute::Int(0))];
        let [_, back] = graph.ops("TopK", &[&order, &count], &rising);
        Ok(graph.gather(&own, &back))
    }
}
