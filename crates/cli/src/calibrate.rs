//! Calibration of a trained detector: which parameter serves the tail, tried on training pictures, as NorCal and LogN were published.

use std::sync::Arc;

use anyhow::bail;
use burn::tensor::Device;
use equipoise_data::Dataset;
use equipoise_eval::protocol::protocol;
use equipoise_eval::record::Metrics;
use equipoise_loss::calibration::{Calibration, logit_adjustment, logn, norcal, tau_norm};
use equipoise_loss::{ClassLoss, Classifier};
use equipoise_train::{Checkpoint, RowStatistics, classifier};

use crate::progress::Progress;
use crate::scoring::Model;

/// Training pictures that a parameter is chosen on, evenly spaced over the set.
const PICTURES: usize = 400;

/// A method that `--calibrate` knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Parameters that are tried; none for a method without one.
    pub grid: &'static [f64],
}

/// All methods. Grids: those of the papers, thinned, since every try is a prediction.
pub const METHODS: [Method; 5] = [
    Method { name: "none", grid: &[] },
    Method { name: "norcal", grid: &[0.2, 0.4, 0.6, 0.8, 1.0] },
    Method { name: "logn", grid: &[] },
    Method { name: "logit-adjustment", grid: &[0.25, 0.5, 0.75, 1.0] },
    Method { name: "tau-norm", grid: &[0.2, 0.4, 0.6, 0.8, 1.0] },
];

/// What the user asked for: a method, and its parameter when it was named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// Its parameter; `None` is chosen on training pictures.
    pub parameter: Option<f64>,
}

/// Reads `METHOD` or `METHOD=VALUE`.
pub fn parse(text: &str) -> Result<Asked, String> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let known = || METHODS.map(|method| method.name).join(", ");
    let method = METHODS.into_iter().find(|method| method.name == name.trim());
    let method = method.ok_or_else(|| format!("`{name}` is no method of calibration; there are: {}", known()))?;
    let parameter = match value {
        None => None,
        Some(_) if method.grid.is_empty() => return Err(format!("`{name}` has no parameter")),
        Some(value) => {
            let parsed: Option<f64> = value.trim().parse().ok();
            Some(parsed.filter(|value| value.is_finite()).ok_or_else(|| format!("`{value}` is no number"))?)
        }
    };
    Ok(Asked { method, parameter })
}

/// A parameter that was tried, with the scores on training pictures.
pub struct Tried {
    /// `None` is the detector as it was.
    pub parameter: Option<f64>,
    /// Scores.
    pub metrics: Metrics,
}

/// A calibration and how it was found.
pub struct Chosen {
    /// What was chosen; `None` where the scores are best as they are.
    pub calibration: Option<Calibration>,
    /// What was tried, the detector as it was first; empty when nothing had to be chosen.
    pub tried: Vec<Tried>,
    /// Training pictures that were looked at.
    pub pictures: usize,
}

/// Where a calibration is made: a checkpoint, its training set, and how it is scored.
pub struct Calibrator<'a> {
    /// The checkpoint; a calibration that it holds is not used.
    pub checkpoint: Checkpoint,
    /// The training set.
    pub train: &'a Dataset,
    /// Name of the protocol of the scores.
    pub protocol: &'a str,
    /// Where tensors live.
    pub device: &'a Device,
    /// Where progress is told.
    pub progress: &'a Progress,
}

