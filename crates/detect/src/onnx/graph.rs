//! A graph of ONNX operators, put together one by one.

use std::collections::BTreeMap;

use super::wire::Message;

/// The operator set: the first with `RoiAlign` at half pixels is 16, and 17 is read by runtimes since 2022.
const OPSET: i64 = 17;
/// Version of the file format that goes with it.
const IR_VERSION: i64 = 8;
const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// Name of a value in the graph.
pub(super) type Value = String;

/// An attribute of an operator.
pub(super) enum Attribute<'a> {
    Int(i64),
    Float(f32),
    Text(&'a str),
    Ints(&'a [i64]),
}

/// Length of an axis.
pub(super) enum Axis<'a> {
    Fixed(usize),
    Named(&'a str),
}

/// A graph under construction.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<Vec<u8>>,
    constants: Vec<Vec<u8>>,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
}

impl Graph {
    /// An operator with one result.
    pub(super) fn op(&mut self, kind: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> Value {
        let [value] = self.ops(kind, inputs, attributes);
        value
    }

    /// An operator with several results.
    pub(super) fn ops<const N: usize>(
        &mut self,
        kind: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> [Value; N] {
        let number = self.nodes.len();
        let names: [Value; N] = std::array::from_fn(|at| format!("{}_{number}_{at}", kind.to_lowercase()));
        self.add(kind, inputs, &names.each_ref().map(String::as_str), attributes);
        names
    }

    /// An operator whose result is an output of the graph: `name` with these axes.
    pub(super) fn output(&mut self, name: &str, value: &str, axes: &[Axis], ints: bool) {
        self.add("Identity", &[value], &[name], &[]);
        self.outputs.push(value_info(name, axes, ints));
    }

    /// An input of the graph.
    pub(super) fn input(&mut self, name: &str, axes: &[Axis]) -> Value {
        self.inputs.push(value_info(name, axes, false));
        name.to_string()
    }

    /// Constant fractions.
    pub(super) fn floats(&mut self, shape: &[usize], values: &[f32]) -> Value {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        self.constant(shape, FLOAT, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// One fraction, which broadcasts.
    pub(super) fn number(&mut self, value: f32) -> Value {
        self.floats(&[], &[value])
    }

    /// Constant whole numbers along one axis.
    pub(super) fn ints(&mut self, values: &[i64]) -> Value {
        self.constant(&[values.len()], INT64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// The parts `ranges` of the last axis.
    pub(super) fn columns<const N: usize>(&mut self, value: &str, ranges: [[i64; 2]; N]) -> [Value; N] {
        ranges.map(|[from, to]| {
            let (from, to, axis) = (self.ints(&[from]), self.ints(&[to]), self.ints(&[-1]));
            self.op("Slice", &[value, &from, &to, &axis], &[])
        })
    }

    /// Another shape of the same values; one length may be -1.
    pub(super) fn reshape(&mut self, value: &str, shape: &[i64]) -> Value {
        let shape = self.ints(shape);
        self.op("Reshape", &[value, &shape], &[])
    }

    fn constant(&mut self, shape: &[usize], dtype: i64, raw: Vec<u8>) -> Value {
        let name = format!("constant_{}", self.constants.len());
        let tensor = shape.iter().fold(Message::default(), |tensor, length| tensor.int(1, *length as i64));
        self.constants.push(tensor.int(2, dtype).put(8, name.as_bytes()).put(9, &raw).bytes());
        name
    }

    fn add(&mut self, kind: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, Attribute)]) {
        let name = format!("{kind}_{}", self.nodes.len());
        let node = Message::default().put_all(1, inputs).put_all(2, outputs).put(3, name.as_bytes());
        let attributes = attributes.iter().map(|(name, value)| attribute(name, value));
        self.nodes.push(node.put(4, kind.as_bytes()).put_all(5, attributes).bytes());
    }

    /// The model as the bytes of a file, with text about it.
    pub(super) fn model(self, metadata: &BTreeMap<String, String>) -> Vec<u8> {
        let graph = Message::default().put_all(1, self.nodes).put(2, b"detector").put_all(5, self.constants);
        let graph = graph.put_all(11, self.inputs).put_all(12, self.outputs).bytes();
        let operators = Message::default().put(1, b"").int(2, OPSET).bytes();
        let entries = metadata
            .iter()
            .map(|(key, value)| Message::default().put(1, key.as_bytes()).put(2, value.as_bytes()).bytes());
        let model = Message::default().int(1, IR_VERSION).put(2, b"equipoise");
        let model = model.put(3, env!("CARGO_PKG_VERSION").as_bytes()).put(7, &graph).put(8, &operators);
        model.put_all(14, entries).bytes()
    }
}

fn attribute(name: &str, value: &Attribute) -> Vec<u8> {
    let message = Message::default().put(1, name.as_bytes());
    let message = match value {
        Attribute::Float(value) => message.float(2, *value).int(20, 1),
        Attribute::Int(value) => message.int(3, *value).int(20, 2),
        Attribute::Text(value) => message.put(4, value.as_bytes()).int(20, 3),
        Attribute::Ints(values) => values.iter().fold(message, |message, value| message.int(8, *value)).int(20, 7),
    };
    message.bytes()
}

fn value_info(name: &str, axes: &[Axis], ints: bool) -> Vec<u8> {
    let axes = axes.iter().map(|axis| match axis {
        Axis::Fixed(length) => Message::default().int(1, *length as i64).bytes(),
        Axis::Named(name) => Message::default().put(2, name.as_bytes()).bytes(),
    });
    let shape = Message::default().put_all(1, axes).bytes();
    let tensor = Message::default().int(1, if ints { INT64 } else { FLOAT }).put(2, &shape).bytes();
    let kind = Message::default().put(1, &tensor).bytes();
    Message::default().put(1, name.as_bytes()).put(2, &kind).bytes()
}
