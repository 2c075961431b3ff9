//! Decoupled training: a second stage in which the features of a trained detector stay and the classifier alone learns.
//!
//! | method | what happens | source |
//! |---|---|---|
//! | `crt` | a fresh classifier, class-aware sampling | cRT, arXiv 1910.09217 |
//! | `lws` | a learnt scale for each logit of the old classifier, class-aware sampling | LWS, arXiv 1910.09217 |
//! | `tau-norm` | nothing is trained: the weights of each class get the length `||w||^(1 - tau)`, the bias goes | arXiv 1910.09217 |
//! | `bags` | a fresh classifier that learns by balanced group softmax | BAGS, arXiv 2006.10408 |
//!
//! cRT and LWS were published for a softmax; they keep the loss of the first stage, and the schedule of the recipe, which is as long as that of
//! the first stage (12 epochs each on LVIS in arXiv 2012.08548). Statistics of batch norms are frozen with the features.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use equipoise_detect::weights::Weights;
use equipoise_detect::{DetectorConfig, ParamPath};
use equipoise_loss::calibration::tau_norm;
use equipoise_loss::{ClassLoss, Classifier};
use serde::{Deserialize, Serialize};

use crate::classifier::{CLASSIFIER, classifier, rescale_classifier};
use crate::{Recipe, Result, TrainError};

const SCALES: &str = "roi_head.scales";

/// The second stage of a decoupled training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decouple {
    /// What becomes of the classifier.
    pub method: DecoupleMethod,
    /// Exponent of `tau-norm`; 1 gives the weights of all classes one length.
    #[serde(default = "one")]
    pub tau: f64,
}

fn one() -> f64 {
    1.0
}

/// What becomes of the classifier in the second stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecoupleMethod {
    /// It learns anew, with class-aware sampling.
    Crt,
    /// Its logits get learnt scales, with class-aware sampling.
    Lws,
    /// The weights of its classes get lengths that differ less.
    TauNorm,
    /// It learns anew by balanced group softmax.
    Bags,
}

impl DecoupleMethod {
    /// All methods by name.
    pub const ALL: [(&str, Self); 4] =
        [("crt", Self::Crt), ("lws", Self::Lws), ("tau-norm", Self::TauNorm), ("bags", Self::Bags)];

    /// As tables and figures name it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Crt => "cRT",
            Self::Lws => "LWS",
            Self::TauNorm => "tau-norm",
            Self::Bags => "decoupled",
        }
    }

    /// What the method asks of the recipe of the first stage, as `key=value`.
    pub fn overrides(self) -> Vec<String> {
        let (name, _) = Self::ALL.iter().find(|(_, method)| *method == self).expect("every method has a name");
        let mut keys = vec![format!("decouple={{ method = {name:?} }}"), "detector.norm=\"frozen\"".into()];
        match self {
            Self::Crt => keys.push("sampler.name=\"class-aware\"".into()),
            Self::Lws => {
                keys.extend(["sampler.name=\"class-aware\"", "detector.roi.class_scales=true"].map(String::from));
            }
            Self::TauNorm => {}
            Self::Bags => keys.push("loss={ name = \"bags\" }".into()),
        }
        keys
    }

    /// Whether the method trains at all.
    pub fn trains(self) -> bool {
        self != Self::TauNorm
    }

    /// Whether a weight of the first stage is not taken over.
    pub(crate) fn forgets(self, name: &str) -> bool {
        matches!(self, Self::Crt | Self::Bags) && name.starts_with(CLASSIFIER)
    }

    /// Whether a weight may be missing in the first stage.
    pub(crate) fn brings(self, name: &str) -> bool {
        self.forgets(name) || name == SCALES
    }

    fn learns(self, name: &str) -> bool {
        match self {
            Self::Crt | Self::Bags => name.starts_with(CLASSIFIER),
            Self::Lws => name == SCALES,
            Self::TauNorm => false,
        }
    }

    /// `module` with all that does not learn in this stage left out of the gradients.
    pub(crate) fn freeze<M: Module>(self, module: M) -> M {
        module.map(&mut Freezer { path: ParamPath::default(), method: self })
    }
}

impl Decouple {
    /// Refuses what the method cannot work with.
    pub(crate) fn check(&self, recipe: &Recipe) -> std::result::Result<(), String> {
        if recipe.weights.is_empty() || recipe.weights == "light" {
            return Err("`decouple` needs the run of the first stage: name it by `weights`, or use `train --from RUN --decouple METHOD`".into());
        }
        let DetectorConfig::FasterRcnn(detector) = &recipe.detector else {
            return Err(format!("`decouple` is for two-stage detectors; this one is {}", recipe.detector.card().title));
        };
        if self.method == DecoupleMethod::Lws && !detector.roi.class_scales {
            return Err(
                "`decouple.method` lws learns the scales of `detector.roi.class_scales`: set that to true".into()
            );
        }
        if !self.tau.is_finite() {
            return Err("`decouple.tau` must be a finite number".into());
        }
        Ok(())
    }

    /// Gives the classifier among `weights` its lengths, where the method says so.
    ///
    /// # Errors
    /// When the classifier is not linear.
    pub(crate) fn apply(&self, weights: &mut Weights, loss: &dyn ClassLoss, num_classes: usize) -> Result<()> {
        if self.method != DecoupleMethod::TauNorm {
            return Ok(());
        }
        let wrong = |reason: String| TrainError::Recipe { origin: "`decouple.method` tau-norm".into(), reason };
        if loss.classifier() != Classifier::Linear {
            return Err(wrong(format!("the classifier of `{}` is of length 1 already", loss.card().name)));
        }
        let [matrix, bias] = classifier(weights).map_err(wrong)?;
        let normed = tau_norm(&matrix, &bias, num_classes, self.tau)?;
        rescale_classifier(weights, normed.scale(), normed.shift()).map_err(wrong)
    }
}

struct Freezer {
    path: ParamPath,
    method: DecoupleMethod,
}

impl ModuleMapper for Freezer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.method.learns(&self.path.name()) {
            return param;
        }
        param.map(|tensor| Tensor::from_inner(tensor.inner()))
    }
}
