//! How weights of a file fit a detector, tensor by tensor.

use serde::Serialize;

use crate::weights::Weights;

/// Names of a file and of a detector, compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// In both, with one shape.
    pub matched: Vec<String>,
    /// In the detector alone.
    pub missing: Vec<String>,
    /// In the file alone.
    pub unexpected: Vec<String>,
    /// In both, with two shapes.
    pub misshapen: Vec<Misshapen>,
}

/// A tensor with two shapes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misshapen {
    /// Its name.
    pub name: String,
    /// Shape in the detector.
    pub detector: Vec<usize>,
    /// Shape in the file.
    pub file: Vec<usize>,
}

impl Fit {
    /// Compares weights by our names with those of a detector.
    pub fn of(file: &Weights, detector: &Weights) -> Self {
        let mut fit = Self::default();
        for (name, wanted) in detector {
            match file.get(name) {
                None => fit.missing.push(name.clone()),
                Some(weight) if weight.shape == wanted.shape => fit.matched.push(name.clone()),
                Some(weight) => fit.misshapen.push(Misshapen {
                    name: name.clone(),
                    detector: wanted.shape.clone(),
                    file: weight.shape.clone(),
                }),
            }
        }
        fit.unexpected = file.keys().filter(|name| !detector.contains_key(*name)).cloned().collect();
        fit
    }
}