impl Calibrator<'_> {
    /// The calibration that was asked for; `None` when the user stopped it.
    ///
    /// # Errors
    /// When the detector's classifier is not one that the method can work with, or a picture cannot be read.
    pub fn choose(&mut self, asked: Asked) -> anyhow::Result<Option<Chosen>> {
        self.checkpoint.state.calibration = None;
        let sample = Arc::new(evenly(self.train, PICTURES));
        let pictures = sample.images.len();
        if asked.method.name == "none" {
            return Ok(Some(Chosen { calibration: None, tried: Vec::new(), pictures: 0 }));
        }
        let (detector, loss) = self.checkpoint.detector(self.device)?;
        self.check(asked.method, &*loss)?;
        let needs_rows = matches!(asked.method.name, "logn" | "logit-adjustment");
        let rows = if needs_rows {
            let task = self.progress.task("training rows", pictures as u64);
            let done = |seen| {
                task.units(seen, "pictures");
                !crate::interrupt::asked()
            };
            let rows = RowStatistics::of(&detector, &sample, &self.checkpoint.state.recipe, self.device, done)?;
            task.finish();
            let Some(rows) = rows else { return Ok(None) };
            Some(rows)
        } else {
            None
        };
        let make = |parameter| self.make(asked.method, parameter, &*loss, rows.as_ref());
        let (grid, fixed) = (asked.method.grid, asked.parameter.or(asked.method.grid.is_empty().then_some(0.0)));
        if let Some(parameter) = fixed {
            return Ok(Some(Chosen { calibration: Some(make(parameter)?), tried: Vec::new(), pictures: 0 }));
        }
        let Some(plain) = self.score(None, &sample)? else { return Ok(None) };
        let mut tried = vec![Tried { parameter: None, metrics: plain }];
        for &parameter in grid {
            let Some(metrics) = self.score(Some(make(parameter)?), &sample)? else { return Ok(None) };
            tried.push(Tried { parameter: Some(parameter), metrics });
        }
        let ap = |tried: &Tried| tried.metrics.get("AP").unwrap_or(0.0);
        // Of equal ones the first: the smaller change.
        let best = tried.iter().fold(&tried[0], |best, next| if ap(next) > ap(best) { next } else { best });
        let calibration = best.parameter.map(make).transpose()?;
        Ok(Some(Chosen { calibration, tried, pictures }))
    }

    fn check(&self, method: Method, loss: &dyn ClassLoss) -> anyhow::Result<()> {
        let (classes, card) = (self.checkpoint.state.classes.ids.len(), loss.card());
        let channels = loss.channels(classes);
        if channels > classes + 1 {
            bail!(
                "--calibrate {}: the loss `{}` has {channels} logits for {classes} classes, which are no plain softmax or sigmoids",
                method.name,
                card.name
            );
        }
        if method.name == "tau-norm" && loss.classifier() != Classifier::Linear {
            bail!("--calibrate tau-norm: the classifier of the loss `{}` has weights of length 1 already", card.name);
        }
        Ok(())
    }

    fn make(
        &self,
        method: Method,
        parameter: f64,
        loss: &dyn ClassLoss,
        rows: Option<&RowStatistics>,
    ) -> anyhow::Result<Calibration> {
        let facts = &self.checkpoint.state.facts;
        let classes = self.checkpoint.state.classes.ids.len();
        let channels = loss.channels(classes);
        Ok(match (method.name, rows) {
            ("norcal", _) => norcal(&facts.image_counts, channels, parameter)?,
            ("logn", Some(rows)) => logn(rows.logits.mean(), &rows.logits.variance(), classes)?,
            ("logit-adjustment", Some(rows)) => {
                logit_adjustment(&prior(&facts.instance_counts, &rows.labels, channels), parameter)?
            }
            _ => {
                let (weights, bias) = self.classifier()?;
                tau_norm(&weights, &bias, classes, parameter)?
            }
        })
    }

    /// Weights `[D, C]` and bias `[C]` of the classifier.
    fn classifier(&self) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
        let weights = self.checkpoint.clone().scored_weights();
        let Ok([mut matrix, mut bias]) = classifier(&weights) else {
            bail!("tau-norm needs the classifier of a two-stage detector, and this one has none");
        };
        if let Some(scales) = weights.get("roi_head.scales") {
            let scale = |at: usize| f64::from(scales.values[at % scales.values.len()]);
            matrix.iter_mut().enumerate().for_each(|(at, value)| *value *= scale(at));
            bias.iter_mut().enumerate().for_each(|(at, value)| *value *= scale(at));
        }
        Ok((matrix, bias))
    }

    fn score(&self, calibration: Option<Calibration>, sample: &Arc<Dataset>) -> anyhow::Result<Option<Metrics>> {
        let name = match &calibration {
            None => "as it is".to_string(),
            Some(calibration) => title(calibration),
        };
        let mut checkpoint = self.checkpoint.clone();
        checkpoint.state.calibration = calibration;
        let (detector, loss) = checkpoint.detector(self.device)?;
        let model = Model { detector: &detector, loss: &*loss, recipe: &checkpoint.state.recipe, device: self.device };
        let task = self.progress.task(&name, sample.images.len() as u64);
        let Some(detections) = model.predict(sample, &task)? else { return Ok(None) };
        Ok(Some(protocol(self.protocol)?.evaluate(sample, &detections)?.metrics))
    }
}

/// Name and parameter, as `norcal=0.6`.
pub fn title(calibration: &Calibration) -> String {
    match calibration.parameter {
        Some(parameter) => format!("{}={parameter}", calibration.method),
        None => calibration.method.clone(),
    }
}

/// Prior of every column: the share of foreground rows by the objects of each class in the whole set, and the rest, background.
///
/// Few of the looked at pictures hold a rare class, so its rows alone would tell little.
fn prior(instances: &[u64], labels: &[u64], channels: usize) -> Vec<f64> {
    let (background, rows) = (labels.last().copied().unwrap_or(0) as f64, labels.iter().sum::<u64>() as f64);
    let objects = instances.iter().map(|count| (*count).max(1) as f64).sum::<f64>();
    let share = (rows - background).max(1.0) / rows.max(1.0);
    let mut prior: Vec<f64> = instances.iter().map(|count| share * (*count).max(1) as f64 / objects).collect();
    prior.resize(channels, background.max(1.0) / rows.max(1.0));
    prior
}

/// At most `count` images of a set, evenly spaced.
fn evenly(dataset: &Dataset, count: usize) -> Dataset {
    let mut sample = dataset.clone();
    let all = dataset.images.len();
    let kept = count.min(all).max(1);
    sample.images = (0..kept).filter_map(|at| dataset.images.get(at * all / kept)).cloned().collect();
    sample
}

#[cfg(test)]
mod tests {
    use super::{parse, prior};

    #[test]
    fn a_method_may_have_a_parameter() {
        assert_eq!(parse("norcal=0.6").unwrap().parameter, Some(0.6));
        assert_eq!(parse("tau-norm").unwrap().parameter, None);
        assert!(parse("nercal").unwrap_err().contains("norcal, logn"));
        assert!(parse("logn=1").unwrap_err().contains("no parameter"));
        assert!(parse("norcal=NaN").is_err() && parse("norcal=x").is_err());
    }

    #[test]
    fn the_prior_sums_to_one() {
        let got = prior(&[30, 10], &[3, 1, 12], 3);
        assert_eq!(got, [0.25 * 0.75, 0.25 * 0.25, 0.75]);
        assert_eq!(prior(&[1, 1], &[0, 0, 0], 2).len(), 2);
    }
}
