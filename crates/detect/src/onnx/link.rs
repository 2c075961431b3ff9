//! From logits to scores, as a loss has it, told by what it does: a loss is asked for the scores of a few rows and the links that ONNX can say are tried on them.

use equipoise_loss::ClassLoss;

use super::graph::{Attribute, Graph, Value};
use crate::{DetectError, Result};

/// How scores follow from logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Link {
    /// `σ(z_j)`; channels behind the classes say nothing.
    Sigmoid,
    /// `σ(z_j) (1 - σ(z_K))`: how likely it is an object, times the class.
    SigmoidForeground,
    /// The softmax of the classes times `σ(z_K - z_{K+1})`: object against background in channels of their own.
    SoftmaxForeground,
    /// The softmax of `scale z`, without the background's share.
    Softmax {
        /// Factor of the logits.
        scale: f64,
    },
}

/// Largest difference between two ways to compute a score in float64.
const CLOSE: f64 = 1e-9;

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn softmax(row: &[f64], scale: f64) -> impl Iterator<Item = f64> {
    let sum: f64 = row.iter().map(|z| (scale * z).exp()).sum();
    row.iter().map(move |z| (scale * z).exp() / sum)
}

impl Link {
    /// The link of a loss.
    ///
    /// # Errors
    /// When it is none of these, as with groups of classes that have softmaxes of their own.
    pub(super) fn of(loss: &dyn ClassLoss, classes: usize) -> Result<Self> {
        let channels = loss.channels(classes);
        // Rows without order or symmetry; a link that fits three of them fits all.
        let rows: Vec<Vec<f64>> = (0..3)
            .map(|row| (0..channels).map(|at| 3.0 * (1.7 * at as f64 + 0.9 * row as f64 + 0.4).sin()).collect())
            .collect();
        let mut candidates = vec![Link::Sigmoid, Link::SigmoidForeground];
        if channels == classes + 2 {
            candidates.push(Link::SoftmaxForeground);
        }
        if let [a, b, ..] = *loss.scores_f64(&rows[0]) {
            candidates.push(Link::Softmax { scale: (a / b).ln() / (rows[0][0] - rows[0][1]) });
        }
        candidates.push(Link::Softmax { scale: 1.0 });
        let fits = |link: &Link| {
            rows.iter().all(|row| {
                let (ours, theirs) = (link.scores_f64(row, classes), loss.scores_f64(row));
                ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < CLOSE)
            })
        };
        candidates.into_iter().find(fits).ok_or_else(|| DetectError::Config {
            field: "loss",
            expected: "one whose scores are sigmoids or one softmax, to be said in ONNX".into(),
            got: loss.card().name.to_string(),
        })
    }

    fn scores_f64(self, row: &[f64], classes: usize) -> Vec<f64> {
        let last = row.last().copied().unwrap_or_default();
        match self {
            Link::Sigmoid => row.iter().take(classes).map(|z| sigmoid(*z)).collect(),
            Link::SigmoidForeground => row.iter().take(classes).map(|z| sigmoid(*z) * (1.0 - sigmoid(last))).collect(),
            Link::SoftmaxForeground => {
                let object = sigmoid(row[classes] - row[classes + 1]);
                softmax(&row[..classes], 1.0).map(|score| score * object).collect()
            }
            Link::Softmax { scale } => softmax(row, scale).take(classes).collect(),
        }
    }

    /// `[R, C]` → `[R, K]`
    pub(super) fn scores(self, graph: &mut Graph, logits: &str, classes: usize) -> Value {
        let foreground = [[0, classes as i64]];
        match self {
            Link::Sigmoid => {
                let [logits] = graph.columns(logits, foreground);
                graph.op("Sigmoid", &[&logits], &[])
            }
            Link::SigmoidForeground => {
                let all = graph.op("Sigmoid", &[logits], &[]);
                let [scores, background] = graph.columns(&all, [[0, classes as i64], [-1, i64::MAX]]);
                let one = graph.number(1.0);
                let object = graph.op("Sub", &[&one, &background], &[]);
                graph.op("Mul", &[&scores, &object], &[])
            }
            Link::SoftmaxForeground => {
                let [logits, object, background] = graph.columns(
                    logits,
                    [[0, classes as i64], [classes as i64, classes as i64 + 1], [classes as i64 + 1, i64::MAX]],
                );
                let object = graph.op("Sub", &[&object, &background], &[]);
                let object = graph.op("Sigmoid", &[&object], &[]);
                let scores = graph.op("Softmax", &[&logits], &[("axis", Attribute::Int(-1))]);
                graph.op("Mul", &[&scores, &object], &[])
            }
            Link::Softmax { scale } => {
                let scale = graph.number(scale as f32);
                let scaled = graph.op("Mul", &[logits, &scale], &[]);
                let all = graph.op("Softmax", &[&scaled], &[("axis", Attribute::Int(-1))]);
                let [scores] = graph.columns(&all, foreground);
                scores
            }
        }
    }
}
